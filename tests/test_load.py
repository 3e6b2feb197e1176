"""Normalisation keeps what a network computes, and finds the layers that a crossbar can hold."""

import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper, parser

from rxsim.errors import ModelError
from rxsim.load import Network, load_network
from rxsim.load.macs import count_work
from rxsim.load.passes.bodies import nodes_looked_at

Arrays = dict[str, np.ndarray]
Shapes = dict[str, tuple[int, ...]]
Expected = Callable[[Arrays], list[tuple[str, np.ndarray]]]
ASSETS = os.environ.get("RXSIM_ASSETS")
needs_assets = pytest.mark.skipif(
    not ASSETS, reason="RXSIM_ASSETS is not set: it names the folder of real networks"
)
TOLERANCE = {np.dtype(np.float16): 4e-3, np.dtype(np.float64): 1e-5, np.dtype(np.float32): 1e-5}


@dataclass(frozen=True)
class Form:
    """A network in one form.

    `shapes` gives its random weights; names that start with `var` are positive. `layers` lists the
    expected names and matrices; `digital` maps matrix nodes to words of the reason.
    """

    inputs: str
    outputs: str
    body: str
    shapes: Shapes
    layers: Expected
    digital: dict[str, str] = field(default_factory=dict)
    opset: int = 17
    ir: int = 8
    dtype: type = np.float32
    functions: str = ""

    def weights(self) -> Arrays:
        rng = np.random.default_rng(zlib.crc32(self.body.encode()))
        made: Arrays = {}
        for name, shape in self.shapes.items():
            value = rng.standard_normal(shape)
            if name.startswith("var"):
                value = np.abs(value) + 0.5
            kind = np.int8 if name.startswith("int8") else self.dtype
            if kind is np.int8:
                value = np.clip(np.round(40 * value), -127, 127)
            made[name] = np.asarray(value).astype(kind)
        return made

    def model(self) -> onnx.ModelProto:
        model = parser.parse_model(
            f'<ir_version: {self.ir}, opset_import: ["" : {self.opset}, '
            '"local" : 1, "com.microsoft" : 1]>\n'
            f"agraph ({self.inputs}) => ({self.outputs}) {{ {self.body} }}\n{self.functions}"
        )
        for node in model.graph.node:
            node.name = node.name.replace("_", ".")
        for name, value in self.weights().items():
            model.graph.initializer.append(numpy_helper.from_array(value, name))
        return model


def conv_matrix(weight: np.ndarray, groups: int = 1) -> np.ndarray:
    """Groups x K x N by plain loops: channel first, then kernel position."""
    per_group = weight.shape[0] // groups
    positions = list(np.ndindex(*weight.shape[2:]))
    matrix = np.empty((groups, weight.shape[1] * len(positions), per_group))
    for output in range(weight.shape[0]):
        for channel in range(weight.shape[1]):
            for place, position in enumerate(positions):
                value = weight[(output, channel, *position)]
                group, column = divmod(output, per_group)
                matrix[group, channel * len(positions) + place, column] = value
    return matrix


def normalised(weights: Arrays, suffix: str = "", epsilon: float = 1e-5) -> np.ndarray:
    """What a BatchNormalization multiplies each channel by."""
    variance = weights[f"var{suffix}"].astype(np.float64)
    return weights[f"gamma{suffix}"] / np.sqrt(variance + epsilon)


def scaled_conv(weight: np.ndarray, factor: np.ndarray, groups: int = 1) -> np.ndarray:
    shape = (-1, *(1 for _ in weight.shape[1:]))
    return conv_matrix(weight * factor.reshape(shape), groups)


def norm(channels: int, suffix: str = "") -> Shapes:
    return {f"{name}{suffix}": (channels,) for name in ("gamma", "beta", "mean", "var")}


BN = "BatchNormalization"
IMAGE, MAP = "float[N,4,7,6] x", "float[N,C,H,W] y"
ROWS, TABLE = "float[N,9] x", "float[N,M] y"
C1: Shapes = {"w": (6, 4, 3, 3)}


def plain(name: str, groups: int = 1) -> Expected:
    return lambda w: [(name, conv_matrix(w["w"], groups))]


def matrix(name: str, turn: bool = False, alpha: float = 1.0) -> Expected:
    return lambda w: [(name, alpha * (w["w"].T if turn else w["w"])[None])]


def matrix_of(weight: str, name: str) -> Expected:
    return lambda w: [(name, w[weight][None])]


def quantised(values: np.ndarray, scale: float, zero: int) -> np.ndarray:
    codes = np.round(values / np.float32(scale)) + zero
    return np.asarray(np.clip(codes, -128, 127))


def bfloat16(values: np.ndarray) -> np.ndarray:
    """Round to the upper 16 bits, ties to even."""
    bits = values.astype(np.float32).view(np.uint32).astype(np.uint64)
    rounded = (bits + 0x7FFF + ((bits >> np.uint64(16)) & np.uint64(1))) & np.uint64(0xFFFF0000)
    return rounded.astype(np.uint32).view(np.float32)


