"""DynamicQuantizeLSTM of onnxruntime: an LSTM of 8-bit weights, its inputs rounded to 8 bits as well.

Weights become the floats that they stand for. Input and hidden state go through DynamicQuantizeLinear
and DequantizeLinear, the input as a whole and the hidden state of all sequences at each step.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto

from rxsim.onnx_graph import GraphBuilder, values_of
from rxsim.operators import Constants, Operator
from rxsim.operators.lstm import Lstm

# Source: the operator's schema in onnxruntime: inputs 8 to 11 are scale and zero point of W, then of R.
_SCALES = ((1, 8), (2, 10))


class DynamicQuantizeLstm(Lstm):
    """LSTMs of the dynamic quantiser; their weights lie with the rows first."""

    op_types = (("com.microsoft", "DynamicQuantizeLSTM"),)
    rows_axis = 1

    def why_not_values(self, node: onnx.NodeProto, constants: Constants) -> str:
        """Take constant scales and zero points, and sequences of the same length."""
        if len(node.input) < 12 or any(name not in constants for name in node.input[8:12]):
            return "its scales and zero points are not constant"
        if node.input[4]:
            return "its inputs are rounded together and end at different steps"
        return "its weights are empty" if 0 in constants[node.input[1]].dims else ""

    def data_type(self, node: onnx.NodeProto, constants: Constants) -> int:
        """Return float32: the operator knows no other type."""
        return int(TensorProto.FLOAT)

    def matrices(self, node: onnx.NodeProto, constants: Constants) -> tuple[np.ndarray, np.ndarray]:
        """Return (code - zero point) * scale, of a direction or of a column."""
        weight, recurrent = (_decoded(node.input, *places, constants) for places in _SCALES)
        return weight, recurrent

    def drive(self, build: GraphBuilder, source: str, part: str) -> str:
        """Round to 8 bits over the range at hand."""
        codes = [build.name(f"{part}_{name}") for name in ("codes", "scale", "zero_point")]
        build.nodes.append(
            onnx.helper.make_node(
                "DynamicQuantizeLinear", [source], codes, build.name(f"{part}_rounding")
            )
        )
        return build.add("DequantizeLinear", codes, f"{part}_rounded")


def _decoded(names: Sequence[str], place: int, scale: int, constants: Constants) -> np.ndarray:
    codes, factor, zero = (values_of(constants[names[item]]) for item in (place, scale, scale + 1))
    shape = (len(codes), 1, -1)
    shifted = codes.astype(np.int32) - zero.astype(np.int32).reshape(shape)
    return (shifted * factor.astype(np.float64).reshape(shape)).astype(np.float32)


OPERATOR: Operator = DynamicQuantizeLstm()
