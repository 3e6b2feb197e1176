"""Energy and area of a layer, component by component: its counts in a technology.

    E = acts x energy of an act, or instances x power x time of the layer where only a power is stated
    A = instances x area of one

Source: docs/concepts/cost.md, "Prices".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rxsim.config import Settings
from rxsim.cost.array_energy import ReadEnergy
from rxsim.cost.layer_counts import LayerCounts
from rxsim.cost.price.compensation import compensation_cost
from rxsim.cost.price.component import Basis, ComponentCost, known_sum, status_of, together
from rxsim.cost.price.digital import DIGITAL_KINDS
from rxsim.cost.technology import Component, LevelName, Technology
from rxsim.cost.totals import counts_in, instances


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerWork:
    """What a layer is priced by.

    Attributes:
        counts: for one inference.
        settings: of the layer, with its columns of an ADC.
        replicas: copies of its arrays.
        seconds: of an inference, of all positions together.
        energy: of a read from the circuit; None: the technology's number.
        link_bits: that move between chips for an inference; None: the network is not laid out.
        arrays_of_adc: arrays that take turns at an ADC; 1 where each has ADCs of its own.
    """

    counts: LayerCounts
    settings: Settings
    replicas: int
    seconds: float
    energy: ReadEnergy | None
    link_bits: int | None = None
    arrays_of_adc: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerCost:
    """What a layer costs.

    Attributes:
        counts: for one inference.
        replicas: copies of its arrays.
        units: that all copies fill; those of the layer whose arrays it uses.
        seconds: of an inference.
        product_seconds: of a product, all pulses of a position.
        components: each with energy and area; there are none where the arrays are another layer's.
    """

    counts: LayerCounts
    replicas: int
    units: int
    seconds: float
    product_seconds: float
    components: tuple[ComponentCost, ...]

    @property
    def name(self) -> str:
        """The layer's name."""
        return self.counts.name

    @property
    def energy_j(self) -> float:
        """Energy of an inference, J, of all components that state theirs."""
        return known_sum(each.energy_j for each in self.components)

    @property
    def area_mm2(self) -> float:
        """Area, mm2, of all components that state theirs."""
        return known_sum(each.area_mm2 for each in self.components)

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        counts, hardware = self.counts, self.counts.hardware
        values: dict[str, Any] = {
            "name": counts.name,
            "op": counts.op,
            "energy_j": self.energy_j,
            "area_mm2": self.area_mm2,
            "seconds": self.seconds,
            "product_seconds": self.product_seconds,
            "replicas": self.replicas,
            "arrays": hardware.arrays,
            "units": self.units,
            "utilisation": hardware.utilisation,
            "cells_written": hardware.cells_written,
            "write_pulses": hardware.write_pulses,
            "positions": counts.positions,
            "pulses": counts.pulses,
            "actions": {
                name: getattr(counts.actions, name) for name in counts.actions.__dataclass_fields__
            },
            "zeros": {
                name: getattr(hardware.zeros, name) for name in hardware.zeros.__dataclass_fields__
            },
            "components": [each.as_json() for each in self.components],
        }
        if counts.shared_with is not None:
            values["shared_with"] = counts.shared_with
        return values


def price_layer(
    work: LayerWork, technology: Technology, unit: LevelName, inference_s: float
) -> tuple[ComponentCost, ...]:
    """Price a layer's components.

    Instances of a layer that uses the arrays of another one count there, and so does their area.

    Args:
        work: what the layer takes.
        technology: with the layer's ADC.
        unit: the level that adds up what its arrays give.
        inference_s: time of an inference, s; what leaks does so all that time.
    """
    priced: dict[str, ComponentCost] = {}
    held = counts_in(technology, technology.level_names[-1])
    for level in technology.level_names:
        for name, parts in technology.levels[level].parts.items():
            component, again = technology.components[name], name in priced
            number = _instances(work, technology, unit, level, component, parts)
            if again and component.action == "conversion":
                number = 0.0  # the first place counts all that convert
            cost = _Place(
                name=name, level=level, component=component, number=number, again=again
            ).cost(work, technology, held, inference_s)
            priced[name] = together(priced[name], cost) if again else cost
    extra = compensation_cost(work.counts.actions, work.settings, technology)
    return (*priced.values(), *([extra] if extra else []))