NORM_FORMS = {
    "batchnorm after conv without bias": Form(
        IMAGE,
        MAP,
        f"[c] t = Conv(x, w) [n] y = {BN}<epsilon=0.01>(t, gamma, beta, mean, var)",
        C1 | norm(6),
        lambda w: [("c", scaled_conv(w["w"], normalised(w, epsilon=0.01)))],
    ),
    "batchnorm after conv with bias": Form(
        IMAGE,
        MAP,
        f"[c] t = Conv(x, w, b) [n] s = {BN}(t, gamma, beta, mean, var) y = Relu(s)",
        C1 | norm(6) | {"b": (6,)},
        lambda w: [("c", scaled_conv(w["w"], normalised(w)))],
    ),
    "batchnorm after grouped conv": Form(
        IMAGE,
        MAP,
        f"[c] t = Conv<group=2>(x, w, b) [n] y = {BN}(t, gamma, beta, mean, var)",
        {"w": (6, 2, 3, 3), "b": (6,)} | norm(6),
        lambda w: [("c", scaled_conv(w["w"], normalised(w), 2))],
    ),
    "batchnorm after depthwise conv": Form(
        IMAGE,
        MAP,
        f"[c] t = Conv<group=4, pads=[1,1,1,1]>(x, w) [n] y = {BN}(t, gamma, beta, mean, var)",
        {"w": (4, 1, 3, 3)} | norm(4),
        lambda w: [("c", scaled_conv(w["w"], normalised(w), 4))],
    ),
    "batchnorm after gemm with alpha, beta and transB": Form(
        ROWS,
        TABLE,
        "[g] t = Gemm<alpha=0.5, beta=-1.5, transB=1>(x, w, b) "
        f"[n] y = {BN}(t, gamma, beta, mean, var)",
        {"w": (5, 9), "b": (5,)} | norm(5),
        lambda w: [("g", 0.5 * (w["w"].T * normalised(w))[None])],
    ),
    "batchnorm after gemm without C": Form(
        ROWS,
        TABLE,
        f"[g] t = Gemm(x, w) [n] y = {BN}(t, gamma, beta, mean, var)",
        {"w": (9, 5)} | norm(5),
        lambda w: [("g", (w["w"] * normalised(w))[None])],
    ),
    "batchnorm after gemm with a scalar C": Form(
        ROWS,
        TABLE,
        f"[g] t = Gemm<beta=2.0>(x, w, b) [n] y = {BN}(t, gamma, beta, mean, var)",
        {"w": (9, 5), "b": ()} | norm(5),
        lambda w: [("g", (w["w"] * normalised(w))[None])],
    ),
    "batchnorm after gemm with transA": Form(
        "float[9,3] x",
        TABLE,
        f"[g] t = Gemm<transA=1>(x, w, b) [n] y = {BN}(t, gamma, beta, mean, var)",
        {"w": (9, 5), "b": (1, 5)} | norm(5),
        lambda w: [("g", (w["w"] * normalised(w))[None])],
    ),
    "batchnorm after gemm with constant A": Form(
        "float[9,6] x",
        TABLE,
        f"[g] t = Gemm(w, x) [n] y = {BN}(t, gamma, beta, mean, var)",
        {"w": (5, 9)} | norm(6),
        matrix("g", turn=True),
        {"n": "normalisation"},
    ),
    "two batchnorms in a row": Form(
        IMAGE,
        MAP,
        f"[c] t = Conv(x, w) [n1] s = {BN}(t, gamma1, beta1, mean1, var1) "
        f"[n2] y = {BN}(s, gamma2, beta2, mean2, var2)",
        C1 | norm(6, "1") | norm(6, "2"),
        lambda w: [("c", scaled_conv(w["w"], normalised(w, "1") * normalised(w, "2")))],
    ),
    "batchnorm whose conv is read elsewhere": Form(
        IMAGE,
        MAP,
        f"[c] t = Conv(x, w) [n] s = {BN}(t, gamma, beta, mean, var) y = Add(s, t)",
        C1 | norm(6),
        plain("c"),
        {"n": "normalisation"},
    ),
    "batchnorm whose conv is a graph output": Form(
        IMAGE,
        f"{MAP}, float[N,C,H,W] t",
        f"[c] t = Conv(x, w) [n] y = {BN}(t, gamma, beta, mean, var)",
        C1 | norm(6),
        plain("c"),
        {"n": "normalisation"},
    ),
    "batchnorm before conv": Form(
        IMAGE,
        MAP,
        f"[n] t = {BN}(x, gamma, beta, mean, var) [c] y = Conv(t, w)",
        C1 | norm(4),
        lambda w: [("c", conv_matrix(w["w"] * normalised(w).reshape(1, 4, 1, 1)))],
    ),
    "batchnorm before conv with pads": Form(
        IMAGE,
        MAP,
        f"[n] t = {BN}(x, gamma, beta, mean, var) [c] y = Conv<pads=[0,1,0,1]>(t, w)",
        C1 | norm(4),
        plain("c"),
        {"n": "pads"},
    ),
    "batchnorm with statistics from outside": Form(
        f"{IMAGE}, float[6] mean",
        MAP,
        f"[c] t = Conv(x, w) [n] y = {BN}(t, gamma, beta, mean, var)",
        C1 | {"gamma": (6,), "beta": (6,), "var": (6,)},
        plain("c"),
        {"n": "normalisation"},
    ),
    "batchnorm after conv with a bias from outside": Form(
        f"{IMAGE}, float[6] b",
        MAP,
        f"[c] t = Conv(x, w, b) [n] y = {BN}(t, gamma, beta, mean, var)",
        C1 | norm(6),
        plain("c"),
        {"n": "normalisation"},
    ),
    "shared weights, one conv with batchnorm": Form(
        IMAGE,
        MAP,
        f"[c1] t = Conv(x, w, b) [n] s = {BN}(t, gamma, beta, mean, var) "
        "[c2] u = Conv(x, w, b) y = Add(s, u)",
        C1 | norm(6) | {"b": (6,)},
        lambda w: [
            ("c1", scaled_conv(w["w"], normalised(w))),
            ("c2", conv_matrix(w["w"])),
        ],
    ),
    "batchnorm of opset 7": Form(
        IMAGE,
        MAP,
        f"[c] t = Conv(x, w) [n] y = {BN}(t, gamma, beta, mean, var)",
        C1 | norm(6),
        lambda w: [("c", scaled_conv(w["w"], normalised(w)))],
        opset=7,
        ir=4,
    ),
}

