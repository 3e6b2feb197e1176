"""Trained weights in the user's file: loaded again, and run by onnxruntime, they are those trained."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper, parser
from recurrent_models import recurrent_model
from small_networks import network

from rxsim.errors import InputError, ModelError
from rxsim.load import Network, load_network, write_onnx
from rxsim.load.tensors import stored_tensors
from rxsim.retrain.places import bias_name, weight_name
from rxsim.retrain.trainable import Trainable
from rxsim.retrain.write_back import trainable_layers, write_back

MODELS = Path(__file__).parent.parent / "models"
ASSETS = os.environ.get("RXSIM_ASSETS")
Values = dict[str, np.ndarray]


def random(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def norm_tensors(channels: int, seed: int = 5) -> Values:
    return {
        "gamma": random(seed, channels),
        "beta": random(seed + 1, channels),
        "mean": random(seed + 2, channels),
        "var": np.abs(random(seed + 3, channels)) + 0.1,
    }


NORM = "y = BatchNormalization(h, gamma, beta, mean, var)"
IMAGE = (2, 5, 5)
W, B = random(1, 4, 2, 3, 3), random(2, 4)
# Name: nodes, shape of an input, initialisers.
GRAPHS: dict[str, tuple[str, tuple[int, ...], Values]] = {
    "conv": ("[a] y = Conv(x, w, b)", IMAGE, {"w": W, "b": B}),
    "conv without bias": ("[a] y = Conv(x, w)", IMAGE, {"w": W}),
    "depthwise": ("[a] y = Conv<group=2>(x, w, b)", IMAGE, {"w": random(1, 4, 1, 3, 3), "b": B}),
    "transposed conv": (
        "[a] y = ConvTranspose(x, w, b)",
        IMAGE,
        {"w": random(1, 2, 4, 3, 3), "b": B},
    ),
    "conv and norm": (f"[a] h = Conv(x, w) {NORM}", IMAGE, {"w": W} | norm_tensors(4)),
    "conv, bias and norm": (
        f"[a] h = Conv(x, w, b) {NORM}",
        IMAGE,
        {"w": W, "b": B} | norm_tensors(4),
    ),
    "grouped transposed conv and norm": (
        f"[a] h = ConvTranspose<group=2>(x, w) {NORM}",
        IMAGE,
        {"w": random(1, 2, 2, 3, 3)} | norm_tensors(4),
    ),
    "conv, scale and shift": (
        "[a] h = Conv(x, w) i = Mul(h, s) y = Add(i, t)",
        IMAGE,
        {"w": W, "s": random(3, 4, 1, 1), "t": random(4, 4, 1, 1)},
    ),
    "norm in front": (
        "h = BatchNormalization(x, gamma, beta, mean, var) [a] y = Conv(h, w, b)",
        IMAGE,
        {"w": W, "b": B} | norm_tensors(2),
    ),
    "gemm": (
        "[a] y = Gemm<alpha=0.3, beta=0.7>(x, w, b)",
        (3,),
        {"w": random(1, 3, 4), "b": B},
    ),
    "gemm transB": ("[a] y = Gemm<transB=1>(x, w, b)", (3,), {"w": random(1, 4, 3), "b": B}),
    "gemm and norm": (
        f"[a] h = Gemm<transB=1, beta=0.5>(x, w, b) {NORM}",
        (3,),
        {"w": random(1, 4, 3), "b": B} | norm_tensors(4),
    ),
    "matmul": ("[a] y = MatMul(x, w)", (3,), {"w": random(1, 3, 4)}),
    "matmul and add": ("[a] h = MatMul(x, w) y = Add(h, b)", (3,), {"w": random(1, 3, 4), "b": B}),
    "matmul and sub": ("[a] h = MatMul(x, w) y = Sub(h, b)", (3,), {"w": random(1, 3, 4), "b": B}),
    "matmul and norm": (
        f"[a] h = MatMul(x, w) {NORM}",
        (3,),
        {"w": random(1, 3, 4)} | norm_tensors(4),
    ),
    "matmul, add and norm": (
        f"[a] g = MatMul(x, w) h = Add(b, g) {NORM}",
        (3,),
        {"w": random(1, 3, 4), "b": B} | norm_tensors(4),
    ),
    "matmul from the left": ("[a] y = MatMul(w, x)", (3, 5), {"w": random(1, 4, 3)}),
    "matmul with a turned tensor": (
        "v = Transpose<perm=[1,0]>(w) [a] y = MatMul(x, v)",
        (3,),
        {"w": random(1, 4, 3)},
    ),
    "joined tensors": (
        "w = Concat<axis=1>(w1, w2) [a] y = MatMul(x, w)",
        (3,),
        {"w1": random(1, 3, 2), "w2": random(2, 3, 5)},
    ),
    "scaled tensor": (
        "v = Mul(w, s) [a] y = MatMul(x, v)",
        (3,),
        {"w": random(1, 3, 4), "s": np.array([1, 2, 0.3, 4], np.float32)},
    ),
    "einsum": ('[a] y = Einsum<equation="bi,oi->bo">(x, w)', (3,), {"w": random(1, 4, 3)}),
    "shared by Identity": (
        "v = Identity(w) [a] h = MatMul(x, w) r = Relu(h) [b] y = MatMul(r, v)",
        (3,),
        {"w": random(1, 3, 3)},
    ),
    "two layers": (
        f"[a] g = Conv(x, v, b) i = Relu(g) [b] h = Conv(i, w) {NORM}",
        IMAGE,
        {"v": random(8, 2, 2, 1, 1), "b": random(9, 2), "w": W} | norm_tensors(4),
    ),
}


def of(name: str) -> onnx.ModelProto:
    return network(*GRAPHS[name])


def normalised_with(net: Network, weights: Values, biases: Values) -> onnx.ModelProto:
    """Put values into the normalised graph."""
    model = onnx.ModelProto()
    model.CopyFrom(net.model)
    held = {tensor.name: tensor for tensor in model.graph.initializer}
    for layer in net.layers:
        for name, values in (
            (weight_name(layer), weights),
            (bias_name(net.model, layer), biases),
        ):
            if layer.name in values:
                held[name].CopyFrom(numpy_helper.from_array(values[layer.name], name))
    return model


def constants_of(model: onnx.ModelProto) -> Values:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def drawn(net: Network, can: Mapping[str, Trainable], seed: int) -> tuple[Values, Values]:
    """Draw new values of all that can be trained; layers with the same constant get the same."""
    rng, held = np.random.default_rng(seed), constants_of(net.model)
    weights: Values = {}
    biases: Values = {}
    new: Values = {}

    def draw(name: str, fixed: np.ndarray | None) -> np.ndarray:
        old = held[name]
        values = (old * rng.uniform(0.5, 1.5, old.shape) + 0.1 * rng.normal(size=old.shape)).astype(
            old.dtype
        )
        return new.setdefault(name, np.where(False if fixed is None else fixed, old, values))

    for layer in net.layers:
        if tied := can[layer.name].tied & weights.keys():
            weights[layer.name] = weights[min(tied)]
        elif can[layer.name].weight:
            weights[layer.name] = draw(weight_name(layer), can[layer.name].fixed)
        if can[layer.name].bias:
            biases[layer.name] = draw(bias_name(net.model, layer), can[layer.name].fixed_bias)
    return weights, biases


def inputs_of(model: onnx.ModelProto) -> Values:
    rng, feeds = np.random.default_rng(7), {}
    held = {tensor.name for tensor in model.graph.initializer}
    for value in model.graph.input:
        if value.name in held:
            continue
        kind = value.type.tensor_type
        shape = [axis.dim_value or 4 for axis in kind.shape.dim]
        feeds[value.name] = rng.normal(size=shape).astype(
            helper.tensor_dtype_to_np_dtype(kind.elem_type)
        )
    return feeds


def run(model: onnx.ModelProto, feeds: Values) -> np.ndarray:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, feeds)[0], dtype=np.float64)


def bare(model: onnx.ModelProto) -> bytes:
    """Return a model without the values of its tensors."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for tensor in stored_tensors(copy):
        for field in ("raw_data", "float_data", "int32_data", "double_data"):
            tensor.ClearField(field)
    return copy.SerializeToString(deterministic=True)


