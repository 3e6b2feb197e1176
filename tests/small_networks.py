"""Small networks for tests, written as ONNX text."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import numpy_helper, parser


def network(text: str, shape: tuple[int, ...], tensors: Mapping[str, ArrayLike]) -> onnx.ModelProto:
    """Return a model from its nodes, the shape of one input ``x`` and its weights.

    Args:
        text: Nodes as ONNX text; the result is ``y``.
        shape: Shape of one input, the batch left out.
        tensors: Initializers by name.
    """
    axes = ",".join(map(str, shape))
    model = parser.parse_model(
        f'<ir_version: 8, opset_import: ["": 17]> g (float[B,{axes}] x) => (float[B,U] y) {{{text}}}'
    )
    model.graph.output[0].type.tensor_type.ClearField("shape")
    for name, value in tensors.items():
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
    return model


def dense(weight: ArrayLike, bias: ArrayLike | None = None) -> onnx.ModelProto:
    """Return a network of one Gemm layer named ``fc`` with a weight (K, N)."""
    tensors = {"w": weight} | ({} if bias is None else {"b": bias})
    given = "x, w" if bias is None else "x, w, b"
    return network(f"[fc] y = Gemm({given})", (np.shape(weight)[0],), tensors)


def conv(
    weight: ArrayLike, shape: tuple[int, int, int], groups: int = 1, attributes: str = ""
) -> onnx.ModelProto:
    """Return a network of one Conv layer named ``conv`` for inputs (C, H, W)."""
    text = f"[conv] y = Conv<group={groups}{attributes}>(x, w)"
    return network(text, shape, {"w": weight})
