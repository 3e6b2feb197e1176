"""Which step of compensation asks for which hardware, and what that costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rxsim.compensate import Needs
from rxsim.config import Settings
from rxsim.cost.price.compensation import shift_and_add_j, shift_and_adds, value_bits
from rxsim.cost.price.layer import LayerCost
from rxsim.cost.technology import Action, Technology

_READING = ("array_read", "dac_drive", "sample", "conversion", "shift_add")
"""What acts where a product is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCost:
    """What a step of compensation costs in all layers, beyond what the steps before it bring.

    Attributes:
        name: its name, with its number behind where the list holds it before.
        multiplications: of an inference.
        additions: of an inference.
        energy_j: of both, J; None: the technology states no shift-and-add.
        stored_values: numbers that all copies keep.
        stored_bits: bits of these.
        spare_columns: of all copies; their cells, drives and reads are counted with the arrays.
        spare_area_mm2: of these columns, a part of the arrays' area; None: not stated.
        test_reads: products of calibration inputs that are read from a chip before it works.
        test_cell_reads: cells that are read one by one; not those that a step before has tested.
        test_energy_j: of the products, J.
    """

    name: str
    multiplications: int = 0
    additions: int = 0
    energy_j: float | None = 0.0
    stored_values: int = 0
    stored_bits: int = 0
    spare_columns: int = 0
    spare_area_mm2: float | None = 0.0
    test_reads: int = 0
    test_cell_reads: int = 0
    test_energy_j: float = 0.0

    def __add__(self, other: StepCost) -> StepCost:
        """Return the cost in two layers; what is not known in one of them is not known."""
        sums: dict[str, Any] = {}
        for name in self.__dataclass_fields__:
            both = getattr(self, name), getattr(other, name)
            sums[name] = None if None in both else both[0] + both[1]
        return StepCost(**{**sums, "name": self.name})

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def step_costs(
    layers: Iterable[LayerCost],
    settings: Mapping[str, Settings],
    technology: Technology,
    calibration_inputs: int,
) -> tuple[StepCost, ...]:
    """Price the steps of compensation, in the order of the list.

    A test reads the products of every calibration input on every copy of a layer: each costs what
    arrays, DACs, sample-and-holds, ADCs and shift-and-adds of the layer take for an inference.

    Args:
        layers: priced.
        settings: of each layer.
        technology: with its numbers.
        calibration_inputs: inputs that tests read.
    """
    costs: dict[str, StepCost] = {}
    for layer in layers:
        for step in layer.counts.steps_needs:
            cost = _of_layer(step.needs, layer, settings[layer.name], technology)
            reads = cost.test_reads * calibration_inputs
            cost = replace(
                cost, name=step.name, test_reads=reads, test_energy_j=reads * cost.test_energy_j
            )
            before = costs.get(step.name)
            costs[step.name] = cost if before is None else before + cost
    return tuple(costs.values())


def _of_layer(
    needs: Needs, layer: LayerCost, settings: Settings, technology: Technology
) -> StepCost:
    """Price a step in a layer: reads of a single calibration input, and the energy of one read."""
    positions, copies = layer.counts.positions, layer.replicas
    times, plus = positions * needs.multipliers, positions * needs.adders
    each = shift_and_add_j(technology)
    acts = shift_and_adds(times, plus, settings)
    stored = needs.stored_values * copies
    spares = needs.spare_columns * copies
    return StepCost(
        name="",
        multiplications=times,
        additions=plus,
        energy_j=0.0 if not acts else None if each is None else acts * each,
        stored_values=stored,
        stored_bits=stored * value_bits(settings),
        spare_columns=spares,
        spare_area_mm2=_spare_area(spares, settings, technology),
        test_reads=needs.reads * copies,
        test_cell_reads=needs.cell_reads * copies,
        test_energy_j=sum(
            part.energy_j or 0.0 for part in layer.components if part.action in _READING
        ),
    )


def _spare_area(columns: int, settings: Settings, technology: Technology) -> float | None:
    """Return the area of columns of cells and their sample-and-holds, mm2; None: not stated."""
    if not columns:
        return 0.0
    array = _area_of("array_read", technology)
    if array is None:
        return None
    cells = technology.product.rows * technology.product.cols
    of_column = array * settings.crossbar.rows / cells
    return columns * (of_column + (_area_of("sample", technology) or 0.0))


def _area_of(action: Action, technology: Technology) -> float | None:
    parts = technology.components.values()
    part = next((part for part in parts if part.action == action), None)
    return None if part is None else part.area_of_one_mm2
