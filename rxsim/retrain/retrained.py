"""Train a study's network and put the values back into its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from rxsim.errors import InputError
from rxsim.pipeline import Study
from rxsim.retrain.checkpoint import Checkpoint, read_checkpoint
from rxsim.retrain.options import Kind, RetrainOptions
from rxsim.retrain.places import bias_name, weight_name
from rxsim.retrain.result import Training
from rxsim.retrain.train import Trainer
from rxsim.retrain.trainable import Trainable
from rxsim.retrain.write_back import trainable_layers, write_back


def retrained(
    study: Study,
    options: RetrainOptions,
    checkpoint: Path | None = None,
    *,
    resume: bool = False,
) -> tuple[Training, onnx.ModelProto]:
    """Train a network against the crossbars of its settings.

    Args:
        study: network, settings and data; the evaluated inputs are trained on.
        options: how.
        checkpoint: takes a checkpoint at every refresh; None: none is written.
        resume: go on from it.

    Returns:
        The training, and the user's model with the trained values.

    Raises:
        RxsimError: network, data or options can't be used, or the loss is not finite.
    """
    fold = study.settings.mapping.fold
    can = trainable_layers(study.network, fold=fold)
    names, fixed = _chosen(study, options, can)
    resumed = None
    if resume:
        if checkpoint is None or not checkpoint.exists():
            raise InputError(
                f"--resume: found no checkpoint {checkpoint}, expected what an interrupted training "
                "left there; train without --resume"
            )
        resumed = read_checkpoint(checkpoint)

    def keep(state: Checkpoint) -> None:
        if checkpoint is not None:
            state.write(checkpoint)

    training = Trainer(study, options, names, fixed).run(keep, resumed)
    weights: dict[str, np.ndarray] = {}
    biases: dict[str, np.ndarray] = {}
    for layer in study.network.layers:
        if (name := weight_name(layer)) in training.values and name in names:
            weights[layer.name] = training.values[name]
        if (name := bias_name(study.network.model, layer)) in training.values and name in names:
            biases[layer.name] = training.values[name]
    return training, write_back(study.network, weights, biases, fold=fold)


def _chosen(
    study: Study, options: RetrainOptions, can: dict[str, Trainable]
) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """Return the initialisers that are trained with their layers, and which of their values stay."""
    names: dict[str, str] = {}
    fixed: dict[str, np.ndarray] = {}
    for layer in study.network.layers:
        told = can[layer.name]
        parts: tuple[tuple[Kind, bool, str, np.ndarray | None], ...] = (
            ("weights", told.weight, weight_name(layer), told.fixed),
            ("biases", told.bias, bias_name(study.network.model, layer), told.fixed_bias),
        )
        for kind, trains, name, stay in parts:
            if not (trains and name and options.trains(layer.name, kind)):
                continue
            names[name] = layer.name
            if stay is not None and stay.any():
                fixed[name] = stay
    return names, fixed
