"""`rxsim calibrate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from rxsim.commands.arguments import FILE
from rxsim.commands.options import (
    files_read,
    open_given,
    study_options,
)
from rxsim.commands.progress import watched
from rxsim.files import check_destination, write_atomically
from rxsim.pipeline import calibrate
from rxsim.report.calibration_terminal import print_calibration
from rxsim.stages import Stages


@click.command("calibrate")
@click.argument("model", type=FILE)
@study_options
@click.option("-o", "--output", type=FILE, required=True, metavar="CAL.json", help="The result.")
def command(model: Path, output: Path, **given: Any) -> None:
    """Measure all that calibration inputs tell about MODEL.onnx, for later runs.

    CAL.json holds every layer's input range and calibrated ADC ranges, and what they depend on: model,
    calibration data, settings (but for trials, device errors and static errors of converters). Other
    commands take it with --calibration and give the very results that measuring would give. Steps of
    compensation change nothing of it: with --compensate auto none is chosen.
    """
    check_destination(output, files_read(model, given))
    with watched(quiet=given["quiet"], verbose=given["verbose"]) as watcher:
        study = open_given(model, given, Stages(watcher), takes_steps=False)
        calibration = calibrate(study)
    write_atomically(output, calibration.to_json().encode())
    instead = study.calibrated_instead()
    print_calibration(calibration, study.stages.seconds, output, calibrated_instead=instead)