CONV_FORMS = {
    "conv with strides, dilations and pads": Form(
        IMAGE,
        MAP,
        "[c] y = Conv<strides=[2,1], dilations=[1,2], pads=[1,0,2,3]>(x, w, b)",
        C1 | {"b": (6,)},
        plain("c"),
    ),
    "conv with auto_pad SAME_UPPER": Form(
        IMAGE,
        MAP,
        '[c] y = Conv<auto_pad="SAME_UPPER", strides=[2,2]>(x, w, b)',
        {"w": (6, 4, 3, 4), "b": (6,)},
        plain("c"),
    ),
    "conv with auto_pad SAME_LOWER": Form(
        IMAGE, MAP, '[c] y = Conv<auto_pad="SAME_LOWER">(x, w)', {"w": (6, 4, 2, 4)}, plain("c")
    ),
    "conv with auto_pad VALID": Form(
        IMAGE, MAP, '[c] y = Conv<auto_pad="VALID", strides=[2,1]>(x, w)', C1, plain("c")
    ),
    "grouped conv": Form(
        IMAGE,
        MAP,
        "[c] y = Conv<group=2, pads=[1,1,1,1], kernel_shape=[3,3]>(x, w, b)",
        {"w": (10, 2, 3, 3), "b": (10,)},
        plain("c", 2),
    ),
    "conv of one axis": Form(
        "float[N,5,11] x",
        "float[N,C,L] y",
        "[c] y = Conv<strides=[2], pads=[1,2]>(x, w, b)",
        {"w": (6, 5, 3), "b": (6,)},
        plain("c"),
    ),
    "conv of three axes": Form(
        "float[N,2,4,5,6] x",
        "float[N,C,D,H,W] y",
        "[c] y = Conv<pads=[1,0,1,1,0,1]>(x, w, b)",
        {"w": (5, 2, 3, 2, 3), "b": (5,)},
        plain("c"),
    ),
    "conv with a bias from outside": Form(
        f"{IMAGE}, float[6] b", MAP, "[c] y = Conv(x, w, b)", C1, plain("c")
    ),
    "conv with weights from outside": Form(
        f"{IMAGE}, float[6,4,3,3] v",
        MAP,
        "[d] t = Conv(x, v) [c] y = Conv(t, w)",
        {"w": (3, 6, 1, 1)},
        plain("c"),
        {"d": "product of two activations"},
    ),
    "conv of a constant with weights from outside": Form(
        f"{IMAGE}, float[6,4,3,3] v",
        MAP,
        "[d] s = Conv(k, v) [c] t = Conv(x, w) y = Add(s, t)",
        C1 | {"k": (1, 4, 7, 6)},
        plain("c"),
        {"d": "constant"},
    ),
    "transposed conv": Form(
        IMAGE,
        MAP,
        "[d] t = ConvTranspose(x, v) [c] y = Conv(t, w)",
        C1 | {"v": (4, 4, 2, 2)},
        lambda w: [("d", w["v"].reshape(1, 4, 16)), ("c", conv_matrix(w["w"]))],
    ),
    "an operator of another domain at opset 13": Form(
        IMAGE,
        MAP,
        f"[c] t = Conv(x, w) [n] s = {BN}(t, gamma, beta, mean, var) [f] y = com.microsoft.Gelu(s)",
        C1 | norm(6),
        lambda w: [("c", scaled_conv(w["w"], normalised(w)))],
        {"f": "activation"},
        opset=13,
    ),
    "an operator of another domain at opset 11": Form(
        IMAGE,
        MAP,
        "[c] t = Conv(x, w) [f] y = com.microsoft.FusedMatMul(t, v)",
        C1 | {"v": (4, 3)},
        lambda w: [("c", conv_matrix(w["w"])), ("f", w["v"][None])],
        opset=11,
    ),
    "several outputs": Form(
        IMAGE,
        "float[N,C,H,W] z, float[N,C,H,W] y",
        "[c1] z = Conv(x, w) [c2] y = Conv(z, v)",
        C1 | {"v": (2, 6, 1, 1)},
        lambda w: [("c1", conv_matrix(w["w"])), ("c2", conv_matrix(w["v"]))],
    ),
    "a fixed batch size": Form("float[3,4,7,6] x", MAP, "[c] y = Conv(x, w)", C1, plain("c")),
    "one input of two layers": Form(
        IMAGE,
        MAP,
        "[c1] s = Conv(x, w) [c2] t = Conv(x, v) y = Add(s, t)",
        C1 | {"v": (6, 4, 3, 3)},
        lambda w: [("c1", conv_matrix(w["w"])), ("c2", conv_matrix(w["v"]))],
    ),
    "a quantised convolution beside a plain one": Form(
        IMAGE,
        MAP,
        "q = Constant<value_float=0.1>() z = Constant<value=int8 {3}>() "
        "xq = QuantizeLinear(x, q, z) [d] t = ConvInteger(xq, int8_v, z) "
        "f = Cast<to=1>(t) [c] y = Conv(f, w)",
        C1 | {"int8_v": (4, 4, 1, 1)},
        lambda w: [("d", conv_matrix(w["int8_v"])), ("c", conv_matrix(w["w"]))],
    ),
}

PRODUCT_FORMS = {
    "gemm with everything": Form(
        ROWS,
        TABLE,
        "[g] y = Gemm<alpha=0.7, beta=-1.3, transB=1>(x, w, b)",
        {"w": (7, 9), "b": (7,)},
        matrix("g", turn=True, alpha=0.7),
    ),
    "gemm with a C of one row": Form(
        ROWS, TABLE, "[g] y = Gemm(x, w, b)", {"w": (9, 7), "b": (1, 7)}, matrix("g")
    ),
    "gemm with a C for each sample": Form(
        "float[3,9] x", TABLE, "[g] y = Gemm(x, w, b)", {"w": (9, 7), "b": (3, 1)}, matrix("g")
    ),
    "gemm with a C from outside": Form(
        f"{ROWS}, float[N,7] b",
        TABLE,
        "[g] y = Gemm<beta=0.25>(x, w, b)",
        {"w": (9, 7)},
        matrix("g"),
    ),
    "gemm with transA": Form(
        "float[9,3] x",
        TABLE,
        "[g] y = Gemm<transA=1, transB=1, alpha=2.0, beta=0.5>(x, w, b)",
        {"w": (7, 9), "b": (7,)},
        matrix("g", turn=True, alpha=2.0),
    ),
    "gemm with constant A": Form(
        "float[9,4] x",
        TABLE,
        "[g] y = Gemm<alpha=0.5, beta=-2.0>(w, x, b)",
        {"w": (7, 9), "b": (7, 1)},
        matrix("g", turn=True, alpha=0.5),
    ),
    "gemm with constant A, both transposed": Form(
        "float[4,9] x",
        TABLE,
        "[g] y = Gemm<transA=1, transB=1>(w, x, b)",
        {"w": (9, 7), "b": (4,)},
        matrix("g"),
    ),
    "gemm with constant A and no C": Form(
        "float[9,4] x", TABLE, "[g] y = Gemm(w, x)", {"w": (7, 9)}, matrix("g", turn=True)
    ),
    "gemm of two activations": Form(
        "float[3,9] x, float[9,4] z",
        TABLE,
        "[d] t = Gemm<transA=1, transB=1>(z, x) [g] y = Gemm<transA=1>(t, w)",
        {"w": (4, 5)},
        matrix("g"),
        {"d": "product of two activations"},
    ),
    "matmul of a table": Form(ROWS, TABLE, "[m] y = MatMul(x, w)", {"w": (9, 7)}, matrix("m")),
    "matmul of rank three": Form(
        "float[N,5,9] x", "float[N,5,M] y", "[m] y = MatMul(x, w)", {"w": (9, 7)}, matrix("m")
    ),
    "matmul of a vector": Form(
        "float[9] x", "float[M] y", "[m] y = MatMul(x, w)", {"w": (9, 7)}, matrix("m")
    ),
    "matmul with the constant left": Form(
        "float[N,9,5] x",
        "float[N,7,5] y",
        "[m] y = MatMul(w, x)",
        {"w": (7, 9)},
        matrix("m", turn=True),
    ),
    "matmul with the constant left of a graph output": Form(
        "float[N,9,5] x",
        "float[N,7,5] y, float[N,9,5] t",
        "t = Relu(x) [m] y = MatMul(w, t)",
        {"w": (7, 9)},
        matrix("m", turn=True),
    ),
    "matmul with the constant left of a vector": Form(
        "float[9] x",
        "float[M] y",
        "[d] t = MatMul(v, x) [m] y = MatMul(t, w)",
        {"v": (6, 9), "w": (6, 7)},
        lambda w: [("d", w["v"].T[None]), ("m", w["w"][None])],
    ),
    "matmul with a left constant of rank three": Form(
        "float[2,9,5] x",
        "float[N,7,5] y",
        "[d] t = MatMul(v, x) [m] y = MatMul(w, t)",
        {"v": (2, 6, 9), "w": (7, 6)},
        lambda w: [("d", w["v"].transpose(0, 2, 1)), ("m", w["w"].T[None])],
    ),
    "matmul with a right constant of rank three": Form(
        "float[2,5,9] x",
        "float[N,5,M] y",
        "[d] t = MatMul(x, v) [m] y = MatMul(t, w)",
        {"v": (2, 9, 6), "w": (6, 7)},
        lambda w: [("d", w["v"]), ("m", w["w"][None])],
    ),
    "matmul with a right constant of rank one": Form(
        "float[N,5,9] x",
        "float[N,M] y",
        "[d] t = MatMul(x, v) [m] y = MatMul(t, w)",
        {"v": (9,), "w": (5, 7)},
        lambda w: [("d", w["v"].reshape(1, 9, 1)), ("m", w["w"][None])],
    ),
    "matmul of two activations": Form(
        "float[N,5,9] x",
        "float[N,5,M] y",
        "t = Transpose<perm=[0,2,1]>(x) [d] s = MatMul(x, t) [m] y = MatMul(s, w)",
        {"w": (5, 7)},
        matrix("m"),
        {"d": "product of two activations"},
    ),
    "two layers with the constants left": Form(
        "float[9,3] x",
        TABLE,
        "[a] t = MatMul(v, x) [b] y = MatMul(w, t)",
        {"v": (6, 9), "w": (4, 6)},
        lambda w: [("a", w["v"].T[None]), ("b", w["w"].T[None])],
    ),
}

