"""Products in onnxruntime's layout for one processor: named, not mapped."""

from __future__ import annotations

from collections.abc import Mapping

import onnx

from rxsim.onnx_graph import Shape
from rxsim.operators import Operator
from rxsim.operators._convolution import conv_macs
from rxsim.operators._unmapped import Unmapped


class Nchwc(Unmapped):
    """Convolutions whose channels lie in blocks of a processor's vector length."""

    op_types = (("com.microsoft.nchwc", "Conv"),)
    reason = (
        "onnxruntime's hardware layout (NCHWc); export with the optimisation level ORT_ENABLE_BASIC "
        "or ORT_ENABLE_EXTENDED"
    )

    def macs(self, node: onnx.NodeProto, shapes: Mapping[str, Shape | None]) -> int | None:
        """Count the weights of an output channel for each entry of the result."""
        return conv_macs(shapes, node.input[1], node.output[0])


OPERATOR: Operator = Nchwc()
