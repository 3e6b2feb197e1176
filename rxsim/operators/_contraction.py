"""A product of an activation and a constant over named axes, written as a MatMul or a grouped Conv.

Every axis has a letter, as in Einsum. Letters of both operands that the result keeps are groups: a
matrix of its own for each. Those that it does not keep are summed over: rows. Letters of the constant
alone are columns, those of the activation alone are positions. Without groups it is a MatMul; else a
1x1 Conv in groups, whose channels are groups and rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from rxsim.onnx_graph import GraphBuilder, Rewriting, Shape


@dataclass(frozen=True, slots=True)
class Letters:
    """The axes of a product by letter.

    Attributes:
        data: of the activation.
        weight: of the constant.
        result: of the result.
    """

    data: str
    weight: str
    result: str


def why_no_contraction(letters: Letters) -> str:
    """Say why a product of an activation and a constant is no matrix product; empty where it is one."""
    if len(set(letters.data)) < len(letters.data):
        return "it takes a diagonal of its input"
    if len(set(letters.result)) < len(letters.result):
        return "its result names an axis twice"
    if not set(letters.result) <= set(letters.data + letters.weight):
        return "its result names an axis that no operand has"
    if not set(letters.data) & set(letters.weight) - set(letters.result):
        return "it multiplies entry by entry and sums nothing over its constant"
    return ""


def contraction(
    graph: Rewriting,
    node: onnx.NodeProto,
    source: str,
    stored: np.ndarray,
    letters: Letters,
) -> list[onnx.NodeProto] | None:
    """Write a product as nodes; the one that multiplies keeps the node's name.

    Args:
        graph: takes the constants.
        node: is replaced.
        source: name of the activation, whose rank is known.
        stored: the constant.
        letters: their axes; `why_no_contraction` has nothing against them.

    Returns:
        The nodes; None where lengths do not fit.
    """
    shape = graph.shape(source)
    if shape is None or len(shape) != len(letters.data) or stored.ndim != len(letters.weight):
        return None
    held = _Weight.of(stored, letters)
    data = _Data(graph.builder(node.name), source, letters.data, shape)
    for letter in [item for item in held.letters if item in letters.data]:
        given, length = data.length(letter), held.length(letter)
        kept = letter in letters.result
        if length == 1 and (kept or given != 1):
            held = held.summed(letter)
        elif given == 1 and length > 1:
            data.drop(letter)
            held = held if kept else held.summed(letter)
        elif given is not None and given != length:
            return None
        elif given is None and kept:
            data.lengths[letter] = length
            data.spread.add(letter)
    data.expand()
    data.sum([item for item in data.letters if item not in held.letters + letters.result])
    build = data.build
    groups = [item for item in letters.result if item in data.letters and item in held.letters]
    if groups:
        result, axes = _grouped(data, held, letters.result, groups)
    else:
        result, axes = _rows(data, held, letters.result)
    product = next(item for item in build.nodes[::-1] if item.op_type in ("MatMul", "Conv"))
    product.name = node.name
    result = _ordered(build, result, axes, letters.result, "result")
    build.give(result, node.output[0])
    return graph.finish(build)


@dataclass(frozen=True, slots=True, eq=False)
class _Weight:
    """A constant with a letter for each axis."""

    values: np.ndarray
    letters: str

    @staticmethod
    def of(stored: np.ndarray, letters: Letters) -> _Weight:
        """Take diagonals, and sum over axes that are the constant's alone."""
        kept = "".join(dict.fromkeys(letters.weight))
        kept = "".join(item for item in kept if item in letters.data + letters.result)
        if kept == letters.weight:
            return _Weight(stored, kept)
        exact = np.einsum(f"{letters.weight}->{kept}", stored.astype(np.float64))
        return _Weight(exact.astype(stored.dtype), kept)

    def length(self, letter: str) -> int:
        """Return an axis' length."""
        return int(self.values.shape[self.letters.index(letter)])

    def lengths(self, letters: Sequence[str]) -> list[int]:
        """Return the lengths of axes."""
        return [self.length(letter) for letter in letters]

    def summed(self, letter: str) -> _Weight:
        """Sum over an axis."""
        axis = self.letters.index(letter)
        total = self.values.sum(axis=axis, dtype=np.float64).astype(self.values.dtype)
        return _Weight(total, self.letters.replace(letter, ""))

    def matrices(self, *parts: Sequence[str]) -> np.ndarray:
        """Return the values with an axis for each part, whose letters are merged."""
        order = [self.letters.index(letter) for part in parts for letter in part]
        shape = [math.prod(self.lengths(part)) for part in parts]
        return self.values.transpose(order).reshape(shape)


