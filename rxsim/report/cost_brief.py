"""What a network costs, in the few lines that stand beside its accuracy."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console

from rxsim.cost.price.component import ComponentCost
from rxsim.cost.price.network import NetworkCost
from rxsim.report.cost_headline import headline
from rxsim.report.work_shares import percent

_LARGEST = 4


def print_cost_brief(cost: NetworkCost | None, console: Console) -> None:
    """Print the headline and the largest components; nothing where no cost was asked for."""
    if cost is not None:
        for line in brief_lines(cost):
            console.print(line, soft_wrap=not console.is_terminal, markup=False)


def brief_lines(cost: NetworkCost) -> list[str]:
    """Return the headline, and the components with the largest shares of energy and area."""
    lines = headline("Cost", cost).splitlines()
    energy = _largest(cost, lambda each: each.energy_j, cost.energy_j)
    area = _largest(cost, lambda each: each.area_mm2, cost.area_mm2)
    if energy:
        lines.append(f"Most energy: {energy}")
    if area:
        lines.append(f"Most area: {area}")
    return lines


def _largest(
    cost: NetworkCost, value: Callable[[ComponentCost], float | None], whole: float
) -> str:
    """Name the components with the largest shares of a whole; empty where it is 0."""
    known = [(value(each) or 0.0, each.name) for each in cost.components]
    largest = sorted((each for each in known if each[0] > 0), key=lambda each: -each[0])[:_LARGEST]
    return ", ".join(f"{name} {percent(part / whole)}" for part, name in largest)
