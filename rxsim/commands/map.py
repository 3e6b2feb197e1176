"""`rxsim map`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from rxsim.commands.arguments import FILE, progress_options
from rxsim.commands.options import files_read, read_settings, settings_options
from rxsim.commands.progress import watched
from rxsim.config import check_layers
from rxsim.errors import SettingError
from rxsim.files import check_destination, write_atomically
from rxsim.load import InputSpec, load_network
from rxsim.pipeline import take_inventory
from rxsim.report.terminal import print_inventory
from rxsim.stages import Stages


@click.command("map")
@click.argument("model", type=FILE)
@settings_options
@click.option(
    "--input-shape",
    metavar="N,N..",
    help="Shape of one input where the model leaves axes free, such as 3,224,224.",
)
@click.option("--json", "json_path", metavar="FILE|-", help="Write the report as JSON.")
@progress_options
def command(model: Path, input_shape: str | None, json_path: str | None, **given: Any) -> None:
    """What MODEL.onnx puts onto crossbars and what stays digital, with reasons; needs no data."""
    if json_path not in (None, "-"):
        check_destination(Path(str(json_path)), files_read(model, given))
    settings = read_settings({**given, "trials": None, "seed": None})
    with watched(quiet=given["quiet"], verbose=given["verbose"], solves=False) as watcher:
        stages = Stages(watcher)
        with stages("load"):
            network = load_network(model)
        check_layers(settings, [layer.name for layer in network.layers])
        shapes = _shapes(network.inputs, input_shape)
        with stages("map"):
            inventory = take_inventory(network, settings, shapes)
    if json_path is not None:
        text = json.dumps({"schema_version": 1, **inventory.as_json()}, indent=1) + "\n"
        if json_path == "-":
            click.echo(text, nl=False)
            return
        write_atomically(Path(json_path), text.encode())
    print_inventory(network.path.name, settings, inventory)


def _shapes(specs: Sequence[InputSpec], text: str | None) -> dict[str, tuple[int, ...]]:
    """Return the shape of each input that is known, for a batch of 1."""
    stated = None if text is None else _shape(text)
    if stated is not None:
        _check_shape(stated, specs)
    shapes = {spec.name: _one_input(spec, stated) for spec in specs}
    return {name: shape for name, shape in shapes.items() if shape is not None}


def _shape(text: str) -> tuple[int, ...]:
    parts = text.replace("x", ",").split(",")
    if not all(part.strip().isdigit() and int(part) > 0 for part in parts):
        raise SettingError(
            f"--input-shape: found {text!r}, expected whole numbers above 0, such as 3,224,224"
        )
    return tuple(int(part) for part in parts)


def _check_shape(stated: tuple[int, ...], specs: Sequence[InputSpec]) -> None:
    """Refuse a shape that no input of the model can have."""
    if any(_fits(stated, spec) for spec in specs):
        return
    wanted = "; ".join(
        f"{spec.name}: {','.join('any' if axis is None else str(axis) for axis in spec.shape[1:])}"
        for spec in specs
    )
    raise SettingError(
        f"--input-shape: found {','.join(map(str, stated))}, expected the shape of one input without "
        f"the batch axis ({wanted}); correct it or leave it out"
    )


def _fits(stated: tuple[int, ...], spec: InputSpec) -> bool:
    axes = spec.shape[1:]
    return len(axes) == len(stated) and all(
        axis in (None, length) for axis, length in zip(axes, stated, strict=True)
    )


def _one_input(spec: InputSpec, stated: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """Return an input's shape for a batch of 1; None where axes stay free."""
    if stated is not None and _fits(stated, spec):
        return (spec.shape[0] or 1, *stated)
    return spec.smallest
