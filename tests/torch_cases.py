"""Small graphs of every operator that networks are trained through, each with several settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper, parser

Given = tuple[int, ...] | np.ndarray
"""A shape, filled with standard normal numbers, or the values themselves."""


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A graph from `x` to `y`.

    Attributes:
        nodes: in ONNX's text form.
        x: shape or values of the input.
        constants: shape or values of the others.
        opset: the operator set.
        smooth: whether a gradient of y by x exists that a small step can measure.
        untrained: constants by which there is none.
    """

    nodes: str
    x: Given = (2, 3, 4, 5)
    constants: Mapping[str, Given] = field(default_factory=dict)
    opset: int = 20
    smooth: bool = True
    untrained: tuple[str, ...] = ()

    def built(self, dtype: Any = np.float32) -> tuple[onnx.ModelProto, np.ndarray]:
        """Return the model, its floats of a type, and its input; the same values for each type."""
        rng = np.random.default_rng(7)
        x = _values(self.x, rng, dtype)
        kind = {"float32": "float", "float64": "double"}.get(x.dtype.name, x.dtype.name)
        shape = ",".join(map(str, x.shape))
        head = f'<ir_version: 10, opset_import: ["": {self.opset}]>'
        model = parser.parse_model(f"{head} g ({kind}[{shape}] x) => (float y) {{{self.nodes}}}")
        model.graph.output[0].ClearField("type")
        for name, given in self.constants.items():
            tensor = numpy_helper.from_array(_values(given, rng, dtype), name)
            model.graph.initializer.append(tensor)
        return model, x


def _values(given: Given, rng: np.random.Generator, dtype: Any) -> np.ndarray:
    if isinstance(given, tuple):
        return rng.standard_normal(given).astype(dtype)
    return given.astype(dtype) if given.dtype == np.float64 else given


def longs(*values: int) -> np.ndarray:
    return np.asarray(values, dtype=np.int64)


def above(*shape: int, low: float = 0.5, high: float = 2.0) -> np.ndarray:
    return np.random.default_rng(3).uniform(low, high, shape)


def _conv(attributes: str, x: Given, *shape: int, bias: int = 0) -> Case:
    constants: dict[str, Given] = {"w": shape}
    if bias:
        constants["b"] = (bias,)
    return Case(f"y = Conv<{attributes}>(x, w{', b' if bias else ''})", x, constants)


def _turned(attributes: str, x: Given, *shape: int, bias: int = 0) -> Case:
    constants: dict[str, Given] = {"w": shape}
    if bias:
        constants["b"] = (bias,)
    return Case(f"y = ConvTranspose<{attributes}>(x, w{', b' if bias else ''})", x, constants)