HEAD = "[c] y = Conv(x, k)"
CONSTANT_FORMS = {
    "a weight from a Constant node": Form(
        ROWS,
        TABLE,
        "w = Constant<value = float[9,2] {1,2,3,4,5,6,7,8,9,-1,-2,-3,-4,-5,-6,-7,-8,-9}>() "
        "[m] y = MatMul(x, w)",
        {},
        lambda w: [("m", np.concatenate([np.arange(1, 10), -np.arange(1.0, 10)]).reshape(1, 9, 2))],
    ),
    "a weight through Reshape and Transpose": Form(
        IMAGE,
        MAP,
        "s = Constant<value_ints=[3,3,4,6]>() r = Reshape(w, s) "
        f"k = Transpose<perm=[3,2,0,1]>(r) {HEAD}",
        {"w": (9, 24)},
        lambda w: [("c", conv_matrix(w["w"].reshape(3, 3, 4, 6).transpose(3, 2, 0, 1)))],
    ),
    "a quantised weight for each channel": Form(
        IMAGE,
        MAP,
        f"k = DequantizeLinear<axis=0>(int8_w, varscale) {HEAD}",
        {"int8_w": (6, 4, 3, 3), "varscale": (6,)},
        lambda w: [("c", conv_matrix(w["int8_w"] * w["varscale"].reshape(-1, 1, 1, 1)))],
    ),
    "a quantised weight through Cast and Mul": Form(
        IMAGE,
        MAP,
        f"f = Cast<to=1>(int8_w) k = Mul(f, scale) {HEAD}",
        {"int8_w": (6, 4, 3, 3), "scale": ()},
        lambda w: [("c", conv_matrix(w["int8_w"] * w["scale"]))],
    ),
    "a weight quantised and dequantised in the graph": Form(
        IMAGE,
        MAP,
        "s = Constant<value_float=0.05>() z = Constant<value = int8 {3}>() "
        f"q = QuantizeLinear(w, s, z) k = DequantizeLinear(q, s, z) {HEAD}",
        C1,
        lambda w: [("c", conv_matrix((quantised(w["w"], 0.05, 3) - 3) * 0.05))],
    ),
    "a weight that is a graph output too": Form(
        ROWS,
        f"{TABLE}, float[9,7] k",
        "k = Add(w, v) [m] y = MatMul(x, k)",
        {"w": (9, 7), "v": (9, 1)},
        lambda w: [("m", (w["w"] + w["v"])[None])],
    ),
    "an initializer that is a graph output": Form(
        ROWS, f"{TABLE}, float[9,7] w", "[m] y = MatMul(x, w)", {"w": (9, 7)}, matrix("m")
    ),
    "a constant output of the network": Form(
        ROWS,
        f"{TABLE}, int64[2] s",
        "s = Constant<value_ints=[4,5]>() [m] y = MatMul(x, w)",
        {"w": (9, 7)},
        matrix("m"),
    ),
    "a weight through a type that numpy lacks": Form(
        ROWS,
        TABLE,
        "h = Cast<to=16>(w) k = Cast<to=1>(h) [m] y = MatMul(x, k)",
        {"w": (9, 7)},
        lambda w: [("m", bfloat16(w["w"])[None])],
        opset=19,
        ir=9,
    ),
    "constants in a sequence": Form(
        ROWS,
        TABLE,
        "q = SequenceConstruct(w, v) i = Constant<value_int=1>() k = SequenceAt(q, i) "
        "[m] y = MatMul(x, k)",
        {"w": (9, 7), "v": (9, 5)},
        matrix_of("v", "m"),
    ),
    "a sequence read at a place from outside": Form(
        f"{ROWS}, int64[1] i",
        TABLE,
        "q = SequenceConstruct(v, v) j = Mul(i, i) n = Sub(j, j) p = Squeeze(n) "
        "k = SequenceAt(q, p) [d] t = MatMul(x, k) [m] y = MatMul(t, w)",
        {"w": (9, 7), "v": (9, 9)},
        matrix("m"),
        {"d": "product of two activations"},
    ),
    "a weight that stands in a sequence too": Form(
        f"{ROWS}, int64[1] i",
        TABLE,
        "a = Mul(w, v) q = SequenceConstruct(a, a) n = Sub(i, i) p = Squeeze(n) k = SequenceAt(q, p) "
        "[d] t = MatMul(x, k) [m] s = MatMul(x, a) y = Add(s, t)",
        {"w": (9, 7), "v": (9, 1)},
        lambda w: [("m", (w["w"] * w["v"])[None])],
        {"d": "product of two activations"},
    ),
    "random weights": Form(
        ROWS,
        TABLE,
        "z = RandomNormal<shape=[9,7], seed=1.0, scale=1e-20>() [d] t = MatMul(x, z) "
        "[m] s = MatMul(x, w) y = Add(s, t)",
        {"w": (9, 7)},
        matrix("m"),
        {"d": "product of two activations"},
    ),
    "initializers listed as inputs": Form(
        f"{IMAGE}, float[6,4,3,3] w, float[6] b",
        MAP,
        "[c] y = Conv(x, w, b)",
        C1 | {"b": (6,)},
        plain("c"),
        opset=8,
        ir=3,
    ),
}

