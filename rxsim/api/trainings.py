"""Training against crossbars, from Python; torch is imported when a function is called."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import onnx

from rxsim.api.accepted import (
    AnyData,
    AnyModel,
    AnySettings,
    as_data,
    as_destination,
    as_model,
    opened,
    warn,
)
from rxsim.api.accepted import settings as resolved
from rxsim.api.shown import Retraining
from rxsim.errors import SettingError
from rxsim.given import as_path
from rxsim.load import load_network, write_onnx
from rxsim.pipeline import Calibration, DataOptions
from rxsim.retrain.options import GivenOptions, RetrainOptions
from rxsim.retrain.remarks import data_remark
from rxsim.retrain.scores import check_metric
from rxsim.retrain.trained_settings import settings_of

if TYPE_CHECKING:
    from rxsim.retrain.network_module import NetworkModule


def retrained(
    model: AnyModel,
    settings: AnySettings | None = None,
    data: AnyData | None = None,
    *,
    output: str | Path | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    seed: int | None = None,
    limit: int | None = None,
    threads: int | None = None,
    memory: str | None = None,
    calibration: Calibration | str | Path | None = None,
    **options: Unpack[GivenOptions],
) -> Retraining:
    """Do what `rxsim retrain` does: train a network against the crossbars of its settings.

    Args:
        model: the ONNX file, or an onnx.ModelProto.
        settings: as `rxsim.evaluate` takes them.
        data: the inputs to train on, as `rxsim.evaluate` takes them.
        output: where to write the trained network, if anywhere.
        checkpoint: a file that takes the state at every refresh, if any; it is removed at the end.
        resume: go on from the checkpoint.
        seed: of every random draw.
        limit: the size of a sample that is trained on.
        threads: work done side by side; one gives the same bytes again.
        memory: to stay under, such as "3GB"; half of what is free where left out; changes no result.
        calibration: as `rxsim.evaluate` takes it.
        **options: fields of `rxsim.retrain.options.RetrainOptions`, such as iterations=150,
            learning_rate=1e-4, noise="exact", train_on="labels", train="conv*".

    Returns:
        The curve, which prints as a table, with the trained network as `model` and the settings that
        it is for as `settings`: with its input ranges, where it held on to them.

    Raises:
        InputError: torch is missing; the model, the data, the settings or an option can't be used; or
            the loss is not finite.
        WriteError: a file can't be written.

    Example:
        >>> told = rxsim.retrained("models/digits_cnn.onnx", "64x64", "models/digits_train.npz")
        >>> rxsim.evaluate(told.model, "64x64", data)
    """
    chosen = _options(options)
    path = as_destination(output, model)
    kept = _kept(checkpoint, model, resume=resume)
    from rxsim.retrain.retrained import retrained as train  # imports torch

    check_metric(as_model(model), as_data(data))
    study = opened(
        model,
        settings,
        data,
        seed=seed,
        limit=limit,
        threads=threads,
        memory=memory,
        calibration=calibration,
        evaluates=chosen.train_on == "labels",
    )
    named = data.data if isinstance(data, DataOptions) else data
    warn(data_remark(study, given=named is not None), depth=2)
    source = model if isinstance(model, onnx.ModelProto) else None
    chosen = replace(chosen, seed=study.settings.seed)
    training, written = train(study, chosen, kept, resume=resume, source=source)
    if path is not None:
        write_onnx(path, written)
    if kept is not None:
        kept.unlink(missing_ok=True)
    values = {field.name: getattr(training, field.name) for field in fields(training)}
    return Retraining(**values, model=written, settings=settings_of(study, training))


def torch_module(
    model: AnyModel,
    settings: AnySettings | None = None,
    *,
    trainable: Callable[[str], bool] | Collection[str] | None = None,
) -> NetworkModule:
    """Return a network as a torch Module, for a training loop of one's own.

    Its initialisers, normalisations folded in, are the Parameters and buffers. `forward` takes inputs
    by name, and gives outputs by name; its `hooks` stand for nodes. `onnx_model()` returns the user's
    model with the values as they are.

    Args:
        model: the ONNX file, or an onnx.ModelProto; what `rxsim.patched` returns is one too.
        settings: as `rxsim.evaluate` takes them; how normalisations are folded (`mapping.fold`) counts.
        trainable: which float initialisers are Parameters: their names, or what tells for a name; the
            weights and biases of the layers that crossbars can hold where left out.

    Raises:
        InputError: torch is missing, or the model can't be used.

    Example:
        >>> module = rxsim.torch_module("models/digits_mlp.onnx")
        >>> scores = module({"image": images})["logits"]
    """
    fold = resolved(settings).mapping.fold
    from rxsim.retrain.network_module import NetworkModule  # imports torch

    network = load_network(as_model(model), fold)
    source = model if isinstance(model, onnx.ModelProto) else None
    return NetworkModule(network, trainable, fold=fold, source=source)


def _kept(checkpoint: str | Path | None, model: AnyModel, *, resume: bool) -> Path | None:
    """Return where checkpoints go, refused early where a training can't begin there."""
    kept = None if checkpoint is None else as_path(checkpoint, "checkpoint")
    if kept is not None and not resume:
        as_destination(kept, model)
    return kept


def _options(given: GivenOptions) -> RetrainOptions:
    known = [field.name for field in fields(RetrainOptions) if field.name != "seed"]
    for name in given:
        if name not in known:
            raise SettingError(
                f"found the option {name!r} of a training, expected one of {', '.join(known)}"
            )
    return RetrainOptions(**given)
