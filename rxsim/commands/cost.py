"""`rxsim cost`."""

from __future__ import annotations

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
    read_settings,
    study_options,
    warn,
)
from rxsim.commands.progress import watched
from rxsim.commands.stated_options import read_stated
from rxsim.config import Cost, Settings
from rxsim.cost.price.network import NetworkCost
from rxsim.files import check_destination
from rxsim.load import load_network, patched_before
from rxsim.pipeline import example_shapes, network_cost, study_cost, with_stated
from rxsim.report.cost_terminal import print_cost
from rxsim.stages import Stages


@click.command("cost")
@click.argument("model", type=FILE)
@cost_options
@study_options
@calibration_option
@click.option("--json", "json_path", metavar="FILE|-", help="Write all numbers as JSON.")
def command(model: Path, json_path: str | None, **given: Any) -> None:
    """Area, energy and time of MODEL.onnx on crossbars, by component and layer.

    The arrays' energy is that of their solved circuits on calibration inputs: those of the card or of
    options, else made-up ones. With --array-energy technology nothing is run or solved.
    """
    place = json_file(json_path)
    if place is not None:
        check_destination(place, files_read(model, given))
    given = with_cost(given)
    settings = read_settings(given)
    cost = settings.cost or Cost()
    with watched(quiet=given["quiet"], verbose=given["verbose"]) as watcher:
        stages = Stages(watcher)
        if cost.array_energy == "technology":
            result = _without_running(model, settings, cost, given, stages)
        else:
            study = open_given(model, given, stages, evaluates=False)
            result = study_cost(study, cost)
    if write_json(
        {"schema_version": 1, "kind": "cost", "model": model.name, **result.as_json()},
        json_path,
    ):
        return
    print_cost(model.name, result, stages.seconds)


def _without_running(
    model: Path, settings: Settings, cost: Cost, given: dict[str, Any], stages: Stages
) -> NetworkCost:
    """Price from shapes alone."""
    with stages("load"):
        network = load_network(model, settings.mapping.fold)
    warn(patched_before(network.original, model.name), given)
    stated = with_stated(network, None, read_stated(given))
    with stages("cost"):
        return network_cost(stated, settings, example_shapes(stated), cost)