NAME_FORMS = {
    "nodes without names": Form(
        IMAGE,
        MAP,
        "s = Conv(x, w) t = Relu(s) y = Conv(t, v)",
        C1 | {"v": (5, 6, 1, 1)},
        lambda w: [("s", conv_matrix(w["w"])), ("y", conv_matrix(w["v"]))],
    ),
    "duplicate node names": Form(
        IMAGE,
        MAP,
        "[c] s = Conv(x, w) [c] y = Conv(s, v)",
        C1 | {"v": (5, 6, 1, 1)},
        lambda w: [("c", conv_matrix(w["w"])), ("c:y", conv_matrix(w["v"]))],
    ),
    "a node whose name is an earlier output": Form(
        IMAGE,
        MAP,
        "c = Conv(x, w) [c] y = Conv(c, v)",
        C1 | {"v": (5, 6, 1, 1)},
        lambda w: [("c:c", conv_matrix(w["w"])), ("c", conv_matrix(w["v"]))],
    ),
    "names that the passes would choose": Form(
        "float[9,3] x",
        TABLE,
        "[g_input] p = MatMul(x, u) q = Relu(p) [g_output] r = Gemm(q, v) [g] t = Gemm(w, r) "
        "[g_weight] y = Relu(t)",
        {"u": (3, 3), "v": (3, 3), "w": (7, 9)},
        lambda w: [("g.input", w["u"][None]), ("g.output", w["v"][None]), ("g", w["w"].T[None])],
    ),
    "a function with a conv, called twice": Form(
        IMAGE,
        MAP,
        "[f1] s = local.block<k=2.0>(x, w) [f2] y = local.block<k=0.5>(s, v)",
        C1 | {"v": (5, 6, 3, 3)},
        lambda w: [
            ("inner__1", conv_matrix(2.0 * w["w"])),
            ("inner__2", conv_matrix(0.5 * w["v"])),
        ],
        functions='<domain: "local", opset_import: ["" : 17]> block <k> (a, b) => (c) '
        "{ [inner] d = Conv(a, b) e = Constant<value_float: float=@k>() c = Mul(d, e) }",
    ),
    "a function of an older opset whose operators have not changed": Form(
        IMAGE,
        MAP,
        "[f] s = local.block(x, w) y = Relu(s)",
        C1,
        plain("inner__1"),
        functions='<domain: "local", opset_import: ["" : 13]> block (a, b) => (c) '
        "{ d = Neg(a) [inner] c = Conv(d, b) }",
    ),
    "an unnamed conv in a function": Form(
        IMAGE,
        MAP,
        "y = local.block(x, w)",
        C1,
        lambda w: [("d__1", conv_matrix(w["w"]))],
        functions='<domain: "local", opset_import: ["" : 11]> block (a, b) => (c) '
        "{ d = Conv(a, b) c = Neg(d) }",
        opset=11,
    ),
    "an If whose branches read outer tensors": Form(
        f"{IMAGE}, bool[1] flag",
        MAP,
        "[c] t = Conv(x, w) k = Mul(v, v) "
        "[if] y = If(flag) <then_branch = a () => (float[N,C,H,W] p) { p = Conv(t, k) }, "
        "else_branch = b () => (float[N,C,H,W] q) { q = Mul(t, r) }>",
        C1 | {"v": (6, 6, 1, 1), "r": (6, 1, 1)},
        lambda w: [("c", conv_matrix(w["w"])), ("p", conv_matrix(w["v"] * w["v"]))],
        {"if": "control flow", "q": "element by element"},
    ),
    "an If that reads the conv before a batchnorm": Form(
        f"{IMAGE}, bool[1] flag",
        MAP,
        f"[c] t = Conv(x, w) [n] s = {BN}(t, gamma, beta, mean, var) "
        "[if] y = If(flag) <then_branch = a () => (float[N,C,H,W] p) { p = Relu(t) }, "
        "else_branch = b () => (float[N,C,H,W] q) { q = Relu(s) }>",
        C1 | norm(6),
        plain("c"),
        {"n": "normalisation", "if": "control flow"},
    ),
    "an old If with a Squeeze inside": Form(
        f"{IMAGE}, bool[1] flag",
        "float[N,C] y",
        "[c] t = Conv(x, w) p = GlobalAveragePool(t) "
        "[if] y = If(flag) "
        "<then_branch = a () => (float[N,C] s) { s = Squeeze<axes=[2,3]>(p) }, "
        "else_branch = b () => (float[N,C] r) { u = Squeeze<axes=[2,3]>(p) r = Neg(u) }>",
        C1,
        plain("c"),
        {"if": "control flow"},
        opset=11,
        ir=6,
    ),
}

TYPE_FORMS = {
    "half precision": Form(
        "float16[N,4,7,6] x",
        "float16[N,C] y",
        f"[c] t = Conv(x, w, b) [n] s = {BN}(t, gamma, beta, mean, var) r = Relu(s) "
        "p = GlobalAveragePool(r) f = Flatten(p) [g] y = Gemm<transB=1, beta=0.5>(f, v, d)",
        C1 | norm(6) | {"b": (6,), "v": (5, 6), "d": (5,)},
        lambda w: [("c", scaled_conv(w["w"], normalised(w))), ("g", w["v"].T[None])],
        dtype=np.float16,
    ),
    "double precision": Form(
        "double[N,9] x, double[7] d",
        "double[N,M] y",
        "[g] t = Gemm<alpha=0.3, transB=1>(x, w, d) r = Tanh(t) [m] y = MatMul(r, v)",
        {"w": (7, 9), "v": (7, 5)},
        lambda w: [("g", 0.3 * w["w"].T[None]), ("m", w["v"][None])],
        dtype=np.float64,
    ),
    "integer products": Form(
        "float[N,9] x, int32[N,9] i",
        "float[N,M] y, int32[N,M] j",
        "k = Cast<to=6>(int8_k) [d] j = MatMul(i, k) [m] y = MatMul(x, w) ",
        {"w": (9, 5), "int8_k": (9, 4)},
        matrix("m"),
        {"d": "not floating point"},
    ),
}

FORMS = NORM_FORMS | CONV_FORMS | PRODUCT_FORMS | CONSTANT_FORMS | NAME_FORMS | TYPE_FORMS


