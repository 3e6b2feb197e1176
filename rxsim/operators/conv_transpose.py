"""ConvTranspose: counted, not mapped yet."""

from __future__ import annotations

from collections.abc import Mapping

import onnx

from rxsim.onnx_graph import Shape
from rxsim.operators import Operator
from rxsim.operators._shared import conv_macs
from rxsim.operators._unmapped import Unmapped


class ConvTranspose(Unmapped):
    """Transposed convolutions."""

    op_types = (("", "ConvTranspose"),)
    reason = "transposed convolution: not mapped yet"

    def macs(self, node: onnx.NodeProto, shapes: Mapping[str, Shape | None]) -> int | None:
        """Count the weights of an input channel for each entry of the input."""
        return conv_macs(shapes, node.input[1], node.input[0])


OPERATOR: Operator = ConvTranspose()
