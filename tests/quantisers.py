"""What onnxruntime's own tools make of small float networks."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from exported import Exported, cell_macs, drawn, exported, longs
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

# Without reduce_range, onnxruntime's kernels for uint8 x int8 saturate in their sums on processors that
# have AVX2 and no VNNI, and are no reference there.
WAYS: dict[str, dict[str, Any]] = {
    "QDQ": {"quant_format": QuantFormat.QDQ},
    "QDQ per channel": {"quant_format": QuantFormat.QDQ, "per_channel": True},
    "QDQ unsigned": {
        "quant_format": QuantFormat.QDQ,
        "activation_type": QuantType.QUInt8,
        "weight_type": QuantType.QUInt8,
    },
    "QOperator": {"quant_format": QuantFormat.QOperator},
    "QOperator per channel": {
        **{"quant_format": QuantFormat.QOperator, "per_channel": True, "reduce_range": True},
        **{"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8},
    },
    "dynamic": {},
    "dynamic unsigned": {"weight_type": QuantType.QUInt8},
    "dynamic per channel": {"per_channel": True, "reduce_range": True},
}


def convolutional() -> Exported:
    """Conv (padded), a depthwise Conv, pooling, Gemm: images 2x5x5."""
    text = """
    [c] h = Conv<pads=[1,1,1,1]>(x, w, b)
    [r] r = Relu(h)
    [d] d = Conv<group=4, kernel_shape=[3,3]>(r, v)
    [p] p = GlobalAveragePool(d)
    [q] q = Flatten(p)
    [f] y = Gemm<transB=1>(q, f, e)
    """
    tensors = {
        **{"w": drawn(4, 2, 3, 3), "b": drawn(4), "v": drawn(4, 1, 3, 3)},
        **{"f": drawn(3, 4), "e": drawn(3)},
    }
    macs = 25 * 4 * (2 * 9) + 9 * 4 * 9 + 4 * 3
    return Exported(model=exported(text, (2, 5, 5), tensors), shape=(2, 5, 5), mapped=macs)


def feed_forward() -> Exported:
    """Two MatMuls with biases on 4 tokens of 6, as a transformer has them."""
    text = """
    [up] a = MatMul(x, w)
    [bias] c = Add(a, b)
    [relu] r = Relu(c)
    [down] y = MatMul(r, v)
    """
    tensors = {"w": drawn(6, 8), "b": drawn(8), "v": drawn(8, 6)}
    model = exported(text, (4, 6), tensors, "float[B,T,U] y")
    return Exported(model=model, shape=(4, 6), mapped=4 * (6 * 8 + 8 * 6))


def recurrent() -> Exported:
    """LSTM(4, 3) over 5 steps, batch first, and a linear layer on the last."""
    text = """
    [t] xt = Transpose<perm=[1,0,2]>(x)
    [l] l, h = LSTM<hidden_size=3>(xt, w, r, b)
    [s] s = Squeeze(h, first)
    [f] y = MatMul(s, v)
    """
    tensors = {
        **{"w": drawn(1, 12, 4), "r": drawn(1, 12, 3), "b": drawn(1, 24)},
        **{"v": drawn(3, 2), "first": longs(0)},
    }
    macs = cell_macs(4, 4, 3, 5) + 3 * 2
    return Exported(model=exported(text, (5, 4), tensors), shape=(5, 4), mapped=macs)


NETWORKS = {
    "convolutional": convolutional,
    "feed forward": feed_forward,
    "recurrent": recurrent,
}


class _Samples(CalibrationDataReader):  # type: ignore[misc]
    """Four batches of two inputs."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        rng = np.random.default_rng(0)
        self._feeds: Iterator[dict[str, np.ndarray]] = iter(
            [{"x": rng.standard_normal((2, *shape)).astype(np.float32)} for _ in range(4)]
        )

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._feeds, None)


def quantised(name: str, way: str, folder: Path) -> Exported:
    """Quantise a network with onnxruntime's tools."""
    network, given, made = NETWORKS[name](), folder / "float.onnx", folder / "quantised.onnx"
    onnx.save(network.model, given)
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)  # each call advises a pass before it
    try:
        if way.startswith("dynamic"):
            quantize_dynamic(given, made, **WAYS[way])
        else:
            quantize_static(given, made, _Samples(network.shape), **WAYS[way])
    finally:
        logging.disable(before)
    return Exported(model=onnx.load(made), shape=network.shape, mapped=network.mapped)
