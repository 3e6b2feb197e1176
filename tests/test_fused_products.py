"""Products fused by onnxruntime or scikit-learn become ONNX's own; those that can't be say why."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from backend_nodes import patched_exactly, run
from onnx import helper, numpy_helper
from test_products import Form, difference, feeds_of, places

from rxsim.load import load_network
from rxsim.load.macs import count_work

IMAGE = "float[N,4,5,6] x"
CONV = [("c", "FusedConv", 1, 36, 3)]
CONV_W: dict[str, tuple[int, ...]] = {"w": (3, 4, 3, 3), "b": (3,)}
GEMM = [("g", "FusedGemm", 1, 5, 3)]
MATMUL = "com.microsoft.FusedMatMul"


def conv(attributes: str, inputs: str = "x, w, b") -> Form:
    return Form(IMAGE, f"[c] y = com.microsoft.FusedConv<{attributes}>({inputs})", CONV_W, CONV)


def gemm(attributes: str) -> Form:
    body = f"[g] y = com.microsoft.FusedGemm<transB=1, {attributes}>(x, w, b)"
    return Form("float[N,5] x", body, {"w": (3, 5), "b": (3,)}, GEMM)


FORMS = {
    f"{form.body}": form
    for form in (
        conv('activation="Relu"'),
        conv('activation="Sigmoid", strides=[2,1], pads=[1,0,2,1]'),
        conv('activation="Tanh", dilations=[1,2], kernel_shape=[3,3]', "x, w"),
        conv('activation="LeakyRelu", activation_params=[0.3]'),
        conv('activation="Clip", activation_params=[-0.5, 0.75], auto_pad="SAME_UPPER"'),
        conv('activation="HardSigmoid", activation_params=[0.3, 0.4]'),
        Form(
            f"{IMAGE}, float[N,3,3,4] z",
            '[c] y = com.microsoft.FusedConv<activation="Relu">(x, w, b, z)',
            CONV_W,
            CONV,
            {"c": 3 * 12 * 36},
        ),
        gemm('activation="Relu"'),
        gemm('activation="LeakyRelu", activation_alpha=0.2, alpha=0.5, beta=2.0'),
        gemm('activation="Sigmoid"'),
        gemm('activation="Elu", activation_alpha=0.7'),
        Form(
            "float[5,3] x",
            '[g] y = com.microsoft.FusedGemm<transA=1, activation="Tanh">(x, w)',
            {"w": (5, 2)},
            [("g", "FusedGemm", 1, 5, 2)],
        ),
        Form(
            "float[N,2,5] x",
            f"[m] y = {MATMUL}<transB=1, alpha=0.3>(x, w)",
            {"w": (4, 5)},
            [("m", "FusedMatMul", 1, 5, 4)],
            {"m": 2 * 5 * 4},
        ),
        Form(
            "float[N,5,2] x",
            f"[m] y = {MATMUL}<transA=1>(x, w)",
            {"w": (5, 4)},
            [("m", "FusedMatMul", 1, 5, 4)],
        ),
        Form(
            "float[N,3,5,2] x",
            f"[m] y = {MATMUL}<transA=1, alpha=2.0>(x, w)",
            {"w": (3, 5, 4)},
            [("m", "FusedMatMul", 3, 5, 4)],
        ),
        Form(
            "float[N,5,3] x",
            f"[m] y = {MATMUL}<transA=1, alpha=-0.7>(w, x)",
            {"w": (5, 4)},
            [("m", "FusedMatMul", 1, 5, 4)],
        ),
        Form(
            "float[4,3,5] x",
            f"[m] y = {MATMUL}<transBatchA=1>(x, w)",
            {"w": (3, 5, 2)},
            [("m", "FusedMatMul", 3, 5, 2)],
        ),
        Form(
            "float[3,4,5] x",
            f"[m] y = {MATMUL}<transBatchB=1, transB=1>(x, w)",
            {"w": (2, 3, 5)},
            [("m", "FusedMatMul", 3, 5, 2)],
        ),
        Form(
            "float[5,3,4] x",
            f"[m] y = {MATMUL}<transBatchA=1, transA=1>(x, w)",
            {"w": (3, 5, 2)},
            [("m", "FusedMatMul", 3, 5, 2)],
        ),
    )
}


def check(model: onnx.ModelProto, tolerance: float = 1e-4) -> onnx.ModelProto:
    """A model on perfect crossbars is what onnxruntime makes of the original; return its patch."""
    patched, _ = patched_exactly(model, feeds_of(model))
    assert {node.domain for node in patched.graph.node} <= {"", "ai.onnx"}
    for free in (2, 3):
        feeds = feeds_of(model, free)
        for wanted, found in zip(run(model, feeds), run(patched, feeds), strict=True):
            if wanted.dtype.kind == "f":
                assert difference(found, wanted) <= tolerance
            else:
                np.testing.assert_array_equal(found, wanted)
    return patched


@pytest.mark.parametrize("name", FORMS)
def test_a_fused_product_is_mapped_and_exact(name: str) -> None:
    form = FORMS[name]
    network = load_network(form.model())
    assert places(network) == form.layers
    check(form.model())
    if form.macs:
        shapes = {key: value.shape for key, value in feeds_of(form.model(), 1).items()}
        assert count_work(network.model, shapes).macs == form.macs


@pytest.mark.parametrize(
    ("body", "words", "macs"),
    [
        (
            f"[d] d = {MATMUL}<transB=1, alpha=0.5>(x, x)",
            "product of two activations",
            20,
        ),
        (
            '[d] d = com.microsoft.FusedGemm<transB=1, activation="Relu">(x, x)',
            "product of two activations",
            20,
        ),
        (
            '[d] d = com.microsoft.FusedGemm<activation="ScaledTanh", activation_alpha=1.0, '
            "activation_beta=2.0>(x, w)",
            "activation ScaledTanh is not known",
            2 * 5 * 4,
        ),
    ],
)
def test_a_fused_product_that_stays_digital_says_why(body: str, words: str, macs: int) -> None:
    form = Form(
        "float[2,5] x",
        f"{body} [g] t = Gemm(x, g) u = ReduceSum<keepdims=0>(t) s = ReduceSum<keepdims=0>(d) "
        "y = Add(u, s)",
        {"g": (5, 2), "w": (5, 4)},
    )
    network = load_network(form.model())
    assert [layer.name for layer in network.layers] == ["g"]
    (reason,) = [node.reason for node in network.digital if node.name == "d"]
    assert words in reason
    # A batch of two, counted as prescribed: each row of the Gemm is one input of it.
    assert count_work(network.model, {"x": (2, 5)}).macs == {"d": macs, "g": 20}


def optimised(model: onnx.ModelProto, level: str, folder: Path) -> onnx.ModelProto:
    """Return what onnxruntime writes as its optimised model."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    options.optimized_model_filepath = str(folder / f"{level}.onnx")
    options.log_severity_level = 4
    onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return onnx.load(folder / f"{level}.onnx")


