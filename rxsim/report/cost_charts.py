"""Charts of a cost: energy and area by component, and by layer in stacks of components."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from rxsim.report.cost_values import CostTold, LayerTold, PartTold, known_sum
from rxsim.report.drawing import LETTER
from rxsim.report.labels import shortened
from rxsim.report.layer_names import short_names
from rxsim.report.si_units import prefix_of
from rxsim.report.style import MUTED, SERIES, legend_beneath

MOST_PARTS = 30
MOST_LAYERS = 60
_STACKED = len(SERIES)
_LONGEST = 26
_HEIGHT = 0.68
_HANDLE = 5  # letters that a legend's patch and its gaps take
OTHERS = "others"


@dataclass(frozen=True, slots=True)
class CostQuantity:
    """What a chart of a cost shows.

    Attributes:
        name: energy or area.
        title: in words.
        unit: of the values.
        of_part: reads it of a component.
    """

    name: str
    title: str
    unit: str
    of_part: Callable[[PartTold], float | None]

    def axis(self, largest: float) -> tuple[str, float]:
        """Return the label of an axis, and the factor from values to its numbers."""
        if self.unit != "J":
            return f"{self.title} ({self.unit})", 1.0
        prefix, factor = prefix_of(largest)
        return f"{self.title} ({prefix}{self.unit})", factor


COST_QUANTITIES = {
    "energy": CostQuantity("energy", "Energy of an inference", "J", lambda part: part.energy_j),
    "area": CostQuantity("area", "Area in use", "mm²", lambda part: part.area_mm2),
}
"""Name -> what a chart can show."""


def shown_parts(cost: CostTold, quantity: CostQuantity | None = None) -> tuple[PartTold, ...]:
    """Return the components of a chart: those with any of a quantity, the most first.

    Args:
        cost: of the network.
        quantity: energy or area; None: those with either, the largest energy first.
    """
    if quantity is None:
        return tuple(part for part in cost.parts if part.energy_j or part.area_mm2)[:MOST_PARTS]
    known = [part for part in cost.parts if quantity.of_part(part)]
    return tuple(sorted(known, key=lambda part: -(quantity.of_part(part) or 0.0))[:MOST_PARTS])


def shown_cost_layers(cost: CostTold, quantity: CostQuantity) -> tuple[LayerTold, ...]:
    """Return the layers of a chart, in the order of the network; of many those with the most."""
    if len(cost.layers) <= MOST_LAYERS:
        return cost.layers
    sums = [known_sum([quantity.of_part(part) for part in layer.parts]) for layer in cost.layers]
    most = set(np.argsort(-np.array(sums), kind="stable")[:MOST_LAYERS].tolist())
    return tuple(layer for place, layer in enumerate(cost.layers) if place in most)


def draw_parts(axes: Axes, parts: Sequence[PartTold], quantity: CostQuantity, colour: str) -> None:
    """Draw a bar for each component."""
    values = np.array([quantity.of_part(part) or 0.0 for part in parts])
    label, factor = quantity.axis(float(values.max(initial=0.0)))
    axes.barh(range(len(parts)), values * factor, height=_HEIGHT, color=colour)
    axes.set_yticks(range(len(parts)), [shortened(part.name, _LONGEST) for part in parts])
    _rows_from_above(axes, len(parts), label)


def draw_cost_layers(axes: Axes, cost: CostTold, quantity: CostQuantity) -> None:
    """Draw a bar for each layer, its components one after the other; the smallest are one stack."""
    layers = shown_cost_layers(cost, quantity)
    names, table = stacks(cost, layers, quantity)
    label, factor = quantity.axis(float(table.sum(axis=1).max(initial=0.0)))
    left = np.zeros(len(layers))
    handles = []
    for number, name in enumerate(names):
        colour = MUTED if name == OTHERS else SERIES[number]
        width = table[:, number] * factor
        handles.append(
            axes.barh(range(len(layers)), width, left=left, height=_HEIGHT, color=colour)
        )
        left += width
    ticks = short_names([layer.name for layer in layers], _LONGEST)
    axes.set_yticks(range(len(layers)), ticks)
    _rows_from_above(axes, len(layers), label)
    labels = [shortened(name, _LONGEST) for name in names]
    columns = legend_columns(labels, axes.figure.bbox.width / axes.figure.dpi)
    legend_beneath(axes, handles, labels, ncols=columns)


def legend_columns(labels: Sequence[str], width: float) -> int:
    """Return how many names of a legend fit beside each other, 1 to 3.

    Args:
        labels: the names.
        width: of the figure, inch.
    """
    size = float(matplotlib.rcParams["font.size"])
    longest = max(map(len, labels), default=0) + _HANDLE
    return min(max(int(width * 72 / (size * LETTER * longest)), 1), 3)


def legend_lines(cost: CostTold, quantity: CostQuantity, width: float) -> int:
    """Return how many lines the legend of the layers' chart takes."""
    names, _ = stacks(cost, shown_cost_layers(cost, quantity), quantity)
    labels = [shortened(name, _LONGEST) for name in names]
    return -(-len(labels) // legend_columns(labels, width))


def stacks(
    cost: CostTold, layers: Sequence[LayerTold], quantity: CostQuantity
) -> tuple[list[str], np.ndarray]:
    """Return what the bars of layers consist of.

    Args:
        cost: of the network.
        layers: those with a bar.
        quantity: energy or area.

    Returns:
        Names of the components with the most, the last one of all others where there are more, and
        their values, float64 (layers, names).
    """
    sums: dict[str, float] = {}
    for part in [part for layer in layers for part in layer.parts]:
        sums[part.name] = sums.get(part.name, 0.0) + (quantity.of_part(part) or 0.0)
    ranked = sorted((name for name, value in sums.items() if value), key=lambda name: -sums[name])
    shown = ranked if len(ranked) <= _STACKED else ranked[: _STACKED - 1]
    names = [*shown, *([OTHERS] if len(ranked) > len(shown) else [])]
    table = np.zeros((len(layers), len(names)))
    for row, layer in enumerate(layers):
        for part in layer.parts:
            value = quantity.of_part(part) or 0.0
            if value:
                table[row, shown.index(part.name) if part.name in shown else -1] += value
    return names, table


def draw_cost_parts(figure: Figure, cost: CostTold) -> None:
    """Draw energy and area by component beside each other."""
    left, right = figure.subplots(1, 2, sharey=True)
    parts = shown_parts(cost)
    draw_parts(left, parts, COST_QUANTITIES["energy"], SERIES[0])
    draw_parts(right, parts, COST_QUANTITIES["area"], SERIES[2])


def _rows_from_above(axes: Axes, count: int, label: str) -> None:
    axes.set_ylim(count - 0.4, -0.6)
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(label)
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
