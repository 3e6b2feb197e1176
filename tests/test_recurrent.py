"""LSTM, GRU and RNN: the network as rewritten against onnxruntime and against ONNX's definition."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from oracles.recurrent import FUNCTIONS, HAS_ALPHA, HAS_BETA, USUAL, recurrent
from recurrent_models import GATES, feeds_of, recurrent_model

from rxsim.errors import ModelError
from rxsim.load import load_network
from rxsim.load.passes.orient import orient

WAYS = ("forward", "reverse", "bidirectional")
OPTIONAL: dict[str, list[tuple[str, ...]]] = {
    "LSTM": [(), ("B", "initial_c", "P"), ("B", "sequence_lens", "initial_h", "initial_c", "P")],
    "GRU": [(), ("B", "initial_h"), ("B", "sequence_lens", "initial_h")],
    "RNN": [(), ("B", "initial_h"), ("B", "sequence_lens", "initial_h")],
}
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "LSTM": [{}, {"clip": 0.3}, {"input_forget": 1}],
    "GRU": [{}, {"clip": 0.3}, {"linear_before_reset": 1}, {"linear_before_reset": 1, "clip": 0.3}],
    "RNN": [{}, {"clip": 0.3}],
}


def every_form() -> Iterator[Any]:
    for op in GATES:
        for way in WAYS:
            for optional in OPTIONAL[op]:
                for variant in VARIANTS[op]:
                    name = "-".join([op, way, *optional, *variant])
                    yield pytest.param(op, optional, {"direction": way, **variant}, id=name)


def run(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return list(session.run(None, feeds))


def rewritten(model: onnx.ModelProto) -> onnx.ModelProto:
    """What loading makes of a model; no recurrent node is left."""
    made = load_network(model).model
    assert not {node.op_type for node in made.graph.node} & set(GATES)
    onnx.checker.check_model(made, full_check=True)
    return made


def tensors_of(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    held = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    return {**held, **feeds}


def assert_close(got: list[np.ndarray], wanted: Any, tolerance: float = 1e-5) -> None:
    for a, b in zip(got, wanted, strict=False):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * max(1, np.abs(b).max()))


@pytest.mark.parametrize(("op", "optional", "attributes"), list(every_form()))
def test_every_form_is_what_onnxruntime_and_onnx_compute(
    op: str, optional: tuple[str, ...], attributes: dict[str, Any]
) -> None:
    model = recurrent_model(op, optional=optional, **attributes)
    feeds = feeds_of(model)
    got = run(rewritten(model), feeds)
    assert_close(got, run(model, feeds))
    assert_close(got, recurrent(op, tensors_of(model, feeds), attributes))


@pytest.mark.parametrize("op", GATES)
@pytest.mark.parametrize("way", WAYS)
def test_a_sequence_without_a_step_leaves_zeros(op: str, way: str) -> None:
    model = recurrent_model(op, optional=("sequence_lens", "initial_h"), direction=way)
    feeds = feeds_of(model) | {"sequence_lens": np.asarray([0, 5, 2], np.int32)}
    got = run(rewritten(model), feeds)
    assert_close(got, run(model, feeds))
    assert not got[0][:, :, 0].any()
    assert not got[1][:, 0].any()


@st.composite
def activations(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """An operator with activations of each direction, and all alphas and betas that they take."""
    op = draw(st.sampled_from(list(GATES)))
    way = draw(st.sampled_from(WAYS))
    count = len(USUAL[op]) * (2 if way == "bidirectional" else 1)
    names = draw(st.lists(st.sampled_from(list(FUNCTIONS)), min_size=count, max_size=count))
    attributes: dict[str, Any] = {"direction": way, "activations": names}
    for kind, takers in (("alpha", HAS_ALPHA), ("beta", HAS_BETA)):
        n = sum(name in takers for name in names)
        values = st.floats(0.125, 0.875, width=32)
        if n:
            attributes[f"activation_{kind}"] = draw(st.lists(values, min_size=n, max_size=n))
    return op, attributes


@settings(max_examples=60, deadline=None)
@given(activations())
def test_every_activation_with_alpha_and_beta(drawn: tuple[str, dict[str, Any]]) -> None:
    op, attributes = drawn
    # Small weights: some of these functions have no bound.
    model = recurrent_model(op, scale=0.2, **attributes)
    feeds = feeds_of(model, steps=3)
    got = run(rewritten(model), feeds)
    assert_close(got, run(model, feeds))
    assert_close(got, recurrent(op, tensors_of(model, feeds), attributes))


@pytest.mark.parametrize("op", GATES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_alpha_that_is_left_out_is_onnxruntimes(op: str, name: str) -> None:
    model = recurrent_model(op, scale=0.2, activations=[name] * len(USUAL[op]))
    feeds = feeds_of(model, steps=3)
    assert_close(run(rewritten(model), feeds), run(model, feeds))


@pytest.mark.parametrize("op", GATES)
def test_the_reference_of_onnx_agrees(op: str) -> None:
    model = recurrent_model(op, optional=("B", "initial_h"))
    feeds = feeds_of(model)
    wanted: Any = ReferenceEvaluator(model).run(None, feeds)
    assert_close(run(rewritten(model), feeds), wanted)


@pytest.mark.parametrize("op", GATES)
@pytest.mark.parametrize("outputs", [("Y",), ("Y_h",), ("Y_c",), ("Y", "Y_c")])
def test_outputs_may_be_left_out(op: str, outputs: tuple[str, ...]) -> None:
    if op != "LSTM":
        outputs = tuple(name for name in outputs if name != "Y_c") or ("Y_h",)
    model = recurrent_model(op, outputs=outputs, direction="bidirectional")
    feeds = feeds_of(model)
    assert_close(run(rewritten(model), feeds), run(model, feeds))


@pytest.mark.parametrize("op", GATES)
@pytest.mark.parametrize("way", WAYS)
def test_batch_first_is_read_though_onnxruntime_has_no_kernel_for_it(op: str, way: str) -> None:
    model = recurrent_model(op, optional=OPTIONAL[op][-1], layout=1, direction=way)
    feeds = feeds_of(model)
    network = load_network(model)
    swapped = {
        name: value.swapaxes(0, 1) if value.ndim == 3 and name in feeds else value
        for name, value in tensors_of(model, feeds).items()
    }
    sequence, *states = recurrent(op, swapped, {"direction": way})
    wanted = [sequence.transpose(2, 0, 1, 3), *(state.swapaxes(0, 1) for state in states)]
    assert_close(run(network.original, feeds), wanted)
    assert_close(run(network.model, feeds), wanted)
    assert [node.name for node in network.original.graph.node if node.op_type == op] == ["cell"]


@pytest.mark.parametrize("op", GATES)
@pytest.mark.parametrize("opset", [7, 11, 14, 18, 22])
def test_operator_sets(op: str, opset: int) -> None:
    model = recurrent_model(op, optional=("B", "sequence_lens"), opset=opset)
    feeds = feeds_of(model)
    assert_close(run(rewritten(model), feeds), run(model, feeds))


@pytest.mark.parametrize("op", GATES)
def test_half_precision_is_computed_in_single_as_onnxruntime_does(op: str) -> None:
    optional = ("B", "initial_h")
    model = recurrent_model(op, optional=optional, data_type=TensorProto.FLOAT16)
    feeds = feeds_of(model)
    got = run(rewritten(model), feeds)
    assert got[0].dtype == np.float16
    assert_close(got, run(model, feeds), 2**-10)


def test_dynamic_quantisation_is_computed_as_onnxruntime_does() -> None:
    for way in ("forward", "bidirectional"):
        model = quantised(way)
        feeds = feeds_of(model)
        made = rewritten(model)
        assert "DynamicQuantizeLSTM" not in {node.op_type for node in made.graph.node}
        assert_close(run(made, feeds), run(model, feeds))


def quantised(way: str) -> onnx.ModelProto:
    """An LSTM as onnxruntime's dynamic quantiser writes it, a scale for each column."""
    model = recurrent_model("LSTM", direction=way)
    (node,) = model.graph.node
    node.op_type, node.domain = "DynamicQuantizeLSTM", "com.microsoft"
    node.input.extend([""] * (8 - len(node.input)))
    for name in ("W", "R"):
        tensor = next(item for item in model.graph.initializer if item.name == name)
        weight = numpy_helper.to_array(tensor).transpose(0, 2, 1)
        # 6 bits and a sign: sums of pairs stay within 16 bits on every processor.
        scale = (np.abs(weight).max(axis=1) / 63).astype(np.float32)
        codes = np.rint(weight / scale[:, None]).astype(np.int8)
        tensor.CopyFrom(numpy_helper.from_array(codes, name))
        zero = np.zeros(scale.shape, np.int8)
        for part, value in (("scale", scale), ("zero_point", zero)):
            model.graph.initializer.append(numpy_helper.from_array(value, f"{name}_{part}"))
            node.input.append(f"{name}_{part}")
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return model