NETWORK = Form(
    "float[N,4,8,8] x",
    "[c] a = Conv<pads=[1,1,1,1]>(x, w, b) r = Relu(a) [d] s = Conv<pads=[1,1,1,1]>(r, v, b) "
    "t = Add(s, r) u = Relu(t) f = Flatten(u) [g] h = Gemm(f, k, m) y = LeakyRelu<alpha=0.2>(h)",
    {"w": (8, 4, 3, 3), "b": (8,), "v": (8, 8, 3, 3), "k": (512, 3), "m": (3,)},
)


def test_an_optimised_file_is_mapped_whole_up_to_the_level_extended(tmp_path: Path) -> None:
    plain = NETWORK.model()
    model = optimised(plain, "ORT_ENABLE_EXTENDED", tmp_path)
    types = {node.op_type for node in model.graph.node}
    assert {"FusedConv", "FusedGemm"} & types
    network = load_network(model)
    assert [place[2:] for place in places(network)] == [(1, 36, 8), (1, 72, 8), (1, 512, 3)]
    patched = check(model)
    feeds = feeds_of(plain)
    assert difference(run(patched, feeds)[0], run(plain, feeds)[0]) <= 1e-4


def test_a_file_in_the_processors_layout_says_how_to_export_it(tmp_path: Path) -> None:
    model = optimised(NETWORK.model(), "ORT_ENABLE_ALL", tmp_path)
    if "com.microsoft.nchwc" not in {node.domain for node in model.graph.node}:
        pytest.skip("onnxruntime has no such layout for this processor")
    network = load_network(model)
    reasons = {node.op: node.reason for node in network.digital}
    assert "ORT_ENABLE_BASIC" in reasons["Conv"]