def check(
    source: onnx.ModelProto | Path, *, fold: str = "exact", tolerance: float = 1e-5, seed: int = 3
) -> tuple[Network, dict[str, Trainable]]:
    """Write drawn values back; compare with the normalised graph that holds them.

    Args:
        source: the model.
        fold: the setting mapping.fold.
        tolerance: of results, of the largest one.
        seed: of the values.
    """
    net = load_network(source, fold)
    user = onnx.load(source) if isinstance(source, Path) else source
    given = None if isinstance(source, Path) else source
    can = trainable_layers(net, fold=fold, source=given)
    weights, biases = drawn(net, can, seed)
    same = write_back(net, {}, {}, fold=fold, source=given)
    assert same.SerializeToString(deterministic=True) == user.SerializeToString(deterministic=True)
    written = write_back(net, weights, biases, fold=fold, source=given)
    assert bare(written) == bare(user)
    feeds = inputs_of(user)
    expected, before = run(normalised_with(net, weights, biases), feeds), run(user, feeds)
    assert not weights or not np.allclose(expected, before)
    result = run(written, feeds)
    assert np.abs(result - expected).max() <= tolerance * max(np.abs(expected).max(), 1)
    return net, can


@pytest.mark.parametrize("name", GRAPHS)
def test_the_written_model_computes_what_the_trained_graph_does(name: str) -> None:
    model = of(name)
    for tensor in model.graph.initializer:
        tensor.doc_string = "trained by a user"
    model.producer_name = "somebody"
    _, can = check(model)
    assert all(item.weight for item in can.values())
    has_bias = any(word in name for word in ("norm", ", bias", "add", "sub", "shift", "layers"))
    has_bias = has_bias or "b" in GRAPHS[name][2]
    assert all(item.bias == has_bias for item in can.values())
    assert all((item.why_not == "") == has_bias for item in can.values())


