"""Operators that multiply but that no crossbar takes yet: named and counted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx

from rxsim.onnx_graph import GraphBuilder
from rxsim.operators import Constants, Layer, MatrixPart, Product, Windows
from rxsim.operators._single import SingleProduct


class Unmapped(SingleProduct):
    """An operator that stays digital, with the same reason for all of its nodes."""

    maps = False
    reason: str

    def why_not(self, node: onnx.NodeProto, constants: Constants) -> str:
        """Give the reason."""
        return self.reason

    def products(self, node: onnx.NodeProto, constants: Constants) -> Sequence[Product]:
        """Never called: no node can be mapped."""
        raise NotImplementedError(self.reason)

    def windows(self, layer: Layer, values: np.ndarray) -> Windows:
        """Never called: there is no layer."""
        raise NotImplementedError(self.reason)

    def add_product(self, build: GraphBuilder, layer: Layer, source: str, part: MatrixPart) -> str:
        """Never called: there is no layer."""
        raise NotImplementedError(self.reason)