def _instances(
    work: LayerWork,
    technology: Technology,
    unit: LevelName,
    level: LevelName,
    component: Component,
    parts: float,
) -> float:
    """Count the instances of a component that a layer's copies have, levels in part in part."""
    hardware, crossbar, copies = work.counts.hardware, work.settings.crossbar, work.replicas
    if component.action == "conversion":
        return hardware.converters * copies / work.arrays_of_adc
    if level == technology.level_names[0]:
        per_array = {
            "array_read": crossbar.rows * crossbar.cols / _cells(technology),
            "dac_drive": float(crossbar.rows),
            "sample": float(crossbar.cols),
        }
        return hardware.arrays * copies * per_array.get(component.action, parts)
    return parts * hardware.units * copies / instances(technology, unit, level)


def _cells(technology: Technology) -> int:
    return technology.product.rows * technology.product.cols


def _acts(work: LayerWork, technology: Technology, component: Component) -> float | None:
    """Count what a component does for one inference; None where it is not counted."""
    actions, crossbar = work.counts.actions, work.settings.crossbar
    buffered = actions.buffer_read_bits + actions.buffer_write_bits
    counted: dict[str, float | None] = {
        "array_read": actions.reads * crossbar.rows * crossbar.cols / _cells(technology),
        "dac_drive": actions.drives,
        "sample": actions.sample_and_holds,
        "conversion": actions.conversions,
        "shift_add": actions.shift_and_adds,
        "buffer": buffered / (component.bits or 1),
        "bus": buffered / (component.bits or 1),
        "network": (actions.activation_bits + actions.partial_sum_bits) / (component.bits or 1),
        "link": None if work.link_bits is None else work.link_bits / (component.bits or 1),
    }
    if component.action in DIGITAL_KINDS and component.energy_of_action_j is not None:
        return 0.0  # its acts are those of digital operators, not of a layer
    number = counted.get(component.action)
    return None if number is None else float(number)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A component at a level of the hierarchy.

    Attributes:
        name: the component's.
        level: the level.
        component: its numbers.
        number: of its instances there.
        again: whether it stands at an inner level too, which carries out all of its acts.
    """

    name: str
    level: LevelName
    component: Component
    number: float
    again: bool

    def cost(
        self, work: LayerWork, technology: Technology, held: dict[str, float], inference_s: float
    ) -> ComponentCost:
        """Price it; instances, area and leakage count with the layer that owns the arrays."""
        part, owns = self.component, work.counts.shared_with is None
        acts = _acts(work, technology, part)
        if self.again and acts is not None:
            acts = 0.0
        energy, basis = self._stated(work, acts)
        error, by_technology = None, None
        if part.action == "array_read" and work.energy is not None:
            by_technology, basis = energy, "circuit"
            energy, error = (0.0, 0.0) if self.again else _of_circuit(work)
        if part.leakage_w is not None and owns:
            at_rest = self.number * part.leakage_w / part.together * inference_s
            energy = at_rest if energy is None else energy + at_rest
            by_technology = None if by_technology is None else by_technology + at_rest
        return ComponentCost(
            name=self.name,
            level=self.level,
            action=part.action,
            instances=self.number if owns else 0.0,
            actions=acts,
            energy_j=energy,
            error_j=error,
            basis=basis,
            area_mm2=_area(part, self.number if owns else 0.0),
            area_within=part.area_within if part.area_within in held else None,
            status=status_of(part, basis),
            energy_of_technology_j=by_technology,
        )

    def _stated(self, work: LayerWork, acts: float | None) -> tuple[float | None, Basis]:
        """Return energy by the technology's numbers, J, and where it is from."""
        part = self.component
        if acts is not None and part.energy_of_action_j is not None:
            return acts * part.energy_of_action_j, "action"
        if part.power_of_one_w is not None:
            return self.number * part.power_of_one_w * work.seconds, "power"
        return None, "unknown"


def _of_circuit(work: LayerWork) -> tuple[float, float | None]:
    """Return the energy of all reads of an inference from the circuit, and its error, J."""
    energy, positions = work.energy, work.counts.positions
    assert energy is not None
    error = energy.standard_error
    return energy.joules * positions, None if error is None else error * positions


def _area(component: Component, number: float) -> float | None:
    of_one = component.area_of_one_mm2
    return None if of_one is None else of_one * number
