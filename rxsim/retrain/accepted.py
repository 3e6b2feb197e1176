"""Checks of trained values before any is written."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rxsim.errors import InputError
from rxsim.retrain.provenance import Part, Provenance
from rxsim.retrain.trainable import Trainable, judged


def accepted(
    origin: Provenance,
    before: Mapping[str, np.ndarray],
    weights: Mapping[str, np.ndarray],
    biases: Mapping[str, np.ndarray],
) -> dict[str, np.ndarray]:
    """Return the constants of the normalised graph with trained values in them.

    Args:
        origin: the network and its file.
        before: the constants before training.
        weights: layer name -> trained weights.
        biases: layer name -> trained bias.

    Raises:
        InputError: naming the layer.
    """
    allowed = judged(origin)
    wanted = dict(before)
    for part, given, what in (
        (origin.weights, weights, "weights"),
        (origin.biases, biases, "bias"),
    ):
        givers: dict[str, str] = {}
        for layer, values in given.items():
            if layer not in allowed:
                raise InputError(
                    f"layer {layer}: trained {what} for no layer on crossbars, expected one of "
                    f"{', '.join(list(allowed)[:5])}; check the name"
                )
            name = part.names[layer]
            if not name:
                _check_without(layer, values, allowed[layer])
                continue
            new = _checked(layer, what, values, before[name])
            _check_free(part, layer, what, new != before[name], allowed[layer])
            other = givers.setdefault(name, layer)
            if other != layer and not np.array_equal(wanted[name], new):
                raise InputError(
                    f"layers {other} and {layer} read the same {what} {name}, expected the same values "
                    "for both; train them as one"
                )
            wanted[name] = new
    return wanted


def _check_without(layer: str, values: np.ndarray, allowed: Trainable) -> None:
    if np.any(values):
        raise InputError(
            f"layer {layer}: its bias can't be trained ({allowed.why_not}), expected none; leave it out"
        )


def _checked(layer: str, what: str, values: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Return values in the type of the normalised graph."""
    values = np.asarray(values)
    if values.shape != before.shape or values.dtype.kind != "f":
        raise InputError(
            f"layer {layer}: its trained {what} are {list(values.shape)} of {values.dtype}, "
            f"expected {list(before.shape)} of floats; give them as the normalised graph holds them"
        )
    with np.errstate(over="ignore"):
        rounded = values.astype(before.dtype)
    if not np.isfinite(rounded).all():
        raise InputError(
            f"layer {layer}: its trained {what} hold NaN, infinity or numbers beyond {before.dtype}, "
            "expected finite numbers; lower the learning rate"
        )
    return rounded


def _check_free(part: Part, layer: str, what: str, changed: np.ndarray, allowed: Trainable) -> None:
    """Refuse changes of what can't be trained."""
    if not changed.any():
        return
    weights = what == "weights"
    if not (allowed.weight if weights else allowed.bias):
        raise InputError(
            f"layer {layer}: its {what} can't be trained ({allowed.why_not}), expected the values that "
            "it had; leave the layer out"
        )
    fixed = allowed.fixed if weights else allowed.fixed_bias
    if fixed is not None and (fixed & changed).any():
        raise InputError(
            f"layer {layer}: {int((fixed & changed).sum())} of its trained {what} differ where the "
            f"file can hold no other value ({allowed.why_not}), expected them unchanged; train with "
            "the mask that trainable_layers gives"
        )
