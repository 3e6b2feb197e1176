"""Operators that have no products of their own: what can be mapped of them is rewritten beforehand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx

from rxsim.onnx_graph import GraphBuilder
from rxsim.operators import Constants, Layer, MatrixPart, Product, Windows
from rxsim.operators._single import SingleProduct


class WithoutProducts(SingleProduct):
    """An operator whose nodes `normalised` turns into others, or that stay digital."""

    def products(self, node: onnx.NodeProto, constants: Constants) -> Sequence[Product]:
        """Never called: no node that is left can be mapped."""
        raise NotImplementedError(node.op_type)

    def windows(self, layer: Layer, values: np.ndarray) -> Windows:
        """Never called: there is no layer."""
        raise NotImplementedError(layer.name)

    def add_product(self, build: GraphBuilder, layer: Layer, source: str, part: MatrixPart) -> str:
        """Never called: there is no layer."""
        raise NotImplementedError(layer.name)
