"""What of a layer can be trained, so that the user's file can hold it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rxsim.load import Layer
from rxsim.retrain.file_tensors import FLOAT_PRODUCTS, Feed
from rxsim.retrain.probes import Map
from rxsim.retrain.provenance import Part, Provenance

_SHOWN = 5


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Trainable:
    """What of a layer can be trained.

    Attributes:
        weight: whether its weights can.
        bias: whether its bias can.
        norm: whether a normalisation of the file is folded into it.
        why_not: what can't be trained and why, in words; empty where all can.
        fixed: weights that must stay as they are, boolean of the shape of the weights; None where
            none can be trained.
        fixed_bias: likewise of its bias.
        tied_weights: layers whose weights take values of the file that those of this one take too:
            they are trained as one.
        tied_biases: likewise of their biases.
    """

    weight: bool
    bias: bool
    norm: bool
    why_not: str
    fixed: np.ndarray | None
    fixed_bias: np.ndarray | None
    tied_weights: frozenset[str]
    tied_biases: frozenset[str]

    @property
    def tied(self) -> frozenset[str]:
        """Layers that take values of the file that this one takes too."""
        return self.tied_weights | self.tied_biases


def judged(origin: Provenance) -> dict[str, Trainable]:
    """Say of every layer what can be trained."""
    weights, biases = origin.weights.tied(), origin.biases.tied()
    return {
        layer.name: _judged(origin, layer, weights[layer.name], biases[layer.name])
        for layer in origin.network.layers
    }


def _judged(
    origin: Provenance, layer: Layer, tied_weights: frozenset[str], tied_biases: frozenset[str]
) -> Trainable:
    weight, bias = origin.weights.map_of(layer.name), origin.biases.map_of(layer.name)
    feeds = _feeds_of(origin, layer, weight)
    reasons = []
    added = origin.biases.names[layer.name]
    if weight is None:
        reasons.append(_why_no_weight(origin, layer, feeds))
    elif bias is None and added in origin.weights.changed:
        weight = None
        reasons.append(
            "its bias follows from its weights (what is in front of it is folded) and can't be written "
            "back"
        )
    elif weight.fixed.any():
        reasons.append(_fixed_words(layer, weight))
    if bias is None:
        reasons.append(_why_no_bias(origin.biases, added))
    elif bias.fixed.any():
        reasons.append(f"{int(bias.fixed.sum())} values of its bias stay: they are multiplied by 0")
    return Trainable(
        weight=weight is not None and not weight.fixed.all(),
        bias=bias is not None and not bias.fixed.all(),
        norm=any(feed.norm for feed in feeds),
        why_not="; ".join(reasons),
        fixed=None if weight is None else weight.fixed,
        fixed_bias=None if bias is None else bias.fixed,
        tied_weights=tied_weights,
        tied_biases=tied_biases,
    )


def _feeds_of(origin: Provenance, layer: Layer, weight: Map | None) -> list[Feed]:
    """Return the products of the file that a layer may come from: by its tensors, else by its name."""
    named = [feed for feed in origin.feeds if feed.node == layer.node.name]
    if named or weight is None:
        return named
    keys = set(origin.weights.elements.keys_of(weight.numbers))
    return [feed for feed in origin.feeds if keys.intersection(feed.weights)]


def _why_no_weight(origin: Provenance, layer: Layer, feeds: list[Feed]) -> str:
    reader = origin.weights.shared.get(origin.weights.names[layer.name])
    if reader:
        return f"its weights are also read by {reader}, which is not on crossbars"
    if any(feed.quantised for feed in feeds):
        return "its weights are quantised (behind DequantizeLinear), expected floats"
    if layer.op not in FLOAT_PRODUCTS:
        return f"its weights are quantised or attributes ({layer.op}), expected float tensors"
    return "its weights are computed from tensors of the file, not one from one value"


def _why_no_bias(part: Part, name: str) -> str:
    if not name:
        return "it has no bias in the file, and no normalisation that could hold one"
    if name in part.shared:
        return f"its bias is also read by {part.shared[name]}, which is not on crossbars"
    return "its bias is computed from tensors of the file, not one from one value"


def _fixed_words(layer: Layer, weight: Map) -> str:
    """Name the output channels that stay, where whole channels do."""
    for axis in range(weight.fixed.ndim):
        others = tuple(place for place in range(weight.fixed.ndim) if place != axis)
        whole = np.asarray(weight.fixed.all(axis=others))
        if whole.size == layer.n_channels and whole.any() and _only(weight.fixed, axis):
            channels = np.flatnonzero(whole)
            shown = ", ".join(str(channel) for channel in channels[:_SHOWN])
            more = f" and {len(channels) - _SHOWN} more" if len(channels) > _SHOWN else ""
            return f"output channels {shown}{more} stay: their normalisation multiplies by 0"
    return f"{int(weight.fixed.sum())} weights stay: the file holds no value for them"


def _only(fixed: np.ndarray, axis: int) -> bool:
    """Tell whether what stays is whole slices of an axis."""
    others = tuple(place for place in range(fixed.ndim) if place != axis)
    return bool((fixed.any(axis=others) == fixed.all(axis=others)).all())