def test_weights_that_are_inputs_stay_digital_and_count() -> None:
    model = beside_a_product(recurrent_model("LSTM", constants=("W",)))
    network = load_network(model)
    (node,) = [item for item in network.digital if item.op == "LSTM"]
    assert (node.name, node.reason) == ("cell", "its weights are not constant")


def beside_a_product(model: onnx.ModelProto) -> onnx.ModelProto:
    """Put a MatMul behind the sequence, so that there is a layer."""
    model.graph.node.append(helper.make_node("MatMul", ["Y", "dense"], ["z"], "dense"))
    model.graph.initializer.append(numpy_helper.from_array(np.ones((4, 2), np.float32), "dense"))
    model.graph.output.insert(0, helper.make_tensor_value_info("z", TensorProto.FLOAT, None))
    return model


@pytest.mark.parametrize("op", GATES)
def test_a_node_in_the_body_of_a_loop_stays(op: str) -> None:
    model = in_a_loop(recurrent_model(op, outputs=("Y",)))
    made = onnx.ModelProto()
    made.CopyFrom(model)
    orient(made)
    (loop,) = [node for node in made.graph.node if node.op_type == "Loop"]
    assert op in {node.op_type for node in loop.attribute[0].g.node}


def in_a_loop(model: onnx.ModelProto) -> onnx.ModelProto:
    """Put the node into the body of a Loop."""
    (node,) = model.graph.node
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), node],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("Y", TensorProto.FLOAT, None),
        ],
    )
    outer = onnx.ModelProto()
    outer.CopyFrom(model)
    del outer.graph.node[:]
    outer.graph.initializer.append(numpy_helper.from_array(np.asarray(2), "n"))
    outer.graph.initializer.append(numpy_helper.from_array(np.asarray(True), "yes"))
    outer.graph.node.append(helper.make_node("Loop", ["n", "yes"], ["all"], "loop", body=body))
    outer.graph.output[0].name = "all"
    return outer


