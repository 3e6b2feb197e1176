"""Tensors that can't be below 0: against onnxruntime on random inputs, and against calibration."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from drawn_graphs import SHAPE, drawn_graphs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, numpy_helper, parser

from rxsim.calibrate import measure_input_ranges
from rxsim.data import MadeUpInputs
from rxsim.load import load_network
from rxsim.onnx_graph import all_nodes, nonnegative_tensors, with_outputs

MODELS = Path(__file__).parent.parent / "models"
onnxruntime.set_default_logger_severity(4)


def values_of(
    model: onnx.ModelProto, names: Sequence[str], feeds: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Run a model and return tensors by name."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    names = list(dict.fromkeys(names))
    session = onnxruntime.InferenceSession(with_outputs(model, names).SerializeToString(), options)
    return dict(zip(names, session.run(names, feeds), strict=True))


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn_graphs(), st.integers(0, 2**32 - 1), st.sampled_from([1e-3, 1.0, 30.0, 1e6]))
def test_no_tensor_that_is_named_is_ever_below_0(
    model: onnx.ModelProto, seed: int, scale: float
) -> None:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(SHAPE) * scale * (rng.random(SHAPE) > 0.2)  # with 0 and -0.0
    made = {name for node in all_nodes(model.graph) for name in node.output}
    named = sorted(nonnegative_tensors(model) & made)
    if not named:
        return
    coded = [n.input[0] for n in all_nodes(model.graph) if n.op_type == "QuantizeLinear"]
    found = values_of(model, [*named, *coded], {"x": x.astype(np.float32)})
    if any(np.isnan(found[name]).any() for name in coded):
        return  # NaN has no code
    for name in named:
        assert not (found[name] < 0).any(), name


# Nodes that make y of x (any float), the constants p (above 0), z (0) and m (below 0) and r = Relu(x).
NEVER = {
    "r": "y = Identity(r)",
    "sum": "y = Add(r, p)",
    "square": "y = Mul(x, x)",
    "even power": "y = Pow(x, two)",
    "root": "a = Mul(x, x) b = ReduceSum(a) y = Sqrt(b)",
    "divided": "y = Div(r, p)",
    "clipped from below": "y = Clip(x, z)",
    "clipped from above": "y = Clip(r, m, p)",
    "larger than 0": "y = Max(m, z, x)",
    "both sides": "a = Sigmoid(x) b = Exp(x) c = Softmax(x) d = Concat<axis=0>(a, b, c) y = Min(d, r)",
    "bool": "a = Greater(x, z) y = Cast<to=1>(a)",
    "moved": "a = Transpose(r) b = Flatten(a) y = Unsqueeze(b, axes)",
    "norm": "y = ReduceL2(x)",
    "coded": "a = QuantizeLinear(r, p, eight) y = DequantizeLinear(a, p, eight)",
    "coded, unsigned": "a = QuantizeLinear(x, p) y = DequantizeLinear(a, p)",
    "resized": 'y = Resize<mode="linear">(r, , sizes)',
    "parts": "a, b = Split<axis=0, num_outputs=2>(r) y = Add(a, b)",
    "pooled": "y = MaxPool<kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1>(r)",
    "branches": "a = ReduceMean<keepdims=0>(x) b = Greater(a, z) y = If<then_branch = "
    "t () => (float[N] c) { c = Exp(x) }, else_branch = e () => (float[N] d) { d = Identity(r) }>(b)",
    "states": "n = Constant<value = int64 {2}>() y = Loop<body = s (int64 i, bool on, float[N] h) => "
    "(bool still, float[N] next) { still = Identity(on) next = Mul(h, r) }>(n, , r)",
    "steps": "a = Mul(m, x) l, y = Scan<num_scan_inputs=1, body = s (float[N] h, float[N] e) => "
    "(float[N] next, float[N] each) { next = Add(h, e) each = Relu(next) }>(row, a)",
}
PERHAPS = {
    "input": "y = Identity(x)",
    "difference": "y = Sub(r, p)",
    "one of two": "y = Add(r, x)",
    "product": "y = MatMul(r, r)",
    "negative zero below": "y = Div(p, r)",
    "odd power": "y = Pow(x, three)",
    "power below 0": "y = Pow(r, m)",
    "clipped below 0": "y = Clip(r, z, m)",
    "clipped at a value that may be below 0": "y = Clip(x, m)",
    "padded": "y = Pad(r, pads, m)",
    "overshoots": 'y = Resize<mode="cubic">(r, , sizes)',
    "coded with other zero points": "a = QuantizeLinear(r, p, eight) y = DequantizeLinear(a, p, nine)",
    "large integers": "a = Cast<to=6>(r) y = Cast<to=1>(a)",
    "integers that wrap": "a = Cast<to=9>(r) b = Cast<to=6>(a) c = Mul(b, b) y = Cast<to=1>(c)",
    "windows of padding alone": "y = MaxPool<kernel_shape=[2, 2], dilations=[9, 9]>(r)",
    "one branch": "a = ReduceMean<keepdims=0>(x) b = Greater(a, z) y = If<then_branch = "
    "t () => (float[N] c) { c = Exp(x) }, else_branch = e () => (float[N] d) { d = Identity(x) }>(b)",
    "states that are lost": "n = Constant<value = int64 {2}>() y = Loop<body = s (int64 i, bool on, "
    "float[N] h) => (bool still, float[N] next) { still = Identity(on) next = Sub(h, r) }>(n, , r)",
    "no ONNX": "y = com.microsoft.Relu(x)",
}


def made_of(text: str) -> onnx.ModelProto:
    model = parser.parse_model(
        '<ir_version: 8, opset_import: ["": 18, "com.microsoft": 1]> g (float[2, 2, 4, 4] x) => '
        f"(float y) {{ r = Relu(x) {text} }}"
    )
    constants: dict[str, object] = {"p": 0.5, "z": 0.0, "m": -0.5, "two": 2.0, "three": 3.0}
    constants |= {
        "row": [0.0],
        "eight": np.uint8(8),
        "nine": np.uint8(9),
        "axes": np.asarray([0], np.int64),
    }
    constants |= {"pads": np.ones(8, np.int64), "sizes": np.asarray([1, 1, 2, 2], np.float32)}
    for name, value in constants.items():
        array = np.asarray(value)
        stored = array.astype(np.float32) if array.dtype == np.float64 else array
        model.graph.initializer.append(numpy_helper.from_array(stored, name))
    return model


@pytest.mark.parametrize("text", NEVER.values(), ids=list(NEVER))
def test_what_can_not_be_below_0_is_named(text: str) -> None:
    assert "y" in nonnegative_tensors(made_of(text))


@pytest.mark.parametrize("text", PERHAPS.values(), ids=list(PERHAPS))
def test_what_may_be_below_0_is_not_named(text: str) -> None:
    assert "y" not in nonnegative_tensors(made_of(text))


def test_constants_and_inputs() -> None:
    model = made_of("y = Add(r, x)")
    kind = onnx.helper.make_tensor_value_info("u", TensorProto.UINT8, [1])
    model.graph.input.append(kind)
    assert {"p", "z", "u"} <= nonnegative_tensors(model)
    assert not {"m", "x", "y"} & nonnegative_tensors(model)


def test_a_name_in_two_branches_must_hold_in_both() -> None:
    text = (
        "a = ReduceMean<keepdims=0>(x) b = Greater(a, z) y = If<then_branch = "
        "t () => (float[N] c) { c = Exp(x) }, else_branch = e () => (float[N] c) { c = Neg(r) }>(b)"
    )
    assert "c" not in nonnegative_tensors(made_of(text))


@pytest.mark.parametrize("name", ["digits_cnn", "digits_dsconv", "digits_mlp", "digits_resnet"])
def test_it_agrees_with_calibration_on_the_shipped_networks(name: str) -> None:
    network = load_network(MODELS / f"{name}.onnx")
    sure = nonnegative_tensors(network.model)
    with np.load(MODELS / "digits_test.npz") as data:
        images = next(
            data[key] for key in data.files if data[key].dtype.kind == "f" or data[key].ndim > 1
        )
    inputs = MadeUpInputs({network.inputs[0].name: images[:32].astype(np.float32) - 0.5})
    ranges = measure_input_ranges(
        network.model,
        network.layers,
        inputs,
        percentile=dict.fromkeys((layer.name for layer in network.layers), 100.0),
        batch=32,
        threads=1,
    )
    signed = {layer.name for layer in network.layers if layer.input not in sure}
    assert signed == {layer.name for layer in network.layers if ranges[layer.name].signed}
    assert signed == {network.layers[0].name}  # all others follow a Relu