class _Data:
    """An activation with a letter for each axis, while nodes are added that bring it to a form."""

    def __init__(self, build: GraphBuilder, source: str, letters: str, shape: Shape) -> None:
        self.build = build
        self.name = source
        self.letters = letters
        self.lengths = dict(zip(letters, shape, strict=True))
        self.spread: set[str] = set()
        """Letters whose axis may have the length 1 where the constant has more."""
        self._source, self._all = source, letters

    def length(self, letter: str) -> int | None:
        """Return an axis' length; None where it is free."""
        return self.lengths[letter]

    def drop(self, letter: str) -> None:
        """Remove an axis of length 1."""
        axis = self.build.constant(f"axis_{letter}", np.asarray([self.letters.index(letter)]))
        self.name = self.build.add("Squeeze", [self.name, axis], f"without_{letter}")
        self.letters = self.letters.replace(letter, "")

    def expand(self) -> None:
        """Spread axes of length 1, if they are, over the constant's."""
        if self.spread:
            shape = [
                self.lengths[letter] if letter in self.spread else 1 for letter in self.letters
            ]
            wanted = self.build.constant("spread_shape", np.asarray(shape))
            self.name = self.build.add("Expand", [self.name, wanted], "spread")

    def sum(self, letters: Sequence[str]) -> None:
        """Sum over axes."""
        if letters:
            axes = np.asarray([self.letters.index(letter) for letter in letters])
            inputs = [self.name, self.build.constant("summed_axes", axes)]
            self.name = self.build.add("ReduceSum", inputs, "summed", keepdims=0)
            self.letters = "".join(item for item in self.letters if item not in letters)

    def order(self, letters: Sequence[str]) -> None:
        """Bring the axes into an order."""
        self.name = _ordered(self.build, self.name, self.letters, "".join(letters), "input")
        self.letters = "".join(letters)

    def shape_of(self, before: Sequence[int], letters: Sequence[str]) -> str:
        """Return the name of a shape: numbers, then the lengths of some of the axes as they came."""
        lengths = [self.lengths[letter] for letter in letters]
        if lengths.count(None) < 2:
            known = [-1 if length is None else length for length in lengths]
            return self.build.constant("result_shape", np.asarray([*before, *known]))
        shape = self.build.add("Shape", [self._source], "input_shape")
        places = np.asarray([self._all.index(letter) for letter in letters])
        taken = [shape, self.build.constant("places", places)]
        behind = self.build.add("Gather", taken, "lengths", axis=0)
        numbers = self.build.constant("lengths_before", np.asarray(before))
        return self.build.add("Concat", [numbers, behind], "result_shape", axis=0)


def _ordered(build: GraphBuilder, name: str, letters: str, wanted: str, part: str) -> str:
    """Transpose a tensor, where its axes are in another order than wanted."""
    if letters == wanted:
        return name
    perm = [letters.index(letter) for letter in wanted]
    return build.add("Transpose", [name], f"{part}_ordered", perm=perm)


def _rows(data: _Data, held: _Weight, result: str) -> tuple[str, str]:
    """Write a MatMul of rows; return its result and the letters of its axes."""
    build = data.build
    positions = [item for item in result if item in data.letters]
    rows = [item for item in held.letters if item not in result]
    columns = [item for item in result if item not in data.letters]
    data.order([*positions, *rows])
    source, zeros = data.name, [0] * len(positions)
    if not rows:
        axis = build.constant("row_axis", np.asarray([-1]))
        source = build.add("Unsqueeze", [source, axis], "rows")
    elif len(rows) > 1:
        merged = [*zeros, math.prod(held.lengths(rows))]
        shape = build.constant("rows_shape", np.asarray(merged))
        source = build.add("Reshape", [source, shape], "rows")
    weight = build.constant("weight", held.matrices(rows, columns))
    name = build.add("MatMul", [source, weight], "product")
    if not columns:
        axis = build.constant("column_axis", np.asarray([-1]))
        name = build.add("Squeeze", [name, axis], "without_columns")
    elif len(columns) > 1:
        shape = build.constant("columns_shape", np.asarray([*zeros, *held.lengths(columns)]))
        name = build.add("Reshape", [name, shape], "columns")
    return name, "".join([*positions, *columns])


def _grouped(data: _Data, held: _Weight, result: str, groups: list[str]) -> tuple[str, str]:
    """Write a 1x1 Conv in groups; return its result and the letters of its axes."""
    build = data.build
    positions = [item for item in result if item in data.letters and item not in groups]
    rows = [item for item in held.letters if item not in result]
    columns = [item for item in result if item not in data.letters]
    # The first axis is copied: best a free one, so that the others' lengths are known.
    free = [item for item in positions if data.length(item) is None]
    first = (free or positions)[:1]
    behind = [item for item in positions if item not in first]
    data.order([*first, *groups, *rows, *behind])
    weight = held.matrices(groups, columns, rows)
    count, n_outputs, n_rows = weight.shape
    shape = np.asarray([0 if first else 1, count * n_rows, -1])
    source = build.add("Reshape", [data.name, build.constant("channels_shape", shape)], "channels")
    wide = weight.dtype == np.float64  # onnxruntime has no such Conv
    if wide:
        source = build.add("Cast", [source], "channels_float", to=onnx.TensorProto.FLOAT)
        weight = weight.astype(np.float32)
    kernel = build.constant("weight", weight.reshape(count * n_outputs, n_rows, 1))
    name = build.add("Conv", [source, kernel], "product", group=count, kernel_shape=[1])
    if wide:
        name = build.add("Cast", [name], "product_double", to=onnx.TensorProto.DOUBLE)
    lengths = [*([0] if first else []), *held.lengths([*groups, *columns])]
    shaped = [name, data.shape_of(lengths, behind)]
    return build.add("Reshape", shaped, "groups"), "".join([*first, *groups, *columns, *behind])
