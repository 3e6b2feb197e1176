"""Sums over the values of each channel of pairs of tensors, over the calibration inputs of a study.

Values are added up in the graph, in float64: the tensors themselves are never kept. Where that can't be
done (in the body of a loop, or where a fixed batch has to be filled up), each batch is added up as it
comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto

from rxsim.onnx_graph import GraphBuilder, defined_names, keep_outputs, taken_names, with_outputs
from rxsim.operators import Layer
from rxsim.pipeline.study.study import Study
from rxsim.session import Session

_AXES_AS_INPUT = 18  # from this operator set on ReduceSumSquare takes its axes as an input
_ROWS = 5  # sums of x, y, x^2, y^2, x y


@dataclass(frozen=True, slots=True)
class Pair:
    """Two tensors x and y of one shape, which lie as the result of a layer's product.

    Attributes:
        layer: the layer.
        x: name of the first.
        y: name of the second; it may be the first again.
    """

    layer: Layer
    x: str
    y: str


@dataclass(frozen=True, slots=True, eq=False)
class ChannelSums:
    """What was added up.

    Attributes:
        count: values of each channel.
        sums: of x, y, x^2, y^2 and x y, float64 (5, channels).
    """

    count: int
    sums: np.ndarray

    def __add__(self, other: ChannelSums) -> ChannelSums:
        """Return the sums over the values of both."""
        return ChannelSums(self.count + other.count, self.sums + other.sums)


def channel_sums(
    study: Study, model: onnx.ModelProto, pairs: Sequence[Pair], stage: str
) -> list[ChannelSums]:
    """Add up the values of pairs of tensors.

    Args:
        study: whose calibration inputs.
        model: a network with its inputs.
        pairs: of its tensors, those of bodies included.
        stage: what the time is counted as.
    """
    fixed = study.network.fixed_batch
    is_filled_up = fixed is not None and len(study.calibration) % fixed != 0
    inside = set() if is_filled_up else defined_names(model.graph)
    reduced = [pair.x in inside and pair.y in inside for pair in pairs]
    extended, names = _with_sums(model, pairs, reduced)
    session = Session(extended, f"the network of {stage}", fixed)
    totals = [ChannelSums(0, np.zeros((_ROWS, pair.layer.n_channels))) for pair in pairs]
    with study.stages(stage) as progress:
        for results in session.batches(
            study.calibration, names, batch=study.batch, threads=study.in_flight, progress=progress
        ):
            tensors = dict(zip(names, results, strict=True))
            for number, (pair, done) in enumerate(zip(pairs, reduced, strict=True)):
                name = _SUMS.format(number)
                totals[number] += _read(tensors[name]) if done else _summed(pair, tensors)
    return totals


_SUMS = "rxsim_sums_{}"


def _with_sums(
    model: onnx.ModelProto, pairs: Sequence[Pair], reduced: Sequence[bool]
) -> tuple[onnx.ModelProto, list[str]]:
    """Return a network that gives the sums of some pairs, and the tensors of the others.

    Returns:
        The network, and the names of the outputs.
    """
    raw = [
        name
        for pair, done in zip(pairs, reduced, strict=True)
        if not done
        for name in (pair.x, pair.y)
    ]
    names = list(dict.fromkeys(raw))
    extended = with_outputs(model, names)
    build = GraphBuilder("rxsim_sums", taken_names(extended))
    flat: dict[str, str] = {}
    opset = next(each.version for each in model.opset_import if each.domain in ("", "ai.onnx"))
    for number, (pair, done) in enumerate(zip(pairs, reduced, strict=True)):
        if done:
            names.append(_SUMS.format(number))
            _add_sums(build, pair, flat, names[-1], opset)
    extended.graph.node.extend(build.nodes)
    extended.graph.initializer.extend(build.constants)
    keep_outputs(extended, names)
    return extended, names


def _add_sums(
    build: GraphBuilder, pair: Pair, wide: dict[str, str], output: str, opset: int
) -> None:
    """Add the nodes that sum up a pair, (6, channels): how many values, sums of x and y, and squares.

    The sum of x y follows from that of (x - y)^2, which is summed up instead: a difference of float32
    numbers that are near each other is exact, and products in float64 take the most time.
    """
    size = build.add("Size", [pair.x], "size")
    size = build.add("Cast", [size], "wide_size", to=TensorProto.DOUBLE)
    zeros = build.constant("zeros", np.zeros(pair.layer.n_channels))
    parts = [build.add("Add", [zeros, size], "sizes")]
    names = list(dict.fromkeys([pair.x, pair.y]))
    if len(names) > 1:
        names.append(build.add("Sub", names, "difference"))
    for name in names:
        if name not in wide:
            wide[name] = build.add("Cast", [name], "wide", to=TensorProto.DOUBLE)
    sums = [add_channel_sum(build, pair.layer, wide[name], "sum") for name in names[:2]]
    squares = [_add_square_sum(build, pair.layer, wide[name], opset) for name in names]
    if len(names) == 1:
        sums, squares = sums * 2, [squares[0], squares[0], zeros]
    rows = build.constant("row", np.array([1, -1]))
    parts += [*sums, *squares]
    shaped = [build.add("Reshape", [part, rows], "shaped") for part in parts]
    build.add("Concat", shaped, "sums", output, axis=0)


def _add_square_sum(build: GraphBuilder, layer: Layer, tensor: str, opset: int) -> str:
    """Write the sum of the squares of each channel's values, (channels,): `Mul` took twice the time."""
    behind = layer.layout.spatial_axes
    shape = build.constant("squares_shape", np.array([-1, layer.n_channels]))
    if not behind:
        tensor = build.add("Reshape", [tensor, shape], "values")
    axes, given = list(range(-behind, 0)) if behind else [0], [tensor]
    attributes: dict[str, Any] = {"axes": axes}
    if opset >= _AXES_AS_INPUT:
        given, attributes = [tensor, build.constant("squares_axes", np.array(axes))], {}
    sums = build.add("ReduceSumSquare", given, "squares", keepdims=0, **attributes)
    if not behind:
        return sums
    rows = build.add("Reshape", [sums, shape], "squares_rows")
    first = build.constant("squares_axis", np.array([0]))
    return build.add("ReduceSum", [rows, first], "squares_sum", keepdims=0)


