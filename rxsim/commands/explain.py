"""`rxsim explain`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from rxsim.commands.arguments import FILE
from rxsim.commands.json_output import STANDARD_OUTPUT, json_file, write_json
from rxsim.commands.options import calibration_option, files_read, open_given, study_options
from rxsim.commands.progress import watched
from rxsim.commands.time_option import take_times, time_option
from rxsim.explain import BY, QUANTITIES, Asked, Explanation, Untried, explain
from rxsim.files import check_destination, check_writable, write_atomically
from rxsim.report.better_settings import better_settings
from rxsim.report.explain_terminal import print_explanation
from rxsim.stages import Stages

_REASONS = {
    Untried.NOTHING_TO_MEND: "nothing to mend: the built chips do no worse than the float network",
    Untried.NO_TIME: "there was no time; give a longer --budget",
    Untried.FAILED: "those that apply could not be run",
    Untried.NONE_APPLIES: "none applies",
}


@click.command("explain")
@click.argument("model", type=FILE)
@click.option(
    "-o",
    "--better",
    type=FILE,
    metavar="FILE.yaml",
    help="Write the settings of the best remedy, if it is proven to help.",
)
@click.option(
    "--by",
    type=click.Choice(BY),
    default="both",
    show_default=True,
    help="What the loss is attributed to.",
)
@click.option(
    "--quantity",
    type=click.Choice(list(QUANTITIES)),
    help="What is explained; default: the metric of the data, else agreement.",
)
@click.option(
    "--budget",
    type=float,
    metavar="SECONDS",
    help="Leave out what is less urgent when so much time is spent.",
)
@click.option("--no-remedies", is_flag=True, help="Try no other settings.")
@study_options
@calibration_option
@time_option
@click.option("--trials", type=int, metavar="N", help="Programmed chips.")
@click.option("--json", "json_path", metavar="FILE|-", help="Write everything as JSON.")
def command(model: Path, json_path: str | None, better: Path | None, **given: Any) -> None:
    """Why accuracy fell: which effect, which layer, and what would help.

    Every number comes from runs of the network on the same chips and images: each effect alone, left
    out, and by Shapley values; each layer alone on arrays, and alone digital; and other settings.
    """
    json_place = json_file(json_path)
    for path, other in ((better, json_place), (json_place, better)):
        if path is not None:
            check_destination(path, [*files_read(model, given), other])
            check_writable(path)
    take_times(given, several=False)
    asked = Asked(
        quantity=given["quantity"],
        by=given["by"],
        remedies=not given["no_remedies"],
        budget=given["budget"],
    )
    with watched(quiet=given["quiet"], verbose=given["verbose"]) as watcher:
        study = open_given(model, given, Stages(watcher))
        result = explain(study, asked)
    # What was computed is shown before anything that may fail.
    if json_path != STANDARD_OUTPUT:
        print_explanation(result)
    try:
        write_json(result.as_json(), json_path)
    finally:
        if better is not None:
            _write_better(result, better)


def _write_better(result: Explanation, path: Path) -> None:
    """Write the settings of the best remedy; say so where there is none, and what lies there then."""
    text = better_settings(result)
    if text is not None:
        write_atomically(path, text.encode())
        return
    older = "; the file that is there is an older one" if path.is_file() else ""
    click.echo(f"{_why_none(result)}: {path} was not written{older}.", err=True)


def _why_none(result: Explanation) -> str:
    """Say why there are no better settings."""
    if result.attempts:
        return "No remedy is proven to help"
    reason = "--no-remedies" if result.untried is None else _REASONS[result.untried]
    return f"No remedy was tried ({reason})"
