"""The product of what a pass drives and a matrix: a Conv or a MatMul over the rows that take part."""

from __future__ import annotations

import numpy as np
from onnx import helper

from rxsim.load import Layer
from rxsim.mapping import Tiling
from rxsim.patch.builder import GraphBuilder


def add_product(
    build: GraphBuilder,
    layer: Layer,
    tiling: Tiling,
    drive: str,
    rows: np.ndarray,
    matrix: np.ndarray,
    part: str,
    *,
    added: np.ndarray | None = None,
) -> str:
    """Multiply driven rows by a matrix.

    Args:
        build: takes the nodes.
        layer: the layer.
        tiling: its groups, K and N.
        drive: name of the tensor of the pass.
        rows: inputs k of a group, int64.
        matrix: float64 (groups, rows, columns).
        part: name of the result.
        added: constant on top, float64 (groups, columns).

    Returns:
        The name of the tensor of groups * columns channels (or last-axis entries).
    """
    if layer.op == "Conv":
        return _add_conv(build, layer, tiling, drive, rows, matrix, part, added)
    drive = _take(build, drive, rows, tiling.n_inputs, -1, f"rows_{part}")
    order = np.argsort(rows, kind="stable")
    weight = build.constant(f"matrix_{part}", matrix[0][order].astype(np.float32))
    if added is None:
        return build.add("MatMul", [drive, weight], part)
    product = build.add("MatMul", [drive, weight], f"driven_{part}")
    constant = build.constant(f"added_{part}", added[0].astype(np.float32))
    return build.add("Add", [product, constant], part)


def _add_conv(
    build: GraphBuilder,
    layer: Layer,
    tiling: Tiling,
    drive: str,
    rows: np.ndarray,
    matrix: np.ndarray,
    part: str,
    added: np.ndarray | None,
) -> str:
    """A Conv over the channels that the rows touch, its kernel zero where no row lies."""
    positions = int(np.prod(layer.kernel))
    channels, groups = tiling.n_inputs // positions, tiling.groups
    touched = np.unique(rows // positions)
    place = np.searchsorted(touched, rows // positions) * positions + rows % positions
    kernel = np.zeros((groups, matrix.shape[2], len(touched) * positions), dtype=np.float32)
    kernel[:, :, place] = matrix.transpose(0, 2, 1)
    kernel = kernel.reshape(groups * matrix.shape[2], len(touched), *layer.kernel)
    wanted = (np.arange(groups)[:, None] * channels + touched[None, :]).ravel()
    given = layer.groups * layer.n_inputs // positions
    if groups * channels > given:
        drive = _pad_channels(build, drive, groups * channels - given, len(layer.kernel), part)
    drive = _take(build, drive, wanted, groups * channels, 1, f"channels_{part}")
    inputs = [drive, build.constant(f"kernel_{part}", kernel)]
    if added is not None:
        inputs.append(build.constant(f"added_{part}", added.ravel().astype(np.float32)))
    kept = {item.name: helper.get_attribute_value(item) for item in layer.node.attribute}
    return build.add("Conv", inputs, part, **{**kept, "group": groups})


def _pad_channels(build: GraphBuilder, drive: str, missing: int, n_axes: int, part: str) -> str:
    """Drive the rows of groups that a block has room for but the layer hasn't at 0 V."""
    pads = np.zeros(2 * (n_axes + 2), dtype=np.int64)
    pads[n_axes + 3] = missing
    return build.add("Pad", [drive, build.constant(f"pads_{part}", pads)], f"padded_{part}")


def _take(
    build: GraphBuilder, source: str, wanted: np.ndarray, total: int, axis: int, part: str
) -> str:
    """Take some indices of an axis in ascending order: nothing for all, a Slice, or a Gather."""
    indices = np.sort(wanted)
    if len(indices) == total:
        return source
    if indices[-1] - indices[0] + 1 == len(indices):
        return take_range(build, source, int(indices[0]), int(indices[-1]) + 1, axis, part)
    return build.add("Gather", [source, build.constant(f"{part}_index", indices)], part, axis=axis)


def take_range(
    build: GraphBuilder, source: str, start: int, stop: int, axis: int, part: str
) -> str:
    """Slice a tensor along one axis."""
    bounds = [
        build.constant(f"{part}_{name}", np.asarray([value], dtype=np.int64))
        for name, value in (("start", start), ("end", stop), ("axis", axis))
    ]
    return build.add("Slice", [source, *bounds], part)
