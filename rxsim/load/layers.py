"""Find the layers whose weights a crossbar can hold: products of activations and constants."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import onnx

from rxsim.errors import ModelError
from rxsim.mapped_files import let_go
from rxsim.onnx_graph import constants, nodes_with_holders
from rxsim.operators import Layer, Operator, operator_of

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
    for node, holders in nodes_with_holders(model.graph):
        operator = operator_of(node)
        if operator is None:
            continue
        reason = operator.why_not(node, known) or _why_not_here(holders)
        if reason:
            declined[node.name] = reason
            continue
        layers.extend(layers_of(node, operator, known, len(layers)))
    return _on_shared_arrays(layers), declined


def _on_shared_arrays(layers: list[Layer]) -> list[Layer]:
    """Let layers with the same weights use the arrays of the first of them: they are mapped once."""
    alike: dict[tuple[object, ...], list[Layer]] = {}
    placed = []
    for layer in layers:
        key = (layer.kernel, layer.matrices.shape, float(layer.matrices.flat[0]))
        others = alike.setdefault(key, [])
        first = next((o for o in others if np.array_equal(o.matrices, layer.matrices)), None)
        # Weights that are all equal tell nothing: two layers may be so by chance.
        if first is None or (layer.matrices == layer.matrices.flat[0]).all():
            others.append(layer)
            placed.append(layer)
        else:
            placed.append(replace(layer, arrays_of=first.index))
    return placed


def _why_not_here(holders: tuple[str, ...]) -> str:
    """Say why no product can be mapped inside some nodes: its values could not be told apart."""
    unknown = [kind for kind in holders if kind not in ("If", "Loop", "Scan")]
    if unknown:
        return f"in a body of {unknown[0]}: not mapped"
    loops = [place for place, kind in enumerate(holders) if kind != "If"]
    if len(loops) > 1:
        return "in a loop inside a loop: not mapped"
    if loops and loops[0] != len(holders) - 1:
        return "in a branch of If inside a loop: not mapped"
    return ""


def layers_of(
    node: onnx.NodeProto, operator: Operator, known: Mapping[str, onnx.TensorProto], first: int
) -> list[Layer]:
    """Return the layers of a node that can be mapped.

    Args:
        node: the node.
        operator: what it is.
        known: the constants by name.
        first: index of its first layer.

    Raises:
        ModelError: its weights hold NaN, infinity or numbers beyond use.
    """
    layers = []
    products = operator.products(node, known)
    node_weights = sum(product.matrices.size for product in products)
    for index, product in enumerate(products, first):
        name = f"{node.name}.{product.part}" if product.part else node.name
        _check_weights(name, product.stored)
        let_go(product.stored)
        layers.append(
            Layer(
                name=name,
                index=index,
                node=node,
                operator=operator,
                matrices=product.matrices,
                dtype=product.stored.dtype,
                input=product.input,
                layout=product.layout,
                node_weights=node_weights,
                arrays_of=index,
            )
        )
    return layers


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
