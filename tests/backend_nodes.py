"""The onnx package's own node tests with their weights made constant, on perfect crossbars.

A case is a node test and the one input that stays an input; all others become initializers. Its network
is loaded, mapped and patched with exact settings (no converters, levels, wires), and the patched
network's outputs are compared with those that the onnx package expects.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import onnx
import onnxruntime
from chips import bare_study
from onnx import numpy_helper

from rxsim.config import Settings, load_settings
from rxsim.errors import RxsimError
from rxsim.load import load_network
from rxsim.load.passes.time_first import time_first
from rxsim.pipeline import patched_chip

# By operator the places of the inputs that stay inputs, one after another. An operator is added here.
FREE_INPUTS: dict[str, tuple[int, ...]] = {
    "Conv": (0, 1),
    "ConvInteger": (0,),
    "ConvTranspose": (0, 1),
    "Einsum": (0, 1),
    "GRU": (0,),
    "Gemm": (0, 1),
    "LSTM": (0,),
    "MatMul": (0, 1),
    "MatMulInteger": (0, 1),
    "QLinearConv": (0,),
    "QLinearMatMul": (0, 3),
    "RNN": (0,),
}
TOLERANCE = 1e-4  # of the largest entry
# By operator, where its results are coarser than that.
TOLERANCES: dict[str, float] = {}
EXACT = [
    *(f"crossbar.{name}=0" for name in ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense")),
    *(f"{section}.n_bits=null" for section in ("device", "dac", "adc")),
    "calibration.samples=1",
]
Tensors = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Case:
    """A node test whose weights are constant.

    Attributes:
        name: of the node test, with the input that stays one behind.
        op: its operator.
        model: the network.
        feeds: its inputs.
        expected: its outputs as the onnx package gives them.
    """

    name: str
    op: str
    model: onnx.ModelProto
    feeds: Tensors
    expected: Sequence[np.ndarray]


@dataclass(frozen=True)
class Outcome:
    """What became of a case.

    Attributes:
        case: its name.
        op: its operator.
        mapped: how many layers lie on crossbars.
        refused: why none does; empty where some do.
        error: largest difference, of the largest expected entry; None where nothing was run.
    """

    case: str
    op: str
    mapped: int
    refused: str
    error: float | None

    @property
    def passed(self) -> bool:
        """Whether crossbars computed what the onnx package expects."""
        limit = TOLERANCES.get(self.op, TOLERANCE)
        return self.mapped > 0 and self.error is not None and self.error <= limit


class OneBatch:
    """Inputs that are fed whole, whatever their axes mean."""

    labels = None

    def __init__(self, tensors: Tensors, length: int) -> None:
        self._tensors, self._length = tensors, length

    def __len__(self) -> int:
        return self._length

    def feeds(self, start: int, stop: int) -> Tensors:
        """Return everything."""
        return self._tensors


@cache
def _node_tests(op: str) -> list[Any]:
    """Return the node tests of an operator; the onnx package makes them as their file is imported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = importlib.import_module("onnx.backend.test.case.node")
        importlib.import_module(f"onnx.backend.test.case.node.{op.lower()}")
    return list({test.name: test for test in made._NodeTestCases}.values())


def _array(value: Any) -> np.ndarray:
    """Return a tensor of a node test as an array."""
    return np.asarray(
        numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value
    )


def cases(op: str) -> Iterator[Case]:
    """Make the cases of an operator: of its node tests those that are a single node."""
    for test in _node_tests(op):
        nodes = test.model.graph.node
        if len(nodes) != 1 or nodes[0].op_type != op or nodes[0].domain not in ("", "ai.onnx"):
            continue
        inputs, outputs = test.data_sets[0]
        names = [value.name for value in test.model.graph.input]
        for place in FREE_INPUTS[op]:
            if place < len(nodes[0].input) and nodes[0].input[place] in names:
                free = nodes[0].input[place]
                given = dict(zip(names, map(_array, inputs), strict=True))
                expected = [_array(value) for value in outputs]
                model = _with_constants(test.model, given, free)
                yield Case(f"{test.name}[{free}]", op, model, {free: given[free]}, expected)


def _with_constants(model: onnx.ModelProto, given: Tensors, free: str) -> onnx.ModelProto:
    """Make every input but one an initializer."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    kept = [value for value in made.graph.input if value.name == free]
    del made.graph.input[:]
    made.graph.input.extend(kept)
    for name, value in given.items():
        if name != free:
            made.graph.initializer.append(numpy_helper.from_array(value, name))
    made.ir_version = max(made.ir_version, 8)
    return made


def exact_settings(xbar: str = "5x4", *more: str) -> Settings:
    """Return settings under which a crossbar computes its product exactly."""
    return load_settings(None, xbar=xbar, assignments=[*EXACT, *more])


def patched_exactly(
    model: onnx.ModelProto, feeds: Mapping[str, np.ndarray], xbar: str = "5x4", *more: str
) -> tuple[onnx.ModelProto, list[str]]:
    """Return a network's exact patch, calibrated on its feeds, and its layers' names.

    Raises:
        RxsimError: the network is refused.
    """
    network = load_network(model)
    (first, *_) = feeds.values()
    length = network.fixed_batch or (first.shape[0] if first.ndim else 1)
    inputs: Any = OneBatch(dict(feeds), length)
    study = bare_study(network, exact_settings(xbar, *more), inputs, len(inputs))
    return patched_chip(study).model, [layer.name for layer in network.layers]


def run(model: onnx.ModelProto, feeds: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """Run a network by onnxruntime on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return [np.asarray(value) for value in session.run(None, dict(feeds))]


def outcome(case: Case) -> Outcome:
    """Put a case onto perfect crossbars."""
    judged = onnx.ModelProto()
    judged.CopyFrom(case.model)
    time_first(judged)  # onnxruntime has no kernel for recurrent nodes whose batch comes first
    try:
        run(judged, case.feeds)
    except Exception as error:  # onnxruntime raises many types
        reason = str(error).splitlines()[0]
        return Outcome(case.name, case.op, 0, f"onnxruntime does not run it: {reason}", None)
    try:
        patched, layers = patched_exactly(case.model, case.feeds)
    except RxsimError as error:
        return Outcome(case.name, case.op, 0, str(error), None)
    if not layers:
        return Outcome(case.name, case.op, 0, "no layer that a crossbar can hold", None)
    foreign = {node.domain for node in patched.graph.node} - {"", "ai.onnx"}
    assert not foreign, f"{case.name}: the patched network holds nodes of {sorted(foreign)}"
    found = run(patched, case.feeds)
    return Outcome(case.name, case.op, len(layers), "", _difference(found, case.expected))


def _difference(found: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> float:
    """Return the largest difference, of the largest entry; infinity where shapes or types differ."""
    worst = 0.0
    for a, b in zip(found, expected, strict=True):
        if a.shape != b.shape or a.dtype != b.dtype:
            return float("inf")
        if b.size:
            off = np.abs(a.astype(np.float64) - b.astype(np.float64)).max()
            worst = max(worst, float(off / max(np.abs(b.astype(np.float64)).max(), 1e-30)))
    return worst


def outcomes(op: str) -> list[Outcome]:
    """Put all cases of an operator onto perfect crossbars."""
    return [outcome(case) for case in cases(op)]
