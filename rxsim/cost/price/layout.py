"""Where a network's layers lie on chips, tiles and cores, and which bits move between these.

Layers follow each other in the order of the graph, a layer's copies one after the other, unit by unit.
Source: docs/concepts/cost.md, "Chips".
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rxsim.cost.counts import NetworkCounts
from rxsim.cost.crossing_sums import crossing_sums
from rxsim.cost.layer_counts import LayerCounts
from rxsim.cost.price.chosen import ChosenTechnology
from rxsim.cost.price.filled import weight_bytes
from rxsim.cost.technology import LevelName
from rxsim.cost.tensor_flow import LayerPlaces, Transfer, transfers
from rxsim.cost.totals import instances
from rxsim.load import Network
from rxsim.load.tensor_sizes import TensorSize
from rxsim.mapping import LayerPlan, NetworkPlan


@dataclass(frozen=True, slots=True, eq=False)
class Wiring:
    """How a network's layers hang together.

    Attributes:
        network: the network.
        plan: of its layers on crossbars.
        sizes: of tensors per network input.
    """

    network: Network
    plan: NetworkPlan
    sizes: Mapping[str, TensorSize]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedLayer:
    """The units of a layer.

    Attributes:
        name: the layer's.
        first_unit: number of its first unit among all, from 0.
        units: of all copies; those of the layer whose arrays it uses.
        spans: by level the numbers of the first and the last that hold a part of it.
    """

    name: str
    first_unit: int
    units: int
    spans: Mapping[LevelName, tuple[int, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelTraffic:
    """What moves between the tiles (or cores, or chips) of a network for one inference.

    Attributes:
        name: the level.
        holds_units: units of each.
        used: how many the network lies on.
        layer_bits: input tensors of layers, from where they are made, by layer.
        partial_sum_bits: partial sums, by layer.
        digital_bits: tensors that digital operators bring together.
        unknown: tensors that move and whose size is not known.
    """

    name: LevelName
    holds_units: float
    used: int
    layer_bits: Mapping[str, int]
    partial_sum_bits: Mapping[str, int]
    digital_bits: int
    unknown: tuple[str, ...]

    @property
    def bits(self) -> int:
        """All that moves."""
        return sum(map(self.bits_of, self.layer_bits)) + self.digital_bits

    def bits_of(self, layer: str) -> int:
        """Return the bits that move for a layer."""
        return self.layer_bits[layer] + self.partial_sum_bits[layer]

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "name": self.name,
            "holds_units": self.holds_units,
            "used": self.used,
            "bits": self.bits,
            "activation_bits": sum(self.layer_bits.values()),
            "partial_sum_bits": sum(self.partial_sum_bits.values()),
            "digital_bits": self.digital_bits,
            "unknown": list(self.unknown),
        }


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Layout:
    """Where a network lies.

    Attributes:
        unit: the level that is placed.
        units: in use.
        layers: in topological order.
        levels: around units, from the inside.
        weight_bytes: of all copies, at the technology's bits of a weight.
        holds_bytes: weights that one of the outermost level holds.
    """

    unit: LevelName
    units: int
    layers: tuple[PlacedLayer, ...]
    levels: tuple[LevelTraffic, ...]
    weight_bytes: float
    holds_bytes: float

    @property
    def outermost(self) -> LevelTraffic:
        """The level between whose members links are."""
        return self.levels[-1]

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "unit": self.unit,
            "units": self.units,
            "weight_bytes": self.weight_bytes,
            "holds_bytes": self.holds_bytes,
            "levels": [level.as_json() for level in self.levels],
            "layers": [
                {
                    "name": layer.name,
                    "first_unit": layer.first_unit,
                    "units": layer.units,
                    "spans": {name: list(span) for name, span in layer.spans.items()},
                    "bits": {level.name: level.bits_of(layer.name) for level in self.levels},
                }
                for layer in self.layers
            ],
        }


def lay_out(
    wiring: Wiring,
    counts: NetworkCounts,
    replicas: Mapping[str, int],
    chosen: ChosenTechnology,
) -> Layout | None:
    """Lay a network out; None where the technology has no level around its units.

    Args:
        wiring: the network.
        counts: for one inference.
        replicas: copies of each layer.
        chosen: the technology.
    """
    technology, unit = chosen.technology, chosen.unit
    names = technology.level_names
    around = names[names.index(unit) + 1 :]
    if not around:
        return None
    each = {name: instances(technology, unit, name) for name in around}
    placed, total = _placed(counts, replicas, each)
    weights = sum(
        wiring.plan.layers[name].parameters * replicas[name]
        for name, layer in counts.layers.items()
        if layer.shared_with is None
    )
    return Layout(
        unit=unit,
        units=total,
        layers=tuple(placed.values()),
        levels=tuple(_traffic(wiring, counts, chosen, placed, total, name) for name in around),
        weight_bytes=weights * technology.product.weight_bits / 8,
        holds_bytes=weight_bytes(technology, around[-1]),
    )


def _placed(
    counts: NetworkCounts, replicas: Mapping[str, int], each: Mapping[LevelName, float]
) -> tuple[dict[str, PlacedLayer], int]:
    """Put layers one after the other; return them, and the units that they take."""
    placed: dict[str, PlacedLayer] = {}
    taken = 0
    for name, layer in counts.layers.items():
        units = layer.hardware.units * replicas[name]
        first = taken if layer.shared_with is None else placed[layer.shared_with].first_unit
        taken += units if layer.shared_with is None else 0
        spans = {
            level: (int(first // size), int((first + units - 1) // size))
            for level, size in each.items()
        }
        placed[name] = PlacedLayer(name=name, first_unit=first, units=units, spans=spans)
    return placed, taken


def _traffic(
    wiring: Wiring,
    counts: NetworkCounts,
    chosen: ChosenTechnology,
    placed: Mapping[str, PlacedLayer],
    total: int,
    level: LevelName,
) -> LevelTraffic:
    size = instances(chosen.technology, chosen.unit, level)
    sent = transfers(wiring.network, list(_places(wiring, placed, level)), wiring.sizes)
    arrays_per_unit = chosen.organisation.arrays_per_unit
    sums = {
        name: layer.sum_bits
        * _sums_sent(wiring.plan.layers[name], layer, placed[name], arrays_per_unit, size)
        for name, layer in counts.layers.items()
    }
    return LevelTraffic(
        name=level,
        holds_units=size,
        used=math.ceil(total / size),
        layer_bits={name: _bits(sent, name) for name in placed},
        partial_sum_bits=sums,
        digital_bits=_bits(sent, None),
        unknown=tuple(dict.fromkeys(each.tensor for each in sent if each.bits is None)),
    )


def _sums_sent(
    plan: LayerPlan, counts: LayerCounts, placed: PlacedLayer, arrays_per_unit: int, size: float
) -> int:
    """Count the partial sums of all positions that leave their tile (or core, or chip)."""
    units = counts.hardware.units
    known: dict[float, int] = {}  # by the place of a copy's first unit within its tile
    sums = 0
    for copy, positions in enumerate(_shared_out(counts.positions, placed.units // units)):
        first = placed.first_unit + copy * units
        if first // size == (first + units - 1) // size:
            continue
        if first % size not in known:
            known[first % size] = crossing_sums(plan, arrays_per_unit, first, size)
        sums += positions * known[first % size]
    return sums


def _bits(sent: tuple[Transfer, ...], layer: str | None) -> int:
    return sum(each.bits or 0 for each in sent if each.layer == layer)


def _shared_out(positions: int, copies: int) -> list[int]:
    """Divide positions among copies, as evenly as they can be."""
    return [positions // copies + (copy < positions % copies) for copy in range(copies)]


def _places(
    wiring: Wiring, placed: Mapping[str, PlacedLayer], level: LevelName
) -> Iterator[LayerPlaces]:
    for name, plan in wiring.plan.layers.items():
        first, last = placed[name].spans[level]
        yield LayerPlaces(
            name=name,
            node=plan.layer.node.name,
            input=plan.layer.input,
            at=frozenset(range(first, last + 1)),
            home=first,
            bits=plan.settings.dac.n_bits or 32,
        )
