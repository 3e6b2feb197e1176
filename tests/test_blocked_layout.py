"""Converters in onnxruntime's blocked layout give the bits that Clip, Round, Mul and Add give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from rxsim.config import load_settings
from rxsim.load import blocked_layout
from rxsim.load.blocked_layout import in_blocked_layout, probe_inputs, probe_network
from rxsim.onnx_graph import GraphBuilder, blocked_converters, with_outputs
from rxsim.pipeline import DataOptions, open_study, patched_chip

MODELS = Path(__file__).parents[1] / "models"
BLOCK = 8


def outputs(
    model: onnx.ModelProto,
    feeds: dict[str, np.ndarray],
    level: ort.GraphOptimizationLevel = ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
) -> np.ndarray:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = level
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return np.asarray(session.run(None, feeds)[0])


def ops(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


@pytest.mark.parametrize("block", [8, 16])
def test_every_kind_of_convolution_gives_the_same_bits(block: int) -> None:
    model, x = probe_network(block), probe_inputs(block)
    blocked = blocked_converters(model, block)
    onnx.checker.check_model(blocked, full_check=True)
    assert ops(blocked)["Round"] < ops(model)["Round"] / 4
    plain = outputs(model, {"x": x})
    assert (outputs(blocked, {"x": x}) == plain).all()
    # Nothing depends on what onnxruntime joins: without any optimisation the bits are the same, too.
    bare = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    assert (outputs(blocked, {"x": x}, bare) == outputs(model, {"x": x}, bare)).all()


def converted(
    sums: np.ndarray, kernel: np.ndarray, tiles: int, in_turn: bool
) -> tuple[np.ndarray, Counter[str]]:
    """Convert sums of the kernel's row tiles by a blocked graph, decoded by 2 and 0.5."""
    build = GraphBuilder("n", set())
    limits = [build.scalar("low", -31), build.scalar("high", 31)]
    codes = []
    for _ in range(tiles):
        current = build.add("Conv", ["x", build.constant("w", kernel)], "current")
        clipped = build.add("Clip", [current, *limits], "clipped")
        codes.append(build.add("Round", [clipped], "codes"))
    total = build.add_in_turn(codes, "sum") if in_turn else build.add("Sum", codes, "sum")
    scaled = build.add("Mul", [total, build.scalar("factor", 2)], "decoded")
    bias = build.constant("bias", np.full((BLOCK, 1, 1), 0.5, np.float32))
    result = build.add("Add", [scaled, bias], "biased")
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", kernel.shape[1], 1, None])
    y = helper.make_tensor_value_info(result, TensorProto.FLOAT, None)
    graph = helper.make_graph(build.nodes, "g", [x], [y], build.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    blocked = blocked_converters(model, BLOCK)
    return outputs(blocked, {"x": sums}), ops(blocked)


@pytest.mark.parametrize("in_turn", [True, False])
@pytest.mark.parametrize("tiles", [1, 2, 3, 4, 7])
def test_ties_go_to_even_and_sums_saturate(tiles: int, in_turn: bool) -> None:
    eye = np.eye(BLOCK, dtype=np.float32).reshape(BLOCK, BLOCK, 1, 1)
    values = np.concatenate(
        [
            np.arange(-140, 141) / 4,
            [0.49999997, 0.5, 0.50000006, 1e-30, -1e-30, 2.0**22, 2.0**23, 1e30, -1e30, np.inf],
        ]
    ).astype(np.float32)
    # An infinite value times the zeros of other channels is no number: give each channel its values.
    finite = values[np.isfinite(values)]
    x = np.broadcast_to(finite, (1, BLOCK, 1, len(finite))).copy()
    result, kinds = converted(x, eye, tiles, in_turn or tiles == 1)
    assert kinds["Round"] == 0
    assert (result == np.rint(np.clip(x, -31, 31)) * tiles * 2 + 0.5).all()


def test_what_is_watched_stays_as_it_is() -> None:
    model = probe_network(BLOCK)
    watched = [node.input[0] for node in model.graph.node if node.op_type == "Clip"]
    watched += [node.input[0] for node in model.graph.node if node.op_type == "Round"]
    given = with_outputs(model, watched)
    blocked = blocked_converters(given, BLOCK)
    assert ops(blocked)["Round"] == ops(given)["Round"]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda node: node.input.append("bias"), id="a bias of its own"),
        pytest.param(
            lambda node: node.input.__setitem__(1, "x"), id="weights that are no constant"
        ),
    ],
)
def test_other_convolutions_stay_as_they_are(change: Callable[[onnx.NodeProto], None]) -> None:
    model = probe_network(BLOCK)
    for node in model.graph.node:
        if node.op_type == "Conv":
            change(node)
        if node.op_type == "Mul":
            node.input[1] = "x"
    assert blocked_converters(model, BLOCK) is model


def test_other_bits_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = blocked_converters

    def worse(model: onnx.ModelProto, block: int) -> onnx.ModelProto:
        blocked = kept(model, block)
        for tensor in blocked.graph.initializer:
            values = onnx.numpy_helper.to_array(tensor)
            if tensor.name.startswith("blocked") and values.size and values.flat[0] == 1.5 * 2**23:
                # As where the bias is not added last: other codes.
                tensor.CopyFrom(onnx.numpy_helper.from_array(values * 2, tensor.name))
        return blocked

    monkeypatch.setattr(blocked_layout, "blocked_converters", worse)
    monkeypatch.setattr(blocked_layout, "_is_blocked", lambda channels: channels == BLOCK)
    blocked_layout.blocked_channels.cache_clear()
    try:
        assert blocked_layout.blocked_channels() is None
    finally:
        blocked_layout.blocked_channels.cache_clear()


def test_a_network_without_converters_is_not_copied() -> None:
    model = onnx.load(MODELS / "digits_cnn.onnx")
    assert in_blocked_layout(model) is model


def test_a_patched_network_gives_the_same_bits() -> None:
    settings = load_settings(assignments=["crossbar.rows=16", "crossbar.cols=16"])
    options = DataOptions(data=MODELS / "digits_test.npz", limit=16)
    study = open_study(MODELS / "digits_cnn.onnx", settings, options, threads=1)
    model = patched_chip(study).model
    blocked = blocked_converters(model, BLOCK)
    assert ops(blocked)["Round"] < ops(model)["Round"]
    feeds = study.inputs.feeds(0, 16)
    assert (outputs(model, feeds) == outputs(blocked, feeds)).all()
