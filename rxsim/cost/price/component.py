"""What a component of a technology costs a layer: energy of an inference, and area."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from rxsim.cost.technology import Action, Component, LevelName, Status

Basis = Literal["circuit", "action", "power", "unknown"]
"""Where an energy is from: the solved circuit, the number of acts, power x time, or nowhere."""
_BASES: tuple[Basis, ...] = get_args(Basis)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentCost:
    """What all instances of a component cost.

    Attributes:
        name: the component.
        level: of the hierarchy it stands at; None for what the technology does not list.
        action: what it is counted by.
        instances: how many there are; a level in part counts in part.
        actions: its acts for one inference; None: they are not counted.
        energy_j: for one inference, J; None: the technology does not state it.
        error_j: standard error of the energy where inputs were sampled, J; None: none, or not known.
        basis: where the energy is from.
        area_mm2: mm2; None: another component holds it, or it is not stated.
        area_within: the component that holds its area; None: none does.
        status: how sure its energy is: P printed, D derived, R reconstructed; None: it is the solved
            circuit's, not a source's.
        energy_of_technology_j: of the same reads by the technology's number where the circuit is
            solved, J; None: it is not solved, or the technology states none.
    """

    name: str
    level: LevelName | None
    action: Action | Literal["compensation"]
    instances: float
    actions: float | None
    energy_j: float | None
    basis: Basis
    area_mm2: float | None
    status: Status | None
    area_within: str | None = None
    error_j: float | None = None
    energy_of_technology_j: float | None = None

    @property
    def is_of_unknown_area(self) -> bool:
        """Whether there are some whose area is not stated; compensation's work always needs some."""
        has_any = self.instances > 0 or self.action == "compensation"
        return self.area_mm2 is None and self.area_within is None and has_any

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        for name in ("area_within", "error_j", "energy_of_technology_j"):
            if values[name] is None:
                del values[name]
        return values


def status_of(component: Component, basis: Basis) -> Status | None:
    """Return how sure an energy is: that of an act from power and rate is derived, and so is a power.

    Args:
        component: whose numbers it is from.
        basis: how it is from them.
    """
    if basis == "circuit":
        return None
    is_derived = {"action": component.energy_j is None, "power": component.power_w is None}
    return "D" if component.status == "P" and is_derived.get(basis) else component.status


def known_sum(values: Iterable[float | None]) -> float:
    """Add up what is known; what is not counts nothing, and is told apart."""
    return sum(value for value in values if value is not None)


def summed(costs: Iterable[ComponentCost]) -> tuple[ComponentCost, ...]:
    """Add up the costs of layers component by component, the largest energy first.

    An energy or an area is unknown where it is unknown for each of them; errors of layers add up, as
    all layers see the same inputs (a bound), and are unknown where that of one is.
    """
    by_name: dict[str, ComponentCost] = {}
    for cost in costs:
        before = by_name.get(cost.name)
        by_name[cost.name] = cost if before is None else together(before, cost)
    return tuple(sorted(by_name.values(), key=lambda cost: (-(cost.energy_j or 0), cost.name)))


def together(one: ComponentCost, other: ComponentCost) -> ComponentCost:
    """Add up two costs of a component; it keeps the level of the first one."""
    is_solved = "circuit" in (one.basis, other.basis)
    by_technology = [
        each.energy_of_technology_j if each.basis == "circuit" else each.energy_j
        for each in (one, other)
    ]
    return replace(
        one,
        instances=one.instances + other.instances,
        actions=_add(one.actions, other.actions),
        energy_j=_add(one.energy_j, other.energy_j),
        error_j=_error(one, other),
        basis=min(one.basis, other.basis, key=_BASES.index),
        area_mm2=_add(one.area_mm2, other.area_mm2),
        area_within=one.area_within or other.area_within,
        status=_worst(one.status, other.status),
        energy_of_technology_j=_add(*by_technology) if is_solved else None,
    )


def _worst(one: Status | None, other: Status | None) -> Status | None:
    if one is None or other is None:
        return one or other
    return max(one, other, key="PDR".index)


def _error(one: ComponentCost, other: ComponentCost) -> float | None:
    errors = [each.error_j for each in (one, other) if each.basis == "circuit"]
    known = [error for error in errors if error is not None]
    return sum(known) if known and len(known) == len(errors) else None


def _add(one: float | None, other: float | None) -> float | None:
    return other if one is None else one if other is None else one + other
