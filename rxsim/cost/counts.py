"""What a network takes of the hardware for one inference: layers, digital operators, totals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add

from rxsim.cost.digital_operators import DigitalOperator, digital_operators
from rxsim.cost.layer_counts import Actions, Hardware, LayerCounts, Organisation, count_layer
from rxsim.load import Network
from rxsim.load.tensor_sizes import TensorSize
from rxsim.mapping import NetworkPlan


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class NetworkCounts:
    """The counts of a network.

    Attributes:
        layers: of the layers on crossbars, by name, in topological order.
        digital: of the other nodes, in topological order.
    """

    layers: Mapping[str, LayerCounts]
    digital: tuple[DigitalOperator, ...]

    @property
    def actions(self) -> Actions:
        """What all layers do for one inference."""
        return reduce(add, (layer.actions for layer in self.layers.values()), Actions())

    @property
    def hardware(self) -> Hardware:
        """The hardware of all layers; arrays that layers share count once."""
        own = (each.hardware for each in self.layers.values() if each.shared_with is None)
        return reduce(add, own, Hardware())

    @property
    def digital_operations(self) -> dict[str, int]:
        """Operations on single elements by kind of digital operator; unknown ones are left out."""
        found: dict[str, int] = {}
        for each in self.digital:
            if each.operations is not None:
                found[each.kind] = found.get(each.kind, 0) + each.operations
        return found

    @property
    def unknown(self) -> tuple[str, ...]:
        """Names of digital nodes whose work is not known."""
        return tuple(each.name for each in self.digital if each.operations is None)


def count_network(
    network: Network,
    plan: NetworkPlan,
    *,
    signed: Mapping[str, bool],
    sizes: Mapping[str, TensorSize],
    organisation: Organisation,
    pulses_per_cell: Mapping[str, float] | None = None,
) -> NetworkCounts:
    """Count what a network takes.

    Args:
        network: the network.
        plan: of its layers on crossbars.
        signed: for each layer whether any of its inputs is below 0, as calibration found.
        sizes: of tensors per network input (`rxsim.load.tensor_sizes`).
        organisation: how arrays stand together.
        pulses_per_cell: mean pulses that write a cell, by layer; 1 where it says nothing.

    Raises:
        ModelError: a layer's shape is unknown.
        SettingError: one-bit DACs would have to carry signed inputs.
    """
    pulses = pulses_per_cell or {}
    layers = {
        name: count_layer(
            layer,
            signed=signed[name],
            sizes=sizes,
            organisation=organisation,
            pulses_per_cell=pulses.get(name, 1.0),
        )
        for name, layer in plan.layers.items()
    }
    analog = {layer.layer.node.name for layer in plan.layers.values()}
    return NetworkCounts(
        layers=layers, digital=digital_operators(network, analog, plan.work, sizes)
    )