@pytest.mark.parametrize("fold", ["batchnorm", "none"])
@pytest.mark.parametrize("name", ["conv, bias and norm", "conv, scale and shift", "norm in front"])
def test_what_is_not_folded_stays_as_it_is(name: str, fold: str) -> None:
    _, can = check(of(name), fold=fold)
    assert can["a"].norm == (fold == "batchnorm" and name == "conv, bias and norm")


def test_another_setting_than_that_of_the_network_is_refused() -> None:
    net = load_network(of("conv and norm"), "none")
    with pytest.raises(
        ModelError, match=r"does not give the network's graph with mapping.fold exact"
    ):
        trainable_layers(net)


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.onnx")), ids=lambda path: path.stem)
def test_shipped_models(path: Path) -> None:
    net, can = check(path)
    assert can.keys() == {layer.name for layer in net.layers}
    assert all(item.weight and item.bias and not item.why_not for item in can.values())


@pytest.mark.skipif(ASSETS is None, reason="RXSIM_ASSETS names no folder of real networks")
@pytest.mark.parametrize(
    "name",
    [
        *("cifar10/resnet20_cifar10", "cifar10/mlperftiny_resnet8_cifar10"),
        *("imagenet/mobilenet_v1_0.25_128", "imagenet/mobilenet_v2", "imagenet/squeezenet1.1"),
    ],
)
@pytest.mark.slow
def test_real_networks(name: str) -> None:
    net = load_network(Path(ASSETS or "") / f"{name}.onnx")
    can = trainable_layers(net)
    assert all(item.weight and item.bias for item in can.values())
    weights, biases = drawn(net, can, 0)
    again = load_network(write_back(net, weights, biases))
    held, wanted = constants_of(again.model), constants_of(normalised_with(net, weights, biases))
    for constant, values in wanted.items():
        np.testing.assert_allclose(held[constant], values, rtol=2e-6, atol=2e-6)


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.sampled_from([1e-4, 1.0, 1e3]),
    name=st.sampled_from(["conv, bias and norm", "matmul, add and norm", "norm in front", "gemm"]),
)
def test_weights_of_any_size_come_back(seed: int, size: float, name: str) -> None:
    nodes, shape, tensors = GRAPHS[name]
    net = load_network(network(nodes, shape, tensors))
    (layer,) = net.layers
    held = constants_of(net.model)
    rng = np.random.default_rng(seed)
    weight = (size * rng.normal(size=held[weight_name(layer)].shape)).astype(np.float32)
    place = bias_name(net.model, layer)
    bias = rng.normal(size=held[place].shape).astype(np.float32)
    again = load_network(write_back(net, {"a": weight}, {"a": bias}))
    held = constants_of(again.model)
    np.testing.assert_allclose(held[weight_name(layer)], weight, rtol=3e-7)
    # The bias is a sum, in which what the norm in front shifts takes part.
    sums = np.abs(weight).sum(axis=tuple(range(1, weight.ndim))).max() + 10
    np.testing.assert_allclose(held[place], bias, atol=5e-6 * sums)


