"""DeformConv: a window whose places the network computes; counted, not mapped."""

from __future__ import annotations

from collections.abc import Mapping

import onnx

from rxsim.onnx_graph import Shape
from rxsim.operators import Operator
from rxsim.operators._convolution import conv_macs
from rxsim.operators._unmapped import Unmapped


class DeformConv(Unmapped):
    """Convolutions with offsets for each place of the window."""

    op_types = (("", "DeformConv"),)
    reason = (
        "deformable convolution: its windows are interpolated at places that the network computes"
    )

    def macs(self, node: onnx.NodeProto, shapes: Mapping[str, Shape | None]) -> int | None:
        """Count the weights of an output channel for each entry of the result; no interpolation."""
        return conv_macs(shapes, node.input[1], node.output[0])


OPERATOR: Operator = DeformConv()
