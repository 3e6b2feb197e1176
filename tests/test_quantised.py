"""Quantised networks are evaluated as the networks that they encode."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from quantised_networks import (
    Tensors,
    graph,
    on_crossbars,
    patched,
    quantised,
    random,
    run,
    samples,
    small_cnn,
    small_mlp,
)

import rxsim
from rxsim.cli import main
from rxsim.errors import ModelError
from rxsim.load import StatedRange, load_network, stated_ranges
from rxsim.load.macs import count_work
from rxsim.pipeline import DataOptions, open_study
from rxsim.pipeline.chip.mapped import input_ranges

NETWORKS = {"cnn": small_cnn, "mlp": small_mlp}


def integers(seed: int, kind: type, *shape: int) -> np.ndarray:
    """Return integers over the whole range of a type."""
    ends = np.iinfo(kind)
    return np.random.default_rng(seed).integers(ends.min, ends.max + 1, shape).astype(kind)


def scales(seed: int, *shape: int) -> np.ndarray:
    """Return scales between 0.01 and 0.03."""
    return (np.random.default_rng(seed).uniform(0.01, 0.03, shape)).astype(np.float32)


def rounded(values: np.ndarray, scale: float, zero_point: int, kind: type) -> np.ndarray:
    """Quantise as ONNX's QuantizeLinear is defined: ties to even, saturating."""
    ends = np.iinfo(kind)
    return np.asarray(np.clip(np.rint(values / scale) + zero_point, ends.min, ends.max))


def assert_within_a_step(found: np.ndarray, wanted: np.ndarray) -> None:
    """Integers may differ by one where a sum lies next to a tie: seldom."""
    off = np.abs(found.astype(np.int64) - wanted.astype(np.int64))
    assert off.max() <= 1
    assert (off > 0).mean() <= 0.01
    assert len(np.unique(wanted)) > 20


# --- networks of onnxruntime's quantiser --------------------------------------------------------


@pytest.mark.parametrize("way", ["QDQ", "QOperator", "dynamic"])
@pytest.mark.parametrize("per_channel", [False, True], ids=["per tensor", "per channel"])
@pytest.mark.parametrize("types", ["uu", "us", "ss"])
@pytest.mark.parametrize("name", NETWORKS)
def test_crossbars_without_effects_compute_the_integer_network(
    name: str, types: str, per_channel: bool, way: str, tmp_path: Path
) -> None:
    floats = NETWORKS[name]()
    model = quantised(floats, tmp_path, way, per_channel=per_channel, types=types)
    feeds = samples(floats)
    found, (wanted,) = on_crossbars(model, feeds), run(model, feeds)
    (exact,) = run(floats, feeds)
    if way == "dynamic":
        step = 1e-4 * np.abs(wanted).max()
    else:
        stored = {tensor.name: tensor for tensor in model.graph.initializer}
        (last,) = [node for node in model.graph.node if "y" in node.output]
        step = float(numpy_helper.to_array(stored[last.input[1]])) * 1.001
    assert np.abs(found - wanted).max() <= step
    assert step < 0.03 * np.abs(wanted).max()
    # It is the quantised network, not the float one, that is evaluated.
    assert 0.003 < np.abs(wanted - exact).max() / np.abs(exact).max() < 0.1


@pytest.mark.parametrize("way", ["QDQ", "QOperator", "dynamic"])
def test_every_product_of_a_quantised_network_is_a_layer_of_its_name(
    way: str, tmp_path: Path
) -> None:
    model = quantised(small_cnn(), tmp_path, way, per_channel=True, types="us")
    products = {
        node.name: node.op_type
        for node in model.graph.node
        if any(word in node.op_type for word in ("Conv", "Gemm", "MatMul"))
    }
    network = load_network(model)
    assert {layer.name: layer.op for layer in network.layers} == products
    assert len(products) == 3
    users = network.original.graph.node
    names = {node.name for node in users if not set(node.input) <= stored_names(model)}
    assert {node.name for node in network.digital} == names - set(products)
    counts = count_work(network.model, {"x": (1, 2, 8, 8)}).macs
    assert [counts[layer.name] for layer in network.layers] == [
        8 * 8 * 8 * 2 * 9,
        6 * 3 * 3 * 4 * 9,
        6 * 54,
    ]


def stored_names(model: onnx.ModelProto) -> set[str]:
    """Return the names of the constants."""
    return {tensor.name for tensor in model.graph.initializer}


# --- each operator against its definition in numpy ----------------------------------------------


