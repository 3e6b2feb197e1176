"""`rxsim compare`."""

from __future__ import annotations

from pathlib import Path

import click

from rxsim.commands.arguments import FILE
from rxsim.commands.json_output import json_file, write_json
from rxsim.comparison import compare, read_criteria, read_evaluated
from rxsim.errors import RegressionError
from rxsim.files import check_destination
from rxsim.report.comparison_terminal import print_comparison


@click.command("compare")
@click.argument("first", type=FILE, metavar="A.json")
@click.argument("second", type=FILE, metavar="B.json")
@click.option("--rung", metavar="NAME", help="Rung to compare; default: built chips.")
@click.option(
    "--metric", metavar="NAME", help="top1, top5 or agreement; default: the metric of both files."
)
@click.option(
    "--level",
    metavar="X",
    help="Chance that noise alone is called a regression (0.01, or 1%).",
)
@click.option(
    "--smallest-drop", metavar="X", help="Smallest drop that matters: 0.01, or 1%, is one point."
)
@click.option(
    "--these-images",
    is_flag=True,
    help="Judge these images only, not new ones; both files need the whole data set.",
)
@click.option("--fail-on-regression", is_flag=True, help="Exit with 1 where B is proven worse.")
@click.option("--json", "json_path", metavar="FILE|-", help="Write all results as JSON.")
def command(
    first: Path,
    second: Path,
    rung: str | None,
    metric: str | None,
    level: str | None,
    smallest_drop: str | None,
    these_images: bool,
    fail_on_regression: bool,
    json_path: str | None,
) -> None:
    """Paired comparison of two evaluations that 'rxsim eval --json' wrote: what does B change?

    Both need the same images. Chips are paired by number, for chips of one seed and number share their
    random draws; a side whose chips are all the same stands for every chip. The verdict is that of
    'rxsim check': passed, regression or undecided; where no hit differs it passes only if the images
    are enough to tell. Files that differ only in the seed get none: their difference is chance.
    """
    json_place = json_file(json_path)
    if json_place is not None:
        check_destination(json_place, [first, second])
    criteria = read_criteria(level, smallest_drop, these_images)
    result = compare(
        read_evaluated(first), read_evaluated(second), rung=rung, metric=metric, criteria=criteria
    )
    if not write_json(result.as_json(), json_path):
        print_comparison(result)
    verdict = result.verdict
    if fail_on_regression and verdict is not None and verdict.outcome == "regression":
        raise RegressionError(
            f"found a lower {result.metric} in {second} than in {first} (p = {verdict.p:.2g}), "
            "expected none with --fail-on-regression; look at what differs, or leave the option out"
        )
