"""Train a study's network and put the values back into its file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx

from rxsim.config import as_plain
from rxsim.errors import InputError
from rxsim.pipeline import Study
from rxsim.retrain.checkpoint import Checkpoint, read_checkpoint
from rxsim.retrain.options import Kind, RetrainOptions
from rxsim.retrain.places import bias_name, bias_names, check_main_graph, weight_name
from rxsim.retrain.result import NotFiniteError, Training
from rxsim.retrain.scores import check_study
from rxsim.retrain.train import Trainer
from rxsim.retrain.trainable import Trainable
from rxsim.retrain.write_back import trainable_layers, write_back


def retrained(
    study: Study,
    options: RetrainOptions,
    checkpoint: Path | None = None,
    *,
    resume: bool = False,
    source: onnx.ModelProto | None = None,
) -> tuple[Training, onnx.ModelProto]:
    """Train a network against the crossbars of its settings.

    Args:
        study: network, settings and data; the evaluated inputs are trained on.
        options: how.
        checkpoint: takes a checkpoint at every refresh; None: none is written.
        resume: go on from it.
        source: the model that the network was loaded from, where that was in memory.

    Returns:
        The training, and the user's model with the trained values.

    Raises:
        RxsimError: network, data or options can't be used, or the loss is not finite.
    """
    resumed = _read(checkpoint) if resume else None
    check_study(study, options.train_on)
    options.check_patterns(layer.name for layer in study.network.layers)
    check_main_graph(study.network)
    fold = study.settings.mapping.fold
    can = trainable_layers(study.network, fold=fold, source=source)
    names, fixed, left = _chosen(study, options, can)
    if not names:
        why = "".join(f" (layer {layer}: {why})" for layer, why in list(left.items())[:1])
        raise InputError(
            f"train: found {options.train!r}, by which nothing of the network can be trained{why}, "
            "expected layers on crossbars whose values the file holds; see 'rxsim map'"
        )

    def keep(state: Checkpoint) -> None:
        if checkpoint is not None:
            state.write(checkpoint)

    try:
        training = Trainer(study, options, names, fixed).run(keep, resumed)
    except NotFiniteError:
        if checkpoint is not None:  # it would lead to the same end again
            checkpoint.unlink(missing_ok=True)
        raise
    weights: dict[str, np.ndarray] = {}
    biases: dict[str, np.ndarray] = {}
    for layer in study.network.layers:
        if (name := weight_name(layer)) in training.values and name in names:
            weights[layer.name] = training.values[name]
        if (name := bias_name(study.network.model, layer)) in training.values and name in names:
            biases[layer.name] = training.values[name]
    model = write_back(study.network, weights, biases, fold=fold, source=source)
    provenance = study.provenance_of_result(("numpy", "onnxruntime", "torch"))
    told = {
        **provenance,
        "settings": as_plain(study.settings),
        **training.told,
        "not_trained": left,
    }
    return replace(training, told=told), model


def _read(checkpoint: Path | None) -> Checkpoint:
    if checkpoint is None or not checkpoint.exists():
        found = "no file for checkpoints" if checkpoint is None else f"no checkpoint {checkpoint}"
        raise InputError(
            f"--resume: found {found}, expected what an interrupted training left; train without "
            "--resume"
        )
    return read_checkpoint(checkpoint)


def _chosen(
    study: Study, options: RetrainOptions, can: dict[str, Trainable]
) -> tuple[dict[str, str], dict[str, np.ndarray], dict[str, str]]:
    """Choose what is trained.

    Returns:
        The initialisers with their layers, which of their values stay, and why layers that were asked
        for are not trained as a whole.
    """
    names: dict[str, str] = {}
    fixed: dict[str, np.ndarray] = {}
    left: dict[str, str] = {}
    places: dict[Kind, dict[str, str]] = {
        "weights": {layer.name: weight_name(layer) for layer in study.network.layers},
        "biases": bias_names(study.network.model, list(study.network.layers)),
    }
    for layer, told in can.items():
        if _lacks(told, options, layer):
            left[layer] = told.why_not
        parts: tuple[tuple[Kind, bool, frozenset[str], np.ndarray | None], ...] = (
            ("weights", told.weight, told.tied_weights, told.fixed),
            ("biases", told.bias, told.tied_biases, told.fixed_bias),
        )
        for kind, trains, tied, stay in parts:
            name = places[kind][layer]
            if not (trains and name and options.trains(layer, kind)):
                continue
            if any(places[kind][other] != name for other in tied):
                left[layer] = _tied_words(kind, tied)
                continue
            names[name] = layer
            if stay is not None and stay.any():
                fixed[name] = stay | fixed.get(name, stay)
    return names, fixed, left


def _lacks(told: Trainable, options: RetrainOptions, layer: str) -> bool:
    """Tell whether what a user asked for can't be trained; a layer without a bias needs no word."""
    if options.trains(layer, "weights"):
        return not told.weight or bool(told.fixed is not None and told.fixed.any())
    return options.trains(layer, "biases") and not told.bias


def _tied_words(kind: Kind, tied: frozenset[str]) -> str:
    others = ", ".join(sorted(tied))
    return f"its {kind} share values of the file with {others} in another form, and stay"