def conv_sums(x: np.ndarray, w: np.ndarray, pad: int, groups: int) -> np.ndarray:
    """Return a convolution's exact sums, int64, stride 1."""
    x = np.pad(x.astype(np.int64), [(0, 0), (0, 0), (pad, pad), (pad, pad)])
    height, width = w.shape[2:]
    out = [x.shape[2] - height + 1, x.shape[3] - width + 1]
    result = np.zeros((len(x), len(w), *out), dtype=np.int64)
    per_group, channels = len(w) // groups, x.shape[1] // groups
    for n in range(len(w)):
        first = n // per_group * channels
        for i in range(height):
            for j in range(width):
                window = x[:, first : first + channels, i : i + out[0], j : j + out[1]]
                result[:, n] += (window * w[n, :, i, j].astype(np.int64)[:, None, None]).sum(1)
    return result


@pytest.mark.parametrize("last", [False, True], ids=["channels first", "channels last"])
@pytest.mark.parametrize("kinds", [(np.uint8, np.int8), (np.uint8, np.uint8), (np.int8, np.int8)])
@pytest.mark.parametrize("per_channel", [False, True])
def test_qlinear_conv_is_its_definition(
    per_channel: bool, kinds: tuple[type, type], last: bool
) -> None:
    channels = (6,) if per_channel else ()
    x, w = integers(1, kinds[0], 3, 4, 7, 5), integers(2, kinds[1], 6, 2, 3, 3)
    zero_x, zero_w = kinds[0](11), integers(3, kinds[1], *channels) // kinds[1](16)
    scale_w, bias = scales(4, *channels), np.arange(-3000, 3000, 1000, dtype=np.int32)
    shape, domain = ("N,7,5,4", "com.microsoft.") if last else ("N,4,7,5", "")
    more = ", channels_last=1" if last else ""
    if last and kinds[0] is np.int8:
        pytest.skip("onnxruntime has no such kernel")
    what = f"{np.dtype(kinds[0])}"
    model = graph(
        f"({what}[{shape}] x) => ({what}[N,P,Q,R] y)",
        f"[q] y = {domain}QLinearConv<group=2, pads=[1,1,1,1]{more}>(x, sx, zx, w, sw, zw, sy, zy, b)",
        sx=np.float32(0.02),
        zx=zero_x,
        w=w,
        sw=scale_w,
        zw=np.asarray(zero_w, kinds[1]),
        sy=np.float32(0.9),
        zy=kinds[0](100),
        b=bias,
    )
    fed = x.transpose(0, 2, 3, 1) if last else x
    found = on_crossbars(model, {"x": np.ascontiguousarray(fed)})
    w_whole = w.astype(np.int64) - np.reshape(zero_w, (-1, 1, 1, 1)).astype(np.int64)
    sums = conv_sums(x.astype(np.int64) - int(zero_x), w_whole, 1, 2) + bias[:, None, None]
    step = 0.02 * np.reshape(scale_w, (-1, 1, 1)).astype(np.float64)
    wanted = rounded(sums * step, 0.9, 100, kinds[0])
    assert_within_a_step(found, wanted.transpose(0, 2, 3, 1) if last else wanted)


@pytest.mark.parametrize("with_zero_points", [False, True])
def test_conv_integer_is_its_definition_exactly(with_zero_points: bool) -> None:
    x, w = integers(1, np.uint8, 3, 4, 7, 5), integers(2, np.uint8, 6, 2, 3, 3)
    zero_x, zero_w = (np.uint8(131), integers(3, np.uint8, 6)) if with_zero_points else (0, [0])
    model = graph(
        "(uint8[N,4,7,5] x) => (int32[N,P,Q,R] y)",
        "[q] y = ConvInteger<group=2, pads=[1,1,1,1]>"
        + ("(x, w, zx, zw)" if with_zero_points else "(x, w)"),
        w=w,
        **({"zx": zero_x, "zw": zero_w} if with_zero_points else {}),
    )
    w_whole = w.astype(np.int64) - np.reshape(zero_w, (-1, 1, 1, 1)).astype(np.int64)
    wanted = conv_sums(x.astype(np.int64) - int(zero_x), w_whole, 1, 2)
    found = on_crossbars(model, {"x": x})
    assert found.dtype == np.int32
    assert np.array_equal(found, wanted)


LEFT = {"weights right": False, "weights left": True}