def random_feeds(model: onnx.ModelProto, batch: int, seed: int = 0) -> Arrays:
    """Draw an input for every tensor that has no initializer; free axes become `batch`."""
    rng = np.random.default_rng(seed)
    given = {tensor.name for tensor in model.graph.initializer}
    feeds = {}
    for value in model.graph.input:
        if value.name in given:
            continue
        tensor = value.type.tensor_type
        shape = tuple(axis.dim_value or batch for axis in tensor.shape.dim)
        dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        if dtype == np.bool_:
            feeds[value.name] = np.ones(shape, dtype=bool)
        else:
            feeds[value.name] = (3 * rng.standard_normal(shape)).astype(dtype)
    return feeds


def run(model: onnx.ModelProto, feeds: Arrays) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return list(session.run(None, feeds))


def unnamed(model: onnx.ModelProto) -> onnx.ModelProto:
    """Take the nodes' names away: onnxruntime refuses a model in which two are the same."""
    for node in model.graph.node:
        node.name = ""
    return model


def difference(got: np.ndarray, wanted: np.ndarray) -> float:
    """max|a - b| / max|b|, with shape and type compared first."""
    assert got.shape == wanted.shape
    assert got.dtype == wanted.dtype
    a, b = got.astype(np.float64), wanted.astype(np.float64)
    return float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-30))


def feed_sets(network: Network) -> list[Arrays]:
    """Inputs at two batch sizes; both values of every flag."""
    sets = [random_feeds(network.model, 2, 1), random_feeds(network.model, 3, 2)]
    flags = [name for name, value in sets[0].items() if value.dtype == np.bool_]
    return sets + [{**sets[0], **{name: ~sets[0][name] for name in flags}} for _ in flags[:1]]


def load(model: onnx.ModelProto, folder: Path) -> Network:
    path = folder / "model.onnx"
    onnx.save(model, path)
    return load_network(path)


def load_form(name: str, folder: Path) -> Network:
    return load(FORMS[name].model(), folder)


@pytest.mark.parametrize("name", FORMS)
def test_the_normalised_network_equals_the_original(name: str, tmp_path: Path) -> None:
    network = load_form(name, tmp_path)
    tolerance = TOLERANCE[np.dtype(FORMS[name].dtype)]
    for feeds in feed_sets(network):
        wanted = run(unnamed(onnx.load(network.path)), feeds)
        named = run(network.original, feeds)
        for value, got, same in zip(wanted, run(network.model, feeds), named, strict=True):
            assert difference(got, value) <= tolerance
            assert difference(same, value) == 0


@pytest.mark.parametrize("name", FORMS)
def test_the_layers_are_those_worked_out_by_hand(name: str, tmp_path: Path) -> None:
    form = FORMS[name]
    network = load_form(name, tmp_path)
    expected = form.layers(form.weights())
    assert [layer.name for layer in network.layers] == [name for name, _ in expected]
    assert [layer.index for layer in network.layers] == list(range(len(expected)))
    tolerance = 2e-3 if form.dtype is np.float16 else 1e-5
    for layer, (_, wanted) in zip(network.layers, expected, strict=True):
        assert (layer.groups, layer.n_inputs, layer.n_outputs) == wanted.shape
        assert difference(layer.matrices.astype(np.float64), wanted.astype(np.float64)) < tolerance
        assert layer.dtype == form.dtype


@pytest.mark.parametrize("name", FORMS)
def test_every_other_node_is_listed_with_a_reason(name: str, tmp_path: Path) -> None:
    network = load_form(name, tmp_path)
    reasons = {node.name: node.reason for node in network.digital}
    assert all(reasons.values())
    assert all(reasons)
    nodes = list(nodes_looked_at(network.model))
    main = [node.name for node in network.model.graph.node]
    assert len(set(main)) == len(main)
    names = [node.name for node in nodes]
    listed = set(reasons) | {layer.name for layer in network.layers}
    assert listed <= set(names)
    ours = {node.op_type for node in nodes if node.name not in listed}
    # What the passes put in is not listed.
    assert ours <= {
        *("Transpose", "Mul", "Add", "Identity", "DequantizeLinear", "Reshape", "Squeeze")
    }
    for node, words in FORMS[name].digital.items():
        assert words in reasons[node]


def test_what_the_passes_put_in_is_not_said_to_be_the_users(tmp_path: Path) -> None:
    network = load_form("gemm with transA", tmp_path)
    assert "Transpose" not in {node.op_type for node in network.original.graph.node}
    assert "Transpose" in {node.op_type for node in network.model.graph.node}
    assert "Transpose" not in {node.op for node in network.digital}


@pytest.mark.parametrize("name", FORMS)
def test_inputs_and_outputs_of_the_network_stay_the_users(name: str, tmp_path: Path) -> None:
    network = load_form(name, tmp_path)
    original = onnx.load(network.path).graph
    given = {tensor.name for tensor in original.initializer}
    wanted = [value for value in original.input if value.name not in given]
    assert [(v.name, v.type.tensor_type.elem_type) for v in network.model.graph.input] == [
        (v.name, v.type.tensor_type.elem_type) for v in wanted
    ]
    assert [(v.name, v.type.tensor_type.elem_type) for v in network.model.graph.output] == [
        (v.name, v.type.tensor_type.elem_type) for v in original.output
    ]
    assert network.output == original.output[0].name
    onnx.checker.check_model(network.model, full_check=True)


def old_model(opset: int, ir: int) -> onnx.ModelProto:
    """Conv, BatchNormalization, pooling, Flatten, Gemm: what every operator set has."""
    form = Form(
        IMAGE,
        TABLE,
        f"[c] t = Conv<kernel_shape=[3,3]>(x, w, b) [n] s = {BN}(t, gamma, beta, mean, var) "
        "r = Relu(s) p = MaxPool<kernel_shape=[2,2], strides=[1,1]>(r) f = Flatten(p) "
        "[g] u = Gemm<transB=1>(f, v, d) y = Softmax(u)",
        C1 | norm(6) | {"b": (6,), "v": (7, 72), "d": (7,)},
        plain("c"),
        opset=opset,
        ir=ir,
    )
    return form.model()


@pytest.mark.parametrize(
    ("opset", "ir"),
    [
        *[(7, 3), (8, 3), (9, 4), (10, 5), (11, 6), (12, 7), (13, 7), (14, 7)],
        *[(15, 8), (16, 8), (17, 8), (18, 8), (19, 9), (20, 9), (21, 10)],
    ],
)
def test_models_of_every_operator_set_keep_their_results(
    opset: int, ir: int, tmp_path: Path
) -> None:
    model = old_model(opset, ir)
    if ir < 4:  # such models list their constants among the inputs
        model.graph.input.extend(
            helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            for tensor in model.graph.initializer
        )
    network = load(model, tmp_path)
    assert [layer.name for layer in network.layers] == ["c", "g"]
    assert "n" not in {node.name for node in network.model.graph.node}
    assert [spec.name for spec in network.inputs] == ["x"]
    assert max(item.version for item in network.model.opset_import if not item.domain) >= 17
    for feeds in feed_sets(network):
        (wanted,), (got,) = run(model, feeds), run(network.model, feeds)
        assert difference(got, wanted) <= 1e-5