IMAGE = (2, 3, 8, 7)
CASES: dict[str, Case] = {
    "conv 1d": _conv("pads=[1,2], strides=[2]", (2, 3, 9), 4, 3, 3, bias=4),
    "conv 3d": _conv("pads=[0,1,0,1,0,0]", (1, 2, 3, 4, 4), 2, 2, 2, 2, 2),
    "conv groups": _conv("group=2, pads=[1,1,1,1]", (2, 4, 6, 5), 6, 2, 3, 3, bias=6),
    "conv depthwise": _conv("group=4, pads=[0,1,2,0]", (2, 4, 6, 5), 8, 1, 3, 2),
    "conv dilated": _conv("dilations=[2,3], pads=[2,1,0,3]", (2, 3, 9, 11), 5, 3, 3, 2, bias=5),
    "conv same upper": _conv('auto_pad="SAME_UPPER", strides=[2,2]', IMAGE, 4, 3, 3, 4),
    "conv same lower": _conv('auto_pad="SAME_LOWER", strides=[1,2]', IMAGE, 4, 3, 2, 4),
    "conv valid": _conv('auto_pad="VALID", strides=[2,1]', IMAGE, 4, 3, 3, 2),
    "turned": _turned("strides=[2,3], pads=[1,0,0,2]", (2, 3, 4, 3), 3, 2, 3, 4, bias=2),
    "turned groups": _turned("group=2, strides=[2,2]", (2, 4, 4, 3), 4, 3, 2, 2),
    "turned 1d": _turned("strides=[3], output_padding=[2]", (2, 3, 5), 3, 2, 2, bias=2),
    "turned dilated": _turned("dilations=[2,1], pads=[1,1,1,1]", (2, 3, 4, 5), 3, 2, 3, 3),
    "turned same": _turned('auto_pad="SAME_UPPER", strides=[2,2]', (2, 3, 4, 5), 3, 2, 3, 3),
    "turned same lower": _turned('auto_pad="SAME_LOWER", strides=[2,3]', (2, 3, 4, 5), 3, 2, 4, 4),
    "turned to shape": _turned("output_shape=[10,9], strides=[2,2]", (2, 3, 4, 4), 3, 2, 5, 4),
    "gemm": Case(
        "y = Gemm<alpha=0.7, beta=-1.3, transB=1>(x, w, b)", (6, 9), {"w": (7, 9), "b": (7,)}
    ),
    "gemm turned": Case(
        "y = Gemm<beta=0.5, transA=1>(x, w, b)", (9, 6), {"w": (9, 7), "b": (6, 1)}
    ),
    "gemm plain": Case("y = Gemm<alpha=2.5>(x, w)", (6, 9), {"w": (9, 7)}),
    "matmul": Case("y = MatMul(x, w)", (4, 3, 9), {"w": (9, 7)}),
    "matmul vector": Case("y = MatMul(x, w)", (4, 3, 9), {"w": (9,)}),
    "matmul stacked": Case("y = MatMul(w, x)", (4, 3, 9), {"w": (2, 1, 5, 3)}),
    "einsum": Case('y = Einsum<equation="b i j, j k -> b k i">(x, w)', (4, 3, 9), {"w": (9, 7)}),
    "batch norm": Case(
        "y = BatchNormalization<epsilon=0.01>(x, s, b, m, v)",
        constants={"s": (3,), "b": (3,), "m": (3,), "v": above(3)},
    ),
    "layer norm": Case("y = LayerNormalization(x, s, b)", constants={"s": (5,), "b": (5,)}),
    "layer norm of two axes": Case(
        "y = LayerNormalization<axis=2, epsilon=0.1>(x, s)", constants={"s": (4, 5)}
    ),
    "group norm": Case(
        "y = GroupNormalization<num_groups=2>(x, s, b)", (2, 4, 3, 3), {"s": (2,), "b": (2,)}
    ),
    "group norm 21": Case(
        "y = GroupNormalization<num_groups=2>(x, s, b)", (2, 4, 3, 3), {"s": (4,), "b": (4,)}, 21
    ),
    "instance norm": Case(
        "y = InstanceNormalization<epsilon=0.01>(x, s, b)", constants={"s": (3,), "b": (3,)}
    ),
    "lrn": Case("y = LRN<size=3, alpha=0.5, beta=0.6, bias=2.0>(x)", (2, 7, 3, 3)),
    "lrn even": Case("y = LRN<size=4, alpha=0.5>(x)", (2, 7, 3, 3)),
    "lp norm": Case("y = LpNormalization<axis=1, p=1>(x)"),
    "lp norm 2": Case("y = LpNormalization(x)"),
    **{
        f"{op} {attributes}": Case(f"y = {op}<{attributes}>(x)" if attributes else f"y = {op}(x)")
        for op, attributes in (
            *(("Relu", ""), ("LeakyRelu", ""), ("LeakyRelu", "alpha=0.3"), ("Elu", "alpha=0.7")),
            *(
                ("Celu", "alpha=0.7"),
                ("Selu", ""),
                ("Selu", "alpha=1.0, gamma=2.0"),
                ("Sigmoid", ""),
            ),
            *(("HardSigmoid", ""), ("HardSigmoid", "alpha=0.5, beta=0.3"), ("HardSwish", "")),
            *(("Tanh", ""), ("Softplus", ""), ("Softsign", ""), ("Gelu", ""), ("Erf", "")),
            *(("Gelu", 'approximate="tanh"'), ("Mish", ""), ("ThresholdedRelu", "alpha=0.4")),
            *(("Abs", ""), ("Neg", ""), ("Exp", ""), ("Sin", ""), ("Cos", "")),
            *(("Softmax", ""), ("Softmax", "axis=1"), ("LogSoftmax", "axis=-2"), ("Identity", "")),
            *(("Sinh", ""), ("Cosh", ""), ("Atan", ""), ("Dropout", ""), ("Tan", "")),
        )
    },
    "Softmax of set 11": Case("y = Softmax(x)", opset=11),
    "LogSoftmax of set 11": Case("y = LogSoftmax<axis=2>(x)", opset=11),
    "prelu": Case("y = PRelu(x, a)", constants={"a": (3, 1, 1)}),
    "clip": Case("y = Clip(x, a, b)", constants={"a": np.array(-0.5), "b": np.array(0.75)}),
    "clip above": Case("y = Clip(x, , b)", constants={"b": np.array(0.75)}),
    "clip of set 6": Case("y = Clip<min=-0.5, max=0.6>(x)", opset=6),
    "clip nothing": Case("y = Clip(x)"),
    **{op: Case(f"y = {op}(x)", above(2, 3, 4)) for op in ("Sqrt", "Log", "Reciprocal")},
    **{op: Case(f"y = {op}(x)", above(2, 3, low=-0.9, high=0.9)) for op in ("Asin", "Acos")},
    **{
        op: Case(f"y = {op}(x, a)", constants={"a": above(3, 1, 5)})
        for op in ("Add", "Sub", "Mul", "Div", "Max", "Min")
    },
    "pow": Case("y = Pow(x, a)", above(2, 3, 4), {"a": above(4)}),
    "pow 2": Case("y = Pow(x, a)", (2, 3), {"a": np.array(2.0)}, untrained=("a",)),
    "pow of integers": Case("y = Pow(x, a)", (2, 3), {"a": longs(3)}),
    "sum of three": Case("y = Sum(x, a, x)", constants={"a": (3, 1, 5)}),
    "mean of three": Case("y = Mean(x, a, b)", constants={"a": (3, 1, 5), "b": (5,)}),
    "max of three": Case("y = Max(x, a, b)", constants={"a": (3, 1, 5), "b": (5,)}),
    "where": Case("c = Greater(x, a) y = Where(c, x, a)", constants={"a": (5,)}),
    **{
        op: Case(f"c = {op}(x, a) y = Cast<to=1>(c)", constants={"a": (5,)}, smooth=False)
        for op in ("Greater", "Less", "GreaterOrEqual", "LessOrEqual", "Equal")
    },
    **{
        op: Case(
            f"c = Greater(x, a) d = Less(x, b) e = {op}(c, d) f = Not(e) y = Cast<to=6>(f)",
            constants={"a": (5,), "b": (5,)},
            smooth=False,
        )
        for op in ("And", "Or", "Xor")
    },
    **{op: Case(f"y = {op}(x)", smooth=False) for op in ("Round", "Floor", "Ceil", "Sign")},
    "round ties": Case("y = Round(x)", np.arange(-3, 3, 0.5), smooth=False),
    "mod": Case("y = Mod<fmod=1>(x, a)", constants={"a": above(5)}, smooth=False),
    "mod of integers": Case(
        "y = Mod(x, a)", longs(-7, -2, 5, 7), {"a": longs(3, -3, 3, -3)}, smooth=False
    ),
    "div of integers": Case(
        "y = Div(x, a)", longs(-7, -2, 5, 7), {"a": longs(3, -3, 3, -3)}, smooth=False
    ),
    "is": Case(
        "a = IsNaN(x) b = IsInf<detect_negative=0>(x) c = Or(a, b) y = Cast<to=7>(c)",
        np.array([1, np.inf, -np.inf, np.nan]),
        smooth=False,
    ),
    **{
        f"MaxPool {attributes}": Case(f"y = MaxPool<{attributes}>(x)", IMAGE)
        for attributes in (
            "kernel_shape=[2,2], strides=[2,2]",
            "kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]",
            "kernel_shape=[3,3], strides=[2,2], pads=[0,0,1,2]",
            "kernel_shape=[3,3], strides=[2,2], ceil_mode=1",
            "kernel_shape=[2,3], strides=[3,2], pads=[1,1,1,1], ceil_mode=1",
            "kernel_shape=[2,2], dilations=[2,3], pads=[1,0,1,1]",
            'kernel_shape=[3,2], strides=[2,2], auto_pad="SAME_UPPER"',
            'kernel_shape=[3,2], strides=[2,2], auto_pad="SAME_LOWER"',
            'kernel_shape=[3,2], strides=[2,2], auto_pad="VALID"',
        )
    },
    "max pool 1d": Case("y = MaxPool<kernel_shape=[3], strides=[2], pads=[1,1]>(x)", (2, 3, 9)),
    "max pool 3d": Case("y = MaxPool<kernel_shape=[2,2,2]>(x)", (1, 2, 3, 4, 3)),
    "max pool of integers": Case(
        "y = MaxPool<kernel_shape=[2,2], pads=[1,1,0,0]>(x)",
        np.arange(-18, 18, dtype=np.int8).reshape(1, 1, 6, 6),
        smooth=False,
    ),
    **{
        f"AveragePool {attributes}": Case(f"y = AveragePool<{attributes}>(x)", IMAGE)
        for attributes in (
            "kernel_shape=[2,2], strides=[2,2]",
            "kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]",
            "kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1], count_include_pad=1",
            "kernel_shape=[3,3], strides=[2,2], pads=[0,0,1,2]",
            "kernel_shape=[3,3], strides=[2,2], pads=[0,1,1,2], count_include_pad=1",
            "kernel_shape=[3,3], strides=[2,2], ceil_mode=1",
            "kernel_shape=[2,3], strides=[3,2], pads=[1,1,1,1], ceil_mode=1, count_include_pad=1",
            "kernel_shape=[2,3], strides=[3,2], pads=[1,1,1,1], ceil_mode=1",
            "kernel_shape=[2,2], dilations=[2,3], pads=[1,0,1,1]",
            "kernel_shape=[2,2], dilations=[2,3], pads=[1,0,1,1], count_include_pad=1",
            'kernel_shape=[3,2], strides=[2,2], auto_pad="SAME_UPPER"',
            'kernel_shape=[3,2], strides=[2,2], auto_pad="SAME_LOWER", count_include_pad=1',
        )
    },
    "average pool 1d": Case("y = AveragePool<kernel_shape=[3], pads=[1,1]>(x)", (2, 3, 9)),
    "average pool 3d": Case("y = AveragePool<kernel_shape=[2,2,2]>(x)", (1, 2, 3, 4, 3)),
    "lp pool": Case("y = LpPool<kernel_shape=[2,3], strides=[2,1], pads=[1,0,0,1]>(x)", IMAGE),
    "lp pool 3": Case("y = LpPool<kernel_shape=[2,2], p=3>(x)", IMAGE),
    **{
        op: Case(f"y = {op}(x)", IMAGE)
        for op in ("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
    },
    **{
        f"Reduce{kind} {form}": Case(*rest)
        for kind in ("Mean", "Sum", "Max", "Min", "L1", "L2", "SumSquare", "Prod", "LogSumExp")
        for form, rest in (
            ("of all", (f"y = Reduce{kind}(x)", (2, 3, 4))),
            (
                "of an input",
                (f"y = Reduce{kind}<keepdims=0>(x, a)", (2, 3, 4), {"a": longs(-1, 0)}),
            ),
            (
                "of nothing",
                (f"y = Reduce{kind}<noop_with_empty_axes=1>(x, a)", (2, 3), {"a": longs()}),
            ),
        )
    },
    "reduce log sum": Case("y = ReduceLogSum(x, a)", above(2, 3, 4), {"a": longs(1)}),
    "reduce of set 11": Case("y = ReduceMean<axes=[1,-1], keepdims=0>(x)", opset=11),
    "arg max": Case("y = ArgMax<axis=1, keepdims=0>(x)", smooth=False),
    "arg min": Case("y = ArgMin<axis=-1>(x)", smooth=False),
    "reshape": Case("y = Reshape(x, s)", constants={"s": longs(0, -1, 10)}),
    "reshape to nothing": Case(
        "y = Reshape<allowzero=1>(x, s)", (0, 4), {"s": longs(3, 0)}, smooth=False
    ),
    "reshape by shape": Case(
        """
        s = Shape(x) i = Constant<value = int64 {0}>() n = Gather<axis=0>(s, i)
        a = Constant<value = int64[1] {0}>() u = Unsqueeze(n, a) m = Constant<value = int64[1] {-1}>()
        c = Concat<axis=0>(u, m) y = Reshape(x, c)
        """
    ),
    "flatten": Case("y = Flatten(x)"),
    "flatten 0": Case("y = Flatten<axis=0>(x)"),
    "flatten -1": Case("y = Flatten<axis=-1>(x)"),
    "transpose": Case("y = Transpose<perm=[0,3,1,2]>(x)"),
    "transpose all": Case("y = Transpose(x)"),
    "squeeze": Case("y = Squeeze(x, a)", (2, 1, 3, 1), {"a": longs(-1)}),
    "squeeze all": Case("y = Squeeze(x)", (2, 1, 3, 1)),
    "squeeze of set 11": Case("y = Squeeze<axes=[1]>(x)", (2, 1, 3, 1), opset=11),
    "unsqueeze": Case("y = Unsqueeze(x, a)", (2, 3), {"a": longs(-1, 0, 2)}),
    "concat": Case("y = Concat<axis=-2>(x, a, x)", constants={"a": (2, 3, 1, 5)}),
    "split": Case(
        "a, b, c = Split<axis=1>(x, s) d = Mul(a, c) y = Concat<axis=1>(d, b)",
        (2, 7, 2),
        {"s": longs(2, 3, 2)},
    ),
    "split evenly": Case(
        "a, b = Split<axis=2, num_outputs=2>(x) y = Concat<axis=2>(b, a)", (2, 3, 5)
    ),
    "split of set 13": Case("a, b = Split(x) y = Sub(a, b)", (4, 3), opset=13),
    "slice": Case(
        "y = Slice(x, a, b, c)",
        constants={"a": longs(1, -3), "b": longs(2**62, -1), "c": longs(1, -1)},
    ),
    "slice by steps": Case(
        "y = Slice(x, a, b, c, d)",
        constants={"a": longs(-1, 0), "b": longs(-99, 99), "c": longs(3, 2), "d": longs(-2, 3)},
    ),
    "slice of set 9": Case("y = Slice<starts=[1], ends=[3], axes=[2]>(x)", opset=9),
    "gather": Case("y = Gather<axis=1>(x, i)", constants={"i": longs(2, -1, 0, 0).reshape(2, 2)}),
    "gather one": Case("y = Gather<axis=-1>(x, i)", constants={"i": np.array(3, dtype=np.int32)}),
    "gather by values": Case(
        "f = Floor(x) i = Cast<to=6>(f) y = Gather(t, i)",
        np.linspace(-3, 2.9, 12).reshape(3, 4),
        {"t": (4,)},
        smooth=False,
    ),
    "gather elements": Case(
        "y = GatherElements<axis=1>(x, i)", (2, 3), {"i": longs(2, -1, 0, 0).reshape(2, 2)}
    ),
    "expand": Case("y = Expand(x, s)", (3, 1, 4), {"s": longs(2, 1, 5, 1)}),
    "tile": Case("y = Tile(x, s)", (3, 1, 4), {"s": longs(2, 3, 1)}),
    "shape": Case("y = Shape<start=1, end=-1>(x)", smooth=False),
    "size": Case("y = Size(x)", smooth=False),
    "constant of shape": Case(
        "s = Shape(x) f = ConstantOfShape<value = float[1] {2.5}>(s) y = Mul(x, f)",
        (2, 3),
        smooth=False,
    ),
    "constants": Case(
        """
        a = Constant<value_floats=[1.0, 2.0, 3.0]>() b = Constant<value_float=0.5>()
        c = Mul(a, b) y = Add(x, c)
        """,
        (2, 3),
        smooth=False,
    ),
    "range": Case(
        "s = Size(x) z = Constant<value_int=0>() d = Constant<value_int=2>() y = Range(z, s, d)",
        (7,),
        smooth=False,
    ),
    "pad": Case(
        "y = Pad(x, p, v)",
        constants={"p": longs(0, 1, 2, 0, 0, 0, 3, 1), "v": np.array(0.5)},
        untrained=("v",),
    ),
    "pad and cut": Case("y = Pad(x, p)", constants={"p": longs(0, 1, -1, 0, 0, 0, -1, 1)}),
    "pad axes": Case("y = Pad(x, p, , a)", constants={"p": longs(1, 2, 3, 4), "a": longs(-1, 1)}),
    "pad reflect": Case(
        'y = Pad<mode="reflect">(x, p)', constants={"p": longs(0, 1, 2, 3, 0, 0, 3, 4)}
    ),
    "pad edge": Case('y = Pad<mode="edge">(x, p)', constants={"p": longs(0, 1, 2, 3, 0, 0, 3, 4)}),
    "pad of set 10": Case("y = Pad<pads=[0,0,1,1,0,0,2,2], value=1.5>(x)", opset=10),
    **{
        f"resize {mode} {where} {scale}": Case(
            f'y = Resize<mode="{mode}", coordinate_transformation_mode="{where}">(x, , s)',
            (1, 2, 5, 4),
            # A constant of one type for all: scales are float32 whatever the values are.
            {"s": np.asarray([1, 1, *scale], dtype=np.float32)},
        )
        for mode in ("nearest", "linear")
        for where in ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel")
        for scale in ((2, 2), (0.6, 1.5))
    },
    **{
        f"resize {nearest}": Case(
            f'y = Resize<mode="nearest", nearest_mode="{nearest}">(x, , , s)',
            (1, 2, 5, 4),
            {"s": longs(1, 2, 7, 3)},
        )
        for nearest in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
    },
    "upsample": Case(
        "y = Upsample(x, s)", (1, 2, 3, 4), {"s": np.asarray([1, 1, 2, 3], np.float32)}, opset=9
    ),
    "depth to space": Case("y = DepthToSpace<blocksize=2>(x)", (2, 8, 2, 3)),
    "depth to space CRD": Case('y = DepthToSpace<blocksize=2, mode="CRD">(x)', (2, 8, 2, 3)),
    "space to depth": Case("y = SpaceToDepth<blocksize=2>(x)", (2, 2, 4, 6)),
    "cast": Case("a = Cast<to=6>(x) y = Cast<to=1>(a)", np.linspace(-3, 3, 14), smooth=False),
    "cast like": Case("y = CastLike(x, a)", constants={"a": longs(0)}, smooth=False),
    "quantise": Case(
        "y = QuantizeLinear(x, s, z)",
        np.arange(-40, 40) * 0.25,
        {"s": np.array(0.1), "z": np.array(100, dtype=np.uint8)},
        smooth=False,
    ),
    "quantise an axis": Case(
        "q = QuantizeLinear<axis=1>(x, s, z) y = DequantizeLinear<axis=1>(q, s, z)",
        constants={"s": above(3, low=0.1), "z": np.asarray([3, -2, 0], dtype=np.int8)},
        smooth=False,
    ),
    "quantise to 16 bits": Case(
        "q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z)",
        constants={"s": np.array(1e-4), "z": np.array(40000, dtype=np.uint16)},
        opset=21,
        smooth=False,
    ),
    "quantise plainly": Case(
        "q = QuantizeLinear(x, s) y = DequantizeLinear(q, s)",
        constants={"s": np.array(0.05)},
        smooth=False,
    ),
    "dequantise": Case(
        "y = DequantizeLinear(x, s)",
        np.arange(-5, 5, dtype=np.int32),
        {"s": np.array(0.3)},
        smooth=False,
    ),
}