@pytest.mark.parametrize("left", LEFT.values(), ids=LEFT)
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("computed", [False, True], ids=["constant", "computed"])
def test_matmul_integer_is_its_definition_exactly(
    computed: bool, per_channel: bool, left: bool
) -> None:
    x, w = integers(1, np.uint8, 3, 9, 20), integers(2, np.int8, 20, 6)
    zero_w = integers(3, np.int8, *((6,) if per_channel else ()))
    x_whole, w_whole = x.astype(np.int64) - 37, w.astype(np.int64) - zero_w.astype(np.int64)
    wanted = x_whole @ w_whole
    inputs = "w, x, zw, zx" if left else "x, w, zx, zw"
    shape = "20,9" if left else "9,20"
    if left:
        x, w, wanted = x.transpose(0, 2, 1), w.T, wanted.transpose(0, 2, 1)
    zero = "Cast<to=2>(z)" if computed else "Identity(z)"
    model = graph(
        f"(uint8[N,{shape}] x{', float[1] z' if computed else ''}) => (int32[N,P,Q] y)",
        f"zx = {zero} [q] y = MatMulInteger({inputs})",
        w=np.ascontiguousarray(w),
        zw=zero_w,
        **({} if computed else {"z": np.uint8(37)}),
    )
    feeds = {"x": np.ascontiguousarray(x)}
    if computed:
        feeds["z"] = np.asarray([37], np.float32)
    found = on_crossbars(model, feeds)
    assert found.dtype == np.int32
    assert np.array_equal(found, wanted)


@pytest.mark.parametrize("left", LEFT.values(), ids=LEFT)
@pytest.mark.parametrize("per_channel", [False, True])
def test_qlinear_matmul_is_its_definition(per_channel: bool, left: bool) -> None:
    if left and per_channel:
        pytest.skip("onnxruntime takes a scale for each row of the first operand from no file")
    columns = (6,) if per_channel else ()
    x, w = integers(1, np.uint8, 5, 9, 20), integers(2, np.int8, 20, 6)
    scale_w, zero_w = scales(3, *columns), integers(4, np.int8, *columns) // np.int8(8)
    exact = (x.astype(np.int64) - 90) @ (w.astype(np.int64) - zero_w.astype(np.int64))
    wanted = rounded(exact * (np.float64(scale_w) * 0.02), 0.7, 131, np.uint8)
    if left:
        x, w, wanted = x.transpose(0, 2, 1), w.T, wanted.transpose(0, 2, 1)
    x_part, w_part = "x, sx, zx", "w, sw, zw"
    first, second = (w_part, x_part) if left else (x_part, w_part)
    what = "int8" if left else "uint8"
    if left:
        x = (x.astype(np.int64) - 128).astype(np.int8)
        wanted = wanted - 128
    zeros = (np.int8(90 - 128), np.int8(3)) if left else (np.uint8(90), np.uint8(131))
    model = graph(
        f"({what}[N,P,Q] x) => ({what}[N,R,S] y)",
        f"[q] y = QLinearMatMul({first}, {second}, sy, zy)",
        sx=np.float32(0.02),
        zx=zeros[0],
        w=np.ascontiguousarray(w),
        sw=scale_w,
        zw=np.asarray(zero_w, np.int8),
        sy=np.asarray([0.7], np.float32),
        zy=np.asarray([zeros[1]]),
    )
    found = on_crossbars(model, {"x": np.ascontiguousarray(x)})
    assert_within_a_step(found, wanted)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("floats", [False, True], ids=["quantised", "floats"])
@pytest.mark.parametrize("per_channel", [False, True])
def test_qgemm_is_its_definition(per_channel: bool, floats: bool, transposed: bool) -> None:
    columns = (6,) if per_channel else ()
    x, w = integers(1, np.uint8, 9, 20), integers(2, np.int8, 20, 6)
    scale_w, zero_w = scales(3, *columns), np.zeros(columns, np.int8)
    bias = np.arange(-3000, 3000, 1000, dtype=np.int32)
    step = np.float64(scale_w) * 0.02 * 0.5
    exact = ((x.astype(np.int64) - 90) @ w.astype(np.int64) + bias) * step
    result = "float" if floats else "uint8"
    model = graph(
        f"(uint8[N,20] x) => ({result}[N,6] y)",
        f"[q] y = com.microsoft.QGemm<alpha=0.5, transB={int(transposed)}>"
        f"(x, sx, zx, w, sw, zw, b{'' if floats else ', sy, zy'})",
        sx=np.float32(0.02),
        zx=np.uint8(90),
        w=np.ascontiguousarray(w.T) if transposed else w,
        sw=scale_w,
        zw=zero_w,
        b=bias,
        **({} if floats else {"sy": np.float32(0.3), "zy": np.uint8(131)}),
    )
    found = on_crossbars(model, {"x": x})
    if floats:
        assert np.abs(found - exact).max() <= 1e-5 * np.abs(exact).max()
    else:
        assert_within_a_step(found, rounded(exact, 0.3, 131, np.uint8))


