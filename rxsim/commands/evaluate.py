"""`rxsim eval`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from rxsim.commands.arguments import FILE
from rxsim.commands.cost_options import cost_options, with_cost
from rxsim.commands.json_output import json_file, write_json
from rxsim.commands.options import (
    calibration_option,
    files_read,
    open_given,
    study_options,
)
from rxsim.commands.progress import watched
from rxsim.commands.same_options import is_given, with_same_options
from rxsim.commands.time_option import take_times, times_option
from rxsim.config import as_yaml
from rxsim.effects import EFFECTS, active_effects
from rxsim.files import check_destination, write_atomically
from rxsim.folders import names_in
from rxsim.load import write_onnx
from rxsim.pipeline import Evaluation, Study, evaluate, loss_limit, rungs_of, until_ci, with_origin
from rxsim.report.largest_fall import largest_fall
from rxsim.report.terminal import print_evaluation
from rxsim.stages import Stages

_NOT_OF_EXPLAIN = (
    *("json_path", "save_patched", "save_settings", "only", "without", "until_ci", "yield_at"),
    *("quiet", "threads", "cost", "technology", "adc_model", "replicate", "array_energy"),
    *("memory",),
)
"""Options that `rxsim explain` does not take, and those that say nothing of what is explained."""
_NOT_OF_COST = (
    *("json_path", "save_patched", "save_settings", "only", "without", "until_ci", "yield_at"),
    *("quiet", "threads", "cost", "times", "trials", "memory"),
)
"""Options that `rxsim cost` does not take, and those that change nothing in what it tells."""


@click.command("eval")
@click.argument("model", type=FILE)
@study_options
@calibration_option
@times_option
@click.option(
    "--trials", type=int, metavar="N", help="Programmed chips; with --until-ci at most (200)."
)
@click.option(
    "--until-ci",
    type=float,
    metavar="X",
    help="Add chips, from 10 on, until half the 95 % interval over chips for these images is X or "
    "less: points of accuracy or agreement, else the metric's own unit.",
)
@click.option(
    "--yield-at",
    type=float,
    metavar="X",
    help="Tell the share of chips that lose at most X, in the same unit.",
)
@click.option(
    "--only",
    multiple=True,
    metavar="EFFECT",
    help="One more rung: nothing but this effect, one of "
    f"{', '.join(names_in('rxsim.effects'))}; repeatable.",
)
@click.option(
    "--without",
    multiple=True,
    metavar="EFFECT",
    help="One more rung: everything but this effect; repeatable.",
)
@click.option(
    "--cost",
    is_flag=True,
    help="Area, energy and time beside accuracy; each of the four options that follow implies it.",
)
@cost_options
@click.option("--json", "json_path", metavar="FILE|-", help="Write all results as JSON.")
@click.option(
    "-o",
    "--save-settings",
    type=FILE,
    metavar="FILE",
    help="Write the settings, with the steps that compensate: auto chose.",
)
@click.option("--save-patched", type=FILE, metavar="FILE", help="Write the first chip's network.")
def command(
    model: Path,
    json_path: str | None,
    save_settings: Path | None,
    save_patched: Path | None,
    **given: Any,
) -> None:
    """Accuracy of MODEL.onnx before and after the crossbars, and why.

    Data and preprocessing come from the card beside the model (MODEL.yaml) or from options. Without
    data, seeded inputs are made up and agreement and SNR are reported.
    """
    json_place = json_file(json_path)
    places = (save_patched, save_settings, json_place)
    for path in filter(None, places):
        others = [other for other in places if other is not path]
        check_destination(path, [*files_read(model, given), *others])
    given = with_cost(given)
    times = take_times(given, several=True)
    until = until_ci(given["until_ci"], given["trials"])
    limit = loss_limit(given["yield_at"])
    with watched(quiet=given["quiet"], verbose=given["verbose"]) as watcher:
        stages = Stages(watcher)
        study = open_given(model, given, stages, times=times)
        if not given["quiet"]:
            _tell_what_is_not_there(study, [*given["only"], *given["without"]])
        more = [f"only {effect}" for effect in given["only"]]
        more += [f"without {effect}" for effect in given["without"]]
        result = evaluate(study, rungs_of(study, more) if more else None, times, until)
    result = replace(result, yield_at=limit)
    if save_settings is not None:
        chosen = study.chosen_steps
        head = "" if chosen is None else f"# {chosen['told']}\n"
        write_atomically(save_settings, (head + as_yaml(study.settings)).encode())
    if save_patched is not None:
        named = with_origin(result.first_chip.model, study, result.ladder[-1].name, 0)
        write_onnx(save_patched, named)
    if write_json(result.as_json(), json_path):
        return
    print_evaluation(result)
    if result.cost is not None:
        whole = _pricing(click.get_current_context())
        click.echo(f"All components and layers: {whole}")
    if fall := largest_fall(result):
        click.echo(f"{fall}. Why: {_explaining(result, click.get_current_context())}")


def _explaining(result: Evaluation, context: click.Context) -> str:
    """Write the command that explains an evaluation: at its first time, with the chips that it took."""
    instead: dict[str, Any] = {}
    if is_given(context, "times"):
        instead["times"] = str(context.params["times"]).partition(",")[0]
    if result.chips_needed is not None:
        instead["trials"] = result.chips_needed.chips
    return with_same_options(context, "explain", _NOT_OF_EXPLAIN, instead)


def _pricing(context: click.Context) -> str:
    """Write the command that tells the whole cost of what was evaluated, at its first time."""
    first = str(context.params["times"]).partition(",")[0]
    time = f" --set device.time={first}" if is_given(context, "times") else ""
    return f"{with_same_options(context, 'cost', _NOT_OF_COST, {})}{time}"


def _tell_what_is_not_there(study: Study, names: Iterable[str]) -> None:
    """Say where a rung tells nothing: no layer's settings have anything of its effect."""
    active = active_effects(study.layer_settings().values())
    kind = study.settings.drift_compensation
    for name in dict.fromkeys(names):
        EFFECTS.check(name)
        if name in active:
            continue
        also = ""
        if name == "compensation" and kind != "none":
            also = (
                f"; drift_compensation: {kind} is a part of reading and belongs to no effect: set "
                "drift_compensation: none for a run without it"
            )
        click.echo(f"{name}: nothing in the settings switches this effect on{also}", err=True)
