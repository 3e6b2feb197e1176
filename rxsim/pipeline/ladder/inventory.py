"""What goes onto crossbars and what does not, with shares: from shapes alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import onnx

from rxsim.config import Settings, layer_settings
from rxsim.devices import check_defect_maps
from rxsim.load import Network
from rxsim.mapping import LayerPlan, NetworkPlan, plan_network
from rxsim.pipeline.study.work import mappable, work_at

_REAL_TYPES = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16)
_CONVERSIONS = ("QuantizeLinear", "DequantizeLinear")
"""What has a scale, which is no parameter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPlace:
    """A layer on its arrays, by the numbers.

    Attributes:
        name: the layer.
        op: type of its node in the file, such as Conv.
        groups: separate matrices.
        rows: K of each.
        cols: N of each.
        arrays: physical arrays.
        utilisation: weight cells over all cells.
        macs: multiply-accumulates for one input; None where unknown.
        mac_share: of the network's; None where unknown.
        parameters: weights.
        arrays_unpacked: physical arrays if each group had arrays of its own; None where each has.
        shared_with: the layer with the same weights whose arrays these are, mapped once; None for
            arrays of its own.
        arrays_with_zeros: physical arrays if no line of zeros was left out; None where none is.
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
    shared_with: str | None = None
    arrays_with_zeros: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON; the last two only where there are some."""
        values = asdict(self)
        for name in ("shared_with", "arrays_with_zeros"):
            if values[name] is None:
                del values[name]
        return values


@dataclass(frozen=True, slots=True, eq=False)
class Inventory:
    """What is mapped and what is not.

    Attributes:
        layers: the mapped layers.
        digital: what stays digital: operator, reason, number of nodes, multiply-accumulates (None where
            unknown), and their share where it is known and not 0.
        shares: mapped shares of multiply-accumulates and parameters; None where unknown. Where some
            sizes are unknown, but a bound is known, `macs_mapped_at_least` or `macs_mapped_at_most`.
        as_float32: types of the network for which float32 stands.
        from_run: products whose multiply-accumulates follow from the values of an input, and were
            counted in a run on one.
    """

    layers: tuple[LayerPlace, ...]
    digital: tuple[Mapping[str, Any], ...]
    shares: Mapping[str, float | None]
    as_float32: tuple[str, ...] = ()
    from_run: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "layers": [place.as_json() for place in self.layers],
            "digital": [dict(row) for row in self.digital],
            "shares": dict(self.shares),
            **({"as_float32": list(self.as_float32)} if self.as_float32 else {}),
            **({"macs_from_run": list(self.from_run)} if self.from_run else {}),
        }


def take_inventory(
    network: Network, settings: Settings, input_shapes: Mapping[str, tuple[int, ...]]
) -> Inventory:
    """List what a network puts onto crossbars.

    Args:
        network: the network.
        settings: the array's size and the mapping.
        input_shapes: shape of each input, with a batch axis of 1.

    Raises:
        RxsimError: an array has no room for the cells of one weight, or a defect map does not fit.
    """
    work = work_at(network, input_shapes)
    network = mappable(network, work)
    by_layer = {layer.name: layer_settings(settings, layer.name) for layer in network.layers}
    mapped = {name: of_layer for name, of_layer in by_layer.items() if of_layer is not None}
    plan = plan_network(network, mapped, work)
    check_defect_maps(
        mapped,
        {name: layer.arrays for name, layer in plan.layers.items()},
        {name: layer.shared_with for name, layer in plan.layers.items()},
    )
    return inventory_of(network, plan)


def inventory_of(network: Network, plan: NetworkPlan) -> Inventory:
    """List what a planned network puts onto crossbars."""
    work = plan.work
    total = None if work.unknown else sum(work.macs.values())
    places = tuple(_place(layer, total) for layer in plan.layers.values())
    scales = {node.input[1] for node in network.model.graph.node if node.op_type in _CONVERSIONS}
    parameters = sum(
        int(np.prod(tensor.dims))
        for tensor in network.model.graph.initializer
        if tensor.data_type in _REAL_TYPES and tensor.name not in scales
    )
    weights = sum(place.parameters for place in places)
    shares = {
        **_work_shares(plan),
        # Layers may share one tensor, which counts once.
        "parameters_mapped": min(weights / parameters, 1.0) if parameters else None,
    }
    digital = _digital(network, plan)
    return Inventory(places, digital, shares, network.as_float32, work.from_run)


def _work_shares(plan: NetworkPlan) -> dict[str, float | None]:
    """Return the mapped share of multiply-accumulates, or what is known of it."""
    total = sum(plan.work.macs.values())
    taken = sum(layer.macs or 0 for layer in plan.layers.values())
    known = taken / total if total else None
    if not plan.work.unknown or known is None:
        return {"macs_mapped": None if plan.work.unknown else known}
    on_crossbars = {layer.layer.node.name for layer in plan.layers.values()}
    open_here = [name in on_crossbars for name in plan.work.unknown]
    shares: dict[str, float | None] = {"macs_mapped": None}
    if all(open_here):
        shares["macs_mapped_at_least"] = known
    elif not any(open_here):
        shares["macs_mapped_at_most"] = known
    return shares


def _place(plan: LayerPlan, total: int | None) -> LayerPlace:
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
        shared_with=plan.shared_with,
        arrays_with_zeros=plan.arrays_with_zeros,
    )


def _digital(network: Network, plan: NetworkPlan) -> tuple[dict[str, Any], ...]:
    """Group the digital nodes by operator and reason."""
    macs, unknown = plan.work.macs, set(plan.work.unknown)
    total = sum(macs.values())
    counts = Counter((node.op, node.reason) for node in network.digital)
    work: Counter[tuple[str, str]] = Counter()
    open_work = set()
    for node in network.digital:
        work[(node.op, node.reason)] += macs.get(node.name, 0)
        if node.name in unknown:
            open_work.add((node.op, node.reason))
    rows = []
    for kind, count in sorted(counts.items()):
        size = None if kind in open_work else work[kind]
        row = {"op": kind[0], "reason": kind[1], "nodes": count, "macs": size}
        if size and not unknown:
            row["mac_share"] = size / total
        rows.append(row)
    return tuple(rows)