@pytest.mark.parametrize("bias", [False, True])
def test_matmul_integer_to_float_is_its_definition(bias: bool) -> None:
    x, w, scale_w = integers(1, np.uint8, 9, 20), integers(2, np.int8, 20, 6), scales(3, 6)
    added = random(4, 6) * 10
    zero_w = integers(5, np.int8, 6)
    model = graph(
        "(uint8[N,20] x) => (float[N,6] y)",
        f"[q] y = com.microsoft.MatMulIntegerToFloat(x, w, sx, sw, zx, zw{', b' if bias else ''})",
        sx=np.float32(0.02),
        zx=np.uint8(90),
        w=w,
        sw=scale_w,
        zw=zero_w,
        **({"b": added} if bias else {}),
    )
    exact = (x.astype(np.int64) - 90) @ (w.astype(np.int64) - zero_w) * (scale_w * 0.02)
    wanted = exact + (added if bias else 0)
    found = on_crossbars(model, {"x": x})
    assert np.abs(found - wanted).max() <= 1e-5 * np.abs(wanted).max()


@pytest.mark.parametrize("bias", [False, True])
def test_dynamic_quantize_matmul_is_its_definition(bias: bool) -> None:
    x, w, scale_w, added = random(1, 9, 20), integers(2, np.int8, 20, 6), scales(3, 6), random(4, 6)
    model = graph(
        "(float[N,20] x) => (float[N,6] y)",
        f"[q] y = com.microsoft.DynamicQuantizeMatMul(x, w, sw{', , b' if bias else ''})",
        w=w,
        sw=scale_w,
        **({"b": added} if bias else {}),
    )
    # Source: ONNX's DynamicQuantizeLinear.
    low, high = min(x.min(), 0), max(x.max(), 0)
    step = np.float32((high - low) / np.float32(255))
    zero = np.rint(np.clip(-low / step, 0, 255))
    codes = np.clip(np.rint(x / step) + zero, 0, 255)
    wanted = (codes - zero) @ w.astype(np.float64) * (np.float64(step) * scale_w)
    wanted = wanted + (added if bias else 0)
    found = on_crossbars(model, {"x": x})
    assert np.abs(found - wanted).max() <= 1e-5 * np.abs(wanted).max()


def test_integers_that_are_cast_to_floats_are_not_rounded() -> None:
    """The digital part sees the analog value; integers that it reads or gives are rounded."""
    nodes = "[q] i = MatMulInteger(x, w) [c] y = Cast<to=1>(i)"
    signature = "(uint8[N,20] x) => (float[N,6] y)"
    w = integers(2, np.int8, 20, 6)
    once = load_network(graph(signature, nodes, w=w)).model
    assert "Round" not in {node.op_type for node in once.graph.node}
    read = graph(
        "(uint8[N,20] x) => (float[N,6] y, int32[N,6] z)", f"{nodes} [a] z = Add(i, i)", w=w
    )
    given = graph("(uint8[N,20] x) => (float[N,6] y, int32[N,6] i)", nodes, w=w)
    x = integers(1, np.uint8, 9, 20)
    whole = x.astype(np.int64) @ w.astype(np.int64)
    for model, factor in ((read, 2), (given, 1)):
        network = load_network(model)
        assert "Round" in {node.op_type for node in network.model.graph.node}
        coarse = patched(network, {"x": x}, "device.n_bits=3")
        floats, integral = run(coarse, {"x": x})
        assert np.array_equal(integral, factor * floats)
        assert np.array_equal(floats, np.rint(floats))
        assert not np.array_equal(floats, whole)  # the levels are felt
    # 15 steps: the largest weight, 126, is no multiple of them.
    coarse = patched(load_network(graph(signature, nodes, w=w)), {"x": x}, "device.n_bits=4")
    (floats,) = run(coarse, {"x": x})
    assert not np.array_equal(floats, np.rint(floats))


def test_a_type_that_the_file_states_for_integers_does_not_stand_in_the_way() -> None:
    model = graph(
        "(uint8[N,20] x) => (float[N,6] y)",
        "[q] i = MatMulInteger(x, w) [c] y = Cast<to=1>(i)",
        w=integers(2, np.int8, 20, 6),
    )
    stated = helper.make_tensor_value_info("i", TensorProto.INT32, ["N", 6])
    model.graph.value_info.append(stated)
    x = {"x": integers(1, np.uint8, 9, 20)}
    found, (wanted,) = on_crossbars(model, x), run(model, x)
    assert np.abs(found - wanted).max() <= 1e-6 * np.abs(wanted).max()


# --- what stays digital -------------------------------------------------------------------------

