"""A network in numpy, float64, whose products with constant weights are whatever one hands in.

Convolutions become products of their windows (im2col); all else is onnx's reference evaluator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
from numpy.lib.stride_tricks import sliding_window_view
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from rxsim.errors import InputError

Product = Callable[[str, np.ndarray], np.ndarray]
"""From a layer's name and its input vectors (n, K) to its products (n, N), bias left out."""


def matrices_of(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    """Return the weights (K, N) of each Conv, Gemm and MatMul by its node's name.

    Raises:
        InputError: a product is not one of a plain image network.
    """
    constant = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    matrices = {}
    for node in model.graph.node:
        if node.op_type not in ("Conv", "Gemm", "MatMul") or node.input[1] not in constant:
            continue
        given = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
        weights = constant[node.input[1]].astype(np.float64)
        _check(node, given, weights)
        if node.op_type == "Conv":
            weights = weights.reshape(len(weights), -1).T
        elif given.get("transB", 0):
            weights = weights.T
        matrices[node.name] = weights
    return matrices


def _check(node: onnx.NodeProto, given: Mapping[str, Any], weights: np.ndarray) -> None:
    plain = (
        given.get("group", 1) == 1
        and given.get("auto_pad", b"NOTSET") == b"NOTSET"
        and given.get("transA", 0) == 0
        and given.get("alpha", 1.0) == given.get("beta", 1.0) == 1.0
        and weights.ndim == (4 if node.op_type == "Conv" else 2)
    )
    if not plain:
        raise InputError(
            f"layer {node.name}: found a {node.op_type} with {sorted(given)} and weights of shape "
            f"{weights.shape}, expected two-dimensional convolutions of one group with stated pads "
            "and plain Gemm and MatMul; take another network"
        )


def run(
    model: onnx.ModelProto,
    output: str,
    feeds: Mapping[str, np.ndarray],
    product: Product,
) -> np.ndarray:
    """Run a network.

    Args:
        model: the network; its nodes have names.
        output: the tensor to return.
        feeds: its inputs.
        product: what stands for its products with constant weights.
    """
    names = set(matrices_of(model))
    doubled = _in_float64(model)
    evaluator = ReferenceEvaluator(doubled, new_ops=_operators(names, product))
    values = {name: value.astype(np.float64) for name, value in feeds.items()}
    return np.asarray(evaluator.run([output], values)[0])


def _in_float64(model: onnx.ModelProto) -> onnx.ModelProto:
    doubled = onnx.ModelProto()
    doubled.CopyFrom(model)
    attributes = [each for node in doubled.graph.node for each in node.attribute]
    for tensor in [*doubled.graph.initializer, *(each.t for each in attributes)]:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            values = numpy_helper.to_array(tensor).astype(np.float64)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return doubled


def _operators(names: set[str], product: Product) -> list[type[OpRun]]:
    """Return operators for the reference evaluator that call `product`."""
    from onnx.reference.ops.op_conv import Conv as PlainConv
    from onnx.reference.ops.op_gemm import Gemm_7 as PlainGemm
    from onnx.reference.ops.op_matmul import MatMul as PlainMatMul

    class Conv(PlainConv):
        def _run(self, x: np.ndarray, w: np.ndarray, b: Any = None, **given: Any) -> Any:
            name = self.onnx_node.name
            if name not in names:
                return super()._run(x, w, b, **given)
            attributes = {
                each.name: onnx.helper.get_attribute_value(each)
                for each in self.onnx_node.attribute
            }
            windows = _windows(x, w.shape[2:], attributes)
            n, high, wide, _ = windows.shape
            result = product(name, windows.reshape(n * high * wide, -1))
            result = result.reshape(n, high, wide, -1).transpose(0, 3, 1, 2)
            return (result if b is None else result + b[:, None, None],)

    class Gemm(PlainGemm):
        def _run(self, x: np.ndarray, w: np.ndarray, b: Any = None, **given: Any) -> Any:
            name = self.onnx_node.name
            if name not in names:
                return super()._run(x, w, b, **given)
            result = product(name, x)
            return (result if b is None else result + b,)

    class MatMul(PlainMatMul):
        def _run(self, x: np.ndarray, w: np.ndarray) -> Any:
            name = self.onnx_node.name
            if name not in names:
                return super()._run(x, w)
            result = product(name, x.reshape(-1, x.shape[-1]))
            return (result.reshape(*x.shape[:-1], -1),)

    return [Conv, Gemm, MatMul]


def _windows(x: np.ndarray, kernel: tuple[int, ...], attributes: Mapping[str, Any]) -> np.ndarray:
    """Return the windows of images (n, C, H, W) as (n, high, wide, C * kernel)."""
    top, left, bottom, right = attributes.get("pads", (0, 0, 0, 0))
    down, along = attributes.get("strides", (1, 1))
    apart = attributes.get("dilations", (1, 1))
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    reach = tuple((size - 1) * step + 1 for size, step in zip(kernel, apart, strict=True))
    views = sliding_window_view(padded, reach, axis=(2, 3))
    views = views[:, :, ::down, ::along, :: apart[0], :: apart[1]]
    n, channels, high, wide = views.shape[:4]
    return views.transpose(0, 2, 3, 1, 4, 5).reshape(
        n, high, wide, channels * kernel[0] * kernel[1]
    )