def test_a_node_in_a_branch_is_rewritten_though_it_has_no_name() -> None:
    model = recurrent_model("GRU", outputs=("Y",))
    (node,) = model.graph.node
    node.name = ""
    branch = helper.make_graph([node], "b", [], [helper.make_tensor_value_info("Y", 1, None)])
    other = helper.make_graph(
        [helper.make_node("Unsqueeze", ["X", "axis"], ["Y2"])],
        "o",
        [],
        [helper.make_tensor_value_info("Y2", 1, None)],
    )
    axis = numpy_helper.from_array(np.asarray([1]), "axis")
    made = onnx.ModelProto()
    made.CopyFrom(model)
    del made.graph.node[:]
    made.graph.initializer.append(axis)
    made.graph.input.append(helper.make_tensor_value_info("which", TensorProto.BOOL, []))
    fork = helper.make_node("If", ["which"], ["Z"], "fork", then_branch=branch, else_branch=other)
    made.graph.node.append(fork)
    made.graph.output[0].name = "Z"
    feeds = {**feeds_of(model), "which": np.asarray(True)}
    wanted = run(made, feeds)
    orient(made)
    (branch,) = [item.g for item in made.graph.node[0].attribute if item.name == "then_branch"]
    inner = [node for node in branch.node if node.op_type == "MatMul"]
    assert [node.name for node in inner] == ["Y.input"]
    assert_close(run(made, feeds), wanted)


@pytest.mark.parametrize(
    ("name", "shape", "words"),
    [
        ("R", (1, 16, 3), "found its W of shape [1, 16, 3], expected [1, 12, 3]"),
        ("W", (1, 8, 3), "found its W of shape [1, 8, 3], expected [1, 16, 3]"),
        ("B", (1, 30), "found its B of shape [1, 30], expected [1, 32]"),
    ],
)
def test_weights_that_do_not_go_together_are_refused(
    name: str, shape: tuple[int, ...], words: str
) -> None:
    model = recurrent_model("LSTM")
    tensor = next(item for item in model.graph.initializer if item.name == name)
    tensor.CopyFrom(numpy_helper.from_array(np.zeros(shape, np.float32), name))
    with pytest.raises(ModelError) as caught:
        load_network(model)
    assert words in str(caught.value) or "onnxruntime can't load" in str(caught.value)
    assert "cell" in str(caught.value)


def test_inputs_that_do_not_fit_are_refused() -> None:
    model = recurrent_model("GRU")
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 5
    with pytest.raises(ModelError, match="cell"):
        load_network(model)


@pytest.mark.parametrize("name", ["W", "R"])
def test_weights_that_are_no_numbers_are_refused_by_the_layer_s_name(name: str) -> None:
    model = recurrent_model("LSTM")
    tensor = next(item for item in model.graph.initializer if item.name == name)
    value = numpy_helper.to_array(tensor).copy()
    value[0, 1, 2] = np.nan
    tensor.CopyFrom(numpy_helper.from_array(value, name))
    layer = {"W": "cell.input", "R": "cell.recurrent"}[name]
    with pytest.raises(ModelError, match=f"layer {layer}: its weights hold NaN"):
        load_network(model)
