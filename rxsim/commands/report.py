"""`rxsim report`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

import click

from rxsim.commands.arguments import FILE, new_images_option, progress_options
from rxsim.commands.no_gc import nothing_collected
from rxsim.commands.progress import watched
from rxsim.counted import counted
from rxsim.errors import InputError
from rxsim.files import check_destination, write_atomically
from rxsim.report.cost_kind import HOLDS_COST, cost_json
from rxsim.report.explanation_kind import explanation_json, refuse_options
from rxsim.report.html import build_page
from rxsim.report.html.cost_page import build_cost_page
from rxsim.report.html.training_page import build_training_page
from rxsim.report.labels import QUANTITIES
from rxsim.report.material import read_material
from rxsim.report.training_values import HOLDS_TRAINING, training_json
from rxsim.stages import Stages


@click.command("report")
@click.argument("results", type=FILE)
@click.option("-o", "--output", type=FILE, required=True, metavar="REPORT.html", help="The page.")
@click.option("--sweep", metavar="NAME", help="Only the points of this sweep.")
@click.option(
    "--quantity",
    type=click.Choice(list(QUANTITIES)),
    help="What is compared; default: as the file's metric says.",
)
@click.option(
    "--point",
    metavar="KEY",
    help="The point whose ladder and layers are shown, by the beginning of its key; default: the "
    "best one.",
)
@new_images_option
@progress_options
@nothing_collected()
def command(
    results: Path,
    output: Path,
    sweep: str | None,
    quantity: str | None,
    point: str | None,
    new_images: bool,
    verbose: bool,
    quiet: bool,
) -> None:
    """Write RESULTS as one HTML page that needs nothing else.

    RESULTS is what 'rxsim sweep' wrote, or 'rxsim eval', 'explain', 'cost' or 'retrain' with --json.
    The page holds no scripts, loads nothing, is light or dark as the reader likes, and prints.
    """
    check_destination(output, [results])
    if output.suffix.lower() not in (".html", ".htm"):
        raise InputError(
            f"--output: found {output.name}, expected a name that ends in .html: the report is one "
            "HTML page; name it so ('rxsim plot' draws other kinds of figures)"
        )
    options = {"--sweep": sweep, "--quantity": quantity, "--point": point}
    of_results = {**options, "--new-images": new_images or None}
    with watched(quiet=quiet, verbose=verbose, solves=False) as watcher:
        stages = Stages(watcher)
        words = _words(results, output, options, new_images=new_images)
        of_other_kind = _of_other_kind(results, of_results, words, stages)
        if of_other_kind is not None:
            page, told = of_other_kind
        else:
            with stages("read"):
                material = read_material(
                    results, sweep=sweep, quantity=quantity, point=point, new_images=new_images
                )
            with stages("draw"):
                page = build_page(material, words)
            told = counted(len(material.rows), "point")
    write_atomically(output, page.encode())
    click.echo(f"{output}: {told}")


def _of_other_kind(
    results: Path, options: Mapping[str, object], words: str, stages: Stages
) -> tuple[str, str] | None:
    """Return the page of an explanation, a cost or a training, and what it is called; else None."""
    with stages("read"):
        explanation = explanation_json(results)
        cost = cost_json(results) if explanation is None else None
        training = training_json(results) if explanation is None and cost is None else None
    if explanation is not None:
        refuse_options(options, results)
        with stages("draw"):
            return _explanation_page(explanation, results, words)
    if cost is not None:
        refuse_options(options, results, HOLDS_COST)
        with stages("draw"):
            return build_cost_page(cost, results.name, words), HOLDS_COST
    if training is not None:
        refuse_options(options, results, HOLDS_TRAINING)
        with stages("draw"):
            return build_training_page(training, results.name, words), HOLDS_TRAINING
    return None


def _explanation_page(content: object, source: Path, words: str) -> tuple[str, str]:
    """Return the page of an explanation, and what it is called."""
    # What explains imports the whole pipeline, which the report of a sweep does without.
    from rxsim.report.explanation_file import explanation_of
    from rxsim.report.html.explanation_page import build_explanation_page

    explanation = explanation_of(content, str(source))
    return build_explanation_page(explanation, source.name, words), "an explanation"


def _words(
    results: Path, output: Path, options: Mapping[str, str | None], *, new_images: bool
) -> str:
    """Return the command that made a report, as a user types it."""
    parts = ["rxsim", "report", results.name, "-o", output.name]
    parts += [
        part for name, value in options.items() if value is not None for part in (name, value)
    ]
    parts += ["--new-images"] if new_images else []
    return " ".join(map(shlex.quote, parts))