def test_constant_nodes_hold_weights() -> None:
    model = of("gemm")
    for tensor in list(model.graph.initializer):
        model.graph.node.insert(0, helper.make_node("Constant", [], [tensor.name], value=tensor))
    del model.graph.initializer[:]
    _, can = check(model)
    assert (can["a"].weight, can["a"].bias) == (True, True)


def test_initialisers_that_are_inputs_too() -> None:
    model = of("gemm")
    for tensor in model.graph.initializer:
        model.graph.input.append(
            helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        )
    check(model)


@pytest.mark.parametrize(
    ("kind", "tolerance"),
    [(TensorProto.FLOAT16, 2e-2), (TensorProto.BFLOAT16, 0.1), (TensorProto.DOUBLE, 1e-5)],
    ids=["float16", "bfloat16", "float64"],
)
@pytest.mark.parametrize("name", ["matmul and add", "conv and norm"])
def test_types_of_the_file(kind: int, tolerance: float, name: str, tmp_path: Path) -> None:
    """The file's values are the trained ones, rounded to its type."""
    model = of(name)
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor).astype(dtype)
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = kind
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    net = load_network(path)
    can = trainable_layers(net)
    assert (can["a"].weight, can["a"].bias) == (True, True)
    weights, biases = drawn(net, can, 1)
    written = write_back(net, weights, biases)
    assert bare(written) == bare(model)
    assert all(tensor.data_type == kind for tensor in written.graph.initializer)
    held, (layer,) = constants_of(load_network(written).model), net.layers
    found = held[weight_name(layer)].astype(np.float64)
    assert np.abs(found - weights["a"]).max() <= tolerance * np.abs(weights["a"]).max()
    if name == "matmul and add":
        exact = weights["a"].astype(dtype)
        assert numpy_helper.to_array(written.graph.initializer[0]).tobytes() == exact.tobytes()


def test_channels_whose_normalisation_is_0_stay() -> None:
    nodes, shape, tensors = GRAPHS["conv, bias and norm"]
    gamma = tensors["gamma"].copy()
    gamma[[1, 3]] = 0
    model = network(nodes, shape, tensors | {"gamma": gamma})
    net, can = check(model)
    assert can["a"].why_not == "output channels 1, 3 stay: their normalisation multiplies by 0"
    assert can["a"].bias
    fixed = can["a"].fixed
    assert fixed is not None
    np.testing.assert_array_equal(fixed.all(axis=(1, 2, 3)), [False, True, False, True])
    with pytest.raises(InputError, match="layer a: 36 of its trained weights differ"):
        write_back(net, {"a": W}, {})


