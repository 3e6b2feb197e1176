"""`rxsim map`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from rxsim.commands.arguments import FILE, progress_options
from rxsim.commands.options import (
    files_read,
    read_settings,
    settings_options,
    warn,
)
from rxsim.commands.progress import watched
from rxsim.commands.stated_options import read_stated, stated_options
from rxsim.config import check_layers
from rxsim.files import check_destination, write_atomically
from rxsim.load import load_network, patched_before
from rxsim.pipeline import (
    example_shapes,
    on_batch,
    take_inventory,
    take_placement,
    with_stated,
)
from rxsim.report.placement_terminal import print_placement
from rxsim.report.terminal import print_inventory
from rxsim.stages import Stages


@click.command("map")
@click.argument("model", type=FILE)
@settings_options
@stated_options
@click.option("--json", "json_path", metavar="FILE|-", help="Write the report as JSON.")
@progress_options
def command(model: Path, json_path: str | None, **given: Any) -> None:
    """What MODEL.onnx puts onto crossbars and what stays digital, with reasons; needs no data.

    With steps of compensation, where rows and columns lie after those of the design.
    """
    if json_path not in (None, "-"):
        check_destination(Path(str(json_path)), files_read(model, given))
    settings = read_settings({**given, "trials": None, "seed": None})
    with watched(
        quiet=given["quiet"], verbose=given["verbose"], solves=bool(settings.compensate)
    ) as watcher:
        stages = Stages(watcher)
        with stages("load"):
            network = load_network(model, settings.mapping.fold)
        warn(patched_before(network.original, model.name), given)
        check_layers(settings, [layer.name for layer in network.layers])
        stated = with_stated(network, None, read_stated(given))
        shapes = example_shapes(stated)
        with stages("map"):
            inventory = take_inventory(stated, settings, shapes)
        placement = take_placement(network, settings, stages)
    if json_path is not None:
        values = {"schema_version": 1, **inventory.as_json()}
        if placement:
            values["placement"] = [layer.as_json() for layer in placement]
        text = json.dumps(values, indent=1) + "\n"
        if json_path == "-":
            click.echo(text, nl=False)
            return
        write_atomically(Path(json_path), text.encode())
    print_inventory(network.path.name, settings, inventory)
    print_placement(settings, placement)
    if said := on_batch(stated):
        click.echo(said)
