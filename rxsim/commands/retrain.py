"""`rxsim retrain`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from rxsim.commands.arguments import FILE
from rxsim.commands.json_output import json_file, write_json
from rxsim.commands.options import files_read, open_given, study_options
from rxsim.commands.progress import watched
from rxsim.files import check_destination
from rxsim.load import write_onnx
from rxsim.report.retrain_terminal import print_training
from rxsim.retrain.options import RetrainOptions
from rxsim.retrain.result import Training
from rxsim.stages import Stages

_DEFAULTS = RetrainOptions()


@click.command("retrain")
@click.argument("model", type=FILE)
@study_options
@click.option("-o", "--output", type=FILE, required=True, metavar="OUT.onnx", help="The result.")
@click.option(
    "--iterations",
    type=int,
    default=_DEFAULTS.iterations,
    show_default=True,
    metavar="N",
    help="Batches.",
)
@click.option(
    "--batch",
    type=int,
    default=_DEFAULTS.batch,
    show_default=True,
    metavar="N",
    help="Inputs of each.",
)
@click.option(
    "--optimiser",
    type=click.Choice(["adam", "sgd"]),
    default="adam",
    show_default=True,
    help="Sgd has a momentum of 0.9.",
)
@click.option(
    "--learning-rate",
    type=float,
    default=_DEFAULTS.learning_rate,
    show_default=True,
    metavar="X",
    help="Of the first iteration; falls to 0 along half a cosine.",
)
@click.option(
    "--noise",
    default=_DEFAULTS.noise,
    show_default=True,
    metavar="exact|gaussian:S|none",
    help="The forward pass: solved chips, noise of S times the largest weight, or nothing.",
)
@click.option(
    "--gradient",
    type=click.Choice(["identity", "column"]),
    default="identity",
    show_default=True,
    help="Straight through the arrays, or with the factor of each column.",
)
@click.option(
    "--refresh",
    type=int,
    default=_DEFAULTS.refresh,
    show_default=True,
    metavar="N",
    help="Iterations from one solved chip to the next.",
)
@click.option(
    "--train-on",
    "labels",
    type=click.Choice(["none", "labels"]),
    default="none",
    show_default=True,
    help="The float network's outputs (none), or the data's labels.",
)
@click.option(
    "--temperature",
    type=float,
    default=_DEFAULTS.temperature,
    show_default=True,
    metavar="T",
    help="Of the float network's outputs.",
)
@click.option(
    "--train",
    default=_DEFAULTS.train,
    show_default=True,
    metavar="all|weights|biases|PATTERN[,..]",
    help="What is trained: of all layers, or of those whose names match.",
)
@click.option(
    "--clip",
    type=float,
    metavar="X",
    help="Largest weight, in standard deviations of its layer's first weights.",
)
@click.option(
    "--held-out",
    type=float,
    default=_DEFAULTS.held_out,
    show_default=True,
    metavar="SHARE",
    help="Of the data; chooses the best weights.",
)
@click.option(
    "--patience",
    type=int,
    metavar="N",
    help="Refreshes without a better loss there after which training ends.",
)
@click.option(
    "--chip",
    type=int,
    metavar="K",
    help="Train for this chip, its faults included; else another at each refresh.",
)
@click.option("--resume", is_flag=True, help="Go on from OUT.onnx.checkpoint.npz.")
@click.option("--json", "json_path", metavar="FILE|-", help="Write the curve as JSON.")
def command(model: Path, output: Path, json_path: str | None, resume: bool, **given: Any) -> None:
    """Train MODEL.onnx against the crossbar that the settings describe.

    --data are the inputs to train on. The forward pass runs solved chips with their converters, as
    'rxsim patch' writes them; gradients go straight through. Trained values go back into the file's own
    initialisers. Needs torch: pip install 'rxsim[retrain]'.
    """
    checkpoint = output.with_name(output.name + ".checkpoint.npz")
    place = json_file(json_path)
    for path in filter(None, (output, checkpoint, place)):
        others = [other for other in (output, checkpoint, place) if other is not path]
        check_destination(path, [*files_read(model, given), *others])
    options = _options(given)
    from rxsim.retrain.retrained import retrained  # imports torch

    with watched(quiet=given["quiet"], verbose=given["verbose"]) as watcher:
        study = open_given(model, given, Stages(watcher))
        training, written = retrained(study, options, checkpoint, resume=resume)
    write_onnx(output, written)
    checkpoint.unlink(missing_ok=True)
    _tell(training, output, json_path, study.stages.seconds)


def _tell(
    training: Training, output: Path, json_path: str | None, seconds: dict[str, float]
) -> None:
    if not write_json(training.as_json(), json_path):
        print_training(training, output, seconds)


def _options(given: dict[str, Any]) -> RetrainOptions:
    """Read the options of the training."""
    names = [name for name in RetrainOptions.__dataclass_fields__ if name not in ("labels", "seed")]
    return RetrainOptions(
        **{name: given[name] for name in names},
        labels="data" if given["labels"] == "labels" else "none",
        seed=given["seed"] or 0,
    )
