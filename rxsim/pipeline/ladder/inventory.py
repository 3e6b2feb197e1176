"""What goes onto crossbars and what does not, with shares: from shapes alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import onnx

from rxsim.config import Settings, layer_settings
from rxsim.load import Network
from rxsim.mapping import LayerPlan, NetworkPlan, plan_network

_REAL_TYPES = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPlace:
    """A layer on its arrays, by the numbers.

    Attributes:
        name: the layer.
        op: Conv, Gemm or MatMul.
        groups: separate matrices.
        rows: K of each.
        cols: N of each.
        arrays: physical arrays.
        utilisation: weight cells over all cells.
        macs: multiply-accumulates for one input; None where unknown.
        mac_share: of the network's; None where unknown.
        parameters: weights.
        arrays_unpacked: physical arrays if each group had arrays of its own; None where each has.
    """

    name: str
    op: str
    groups: int
    rows: int
    cols: int
    arrays: int
    utilisation: float
    macs: int | None
    mac_share: float | None
    parameters: int
    arrays_unpacked: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Inventory:
    """What is mapped and what is not.

    Attributes:
        layers: the mapped layers.
        digital: what stays digital: operator, reason, number of nodes, multiply-accumulates.
        shares: mapped shares of multiply-accumulates and parameters; None where unknown.
    """

    layers: tuple[LayerPlace, ...]
    digital: tuple[Mapping[str, Any], ...]
    shares: Mapping[str, float | None]

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "layers": [asdict(place) for place in self.layers],
            "digital": [dict(row) for row in self.digital],
            "shares": dict(self.shares),
        }


def take_inventory(
    network: Network, settings: Settings, input_shapes: Mapping[str, tuple[int, ...]]
) -> Inventory:
    """List what a network puts onto crossbars.

    Args:
        network: the network.
        settings: the array's size and the mapping.
        input_shapes: shape of each input, with a batch axis of 1.
    """
    by_layer = {layer.name: layer_settings(settings, layer.name) for layer in network.layers}
    mapped = {name: of_layer for name, of_layer in by_layer.items() if of_layer is not None}
    return inventory_of(network, plan_network(network, mapped, input_shapes))


def inventory_of(network: Network, plan: NetworkPlan) -> Inventory:
    """List what a planned network puts onto crossbars."""
    total = sum(plan.macs.values())
    places = tuple(_place(layer, total) for layer in plan.layers.values())
    taken = sum(place.macs or 0 for place in places)
    parameters = sum(
        int(np.prod(tensor.dims))
        for tensor in network.model.graph.initializer
        if tensor.data_type in _REAL_TYPES
    )
    weights = sum(place.parameters for place in places)
    shares = {
        "macs_mapped": taken / total if total else None,
        # Layers may share one tensor: it then lies on arrays more than once.
        "parameters_mapped": min(weights / parameters, 1.0) if parameters else None,
    }
    return Inventory(places, _digital(network, plan.macs), shares)


def _place(plan: LayerPlan, total: int) -> LayerPlace:
    """Tell a layer's plan in plain numbers, its share of all multiply-accumulates with it."""
    layer, macs = plan.layer, plan.macs
    return LayerPlace(
        name=layer.name,
        op=layer.op,
        groups=layer.groups,
        rows=layer.n_inputs,
        cols=layer.n_outputs,
        arrays=plan.arrays,
        utilisation=plan.tiling.utilisation,
        macs=macs,
        mac_share=macs / total if macs is not None and total else None,
        parameters=plan.parameters,
        arrays_unpacked=plan.arrays_unpacked,
    )


def _digital(network: Network, macs: Mapping[str, int]) -> tuple[dict[str, Any], ...]:
    """Group the digital nodes by operator and reason."""
    counts = Counter((node.op, node.reason) for node in network.digital)
    work: Counter[tuple[str, str]] = Counter()
    for node in network.digital:
        work[(node.op, node.reason)] += macs.get(node.name, 0)
    return tuple(
        {"op": op, "reason": reason, "nodes": count, "macs": work[(op, reason)]}
        for (op, reason), count in sorted(counts.items())
    )
