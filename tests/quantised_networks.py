"""Quantised networks for tests, made by onnxruntime's quantiser, and single quantised operators."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from chips import bare_study
from onnx import numpy_helper, parser

from rxsim.config import load_settings
from rxsim.load import Network, load_network
from rxsim.pipeline import patched_chip
from rxsim.session import Session

EXACT = [
    *(f"crossbar.{name}=0" for name in ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense")),
    *(f"{section}.n_bits=null" for section in ("device", "dac", "adc")),
    "calibration.samples=4",
]
Tensors = dict[str, np.ndarray]


class Whole:
    """Inputs that are fed whole."""

    labels = None

    def __init__(self, tensors: Tensors) -> None:
        self._tensors = tensors

    def __len__(self) -> int:
        return len(next(iter(self._tensors.values())))

    def feeds(self, start: int, stop: int) -> Tensors:
        return self._tensors


def graph(signature: str, nodes: str, **constants: Any) -> onnx.ModelProto:
    """Return a model from ONNX text and its initializers; `opset` is its operator set."""
    opset = constants.pop("opset", 17)
    model = parser.parse_model(
        f'<ir_version: 10, opset_import: ["": {opset}, "com.microsoft": 1]> '
        f"g {signature} {{ {nodes} }}"
    )
    for name, value in constants.items():
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    return model


def patched(network: Network, feeds: Tensors, *settings: str) -> onnx.ModelProto:
    """Return a network on crossbars without any effect but what the settings say."""
    chosen = load_settings(None, xbar="24x10", assignments=[*EXACT, *settings])
    inputs: Any = Whole(feeds)
    return patched_chip(bare_study(network, chosen, inputs, len(inputs))).model


def run(model: onnx.ModelProto, feeds: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """Run a model as evaluations do."""
    names = [value.name for value in model.graph.output]
    return Session(model, "the network").run(names, dict(feeds))


def on_crossbars(model: onnx.ModelProto, feeds: Tensors, *settings: str) -> np.ndarray:
    """Return a network's first output from crossbars without any effect."""
    network = load_network(model)
    return run(patched(network, feeds, *settings), feeds)[0]


def random(seed: int, *shape: int) -> np.ndarray:
    """Return normal numbers."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def small_cnn() -> onnx.ModelProto:
    """Return a float network: Conv, Relu, a grouped Conv, Relu, Gemm."""
    model = graph(
        "(float[N,2,8,8] x) => (float[N,6] y)",
        "[first] a = Conv<kernel_shape=[3,3], pads=[1,1,1,1]>(x, w1, b1) r = Relu(a) "
        "[second] b = Conv<kernel_shape=[3,3], strides=[2,2], group=2>(r, w2, b2) s = Relu(b) "
        "f = Flatten(s) [third] y = Gemm<transB=1>(f, w3, b3)",
        w1=random(1, 8, 2, 3, 3),
        b1=random(2, 8),
        w2=random(3, 6, 4, 3, 3) / 4,
        b2=random(4, 6),
        w3=random(5, 6, 54) / 7,
        b3=random(6, 6),
    )
    del model.opset_import[1]
    return model


def small_mlp() -> onnx.ModelProto:
    """Return a float network of two MatMuls with biases."""
    model = graph(
        "(float[N,20] x) => (float[N,6] y)",
        "[first] a = MatMul(x, w1) b = Add(a, b1) r = Relu(b) [second] c = MatMul(r, w2) "
        "y = Add(c, b2)",
        w1=random(1, 20, 30) / 4,
        b1=random(2, 30),
        w2=random(3, 30, 6) / 5,
        b2=random(4, 6),
    )
    del model.opset_import[1]
    return model


def samples(model: onnx.ModelProto, count: int = 32) -> Tensors:
    """Return random inputs of a float network."""
    (value,) = model.graph.input
    axes = [axis.dim_value for axis in value.type.tensor_type.shape.dim[1:]]
    return {value.name: random(9, count, *axes)}


def quantised(
    model: onnx.ModelProto, folder: Path, way: str, *, per_channel: bool, types: str
) -> onnx.ModelProto:
    """Quantise a float network by onnxruntime.

    Args:
        model: the network.
        folder: takes its files.
        way: QDQ, QOperator or dynamic.
        per_channel: whether each output has a scale of its own.
        types: of activations and weights, u or s each, such as us.
    """
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_dynamic,
        quantize_static,
    )

    source, target = folder / "float.onnx", folder / "quantised.onnx"
    onnx.save(model, source)
    activations, weights = (
        {"u": QuantType.QUInt8, "s": QuantType.QInt8}[letter] for letter in types
    )
    if way == "dynamic":
        quantize_dynamic(source, target, per_channel=per_channel, weight_type=weights)
        return onnx.load(target)

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._left: Iterator[Tensors] = iter([samples(model)])

        def get_next(self) -> Tensors | None:
            return next(self._left, None)

    quantize_static(
        source,
        target,
        Reader(),
        quant_format=QuantFormat[way],
        per_channel=per_channel,
        activation_type=activations,
        weight_type=weights,
    )
    return onnx.load(target)