def test_layers_that_share_a_tensor_get_the_same_values() -> None:
    net = load_network(of("shared by Identity"))
    assert {name: set(item.tied) for name, item in trainable_layers(net).items()} == {
        "a": {"b"},
        "b": {"a"},
    }
    with pytest.raises(InputError, match=r"layers a and b (share a tensor|read the same)"):
        write_back(net, {"a": random(11, 3, 3)}, {})
    with pytest.raises(InputError, match=r"layers a and b (share a tensor|read the same)"):
        write_back(net, {"a": random(11, 3, 3), "b": random(12, 3, 3)}, {})


def test_weights_that_are_read_elsewhere_too_are_not_trained() -> None:
    """An addend that is a layer's weights as well, turned or as it is."""
    for turned in ("v = Transpose<perm=[1,0]>(w)", "v = Identity(w)"):
        nodes = f"{turned} [a] h = MatMul(x, v) [b] z = MatMul(h, u) [c] y = Add(z, w)"
        tensors = {"w": random(1, 3, 3), "u": random(2, 3, 3)}
        model = network(nodes, (3,), tensors)
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 3
        can = trainable_layers(load_network(model))
        assert (can["a"].weight, can["b"].weight) == (False, True)
        assert can["a"].why_not.startswith(
            "its weights are also read by c (Add), which is not on crossbars"
        )


@pytest.mark.parametrize("op", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
def test_recurrent_weights(op: str, direction: str) -> None:
    model = recurrent_model(op, direction=direction)
    net, can = check(model, tolerance=2e-5)
    products = 3 if op == "GRU" else 2  # a GRU's gates, and its new state
    assert len(net.layers) == products * (2 if direction == "bidirectional" else 1)
    assert all(item.weight for item in can.values())
    inputs = [item.bias for name, item in can.items() if name.endswith("input")]
    assert inputs
    assert all(inputs)


def body_model() -> onnx.ModelProto:
    body = parser.parse_graph(
        "b (float[2,3] s) => (float[2,3] t, float[2,3] u) { "
        "[inner] p = MatMul(s, w) q = Add(p, b) t = Tanh(q) u = Identity(t) }"
    )
    body.initializer.append(numpy_helper.from_array(random(1, 3, 3), "w"))
    body.initializer.append(numpy_helper.from_array(random(2, 3), "b"))
    body.input.append(helper.make_tensor_value_info("step", TensorProto.FLOAT, [2, 3]))
    nodes = [
        helper.make_node("Scan", ["x", "steps"], ["y", "z"], "scan", body=body, num_scan_inputs=1)
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3]),
            helper.make_tensor_value_info("steps", TensorProto.FLOAT, [4, 2, 3]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 3])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_weights_in_the_body_of_a_loop() -> None:
    net, can = check(body_model())
    assert [layer.name for layer in net.layers] == ["inner"]
    assert (can["inner"].weight, can["inner"].bias) == (True, True)


def test_weights_that_a_function_multiplies_by() -> None:
    model = parser.parse_model(
        '<ir_version: 8, opset_import: ["": 17, "f": 1]> g (float[B,3] x) => (float[B,4] y) '
        '{ y = f.dense(x, w, b) } <domain: "f", opset_import: ["": 17]> '
        "dense (x, w, b) => (y) { h = MatMul(x, w) y = Add(h, b) }"
    )
    for name, value in {"w": random(1, 3, 4), "b": B}.items():
        model.graph.initializer.append(numpy_helper.from_array(value, name))
    _, can = check(model)
    assert [(item.weight, item.bias) for item in can.values()] == [(True, True)]