@needs_assets
@pytest.mark.parametrize(
    ("file", "layers"),
    [
        ("mnist/mnist-cntk-opset7_orig.onnx", [(25, 8), (200, 16), (256, 10)]),
        ("mnist/mnist-cntk-opset13-dynbatch.onnx", [(25, 8), (200, 16), (256, 10)]),
    ],
)
def test_the_mnist_network_and_its_old_original_give_three_layers(
    file: str, layers: list[tuple[int, int]]
) -> None:
    network = load_network(Path(ASSETS or "") / file)
    assert [(layer.n_inputs, layer.n_outputs) for layer in network.layers] == layers
    feeds = random_feeds(network.model, 1)
    feeds["Input3"] = np.abs(feeds["Input3"]) * 50
    (wanted,), (got,) = run(network.original, feeds), run(network.model, feeds)
    assert difference(got, wanted) <= 1e-5
    assert count_work(network.model, {"Input3": (1, 1, 28, 28)}).macs == {
        layer.name: count
        for layer, count in zip(network.layers, [784 * 200, 196 * 3200, 2560], strict=True)
    }


@needs_assets
@pytest.mark.parametrize("file", ["resnet20", "resnet56", "mlperftiny_resnet8"])
def test_cifar_networks_are_mapped_whole_without_a_batchnorm_left(file: str) -> None:
    network = load_network(Path(ASSETS or "") / "cifar10" / f"{file}_cifar10.onnx")
    matrix_nodes = [n for n in network.model.graph.node if n.op_type in ("Conv", "Gemm", "MatMul")]
    assert len(network.layers) == len(matrix_nodes) > 8
    assert BN not in {node.op for node in network.digital}
    feeds = random_feeds(network.model, 2)
    (wanted,), (got,) = run(network.original, feeds), run(network.model, feeds)
    assert difference(got, wanted) <= 1e-5


def test_a_sparse_constant_is_a_weight_like_any_other(tmp_path: Path) -> None:
    form = Form(ROWS, TABLE, "[m] y = MatMul(x, w)", {"w": (9, 7)}, matrix("m"))
    model = form.model()
    dense = np.where(form.weights()["w"] > 0.5, form.weights()["w"], 0)
    del model.graph.initializer[:]
    places = np.flatnonzero(dense)
    model.graph.sparse_initializer.append(
        helper.make_sparse_tensor(
            numpy_helper.from_array(dense.ravel()[places], "w"),
            numpy_helper.from_array(places.astype(np.int64), "w_places"),
            dense.shape,
        )
    )
    network = load(model, tmp_path)
    assert difference(network.layers[0].matrices[0], dense) == 0
    feeds = random_feeds(network.model, 2)
    (wanted,), (got,) = run(model, feeds), run(network.model, feeds)
    assert difference(got, wanted) <= 1e-5


def test_a_damaged_old_model_is_refused_in_one_sentence(tmp_path: Path) -> None:
    form = Form(IMAGE, MAP, "[c] y = Conv(x, missing)", {}, plain("c"), opset=9, ir=4)
    with pytest.raises(ModelError, match="onnxruntime can't load model") as caught:
        load(form.model(), tmp_path)
    assert "\n" not in str(caught.value)


def test_loading_leaves_the_original_with_its_batchnorm(tmp_path: Path) -> None:
    network = load_form("batchnorm after conv with bias", tmp_path)
    assert [node.op_type for node in network.original.graph.node] == ["Conv", BN, "Relu"]
    assert [node.op_type for node in network.model.graph.node] == ["Conv", "Relu"]


def test_the_batch_size_is_fixed_only_where_the_file_says_so(tmp_path: Path) -> None:
    assert load_form("a fixed batch size", tmp_path).fixed_batch == 3
    assert load_form("grouped conv", tmp_path).fixed_batch is None


MACS = {
    # outputs times terms of each: 6x(5x4) outputs of 4x9 terms
    "shared weights, one conv with batchnorm": {"c1": 6 * 20 * 36, "c2": 6 * 20 * 36},
    # rows: (7+1+2-3)//2+1 = 4; columns: 6+0+3-5+1 = 5
    "conv with strides, dilations and pads": {"c": 6 * 4 * 5 * 36},
    "grouped conv": {"c": 10 * 7 * 6 * 18},
    "batchnorm after depthwise conv": {"c": 4 * 7 * 6 * 9},
    "conv of one axis": {"c": 6 * 6 * 15},  # (11+3-3)//2+1 = 6
    "conv of three axes": {"c": 5 * 4 * 4 * 6 * 36},
    "conv with weights from outside": {"d": 6 * 20 * 36, "c": 3 * 20 * 6},
    # every input entry meets 4 x 4 kernel entries; then a conv on 8 x 7
    "transposed conv": {"d": 4 * 42 * 16, "c": 6 * 6 * 5 * 36},
    "gemm with everything": {"g": 63},
    "gemm with transA": {"g": 3 * 63},
    "gemm with constant A": {"g": 4 * 63},
    "gemm with constant A, both transposed": {"g": 4 * 63},
    "gemm of two activations": {"d": 4 * 9 * 3, "g": 3 * 4 * 5},
    "matmul of a table": {"m": 63},
    "matmul of rank three": {"m": 5 * 63},
    "matmul with the constant left": {"m": 5 * 63},
    "matmul of two activations": {"d": 5 * 9 * 5, "m": 5 * 5 * 7},
    "matmul with a right constant of rank three": {"d": 2 * 5 * 9 * 6, "m": 2 * 5 * 6 * 7},
    "matmul with a right constant of rank one": {"d": 45, "m": 35},
    "matmul of a vector": {"m": 63},
}


@pytest.mark.parametrize("name", MACS)
def test_multiply_accumulates_of_one_sample_are_those_counted_by_hand(
    name: str, tmp_path: Path
) -> None:
    network = load_form(name, tmp_path)
    shapes = {key: value.shape for key, value in random_feeds(network.model, 1).items()}
    assert count_work(network.model, shapes).macs == MACS[name]


def folded_sequence_model() -> onnx.ModelProto:
    """A batch of four sequences; layers see their rows folded, and time before batch."""
    form = Form(
        "float[4,5,9] x",
        "float[N,M] y",
        "f = Reshape(x, fold) [a] p = MatMul(f, u) q = Reshape(p, apart) "
        "t = Transpose<perm=[1,0,2]>(q) [b] r = MatMul(t, v) s = Transpose<perm=[1,0,2]>(r) "
        "y = ReduceSum<keepdims=0>(s, axes)",
        {"u": (9, 6), "v": (6, 3)},
        lambda w: [],
    )
    model = form.model()
    for name, value in (("fold", [20, 9]), ("apart", [4, 5, 6]), ("axes", [1])):
        model.graph.initializer.append(numpy_helper.from_array(np.array(value), name))
    return model