def add_channel_sum(build: GraphBuilder, layer: Layer, tensor: str, part: str) -> str:
    """Write the sum of each channel's values over everything else, (channels,).

    Args:
        build: takes the nodes.
        layer: in whose result channels lie as in the tensor.
        tensor: its name.
        part: name of the result.
    """
    behind = layer.layout.spatial_axes
    if behind:
        axes = build.constant(f"{part}_axes", np.arange(-behind, 0))
        tensor = build.add("ReduceSum", [tensor, axes], f"{part}_places", keepdims=0)
    shape = build.constant(f"{part}_shape", np.array([-1, layer.n_channels]))
    tensor = build.add("Reshape", [tensor, shape], f"{part}_rows")
    first = build.constant(f"{part}_axis", np.array([0]))
    return build.add("ReduceSum", [tensor, first], part, keepdims=0)


def _read(values: np.ndarray) -> ChannelSums:
    size, x, y, xx, yy, dd = values
    count = round(float(size[0]) / len(size))
    return ChannelSums(count, np.stack([x, y, xx, yy, (xx + yy - dd) / 2]))


def _summed(pair: Pair, tensors: dict[str, np.ndarray]) -> ChannelSums:
    """Add up the values of a pair of tensors."""
    channels = pair.layer.n_channels
    if not tensors[pair.x].size:  # in a branch that is not taken
        return ChannelSums(0, np.zeros((_ROWS, channels)))
    place = -1 - pair.layer.layout.spatial_axes
    x, y = (
        np.moveaxis(tensors[name], place, -1).reshape(-1, channels).astype(np.float64)
        for name in (pair.x, pair.y)
    )
    rows = [x.sum(axis=0), y.sum(axis=0)]
    rows += [np.einsum("nc,nc->c", left, right) for left, right in ((x, x), (y, y), (x, y))]
    return ChannelSums(len(x), np.stack(rows))