def test_quantised_weights_stay() -> None:
    model = network(
        "v = DequantizeLinear(q, s) [a] h = MatMul(x, v) r = Relu(h) [b] y = MatMul(r, w)",
        (3,),
        {"s": np.float32(0.1), "w": random(1, 4, 2)},
    )
    codes = np.random.default_rng(0).integers(-99, 99, (3, 4)).astype(np.int8)
    model.graph.initializer.append(numpy_helper.from_array(codes, "q"))
    net, can = check(model)
    assert (can["a"].weight, can["b"].weight) == (False, True)
    assert can["a"].why_not.startswith("its weights are quantised (behind DequantizeLinear)")
    with pytest.raises(
        InputError, match=r"layer a: its weights can't be trained \(its weights are"
    ):
        write_back(net, {"a": random(1, 3, 4)}, {})


def test_weights_that_are_computed_stay() -> None:
    model = network(
        "v = Add(w1, w2) [a] y = MatMul(x, v)",
        (3,),
        {"w1": random(1, 3, 4), "w2": random(2, 3, 4)},
    )
    can = trainable_layers(load_network(model))
    assert can["a"].why_not.startswith("its weights are computed from tensors of the file")
    model = network("v = Mul(w1, w1) [a] y = MatMul(x, v)", (3,), {"w1": random(1, 3, 4)})
    can = trainable_layers(load_network(model))
    assert can["a"].why_not.startswith("its weights are computed from tensors of the file")


@pytest.mark.parametrize(
    ("weights", "biases", "words"),
    [
        (
            {"z": W},
            {},
            "layer z: trained weights for no layer on crossbars, expected one of a; check",
        ),
        (
            {"a": W[0]},
            {},
            r"layer a: its trained weights are \[2, 3, 3\] of float32, expected \[4, 2,",
        ),
        (
            {"a": W.astype(int)},
            {},
            r"are \[4, 2, 3, 3\] of int64, expected \[4, 2, 3, 3\] of floats",
        ),
        ({"a": W * np.nan}, {}, "hold NaN, infinity or numbers beyond float32"),
        (
            {},
            {"a": B},
            r"layer a: its bias can't be trained \(it has no bias in the file, and no norm",
        ),
    ],
)
def test_values_that_do_not_fit(weights: Values, biases: Values, words: str) -> None:
    net = load_network(of("conv without bias"))
    with pytest.raises(InputError, match=words) as raised:
        write_back(net, weights, biases)
    assert raised.value.exit_code == 2
    assert "\n" not in str(raised.value)


def test_a_bias_of_zeros_is_no_bias() -> None:
    model = of("conv without bias")
    written = write_back(load_network(model), {}, {"a": np.zeros(4, np.float32)})
    assert written == model


def test_a_file_that_changed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(of("conv"), path)
    net = load_network(path)
    onnx.save(of("conv without bias"), path)
    with pytest.raises(ModelError, match="changed after it was loaded"):
        write_back(net, {}, {})
    path.unlink()
    with pytest.raises(ModelError, match=r"can't be read again \(FileNotFoundError\)"):
        write_back(net, {}, {})


def test_external_data(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(of("gemm and norm"), path, save_as_external_data=True, size_threshold=0)
    net, _ = load_network(path), None
    weights, biases = drawn(net, trainable_layers(net), 2)
    write_onnx(tmp_path / "new.onnx", write_back(net, weights, biases))
    held = constants_of(load_network(tmp_path / "new.onnx").model)
    for name, values in constants_of(normalised_with(net, weights, biases)).items():
        np.testing.assert_allclose(held[name], values, rtol=1e-6, atol=1e-6)


def test_only_what_is_trained_changes() -> None:
    """Byte for byte: one weight of one layer."""
    model = of("two layers")
    net = load_network(model)
    held = constants_of(net.model)[weight_name(net.layers[1])].copy()
    held[2, 1, 0, 2] += 0.5
    old, new = constants_of(model), constants_of(write_back(net, {"b": held}, {}))
    changed = {name: np.argwhere(old[name] != new[name]).tolist() for name in old}
    assert changed == {name: [[2, 1, 0, 2]] if name == "w" else [] for name in old}