_PARTS = {"sx": np.float32(0.02), "zx": np.uint8(9), "sw": np.float32(0.01), "zw": np.int8(0)}
_W = integers(2, np.int8, 20, 6)
MORE = "h = DequantizeLinear(y, sy, zy) [layer] o = MatMul(h, v)"
DIGITAL: dict[str, tuple[str, str, dict[str, Any], str, int]] = {
    "MatMulInteger": (
        "int8[20,6] w",
        "[q] i = MatMulInteger(x, w) y = Cast<to=3>(i)",
        {"zy": np.int8(0)},
        "product of two activations",
        9 * 20 * 6,
    ),
    "QLinearMatMul": (
        "int8[20,6] w",
        "[q] y = QLinearMatMul(x, sx, zx, w, sw, zw, sy, zy)",
        {"zy": np.uint8(3)},
        "product of two activations",
        9 * 20 * 6,
    ),
    "MatMulIntegerToFloat": (
        "float[1] sw",
        "[q] f = com.microsoft.MatMulIntegerToFloat(x, w, sx, sw, zx, zw) "
        "y = QuantizeLinear(f, sy, zy)",
        {"w": _W, "zy": np.uint8(3)},
        "the scale or zero point of its weights is computed",
        9 * 20 * 6,
    ),
}


@pytest.mark.parametrize("op", DIGITAL)
def test_what_cannot_be_mapped_stays_digital_counted_and_with_a_reason(op: str) -> None:
    second, nodes, constants, reason, macs = DIGITAL[op]
    parts = {**_PARTS, "sy": np.float32(0.5), "v": random(3, 6, 4), **constants}
    parts = {name: value for name, value in parts.items() if f" {name}" not in second}
    model = graph(f"(uint8[9,20] x, {second}) => (float[9,4] o)", f"{nodes} {MORE}", **parts)
    network = load_network(model)
    assert [layer.name for layer in network.layers] == ["layer"]
    (node,) = [node for node in network.digital if node.name == "q"]
    assert (node.op, node.reason) == (op, reason)
    shapes = {
        value.name: tuple(axis.dim_value for axis in value.type.tensor_type.shape.dim)
        for value in model.graph.input
    }
    assert count_work(network.model, shapes).macs["q"] == macs
    feeds: Tensors = {"x": integers(1, np.uint8, 9, 20)}
    feeds |= {"w": _W} if "w" in second.split() else {"sw": np.asarray([0.01], np.float32)}
    assert np.array_equal(run(network.model, feeds)[0], run(model, feeds)[0])


# --- weights behind DequantizeLinear ------------------------------------------------------------

