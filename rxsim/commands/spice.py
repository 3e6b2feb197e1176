"""`rxsim spice`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from rxsim.commands.arguments import FILE
from rxsim.commands.options import (
    calibration_option,
    files_read,
    open_given,
    study_options,
)
from rxsim.commands.progress import watched
from rxsim.files import check_destination, write_atomically
from rxsim.pipeline import spice_netlist
from rxsim.stages import Stages

_NUMBER = click.IntRange(min=0)


@click.command("spice")
@click.argument("model", type=FILE)
@study_options
@calibration_option
@click.option("--layer", required=True, metavar="NAME", help="The layer; 'rxsim map' lists them.")
@click.option("--array", type=_NUMBER, required=True, metavar="I", help="Which of its arrays.")
@click.option(
    "--sample",
    type=_NUMBER,
    default=0,
    show_default=True,
    metavar="K",
    help="Which calibration input drives it.",
)
@click.option(
    "--position",
    type=_NUMBER,
    metavar="P",
    help="Which vector of that input: a Conv has one for each place of its output, counted row by "
    "row; default: the first with the largest sum of |voltage| on the array's rows.",
)
@click.option("--trial", type=_NUMBER, default=0, show_default=True, help="Which chip.")
@click.option("-o", "--output", type=FILE, required=True, metavar="ARRAY.cir", help="The netlist.")
def command(
    model: Path,
    layer: str,
    array: int,
    sample: int,
    position: int | None,
    trial: int,
    output: Path,
    **given: Any,
) -> None:
    """Write one array of MODEL.onnx as a netlist that ngspice runs as it is.

    `ngspice -b ARRAY.cir` prints i_out of every column. The array is programmed as chip --trial has it,
    and its rows are at the voltages that the DACs give for a real calibration input. The comments at
    the top hold what rxsim computed for i_out, and all settings.
    """
    check_destination(output, files_read(model, given))
    with watched(quiet=given["quiet"], verbose=given["verbose"]) as watcher:
        study = open_given(model, given, Stages(watcher))
        netlist = spice_netlist(study, layer, array, sample=sample, position=position, trial=trial)
    write_atomically(output, netlist.text.encode())
    click.echo(
        f"{output}: layer {layer}, array {array}, calibration input {sample}, position "
        f"{netlist.position} of {netlist.positions}; run it with: ngspice -b {output}"
    )