def test_multiply_accumulates_of_a_fixed_batch_are_those_of_one_sample(tmp_path: Path) -> None:
    network = load(folded_sequence_model(), tmp_path)
    assert network.fixed_batch == 4
    assert count_work(network.model, {"x": (1, 5, 9)}).macs == {"a": 5 * 9 * 6, "b": 5 * 6 * 3}


def test_multiply_accumulates_do_not_rest_on_shapes_written_in_the_file(tmp_path: Path) -> None:
    model = FORMS["batchnorm after conv with bias"].model()
    wrong = helper.make_tensor_value_info("s", 1, [64, 6, 5, 4])
    model.graph.value_info.append(wrong)
    network = load(model, tmp_path)
    assert count_work(network.model, {"x": (1, 4, 7, 6)}).macs == {"c": 6 * 20 * 36}


def test_weights_that_are_not_numbers_are_refused_with_the_layers_name(tmp_path: Path) -> None:
    model = FORMS["grouped conv"].model()
    broken = FORMS["grouped conv"].weights()["w"].copy()
    broken[3, 1, 0, 2] = np.nan
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(broken, "w"))
    with pytest.raises(ModelError, match=r"layer c: its weights hold NaN or infinity"):
        load(model, tmp_path)


def test_a_network_without_a_mappable_layer_is_refused_with_the_reasons(tmp_path: Path) -> None:
    form = Form("float[3,4] x, float[4,5] z", TABLE, "[p] y = MatMul(x, z)", {}, plain("p"))
    with pytest.raises(
        ModelError, match=r"no layer .*\(p \(MatMul\): product of two activations\)"
    ):
        load(form.model(), tmp_path)


def shorten_weights(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].raw_data = model.graph.initializer[0].raw_data[:-3]


def take_weights_away(model: onnx.ModelProto) -> None:
    del model.graph.node[0].input[1:]


def take_outputs_away(model: onnx.ModelProto) -> None:
    del model.graph.node[0].output[:]


def make_a_circle(model: onnx.ModelProto) -> None:
    model.graph.node[0].input[0] = model.graph.node[-1].output[0]


def raise_the_operator_set(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 999


def call_it_bfloat16(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].data_type = onnx.TensorProto.BFLOAT16


def use_no_groups(model: onnx.ModelProto) -> None:
    model.graph.node[0].attribute.append(helper.make_attribute("group", 0))


@pytest.mark.parametrize(
    "damage",
    [
        *(shorten_weights, take_weights_away, take_outputs_away, make_a_circle),
        *(raise_the_operator_set, call_it_bfloat16, use_no_groups),
    ],
)
@pytest.mark.parametrize(
    "name",
    [
        "batchnorm after conv with bias",
        "two layers with the constants left",
        "gemm with everything",
    ],
)
def test_a_damaged_graph_is_refused_in_one_sentence(
    name: str, damage: Callable[[onnx.ModelProto], None], tmp_path: Path
) -> None:
    if damage is use_no_groups and not name.startswith("batchnorm"):
        pytest.skip("only a Conv has groups")
    model = FORMS[name].model()
    damage(model)
    with pytest.raises(ModelError) as caught:
        load(model, tmp_path)
    assert "\n" not in str(caught.value)
    assert "model.onnx" in str(caught.value)
    assert "onnxruntime_src" not in str(caught.value)


def test_a_batchnorm_that_would_overflow_half_precision_stays_digital(tmp_path: Path) -> None:
    form = FORMS["half precision"]
    model = form.model()
    big = np.full(6, 6e4, dtype=np.float16)
    gamma = next(tensor for tensor in model.graph.initializer if tensor.name == "gamma")
    gamma.CopyFrom(numpy_helper.from_array(big, "gamma"))
    network = load(model, tmp_path)
    assert [node.name for node in network.digital if node.op == BN] == ["n"]
    assert difference(network.layers[0].matrices, conv_matrix(form.weights()["w"]).astype("e")) == 0


def test_weights_in_a_file_beside_the_model_are_read_and_missing_ones_refused(
    tmp_path: Path,
) -> None:
    form = FORMS["conv with auto_pad VALID"]
    path = tmp_path / "model.onnx"
    onnx.save(
        form.model(), path, save_as_external_data=True, location="weights.bin", size_threshold=0
    )
    (layer,) = load_network(path).layers
    assert difference(layer.matrices, conv_matrix(form.weights()["w"]).astype("f")) == 0
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(ModelError, match="can't be read") as caught:
        load_network(path)
    assert "\n" not in str(caught.value)


def test_an_operator_that_cannot_be_upgraded_is_refused_in_one_sentence(tmp_path: Path) -> None:
    statistics = dict.fromkeys(norm(6), (6, 5, 4))
    form = Form(
        IMAGE,
        MAP,
        f"[c] t = Conv(x, w) y = {BN}<spatial=0>(t, gamma, beta, mean, var)",
        C1 | statistics,
        plain("c"),
        opset=8,
        ir=3,
    )
    with pytest.raises(ModelError) as caught:
        load(form.model(), tmp_path)
    assert str(caught.value) == (
        "model model.onnx uses operator set 8 and can't be brought to 17: Attribute spatial must "
        "have value 1; export it at operator set 17 or later"
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "does not exist"),
        (b"", "is not an ONNX model"),
        (b"not a model at all", "is not an ONNX file"),
        (b"PK\x03\x04" + bytes(range(256)), "is not an ONNX file"),
    ],
)
def test_a_file_that_is_no_model_is_refused_in_one_sentence(
    content: bytes | None, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=words) as caught:
        load_network(path)
    assert "\n" not in str(caught.value)


def test_a_model_cut_short_is_refused_in_one_sentence(tmp_path: Path) -> None:
    whole = old_model(17, 8).SerializeToString()
    path = tmp_path / "model.onnx"
    for length in range(1, len(whole) - 1, 97):
        path.write_bytes(whole[:length])
        with pytest.raises(ModelError) as caught:
            load_network(path)
        assert "\n" not in str(caught.value)


def test_an_input_without_a_shape_waits_for_a_stated_one(tmp_path: Path) -> None:
    model = FORMS["grouped conv"].model()
    model.graph.input[0].type.tensor_type.ClearField("shape")
    (spec,) = load(model, tmp_path).inputs
    assert (spec.name, spec.ranked, spec.shape) == ("x", False, ())
    model.graph.input[0].type.tensor_type.shape.SetInParent()
    with pytest.raises(ModelError):
        load(model, tmp_path)
