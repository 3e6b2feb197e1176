"""Operators whose work is not known make a share 'at most' or unknown, never 100 %."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from chips import bare_study
from onnx import helper, numpy_helper

from rxsim.config import load_settings
from rxsim.data import MadeUpInputs, given_arrays
from rxsim.errors import ModelError
from rxsim.load import load_network
from rxsim.pipeline import DataOptions, open_study
from rxsim.pipeline.ladder.inventory import Inventory, inventory_of
from rxsim.report.work_shares import unmapped_warning, work_share


def model_with(*nodes: onnx.NodeProto) -> onnx.ModelProto:
    """A MatMul of x into h, and nodes from h to y."""
    rng = np.random.default_rng(0)
    first = helper.make_node("MatMul", ["x", "w"], ["h"], "first")
    graph = helper.make_graph(
        [first, *nodes],
        "g",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N", 6])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
        [numpy_helper.from_array(rng.standard_normal((6, 4)).astype(np.float32), "w")],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def inventory(model: onnx.ModelProto) -> Inventory:
    x = np.random.default_rng(1).standard_normal((2, 6)).astype(np.float32)
    study = bare_study(
        load_network(model), load_settings(None, xbar="8x8"), MadeUpInputs({"x": x}), 2
    )
    return inventory_of(study.network, study.plan)


def test_an_operator_of_another_domain_may_multiply() -> None:
    distances = helper.make_node("CDist", ["h", "h"], ["y"], "far", domain="com.microsoft")
    found = inventory(model_with(distances))
    assert found.shares["macs_mapped"] is None
    assert work_share(found.shares) == "an unknown share"
    warning = unmapped_warning(found.shares, found.digital)
    assert warning.startswith("An unknown share of multiply-accumulates stays digital: CDist")


def test_known_operators_of_another_domain_do_not_multiply() -> None:
    soft = helper.make_node("QuickGelu", ["h"], ["y"], "soft", domain="com.microsoft")
    assert inventory(model_with(soft)).shares["macs_mapped"] == 1


def test_a_dropout_that_drops_is_refused() -> None:
    model = model_with(helper.make_node("Dropout", ["h", "", "on"], ["y"], "drop"))
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "on"))
    with pytest.raises(ModelError, match=r"drop \(Dropout\) is in training mode"):
        load_network(model)


def test_a_random_network_is_said_to_be() -> None:
    noise = helper.make_node("RandomNormalLike", ["h"], ["n"], "noise")
    added = helper.make_node("Add", ["h", "n"], ["y"], "sum")
    x = np.ones((3, 6), dtype=np.float32)
    options = DataOptions(data=given_arrays(x, "data"), metric="none")
    study = open_study(model_with(noise, added), load_settings(None, xbar="8x8"), options)
    assert any("noise (RandomNormalLike) is random" in note for note in study.notes)
