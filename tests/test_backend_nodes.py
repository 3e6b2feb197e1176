"""What the onnx package's node tests expect of products, crossbars without any effect compute."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from backend_nodes import FREE_INPUTS, Case, Outcome, cases, outcome

# By operator which cases may stay digital, and words of the reason that each must give.
# Whoever maps an operator says here what is left.
_CONSTANT = {
    "Conv": "its input is constant",
    "ConvTranspose": "its input is constant",
}


def may_refuse(case: Case) -> str:
    """Return words of the true reason why a case stays digital; empty where it must be mapped."""
    first = case.model.graph.node[0].input[0]
    if case.op in _CONSTANT and first not in case.feeds:
        return _CONSTANT[case.op]
    if case.op == "ConvInteger" and "with_padding" in case.name:
        return "onnxruntime does not run it"  # its weights have a zero point for each channel
    if "bfloat16" in case.name:
        return "onnxruntime does not run it"
    if len(case.model.graph.node[0].input) < 2:
        return "its single operand is multiplied by nothing"
    return ""


@pytest.mark.parametrize("op", FREE_INPUTS)
def test_every_node_test_with_constant_weights_is_mapped_and_right(op: str) -> None:
    found = [(case, outcome(case)) for case in cases(op)]
    assert found, f"the onnx package has no node test of {op}"
    for case, result in found:
        words = may_refuse(case)
        if words:
            assert result.mapped == 0, result
            assert words in result.refused, result
        else:
            assert result.passed, result


def test_a_wrong_result_does_not_pass() -> None:
    case = next(cases("Conv"))
    wrong = Case(case.name, case.op, case.model, case.feeds, [case.expected[0] * np.float32(1.001)])
    judge: Callable[[Case], Outcome] = outcome
    assert judge(case).passed
    assert not judge(wrong).passed
