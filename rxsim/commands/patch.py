"""`rxsim patch`."""

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
from rxsim.commands.time_option import take_times, time_option
from rxsim.counted import counted
from rxsim.files import check_destination
from rxsim.load import write_onnx
from rxsim.pipeline import patched_chip, with_origin
from rxsim.scenarios import as_built
from rxsim.stages import Stages


@click.command("patch")
@click.argument("model", type=FILE)
@study_options
@calibration_option
@time_option
@click.option(
    "--trial", type=click.IntRange(min=0), default=0, show_default=True, help="Which chip."
)
@click.option("-o", "--output", type=FILE, required=True, metavar="OUT.onnx", help="The result.")
def command(model: Path, output: Path, trial: int, **given: Any) -> None:
    """Write the patched network of one chip as standard ONNX.

    Its inputs and outputs are those of MODEL.onnx; preprocessing is not part of it. The data fix the
    converters' ranges, as in `rxsim eval`, which runs this very network; they need no labels, and
    --calibrate alone is enough. Without any, ranges are measured on made-up inputs.
    """
    check_destination(output, files_read(model, given))
    take_times(given, several=False)
    with watched(quiet=given["quiet"], verbose=given["verbose"]) as watcher:
        study = open_given(model, given, Stages(watcher), evaluates=False)
        patched = patched_chip(study, trial)
    write_onnx(output, with_origin(patched.model, study, as_built(study.settings).name, trial))
    made_up = "; ranges were measured on made-up inputs" if study.provenance.made_up_ranges else ""
    layers = f"{counted(len(study.network.layers), 'layer')} on crossbars"
    click.echo(f"{output}: {layers}, chip {trial}{made_up}")
