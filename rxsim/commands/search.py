"""`rxsim search`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from rxsim.cache import Cache
from rxsim.commands.arguments import FILE
from rxsim.commands.json_output import json_file, write_json
from rxsim.commands.options import files_read, read_data_options, read_settings, study_options, warn
from rxsim.commands.progress import watched
from rxsim.commands.workers import (
    cache_bytes,
    cache_folder,
    interruptible,
    pool_of,
    sweep_progress,
    workers_options,
)
from rxsim.config import Settings, as_yaml
from rxsim.counted import counted
from rxsim.errors import GoalMissedError, PointsFailedError
from rxsim.files import check_destination, write_atomically
from rxsim.pipeline.chip.room import duration
from rxsim.report.search_terminal import judged_text, print_search
from rxsim.search import (
    Prepared,
    Question,
    SearchedPoint,
    SearchResult,
    minimised_names,
    prepare_search,
    read_goal,
    read_over,
    run_search,
)
from rxsim.stages import Stages
from rxsim.store import open_results
from rxsim.sweep import describe, ending

_LONG_SECONDS = 10.0
"""What is expected to take less is not announced."""


@click.command("search")
@click.argument("model", type=FILE)
@click.option(
    "--goal", required=True, metavar="BOUND", help="Such as 'accuracy_drop<=0.01', in quotes."
)
@click.option(
    "--over",
    multiple=True,
    required=True,
    metavar="NAME=VALUES",
    help="What is varied: NAME=4..8, NAME=32,64,128, NAME=16..256*2, NAME+NAME=..; repeatable.",
)
@click.option(
    "--minimise",
    type=click.Choice(minimised_names()),
    default="conversions",
    show_default=True,
    help="What is to be least.",
)
@study_options
@click.option(
    "--results", type=FILE, metavar="FILE", help="Results; default: MODEL.search.sqlite here."
)
@click.option(
    "-o", "--output", type=FILE, metavar="FILE", help="Settings of the best point (YAML)."
)
@click.option("--json", "json_path", metavar="FILE|-", help="Write the search as JSON.")
@click.option("--trials", type=int, metavar="N", help="Programmed chips of a point.")
@click.option("--strict", is_flag=True, help="Only a whole interval within the bound meets it.")
@click.option(
    "--these-images", is_flag=True, help="Intervals hold for these images only, not for new ones."
)
@click.option("--exhaustive", is_flag=True, help="Evaluate every point.")
@workers_options
def command(model: Path, json_path: str | None, **given: Any) -> None:
    """Find the least hardware that keeps the accuracy of MODEL.onnx.

    Evaluates few of the points that --over spans: one that misses the goal rules out all that are
    nowhere better. The same command goes on where an earlier one was stopped.
    """
    path: Path = given["results"] or Path(f"{model.stem}.search.sqlite")
    outputs = [file for file in (path, given["output"], json_file(json_path)) if file is not None]
    for place, file in enumerate(outputs):
        others = [*outputs[:place], *outputs[place + 1 :]]
        check_destination(file, [*files_read(model, given), *others])
    question = _question(model, given)
    folder = cache_folder(given["cache"])
    with watched(quiet=given["quiet"], verbose=given["verbose"], solves=False) as watcher:
        prepared = prepare_search(
            question,
            threads=given["threads"],
            stages=Stages(watcher),
            cache=None if folder is None else Cache(folder, cache_bytes(given)),
        )
    _tell_first(prepared, given)
    name = f"search of {model.name}"
    with (
        interruptible(path),
        ending(pool_of(given)) as pool,
        open_results(path, write=True) as results,
        sweep_progress(name, quiet=given["quiet"], verbose=given["verbose"]) as show,
    ):
        result = run_search(
            prepared,
            results,
            pool,
            cache=folder,
            cache_bytes=cache_bytes(given),
            show=show,
            tell=None if given["quiet"] else lambda point: _tell_point(prepared, point),
            ahead=None if given["quiet"] else _tell_ahead,
        )
    if result.best is not None and given["output"] is not None:
        write_atomically(given["output"], as_yaml(result.best.settings).encode())
    if not write_json(result.as_json(), json_path):
        print_search(result, path)
        if result.best is not None and given["output"] is not None:
            click.echo(f"{given['output']}: the settings of the best point")
    _end(result)


def _question(model: Path, given: dict[str, Any]) -> Question:
    goal, axes = read_goal(given["goal"]), read_over(given["over"])

    def settings_of(change: Mapping[str, Any]) -> Settings:
        assignments = [f"{name}={json.dumps(value)}" for name, value in change.items()]
        return read_settings({**given, "assignments": (*given["assignments"], *assignments)})

    return Question(
        model=model,
        options=read_data_options(given),
        settings_of=settings_of,
        axes=axes,
        goal=goal,
        minimise=given["minimise"],
        these_images=given["these_images"],
        strict=given["strict"],
        exhaustive=given["exhaustive"],
    )


def _tell_first(prepared: Prepared, given: dict[str, Any]) -> None:
    warn(prepared.warning, given)
    if given["quiet"]:
        return
    for note in prepared.notes:
        click.echo(note, err=True)


def _tell_point(prepared: Prepared, point: SearchedPoint) -> None:
    text = judged_text(prepared.question.goal, point)
    click.echo(f"{describe(point.values)}: {text}", err=True)


def _tell_ahead(points: int, seconds: float) -> None:
    """Say about how long the search will take at most, where that is long."""
    if points * seconds >= _LONG_SECONDS:
        ahead, time = counted(points, "more point"), duration(points * seconds)
        click.echo(f"at most {ahead}: about {time}, by the first", err=True)


def _end(result: SearchResult) -> None:
    """End with the code of what came out."""
    if result.failed:
        raise PointsFailedError(
            f"{len(result.failed):,} of the search's points failed; run the same command again to try "
            "them again"
        )
    if result.best is None:
        unproven = sum(point.judged.meets for point in result.points)
        if unproven:  # --strict
            raise GoalMissedError(
                f"no point is proven to meet {result.goal.text} (--strict), and "
                f"{counted(unproven, 'point')} likely would; give more --trials or images (--limit), "
                "or leave --strict out"
            )
        raise GoalMissedError(
            f"no point meets {result.goal.text}; widen --over, or give a looser --goal"
        )