_NARROW = np.random.default_rng(0).integers(-8, 8, (32, 8))
_BYTES = np.random.default_rng(1).integers(-128, 128, (32, 8))
_REAL = np.random.default_rng(2).standard_normal((32, 8))
_SCALE, _BLOCKS = scales(5, 8), scales(6, 4, 8)
# name: type, values, attributes, scale, zero point
WEIGHTS: dict[str, tuple[int, np.ndarray, str, Any, Any]] = {
    "int8 a channel": (TensorProto.INT8, _BYTES, "<axis=1>", _SCALE, None),
    "int8 a tensor": (TensorProto.INT8, _BYTES, "", np.float32(0.02), 5),
    "int8 a block": (TensorProto.INT8, _BYTES, "<axis=0, block_size=8>", _BLOCKS, None),
    "int4 a channel": (TensorProto.INT4, _NARROW, "<axis=1>", _SCALE, None),
    "uint4 a block": (TensorProto.UINT4, _NARROW + 8, "<axis=0, block_size=8>", _BLOCKS, 8),
    "int16": (TensorProto.INT16, _BYTES * 99, "<axis=1>", _SCALE, None),
    "uint16": (TensorProto.UINT16, _BYTES * 99 + 13000, "", np.float32(0.001), 13000),
    "int32": (TensorProto.INT32, _BYTES * 999, "", np.float32(0.001), None),
    "float8 e4m3fn": (TensorProto.FLOAT8E4M3FN, _REAL, "", np.float32(0.02), None),
    "float8 e5m2": (TensorProto.FLOAT8E5M2, _REAL, "", np.float32(0.02), None),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_of_every_type_are_the_floats_that_they_stand_for(name: str) -> None:
    kind, values, given, scale, zero = WEIGHTS[name]
    model = graph(
        "(float[N,32] x) => (float[N,8] y)",
        f"w = DequantizeLinear{given}(q, s{'' if zero is None else ', z'}) [fc] y = MatMul(x, w)",
        opset=21,
        s=scale,
    )
    stored = model.graph.initializer
    stored.append(helper.make_tensor("q", kind, values.shape, values.ravel()))
    if zero is not None:
        shape = np.shape(scale)
        stored.append(helper.make_tensor("z", kind, shape, [zero] * int(np.prod(shape))))
    feeds = {"x": random(3, 5, 32)}
    (wanted,) = ReferenceEvaluator(model).run(None, feeds)
    for found in (run(model, feeds)[0], on_crossbars(model, feeds)):
        assert np.abs(found - wanted).max() <= 1e-6 * np.abs(wanted).max()


def test_weights_that_are_quantised_and_dequantised_are_constants() -> None:
    w = random(1, 8, 3, 3, 3)
    scale, zero = scales(2, 8), np.zeros(8, np.int8)
    model = graph(
        "(float[N,3,6,6] x) => (float[N,8,4,4] y)",
        "q = QuantizeLinear<axis=0>(w, s, z) f = DequantizeLinear<axis=0>(q, s, z) "
        "c = DequantizeLinear<axis=0>(b, s) [conv] y = Conv(x, f, c)",
        w=w,
        s=scale,
        z=zero,
        b=np.arange(8, dtype=np.int32) * 100,
    )
    network = load_network(model)
    assert [layer.name for layer in network.layers] == ["conv"]
    assert [node.op_type for node in network.model.graph.node] == ["Conv"]
    across = scale[:, None, None, None]
    wanted = np.clip(np.rint(w / across), -128, 127) * across
    assert np.array_equal(network.layers[0].matrices[0], wanted.reshape(8, -1).T)


# --- float32 is what the file says --------------------------------------------------------------


def test_floats_behind_dequantised_weights_are_floats() -> None:
    """onnxruntime by itself quantises the activations: 0.5 % off."""
    scale, w = scales(1, 8), integers(2, np.int8, 16, 8)
    model = graph(
        "(float[N,16] x) => (float[N,8] y)",
        "w = DequantizeLinear<axis=1>(q, s, z) [fc] y = MatMul(x, w)",
        q=w,
        s=scale,
        z=np.zeros(8, np.int8),
    )
    x = random(3, 50, 16)
    wanted = x.astype(np.float64) @ (w * scale.astype(np.float64))
    assert np.abs(run(model, {"x": x})[0] - wanted).max() <= 1e-6 * np.abs(wanted).max()


SATURATING = {
    "MatMulInteger": ("int32", "MatMulInteger(x, w)"),
    "QLinearMatMul": ("uint8", "QLinearMatMul(x, one, zx, w, one, zw, sy, zx)"),
    "QGemm": ("uint8", "com.microsoft.QGemm(x, one, zx, w, one, zw, , sy, zx)"),
    "QLinearConv": ("uint8", "QLinearConv(x, one, zx, w, one, zw, sy, zx)"),
    "QLinearConv of int8": ("int8", "QLinearConv(x, one, zx, w, one, zw, sy, zx)"),
    "MatMulIntegerToFloat": ("float", "com.microsoft.MatMulIntegerToFloat(x, w, one, one)"),
}


@pytest.mark.parametrize("name", SATURATING)
def test_integer_products_do_not_saturate_on_the_way(name: str) -> None:
    """Sums of pairs of uint8 x int8 pass 16 bits: processors without VNNI cut them off by default."""
    result, node = SATURATING[name]
    rng = np.random.default_rng(1)
    kind = np.int8 if result == "int8" else np.uint8
    x = rng.integers(100, np.iinfo(kind).max + 1, (5, 64)).astype(kind)
    w = rng.integers(100, 128, (64, 8)).astype(np.int8)
    exact = x.astype(np.int64) @ w.astype(np.int64)
    is_conv = name.startswith("QLinearConv")
    more, place = (",1", "[:, :, None]") if is_conv else ("", "")
    step = np.float32(exact.max() / 120)
    what = "int8" if kind is np.int8 else "uint8"
    model = graph(
        f"({what}[N,64{more}] x) => ({result}[N,8{more}] y)",
        f"y = {node}",
        w=np.ascontiguousarray(w.T[:, :, None]) if is_conv else w,
        one=np.float32(1),
        zx=kind(0),
        zw=np.int8(0),
        sy=step,
    )
    (found,) = run(model, {"x": x[:, :, None] if place else x})
    found = found.reshape(5, 8)
    wanted = exact if result in ("int32", "float") else np.rint(exact / step)
    assert np.abs(found - wanted).max() <= 1e-6 * np.abs(wanted).max()


# --- the model's own input ranges ---------------------------------------------------------------


def int8_network(kind: type, zero: int) -> onnx.ModelProto:
    """Return a quantised network whose inputs have a zero point, and a layer behind a Relu."""
    what = np.dtype(kind).name
    return graph(
        f"({what}[N,20] x) => (float[N,4] y)",
        "[first] a = QLinearMatMul(x, s, z, w, sw, zw, sy, zy) d = DequantizeLinear(a, sy, zy) "
        "r = Relu(d) q = QuantizeLinear(r, sr, zr) f = DequantizeLinear(q, sr, zr) "
        "t = Unsqueeze(f, axis) u = Squeeze(t, axis) [second] y = MatMul(u, v)",
        s=np.float32(0.05),
        z=kind(zero),
        w=integers(2, np.int8, 20, 12),
        sw=np.float32(0.01),
        zw=np.int8(0),
        sy=np.float32(0.2),
        zy=kind(zero),
        sr=np.float32(0.06),
        zr=np.uint8(0),
        v=random(3, 12, 4),
        axis=np.asarray([1]),
    )


@pytest.mark.parametrize(("kind", "zero"), [(np.int8, 0), (np.uint8, 128)])
def test_dacs_of_eight_bits_carry_the_integers_of_the_model_exactly(kind: type, zero: int) -> None:
    model = int8_network(kind, zero)
    middle = np.random.default_rng(5).integers(-127, 128, (40, 20)) // 3 + zero
    feeds: Tensors = {"x": middle.astype(kind)}
    (wanted,) = run(model, feeds)
    scale = np.abs(wanted).max()
    found = on_crossbars(model, feeds, "dac.n_bits=8", "input.range=model")
    assert np.abs(found - wanted).max() <= 1e-6 * scale
    calibrated = on_crossbars(model, feeds, "dac.n_bits=8")
    assert np.abs(calibrated - wanted).max() > 1e-3 * scale
    coarse = on_crossbars(model, feeds, "dac.n_bits=7", "input.range=model")
    assert np.abs(coarse - wanted).max() > 1e-3 * scale


# zero point, type: x_max in steps, whether signed
STATED: dict[str, tuple[type, int, int, bool]] = {
    "int8": (np.int8, 0, 127, True),
    "int8, all of one sign": (np.int8, -128, 255, False),
    "int8, not in the middle": (np.int8, 28, 156, True),
    "uint8": (np.uint8, 0, 255, False),
    "uint8 in the middle": (np.uint8, 128, 127, True),
    "uint8, not in the middle": (np.uint8, 100, 155, True),
    "uint8, all below 0": (np.uint8, 255, 255, True),
    "int16": (np.int16, 0, 32767, True),
    "uint16": (np.uint16, 0, 65535, False),
}


@pytest.mark.parametrize("name", STATED)
def test_the_stated_range_is_that_of_the_integers(name: str) -> None:
    kind, zero, steps, signed = STATED[name]
    model = graph(
        "(float[N,20] x) => (float[N,4] y)",
        "q = QuantizeLinear(x, s, z) f = DequantizeLinear(q, s, z) [fc] y = MatMul(f, w)",
        opset=21,
        s=np.float32(0.25),
        z=kind(zero),
        w=random(1, 20, 4),
    )
    network = load_network(model)
    assert stated_ranges(network.model, network.layers) == {"fc": StatedRange(steps / 4, signed)}


UNSTATED = {
    "floats": "f = Relu(x)",
    "a computed scale": "q, s, z = DynamicQuantizeLinear(x) f = DequantizeLinear(q, s, z)",
    "a scale for each channel": "q = QuantizeLinear(x, m, n) f = DequantizeLinear(q, m, n)",
    "an activation behind": "q = QuantizeLinear(x, c, n0) d = DequantizeLinear(q, c, n0) f = Relu(d)",
}


@pytest.mark.parametrize("name", UNSTATED)
def test_a_layer_without_a_stated_range_is_calibrated_and_named(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = graph(
        "(float[N,20] x) => (float[N,4] y)",
        f"{UNSTATED[name]} [fc] y = MatMul(f, w)",
        w=random(1, 20, 4),
        m=scales(2, 20),
        n=np.zeros(20, np.int8),
        c=np.float32(0.02),
        n0=np.int8(0),
    )
    onnx.save(model, tmp_path / "net.onnx")
    results = {}
    for how in ("model", "calibrated"):
        settings = rxsim.settings(changes={"input.range": how, "calibration.samples": 4})
        study = open_study(tmp_path / "net.onnx", settings, DataOptions())
        assert study.calibrated_instead() == (["fc"] if how == "model" else [])
        results[how] = input_ranges(study)["fc"]
    assert results["model"] == results["calibrated"]
    words = ["eval", str(tmp_path / "net.onnx"), "--limit", "4", "--set", "calibration.samples=4"]
    for how, said in (("model", True), ("calibrated", False)):
        with pytest.raises(SystemExit) as done:
            main([*words, "--set", f"input.range={how}"])
        assert not done.value.code
        assert ("states no range for the inputs of fc" in capsys.readouterr().out) == said


def test_an_encoding_counts_the_stated_range_and_a_calibration_keeps_it() -> None:
    settings = rxsim.settings(
        changes={"input.range": "model", "dac.n_bits": 8, "input.encoding": "bit_serial"}
    )
    model = int8_network(np.int8, 0)
    data = {"x": integers(1, np.int8, 30, 20)}
    kept = rxsim.calibration(model, settings, data=data)
    assert [kept.input_range(name).x_max for name in ("first", "second")] == pytest.approx(
        [0.05 * 127, 0.06 * 255]
    )


BODIES = {
    "If": "c1 = Cast<to=9>(flag) c = Squeeze(c1) y = If(c) "
    "<then_branch = a () => (int32[P,Q] o) { [m] o = MatMulInteger(x, w) }, "
    "else_branch = b () => (int32[P,Q] e) { z = Cast<to=6>(x) e = Slice(z, from, to, axis) }>",
    "Loop": "once = Constant<value = int64 {1}>() go = Constant<value = bool {1}>() "
    "z = Cast<to=6>(x) first = Slice(z, from, to, axis) y = Loop(once, go, first) <body = b "
    "(int64 i, bool on, int32[P,Q] old) => (bool still, int32[P,Q] o) "
    "{ still = Identity(on) [m] o = MatMulInteger(x, w) }>",
}


@pytest.mark.parametrize("body", BODIES)
def test_products_in_bodies_do_not_saturate_and_are_mapped(body: str) -> None:
    """onnxruntime's own key does not reach weights that a body takes from outside."""
    x = np.random.default_rng(1).integers(200, 256, (5, 64)).astype(np.uint8)
    w = np.random.default_rng(2).integers(100, 128, (64, 8)).astype(np.int8)
    model = graph(
        "(uint8[N,64] x, float[1] flag) => (int32[P,Q] y)",
        BODIES[body],
        w=w,
        **{"from": np.array([0]), "to": np.array([8]), "axis": np.array([1])},
    )
    feeds: Tensors = {"x": x, "flag": np.ones(1, np.float32)}
    exact = x.astype(np.int64) @ w.astype(np.int64)
    network = load_network(model)
    assert [(layer.name, layer.op) for layer in network.layers] == [("m", "MatMulInteger")]
    assert np.array_equal(run(network.original, feeds)[0], exact)
    assert np.array_equal(run(patched(network, feeds), feeds)[0], exact)


def test_unsigned_and_signed_products_side_by_side_are_exact() -> None:
    """Where int8 activations stand in a file, onnxruntime finds no kernels with its own key."""
    rng = np.random.default_rng(1)
    x, w = rng.integers(200, 256, (5, 64)).astype(np.uint8), rng.integers(100, 128, (64, 8))
    model = graph(
        "(uint8[N,64] x) => (uint8[N,8] y, int8[N,8] v)",
        "y = QLinearMatMul(x, one, zx, w, one, zw, sy, zx) [to] d = Cast<to=3>(h) h = Div(x, two) "
        "v = QLinearMatMul(d, one, zw, w, one, zw, sy, zw)",
        w=w.astype(np.int8),
        one=np.float32(1),
        two=np.uint8(2),
        zx=np.uint8(0),
        zw=np.int8(0),
        sy=np.float32(64 * 255),
    )
    model.graph.node.insert(1, model.graph.node.pop(2))
    original = load_network(model).original
    assert "w" in {tensor.name for tensor in original.graph.initializer}
    for found, values in zip(run(original, {"x": x}), (x, x // 2), strict=True):
        exact = values.astype(np.int64) @ w
        assert np.array_equal(found, np.rint(exact / (64 * 255)))


MISFITS = {
    "too few scales": "QLinearMatMul(x, s, u, w, five, i, s, u)",
    "too many zero points": "QLinearMatMul(x, s, u, w, s, i7, s, u)",
    "scales of too many axes": "QLinearMatMul(x, s, u, w, cube, i, s, u)",
    "QGemm": "com.microsoft.QGemm(x, s, u, w, five, i, , s, u)",
    "an addend": "com.microsoft.QGemm(x, s, u, w, s, i, b, s, u)",
}


@pytest.mark.parametrize("name", MISFITS)
def test_scales_that_do_not_fit_their_weights_are_told(name: str) -> None:
    model = graph(
        "(uint8[N,20] x) => (uint8[N,6] y)",
        f"[q] y = {MISFITS[name]}",
        w=_W,
        s=np.float32(0.1),
        u=np.uint8(3),
        i=np.int8(0),
        i7=np.zeros(7, np.int8),
        five=scales(1, 5),
        cube=scales(1, 2, 2, 6),
        b=np.zeros(5, np.int32),
    )
    with pytest.raises(ModelError, match=r"do not fit \w+ of shape|does not fit 6 columns"):
        load_network(model)


def test_a_bias_that_does_not_fit_its_weights_is_told() -> None:
    model = graph(
        "(uint8[N,4,5,5] x) => (uint8[N,6,3,3] y)",
        "[q] y = QLinearConv(x, s, u, w, s, i, s, u, b)",
        w=integers(2, np.int8, 6, 4, 3, 3),
        s=np.float32(0.1),
        u=np.uint8(3),
        i=np.int8(0),
        b=np.zeros(7, np.int32),
    )
    with pytest.raises(ModelError, match=r"do not fit b of shape \[7\]"):
        load_network(model)
