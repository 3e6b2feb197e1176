"""Find the layers whose weights a crossbar can hold: products of activations and constants."""

from __future__ import annotations

import math

import numpy as np
import onnx

from rxsim.errors import ModelError
from rxsim.onnx_graph import constants
from rxsim.operators import Layer, operator_of

# Assumption: trained weights stay far below; products with activations and volts then fit in float32.
_LARGEST = 1e20


def find_layers(model: onnx.ModelProto) -> tuple[list[Layer], dict[str, str]]:
    """List the mappable layers, and say why other products are not.

    Returns:
        The layers in topological order, and for the names of nodes left digital the reason.

    Raises:
        ModelError: a mappable layer's weights hold NaN, infinity or numbers beyond use.
    """
    known = constants(model)
    layers: list[Layer] = []
    declined: dict[str, str] = {}
    for node in model.graph.node:
        operator = operator_of(node)
        if operator is None:
            continue
        reason = operator.why_not(node, known)
        if reason:
            declined[node.name] = reason
            continue
        for product in operator.products(node, known):
            name = f"{node.name}.{product.part}" if product.part else node.name
            _check_weights(name, product.stored)
            layers.append(
                Layer(
                    name=name,
                    index=len(layers),
                    node=node,
                    operator=operator,
                    matrices=product.matrices,
                    dtype=product.stored.dtype,
                    input=product.input,
                    layout=product.layout,
                )
            )
    return layers, declined


def _check_weights(name: str, stored: np.ndarray) -> None:
    # NaN and infinity come through; looking for the two ends makes no copy of the weights.
    largest = max(float(stored.max()), -float(stored.min()))
    if not math.isfinite(largest):
        raise ModelError(
            f"layer {name}: its weights hold NaN or infinity, expected finite numbers; train or "
            "export the model again"
        )
    if largest > _LARGEST:
        raise ModelError(
            f"layer {name}: its weights reach {largest:.3g}, expected at most {_LARGEST:g} (a product "
            "overflows float32); train or export the model again"
        )
