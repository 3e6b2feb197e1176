"""`rxsim retrain`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from rxsim.commands.arguments import FILE
from rxsim.commands.json_output import json_file, write_json
from rxsim.commands.options import (
    files_read,
    open_given,
    read_data_options,
    study_options,
    warn,
)
from rxsim.commands.progress import watched
from rxsim.commands.retrain_options import read_options, retrain_options
from rxsim.errors import InterruptedTrainingError, SettingError
from rxsim.files import check_destination, write_atomically
from rxsim.load import write_onnx
from rxsim.report.retrain_terminal import print_training
from rxsim.retrain.options import RetrainOptions
from rxsim.retrain.remarks import data_remark
from rxsim.retrain.scores import check_metric
from rxsim.retrain.trained_settings import settings_of, settings_text
from rxsim.stages import Stages


@click.command("retrain")
@click.argument("model", type=FILE)
@retrain_options
@study_options
@click.option("-o", "--output", type=FILE, required=True, metavar="OUT.onnx", help="The result.")
@click.option(
    "--save-settings",
    type=FILE,
    metavar="FILE",
    help="Write the settings with the kept or learned input ranges: --config for the result.",
)
@click.option("--resume", is_flag=True, help="Go on from OUT.onnx.checkpoint.npz.")
@click.option("--json", "json_path", metavar="FILE|-", help="Write the curve as JSON.")
def command(
    model: Path,
    output: Path,
    save_settings: Path | None,
    json_path: str | None,
    resume: bool,
    **given: Any,
) -> None:
    """Train MODEL.onnx against the crossbars that the settings describe.

    --data are the inputs to train on. The forward pass runs solved chips with their converters, as
    'rxsim patch' writes them; gradients go straight through. Trained values go back into the file's own
    initialisers. Needs torch: pip install 'rxsim[retrain]'.
    """
    checkpoint = output.with_name(output.name + ".checkpoint.npz")
    files = (output, checkpoint, save_settings, json_file(json_path))
    places = [path for path in files if path is not None]
    for path in places:
        others = [other for other in places if other is not path]
        check_destination(path, [*files_read(model, given), *others])
    options = read_options(given)
    _check_saved(options, save_settings)
    from rxsim.retrain.retrained import retrained  # imports torch

    with watched(quiet=given["quiet"], verbose=given["verbose"]) as watcher:
        check_metric(model, read_data_options(given))
        evaluates = options.train_on == "labels"  # else data need no labels
        study = open_given(model, given, Stages(watcher), evaluates=evaluates)
        warn(data_remark(study, given=given["data"] is not None), given)
        options = replace(options, seed=study.settings.seed)
        with _resumable(checkpoint, resume):
            training, written = retrained(study, options, checkpoint, resume=resume)
    write_onnx(output, written)
    if save_settings is not None:
        settings = settings_of(study, training)
        lines = (
            f"written by rxsim retrain for {output.name}, trained from {model.name}",
            f"input ranges {options.ranges} while training: no others give its accuracy",
        )
        write_atomically(save_settings, settings_text(settings, lines).encode())
    checkpoint.unlink(missing_ok=True)
    if not write_json(training.as_json(), json_path):
        print_training(training, str(output), study.stages.seconds)


def _check_saved(options: RetrainOptions, save_settings: Path | None) -> None:
    """Refuse ranges that nobody would know of, and a file without any."""
    if options.ranges != "measured" and save_settings is None:
        raise SettingError(
            f"--ranges: found {options.ranges} without --save-settings, expected a file for them: "
            "the trained network computes right with these ranges only; give --save-settings FILE.yaml"
        )
    if options.ranges == "measured" and save_settings is not None:
        raise SettingError(
            "--save-settings: found it with --ranges measured, which leaves the settings as they are, "
            "expected --ranges kept or learned; leave it out"
        )


@contextmanager
def _resumable(checkpoint: Path, resume: bool) -> Iterator[None]:
    """Say how an interrupted training goes on, where it left a checkpoint."""
    before = _written_at(checkpoint)
    try:
        yield
    except KeyboardInterrupt:
        written_at = _written_at(checkpoint)
        if written_at is None or (written_at == before and not resume):
            raise
        raise InterruptedTrainingError(
            f"interrupted; {checkpoint} holds the training up to its last refresh: the same command "
            "with --resume goes on from there"
        ) from None


def _written_at(path: Path) -> int | None:
    return path.stat().st_mtime_ns if path.exists() else None
