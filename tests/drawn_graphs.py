"""Small random graphs of digital operators, loops among them, for hypothesis.

Every tensor is float32 of the same shape, so that any operator can follow any other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import numpy as np
import onnx
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

SHAPE = (2, 3, 4, 4)
_EACH = (
    *(
        "Relu",
        "Sigmoid",
        "HardSigmoid",
        "Softplus",
        "Exp",
        "Abs",
        "Tanh",
        "Neg",
        "LeakyRelu",
        "Elu",
    ),
    *(
        "Erf",
        "Floor",
        "Ceil",
        "Round",
        "Sign",
        "HardSwish",
        "Softsign",
        "Identity",
        "Softmax",
        "Sqrt",
    ),
    *("Log", "Sin", "Celu", "Selu", "ThresholdedRelu", "LRN", "Dropout", "Mish", "Reciprocal"),
)
_SEVERAL = ("Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "Mean", "Pow")
_REDUCED = (
    *("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceProd"),
    *("ReduceSumSquare", "GlobalAveragePool", "GlobalMaxPool"),
)
_ATTRIBUTES: dict[str, dict[str, Any]] = {"LRN": {"size": 3}}
_NUMBERS = (-2.0, -0.5, -0.0, 0.0, 0.5, 1.0, 2.0, 3.0)


class Drawing:
    """Nodes in order and the constants they read."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._numbers = count()

    def name(self) -> str:
        return f"t{next(self._numbers)}"

    def constant(self, value: object, kind: type = np.float32) -> str:
        name = self.name()
        self.constants.append(numpy_helper.from_array(np.asarray(value, kind), name))
        return name

    def number(self) -> str:
        return self.constant(self.draw(st.sampled_from(_NUMBERS)))

    def add(self, op: str, inputs: Sequence[str], **attributes: Any) -> str:
        output = self.name()
        self.nodes.append(helper.make_node(op, list(inputs), [output], output, **attributes))
        return output

    def one_of(self, names: Sequence[str]) -> str:
        return self.draw(st.sampled_from(list(names)))


def _each(to: Drawing, names: Sequence[str]) -> str:
    op = to.draw(st.sampled_from(_EACH))
    return to.add(op, [to.one_of(names)], **_ATTRIBUTES.get(op, {}))


def _several(to: Drawing, names: Sequence[str]) -> str:
    other = to.one_of(names) if to.draw(st.booleans()) else to.number()
    return to.add(to.draw(st.sampled_from(_SEVERAL)), [to.one_of(names), other])


def _reduced(to: Drawing, names: Sequence[str]) -> str:
    small = to.add(to.draw(st.sampled_from(_REDUCED)), [to.one_of(names)])
    return to.add("Expand", [small, to.constant(SHAPE, np.int64)])


def _clip(to: Drawing, names: Sequence[str]) -> str:
    bounds = [to.number() if to.draw(st.booleans()) else "" for _ in range(2)]
    return to.add("Clip", [to.one_of(names), *bounds])


def _pooled(to: Drawing, names: Sequence[str]) -> str:
    op = to.draw(st.sampled_from(["MaxPool", "AveragePool"]))
    more = {"ceil_mode": to.draw(st.integers(0, 1))}
    if op == "MaxPool" and to.draw(st.booleans()):
        # The middle window lies in the padding on both sides.
        return _widened(
            to,
            to.add(
                op,
                [to.one_of(names)],
                kernel_shape=[2, 2],
                dilations=[5, 5],
                strides=[1, 1],
                pads=[1, 1, 1, 1],
                **more,
            ),
        )
    pads = to.draw(st.sampled_from([[0, 0, 1, 1], [1, 1, 0, 0]]))
    return to.add(op, [to.one_of(names)], kernel_shape=[2, 2], strides=[1, 1], pads=pads)


def _widened(to: Drawing, name: str) -> str:
    """Resize whatever came out."""
    sizes = to.constant(SHAPE, np.int64)
    return to.add("Resize", [name, "", "", sizes], mode="nearest")


def _resized(to: Drawing, names: Sequence[str]) -> str:
    mode = to.draw(st.sampled_from(["nearest", "linear", "cubic"]))
    scales = to.constant([1, 1, 2, 2])
    wide = to.add("Resize", [to.one_of(names), "", scales], mode=mode)
    first, last = (to.constant([value] * 2, np.int64) for value in (2, 6))
    return to.add("Slice", [wide, first, last, to.constant([2, 3], np.int64)])


def _padded(to: Drawing, names: Sequence[str]) -> str:
    mode = to.draw(st.sampled_from(["constant", "reflect", "edge"]))
    pads = to.constant([0, 0, 1, -1, 0, 0, -1, 1], np.int64)
    if mode != "constant":
        pads = to.constant([0, 0, 1, 1, 0, 0, 0, 0], np.int64)
    value = [to.number()] if mode == "constant" and to.draw(st.booleans()) else []
    wide = to.add("Pad", [to.one_of(names), pads, *value], mode=mode)
    first, last = (to.constant([value] * 2, np.int64) for value in (0, 4))
    return to.add("Slice", [wide, first, last, to.constant([2, 3], np.int64)])