def bits_model(bits: int, zeros: str, block: int = 16) -> onnx.ModelProto:
    """A product by weights of few bits in blocks, K = 40 and N = 3."""
    rng = np.random.default_rng(bits)
    n_rows, n_outputs = 40, 3
    blocks = -(-n_rows // block)
    tensors: dict[str, Any] = {
        "q": rng.integers(0, 256, (n_outputs, blocks, block * bits // 8)).astype(np.uint8),
        "s": rng.uniform(0.1, 1, n_outputs * blocks).astype(np.float32),
    }
    inputs = ["x", "q", "s"]
    if zeros == "packed":
        width = -(-blocks * bits // 8)
        tensors["z"] = rng.integers(0, 256, n_outputs * width).astype(np.uint8)
        inputs.append("z")
    node = helper.make_node(
        "MatMulNBits",
        inputs,
        ["y"],
        "m",
        domain="com.microsoft",
        K=n_rows,
        N=n_outputs,
        bits=bits,
        block_size=block,
    )
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", 1, ["N", 2, n_rows])],
        [helper.make_tensor_value_info("y", 1, ["N", 2, n_outputs])],
        [numpy_helper.from_array(value, name) for name, value in tensors.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


@pytest.mark.parametrize("zeros", ["none", "packed"])
@pytest.mark.parametrize("bits", [4, 8])
def test_weights_of_few_bits_are_mapped_by_what_they_stand_for(bits: int, zeros: str) -> None:
    model = bits_model(bits, zeros)
    assert places(load_network(model)) == [("m", "MatMulNBits", 1, 40, 3)]
    check(model)


ML = "ai.onnx.ml"


def linear_model(
    op: str, outputs: Sequence[tuple[str, int, Sequence[Any]]], **attributes: Any
) -> Any:
    """A linear model of 5 features."""
    rng = np.random.default_rng(len(attributes["intercepts"]))
    count = 5 * len(attributes["intercepts"])
    attributes["coefficients"] = [float(value) for value in rng.standard_normal(count)]
    node = helper.make_node(op, ["x"], [name for name, *_ in outputs], "m", domain=ML, **attributes)
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", 1, ["N", 5])],
        [helper.make_tensor_value_info(*output) for output in outputs],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(ML, 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


@pytest.mark.parametrize("transform", ["NONE", "LOGISTIC", "SOFTMAX"])
@pytest.mark.parametrize("classes", [2, 3])
def test_a_linear_classifier_is_a_gemm_with_a_label(transform: str, classes: int) -> None:
    model = linear_model(
        "LinearClassifier",
        [("label", onnx.TensorProto.INT64, ["N"]), ("y", onnx.TensorProto.FLOAT, ["N", classes])],
        intercepts=[0.1, -0.2, 0.3][:classes],
        classlabels_ints=[7, 5, 3][:classes],
        post_transform=transform,
        multi_class=1,
    )
    network = load_network(model)
    assert places(network) == [("m", "LinearClassifier", 1, 5, classes)]
    assert count_work(network.model, {"x": (1, 5)}).macs == {"m": 5 * classes}
    check(model)


@pytest.mark.parametrize("transform", ["NONE", "LOGISTIC"])
def test_a_single_score_stands_for_two_classes(transform: str) -> None:
    model = linear_model(
        "LinearClassifier",
        [("label", onnx.TensorProto.INT64, ["N"]), ("y", onnx.TensorProto.FLOAT, ["N", 2])],
        intercepts=[0.1],
        classlabels_ints=[4, 9],
        post_transform=transform,
    )
    assert places(load_network(model)) == [("m", "LinearClassifier", 1, 5, 1)]
    check(model)


def test_labels_may_be_words() -> None:
    model = linear_model(
        "LinearClassifier",
        [("label", onnx.TensorProto.STRING, ["N"]), ("y", onnx.TensorProto.FLOAT, ["N", 3])],
        intercepts=[0.1, 0.2, -0.1],
        classlabels_strings=["cat", "dog", "owl"],
        post_transform="SOFTMAX",
    )
    check(model)


@pytest.mark.parametrize("targets", [1, 3])
def test_a_linear_regressor_is_a_gemm(targets: int) -> None:
    model = linear_model(
        "LinearRegressor",
        [("y", onnx.TensorProto.FLOAT, ["N", targets])],
        intercepts=[0.5, -1.0, 2.0][:targets],
        targets=targets,
    )
    assert places(load_network(model)) == [("m", "LinearRegressor", 1, 5, targets)]
    check(model)


def test_what_a_linear_model_can_t_be_says_why() -> None:
    model = linear_model(
        "LinearRegressor",
        [("t", onnx.TensorProto.FLOAT, ["N", 2])],
        intercepts=[0.5, 1.0],
        targets=2,
        post_transform="PROBIT",
    )
    model.graph.node.append(helper.make_node("MatMul", ["t", "w"], ["y"], "k"))
    weight = np.ones((2, 2), dtype=np.float32)
    model.graph.initializer.append(numpy_helper.from_array(weight, "w"))
    model.graph.output[0].name = "y"
    network = load_network(model)
    assert [layer.name for layer in network.layers] == ["k"]
    assert "PROBIT" in {node.name: node.reason for node in network.digital}["m"]


def counted(body: str, inputs: str, weights: dict[str, tuple[int, ...]], opset: int = 17) -> Form:
    """A node `d` that stays digital before a Gemm."""
    return Form(
        inputs,
        f"{body} s = ReduceSum<keepdims=0>(d) e = Expand(s, shape) [g] y = Gemm(e, g)",
        {"g": (5, 2)} | weights,
        [("g", "Gemm", 1, 5, 2)],
        opset=opset,
    )


def attention_macs(queries: int, keys: int, width: int, out: int, heads: int, batch: int) -> int:
    """Count the products of attention one by one."""
    count = 0
    for _ in np.ndindex(batch, heads, queries, keys):
        count += width + out  # a score, and what it adds to the output
    return count


TOKENS = "float[2,4,6] x"
KEYS = f"{TOKENS}, float[2,7,6] k, float[2,7,6] v"
COUNTED = {
    "Attention of three axes": (
        counted(
            "[d] d = Attention<q_num_heads=3, kv_num_heads=3>(x, k, v)",
            "float[2,4,6] x, float[2,7,6] k, float[2,7,12] v",
            {},
            23,
        ),
        attention_macs(4, 7, 2, 4, 3, 2),
        "products of two activations",
    ),
    "Attention of four axes with a past": (
        counted(
            '[d] d, p, q = Attention(x, k, v, "", a, b)',
            "float[2,6,4,3] x, float[2,2,7,3] k, float[2,2,7,5] v, float[2,2,2,3] a, float[2,2,2,5] b",
            {},
            23,
        ),
        attention_macs(4, 9, 3, 5, 6, 2),
        "products of two activations",
    ),
    "MultiHeadAttention": (
        counted("[d] d = com.microsoft.MultiHeadAttention<num_heads=3>(x, k, v)", KEYS, {}),
        attention_macs(4, 7, 2, 2, 3, 2),
        "products of two activations",
    ),
    "onnxruntime's Attention": (
        counted(
            "[d] d = com.microsoft.Attention<num_heads=3>(x, w, b)",
            TOKENS,
            {"w": (6, 18), "b": (18,)},
        ),
        2 * 4 * 6 * 18 + attention_macs(4, 4, 2, 2, 3, 2),
        "its constant projections are fused",
    ),
    "DeformConv": (
        counted(
            "[d] d = DeformConv<group=2>(x, w, o)",
            "float[1,4,5,6] x, float[1,12,4,4] o",
            {"w": (2, 2, 2, 3)},
            19,
        ),
        2 * 4 * 4 * 2 * 6,
        "deformable convolution",
    ),
}


@pytest.mark.parametrize("name", COUNTED)
def test_what_no_crossbar_takes_is_counted_by_its_definition(name: str) -> None:
    form, macs, words = COUNTED[name]
    model = form.model()
    model.graph.initializer.append(numpy_helper.from_array(np.asarray([2, 5]), "shape"))
    network = load_network(model)
    assert [layer.name for layer in network.layers] == ["g"]
    (reason,) = [node.reason for node in network.digital if node.name == "d"]
    assert words in reason
    shapes = {key: value.shape for key, value in feeds_of(model).items()}
    assert count_work(network.model, shapes).macs["d"] == macs
