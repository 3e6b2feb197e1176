"""A plain counter of multiply-accumulates: every operator by its definition, as it is executed.

The onnx package's reference evaluator runs the user's file node by node, bodies of If, Loop and Scan
included; nothing of rxsim is used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any
from unittest import mock

import numpy as np
import onnx
from onnx import helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

Arrays = Sequence[Any]


def _conv(weights: int) -> Callable[[Arrays, Arrays, dict[str, Any]], int]:
    def count(given: Arrays, made: Arrays, _: dict[str, Any]) -> int:
        return int(made[0].size * math.prod(given[weights].shape[1:]))

    return count


def _conv_transpose(given: Arrays, made: Arrays, _: dict[str, Any]) -> int:
    return int(given[0].size * math.prod(given[1].shape[1:]))


def _product(right: int) -> Callable[[Arrays, Arrays, dict[str, Any]], int]:
    def count(given: Arrays, made: Arrays, _: dict[str, Any]) -> int:
        return int(np.asarray(made[0]).size * given[0].shape[-1])

    return count


def _gemm(given: Arrays, made: Arrays, attributes: dict[str, Any]) -> int:
    return int(made[0].size * given[0].shape[0 if attributes.get("transA", 0) else 1])


def _einsum(given: Arrays, made: Arrays, attributes: dict[str, Any]) -> int:
    """Each combination of the letters is one product of the operands."""
    equation = attributes["equation"]
    text = equation.decode() if isinstance(equation, bytes) else equation
    lengths: dict[str, int] = {}
    for letters, value in zip(text.split("->")[0].split(","), given, strict=True):
        lengths.update(zip(letters.strip(), value.shape, strict=True))
    return math.prod(lengths.values())


def _recurrent(given: Arrays, made: Arrays, _: dict[str, Any]) -> int:
    """Every step and direction multiplies the input by W and the state by R."""
    steps, batch = given[0].shape[:2]
    return int(steps * batch * (given[1].size + given[2].size))


_RULES: Mapping[str, Callable[[Arrays, Arrays, dict[str, Any]], int]] = {
    "Conv": _conv(1),
    "ConvInteger": _conv(1),
    "QLinearConv": _conv(3),
    "ConvTranspose": _conv_transpose,
    "MatMul": _product(1),
    "MatMulInteger": _product(1),
    "QLinearMatMul": _product(3),
    "Gemm": _gemm,
    "Einsum": _einsum,
    "LSTM": _recurrent,
    "GRU": _recurrent,
    "RNN": _recurrent,
}


def executed_work(model: onnx.ModelProto, feeds: Mapping[str, np.ndarray]) -> dict[str, int]:
    """Return the multiply-accumulates of each node's first output, summed over all times it is run."""
    counts: dict[str, int] = {}
    with ExitStack() as stack:
        evaluator = ReferenceEvaluator(model)
        for kind in _kinds_with_run():
            stack.enter_context(mock.patch.object(kind, "run", _counting(kind.run, counts)))
        evaluator.run(None, dict(feeds))
    return counts


def _kinds_with_run() -> list[Any]:
    """List the evaluator's classes that run a node."""
    kinds: list[Any] = [OpRun]
    for kind in kinds:
        kinds.extend(sub for sub in kind.__subclasses__() if sub not in kinds)
    return [kind for kind in kinds if "run" in vars(kind)]


def _counting(plain: Callable[..., Any], counts: dict[str, int]) -> Callable[..., Any]:
    def run(self: OpRun, *given: Any, **more: Any) -> Any:
        made = plain(self, *given, **more)
        node = self.onnx_node
        # A class may call its base's run: the outer call counts.
        if node.op_type in _RULES and node.domain == "" and plain is _first_run(self):
            attributes = {item.name: helper.get_attribute_value(item) for item in node.attribute}
            size = _RULES[node.op_type](given, made, attributes)
            counts[node.output[0]] = counts.get(node.output[0], 0) + size
        return made

    run.plain = plain  # type: ignore[attr-defined]
    return run


def _first_run(node: OpRun) -> Any:
    """Return the run that a node's class calls first, before it was counted."""
    for kind in type(node).__mro__:
        if "run" in vars(kind):
            return vars(kind)["run"].plain
    raise AssertionError(type(node))
