"""onnxruntime's MatMulNBits: weights of few bits in blocks; a MatMul by what they stand for."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx

from rxsim.onnx_graph import Rewriting, Shape, attributes, n_entries, values_of
from rxsim.operators import Constants, Operator
from rxsim.operators._without_products import WithoutProducts

_FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)


class MatMulNBits(WithoutProducts):
    """Products by weights that are quantised block by block."""

    op_types = (("com.microsoft", "MatMulNBits"),)

    def normalised(self, node: onnx.NodeProto, graph: Rewriting) -> list[onnx.NodeProto]:
        """Write a MatMul by the weights as floats, and the bias."""
        if self.why_not(node, graph.constants):
            return [node]
        build = graph.builder(node.name)
        weight = build.constant("weight", _weights(node, graph.constants))
        total = build.add_named(node.name, "MatMul", [node.input[0], weight], "product")
        if len(node.input) > 5 and node.input[5]:
            total = build.add("Add", [total, node.input[5]], "biased")
        build.give(total, node.output[0])
        return graph.finish(build)

    def why_not(self, node: onnx.NodeProto, constants: Constants) -> str:
        """Say why a node can't be rewritten."""
        given = attributes(node)
        held = [name for name in node.input[1:5] if name]
        if any(name not in constants for name in held):
            return "its weights are not constant"
        if given.get("weight_prepacked", 0):
            return "its weights are packed for one processor; export them unpacked"
        if given.get("bits", 4) not in (2, 4, 8):
            return f"its weights have {given['bits']} bits, not 2, 4 or 8"
        if len(node.input) > 4 and node.input[4]:
            return "its blocks are reordered (g_idx)"
        if constants[node.input[2]].data_type not in _FLOATS:
            return "its scales are not float32 or float16"
        if constants[node.input[1]].data_type != onnx.TensorProto.UINT8:
            return "its weights are not packed into bytes"
        return ""

    def macs(self, node: onnx.NodeProto, shapes: Mapping[str, Shape | None]) -> int | None:
        """Count every weight for each row of the input."""
        size = n_entries(shapes.get(node.input[0]))
        return None if size is None else size * int(attributes(node)["N"])


def _weights(node: onnx.NodeProto, constants: Constants) -> np.ndarray:
    """Return the weights K x N in the type of the scales.

    Source: onnxruntime's MatMulNBits: B is (N, blocks, block_size * bits / 8), lowest bits first; a
    weight is (code - zero point) * scale of its block, the zero point 2^(bits - 1) where none is given,
    else packed like the weights of a row, or a float.
    """
    given = attributes(node)
    n_rows, n_outputs = int(given["K"]), int(given["N"])
    bits, block = int(given.get("bits", 4)), int(given["block_size"])
    blocks = -(-n_rows // block)
    packed = values_of(constants[node.input[1]])
    codes = _unpacked(packed.reshape(n_outputs, -1), bits)[:, : blocks * block]
    scales = values_of(constants[node.input[2]]).reshape(n_outputs, blocks)
    zeros = np.full((n_outputs, blocks), 2.0 ** (bits - 1))
    if len(node.input) > 3 and node.input[3]:
        stored = values_of(constants[node.input[3]])
        if stored.dtype == np.uint8:
            zeros = _unpacked(stored.reshape(n_outputs, -1), bits)[:, :blocks].astype(np.float64)
        else:
            zeros = stored.reshape(n_outputs, blocks).astype(np.float64)
    wide = codes.reshape(n_outputs, blocks, block).astype(np.float64) - zeros[:, :, None]
    weights = (wide * scales[:, :, None]).reshape(n_outputs, -1)[:, :n_rows]
    return np.ascontiguousarray(weights.T.astype(scales.dtype))


def _unpacked(packed: np.ndarray, bits: int) -> np.ndarray:
    """Return the codes of each row of bytes."""
    shifts = np.arange(0, 8, bits)
    codes = (packed[:, :, None] >> shifts) & (2**bits - 1)
    return np.asarray(codes.reshape(len(packed), -1))


OPERATOR: Operator = MatMulNBits()