def _moved(to: Drawing, names: Sequence[str]) -> str:
    turned = to.add("Transpose", [to.one_of(names)], perm=[0, 1, 3, 2])
    flat = to.add("Flatten", [turned])
    return to.add("Reshape", [flat, to.constant(SHAPE, np.int64)])


def _joined(to: Drawing, names: Sequence[str]) -> str:
    both = to.add("Concat", [to.one_of(names), to.one_of(names)], axis=0)
    places = to.constant(to.draw(st.lists(st.integers(0, 3), min_size=2, max_size=2)), np.int64)
    return to.add("Gather", [both, places], axis=0)


def _chosen(to: Drawing, names: Sequence[str]) -> str:
    positive = to.add("Greater", [to.one_of(names), to.number()])
    return to.add("Where", [positive, to.one_of(names), to.one_of(names)])


def _quantised(to: Drawing, names: Sequence[str]) -> str:
    kind = to.draw(st.sampled_from([np.uint8, np.int8]))
    zeros = [to.constant(to.draw(st.sampled_from([0, 3])), kind) for _ in range(2)]
    scale = to.constant(to.draw(st.sampled_from([0.01, 1.0])))
    codes = to.add("QuantizeLinear", [to.one_of(names), scale, zeros[0]])
    return to.add("DequantizeLinear", [codes, scale, to.draw(st.sampled_from(zeros))])


def _cast(to: Drawing, names: Sequence[str]) -> str:
    # Not double: onnxruntime 1.32 drops a Cast there and back, also where a loop reads it.
    kinds = [TensorProto.INT32, TensorProto.FLOAT16, TensorProto.BOOL]
    changed = to.add("Cast", [to.one_of(names)], to=to.draw(st.sampled_from(kinds)))
    return to.add("Cast", [changed], to=TensorProto.FLOAT)


_PLAIN = (
    *(_each, _each, _each, _several, _several, _reduced, _clip, _pooled, _resized, _padded),
    *(_moved, _joined, _chosen, _quantised, _cast),
)


def _body(to: Drawing, names: Sequence[str], size: int) -> tuple[list[onnx.NodeProto], str]:
    """Draw nodes that see outer names; return them and the last result."""
    outside, to.nodes = to.nodes, []
    inside = list(names)
    for _ in range(size):
        inside.append(to.draw(st.sampled_from(_PLAIN))(to, inside))
    nodes, to.nodes = to.nodes, outside
    return nodes, inside[-1]


def _value(
    name: str, kind: int = TensorProto.FLOAT, shape: Sequence[int] | None = SHAPE
) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def _loop(to: Drawing, names: Sequence[str]) -> str:
    """Two states and one sequence; its last step comes out."""
    turn, on, still = to.name(), to.name(), to.name()
    states = [to.name() for _ in range(2)]
    nodes, last = _body(to, [*names, *states], 3)
    results = [to.one_of([last, *states]), last, last]
    outputs = [to.name() for _ in results]
    keep = helper.make_node("Identity", [on], [still])
    given = [
        helper.make_node("Identity", pair, [out])
        for *pair, out in zip(results, outputs, strict=True)
    ]
    body = helper.make_graph(
        [*nodes, keep, *given],
        "step",
        [
            _value(turn, TensorProto.INT64, []),
            _value(on, TensorProto.BOOL, []),
            *map(_value, states),
        ],
        [_value(still, TensorProto.BOOL, []), *map(_value, outputs)],
    )
    ends = [to.name() for _ in results]
    trips, go = to.constant(2, np.int64), to.constant(True, np.bool_)
    first = [to.one_of(names) for _ in states]
    to.nodes.append(helper.make_node("Loop", [trips, go, *first], ends, ends[0], body=body))
    to.add("Gather", [ends[-1], to.constant(0, np.int64)], axis=0)
    return to.one_of(ends[:2])


def _branch(to: Drawing, names: Sequence[str]) -> str:
    bodies = []
    for _ in range(2):
        nodes, last = _body(to, names, 2)
        output = to.name()
        nodes.append(helper.make_node("Identity", [last], [output]))
        bodies.append(helper.make_graph(nodes, "branch", [], [_value(output)]))
    mean = to.add("ReduceMean", [to.one_of(names)], keepdims=0)
    way = to.add("Greater", [mean, to.number()])
    return to.add("If", [way], then_branch=bodies[0], else_branch=bodies[1])


_ALL: tuple[Callable[[Drawing, Sequence[str]], str], ...] = (*_PLAIN, _loop, _branch)


@st.composite
def drawn_graphs(draw: st.DrawFn) -> onnx.ModelProto:
    """Draw a model of the input ``x``, whose results are all read by nobody but the last."""
    to = Drawing(draw)
    names = ["x", to.constant(draw(st.sampled_from(_NUMBERS)) * np.ones(SHAPE))]
    for _ in range(draw(st.integers(2, 8))):
        names.append(draw(st.sampled_from(_ALL))(to, names))
    graph = helper.make_graph(
        to.nodes, "drawn", [_value("x")], [_value(names[-1], shape=None)], to.constants
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
