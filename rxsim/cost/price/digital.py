"""Components that digital operators use, where a technology states the energy of their acts."""

from __future__ import annotations

from rxsim.cost.counts import NetworkCounts
from rxsim.cost.price.component import ComponentCost, status_of
from rxsim.cost.technology import Technology

DIGITAL_KINDS = ("activation", "pooling")
"""Kinds of digital operators that a technology may have components for; their actions are called so."""


def digital_components(counts: NetworkCounts, technology: Technology) -> tuple[ComponentCost, ...]:
    """Price activations and pooling by operations on single elements.

    Their areas, and those whose power alone is stated, count with the layers that use their tiles.
    """
    operations = counts.digital_operations
    priced = []
    for name, part in technology.components.items():
        number = operations.get(part.action, 0) if part.action in DIGITAL_KINDS else 0
        if part.energy_of_action_j is None or not number:
            continue
        priced.append(
            ComponentCost(
                name=name,
                level=None,
                action=part.action,
                instances=0.0,
                actions=float(number),
                energy_j=number * part.energy_of_action_j,
                basis="action",
                area_mm2=None,
                status=status_of(part, "action"),
            )
        )
    return tuple(priced)


def digital_links(bits: int, technology: Technology) -> tuple[ComponentCost, ...]:
    """Price what links between chips carry for digital operators, where a bit has an energy.

    Args:
        bits: for one inference.
        technology: with its links, whose area counts with the layers.
    """
    return tuple(
        ComponentCost(
            name=name,
            level=None,
            action="link",
            instances=0.0,
            actions=bits / (part.bits or 1),
            energy_j=bits / (part.bits or 1) * part.energy_of_action_j,
            basis="action",
            area_mm2=None,
            status=status_of(part, "action"),
        )
        for name, part in technology.components.items()
        if bits and part.action == "link" and part.energy_of_action_j is not None
    )
