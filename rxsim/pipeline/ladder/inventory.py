"""What goes onto crossbars and what does not, with shares: from shapes alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import onnx

from rxsim.config import Settings, layer_settings
from rxsim.load import Layer, Network
from rxsim.load.shapes import macs_by_node
from rxsim.mapping import tile_layer

_REAL_TYPES = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16)


@dataclass(frozen=True, slots=True)
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
    macs = macs_by_node(network.model, dict(input_shapes))
    total = sum(macs.values())
    places = []
    for layer in network.layers:
        own = layer_settings(settings, layer.name)
        if own is None:
            continue
        tiling = tile_layer(layer, own.crossbar, own.mapping)
        count = macs.get(layer.name)
        places.append(
            LayerPlace(
                layer.name,
                layer.op,
                layer.groups,
                layer.n_inputs,
                layer.n_outputs,
                tiling.n_arrays,
                tiling.utilisation,
                count,
                count / total if count is not None and total else None,
                layer.matrices.size,
                _arrays_unpacked(layer, own) if tiling.packed > 1 else None,
            )
        )
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
    return Inventory(tuple(places), _digital(network, macs), shares)


def _arrays_unpacked(layer: Layer, own: Settings) -> int:
    mapping = own.mapping.model_copy(update={"pack_groups": False})
    return tile_layer(layer, own.crossbar, mapping).n_arrays


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
