"""Nodes that scale and shift every channel of a tensor by constants, and nodes that only pass it on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx

from rxsim.onnx_graph import Rewriting, attributes, values_of

_ELEMENTWISE = {"Add", "Sub", "Mul", "Div"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Channels:
    """Where the channels of a tensor lie.

    Attributes:
        axis: counted from the end, so that it is negative.
        rank: axes of the tensor; None where unknown.
        count: how many there are.
    """

    axis: int
    rank: int | None
    count: int


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """y = factor x + shift for each channel.

    Attributes:
        node: which node does it.
        source: name of x.
        factor: float64 (channels,).
        shift: float64 (channels,).
    """

    node: onnx.NodeProto
    source: str
    factor: np.ndarray
    shift: np.ndarray

    @property
    def scales(self) -> bool:
        """Whether it is more than an addition."""
        return self.node.op_type not in ("Add", "Sub") or bool((self.factor != 1).any())


def step_of(
    node: onnx.NodeProto, source: str, known: Mapping[str, onnx.TensorProto], channels: Channels
) -> Step | None:
    """Read a node as a step on one of its inputs; None where it is none.

    Args:
        node: the node.
        source: name of that input.
        known: the constants by name.
        channels: of that input, which the result shares.
    """
    if node.domain not in ("", "ai.onnx"):
        return None
    with np.errstate(all="ignore"):
        if node.op_type == "BatchNormalization":
            pair = _normalising(node, source, known, channels)
        elif node.op_type in _ELEMENTWISE:
            pair = _elementwise(node, source, known, channels)
        else:
            return None
    if pair is None or not all(np.isfinite(part).all() for part in pair):
        return None
    factor, shift = (np.broadcast_to(part, (channels.count,)) for part in pair)
    return Step(node, source, factor, shift)


def _normalising(
    node: onnx.NodeProto, source: str, known: Mapping[str, onnx.TensorProto], channels: Channels
) -> tuple[np.ndarray, np.ndarray] | None:
    """Source: ONNX's BatchNormalization, whose channels are the second axis."""
    given = attributes(node)
    if given.get("training_mode", 0) or channels.rank is None or node.input[0] != source:
        return None
    if channels.axis != 1 - channels.rank or any(name not in known for name in node.input[1:5]):
        return None
    gamma, beta, mean, variance = (
        values_of(known[name]).astype(np.float64) for name in node.input[1:5]
    )
    if {part.shape for part in (gamma, beta, mean, variance)} != {(channels.count,)}:
        return None
    factor = gamma / np.sqrt(variance + given.get("epsilon", 1e-5))
    return factor, beta - mean * factor


def _elementwise(
    node: onnx.NodeProto, source: str, known: Mapping[str, onnx.TensorProto], channels: Channels
) -> tuple[np.ndarray, np.ndarray] | None:
    left, right = node.input
    other = right if left == source else left
    constant = known.get(other)
    values = None if constant is None else _by_channel(values_of(constant), channels)
    if values is None or source not in node.input:
        return None
    one, zero = np.ones(1), np.zeros(1)
    if node.op_type == "Mul":
        return values, zero
    if node.op_type == "Add":
        return one, values
    if node.op_type == "Sub":
        return (one, -values) if left == source else (-one, values)
    return (1 / values, zero) if left == source else None


def _by_channel(values: np.ndarray, channels: Channels) -> np.ndarray | None:
    """Return a value for each channel, or a single one; None where they vary along another axis."""
    if values.dtype.kind != "f" or values.ndim > (1 if channels.rank is None else channels.rank):
        return None
    lengths = dict(zip(range(-1, -values.ndim - 1, -1), reversed(values.shape), strict=True))
    along = lengths.pop(channels.axis, 1)
    if along not in (1, channels.count) or any(length != 1 for length in lengths.values()):
        return None
    return values.astype(np.float64).reshape(-1)


def passed_on(
    node: onnx.NodeProto, graph: Rewriting, channels: Channels, *, back: bool
) -> Channels | None:
    """Return where the channels are behind a node that changes no value; None where it is none.

    Args:
        node: Identity, Dropout, Transpose, or a Cast to the type that is there already.
        graph: its constants and types.
        channels: in front of it, or behind it.
        back: from behind to in front.
    """
    if node.domain not in ("", "ai.onnx"):
        return None
    if node.op_type == "Identity" or (
        node.op_type == "Dropout" and _is_idle(node, graph.constants)
    ):
        return channels
    if node.op_type == "Cast" and attributes(node)["to"] == graph.element_type(node.input[0]):
        return channels
    if node.op_type != "Transpose" or channels.rank is None:
        return None
    order = list(attributes(node).get("perm", range(channels.rank - 1, -1, -1)))
    place = channels.axis + channels.rank
    place = order[place] if back else order.index(place)
    return Channels(axis=place - channels.rank, rank=channels.rank, count=channels.count)


def _is_idle(node: onnx.NodeProto, known: Mapping[str, onnx.TensorProto]) -> bool:
    """Tell whether a Dropout does nothing."""
    if any(node.output[1:]):
        return False
    mode = node.input[2] if len(node.input) > 2 else ""
    return not mode or (mode in known and not values_of(known[mode]).any())
