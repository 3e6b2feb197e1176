"""What accuracy costs: the points that no other point beats at no higher cost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from rxsim.counted import counted
from rxsim.report.html.overview import point_name
from rxsim.report.html.page_blocks import Block, Chart, Paragraph, Section, Table
from rxsim.report.html.svg import SvgMaker
from rxsim.report.labels import Quantity, within_text
from rxsim.report.material import Material, Row
from rxsim.report.price_labels import MINIMAL_PRICES, PRICES, on_axis
from rxsim.report.scales import suits_log
from rxsim.report.style import MUTED, SERIES, figure_style

COSTS = {
    "arrays": "Arrays",
    "conversions": "ADC conversions per input",
    "bits": "ADC resolution (bits)",
    **{name: PRICES[name].text for name in MINIMAL_PRICES},
}
_ACROSS = 3
"""Panels in a row of the figure."""
_MOST_DOTS = 1500
_MOST_FRONT = 30


def pareto_section(material: Material, maker: SvgMaker) -> Section | None:
    """Return the front for each cost that varies; None for a single point."""
    rows = [row for row in material.rows if row.mean is not None]
    if len(rows) < 2:
        return None
    costs = [
        name for name in COSTS if len({row.costs[name] for row in rows if name in row.costs}) > 1
    ]
    if not costs:
        return None
    quantity = material.quantity
    fronts = {
        name: front_of([r for r in rows if name in r.costs], name, quantity) for name in costs
    }
    title = f"{quantity.label.text} against cost"
    blocks: list[Block] = [
        Chart(
            _chart(rows, fronts, quantity, maker, title),
            f"{title}. The line joins the Pareto front: points that no other beats at the same or "
            "a lower cost.",
        )
    ]
    blocks += [_table(material, name, front) for name, front in fronts.items()]
    same = [within_text(COSTS[name]) for name in COSTS if name not in costs]
    if same:
        text = f"The same in all points, or not recorded: {', '.join(same)}."
        blocks.append(Paragraph(text, note=True))
    return Section("pareto", "Pareto front", blocks)


def front_of(rows: Sequence[Row], cost: str, quantity: Quantity) -> list[Row]:
    """Return the points that no other point beats.

    A point beats another that is at most as good and as cheap, and worse in score or in cost.

    Args:
        rows: points with a mean and this cost.
        cost: one of `COSTS`.
        quantity: whether more is better.

    Returns:
        By rising cost; of equal points all are kept.
    """
    sign = 1.0 if quantity.higher else -1.0
    costs = np.array([row.costs[cost] for row in rows])
    scores = np.array([sign * (row.mean or 0.0) for row in rows])
    order = np.lexsort((-scores, costs))
    front: list[int] = []
    best = -np.inf
    # A point worse than a cheaper point is beaten; few points are left to be compared in pairs.
    for place in order[scores[order] == np.maximum.accumulate(scores[order])].tolist():
        equal = bool(front) and scores[place] == best and costs[place] == costs[front[-1]]
        if scores[place] > best or equal:
            front.append(place)
            best = scores[place]
    return [rows[place] for place in front]


def _chart(
    rows: Sequence[Row],
    fronts: dict[str, list[Row]],
    quantity: Quantity,
    maker: SvgMaker,
    title: str,
) -> Markup:
    with figure_style(9.0, svg__fonttype="none"):
        width = {1: 4.6, 2: 7.2}.get(len(fronts), 7.2)
        lines = -(-len(fronts) // _ACROSS)
        figure = Figure(figsize=(width, 3.1 * lines), layout="constrained")
        grid = figure.subplots(lines, min(len(fronts), _ACROSS), sharey=True, squeeze=False)
        panels = grid.flatten().tolist()
        for axes, (name, front) in zip(panels, fronts.items(), strict=False):
            _panel(axes, [row for row in rows if name in row.costs], name, front, quantity)
        for axes in panels[len(fronts) :]:
            axes.remove()
        for line in grid:
            line[0].set_ylabel(quantity.label.full)
        said = "; ".join(
            f"{within_text(COSTS[name])}: {counted(len(front), 'point')} on the front, from "
            f"{quantity.text(front[0].mean)} at {cost_text(name, front[0].costs[name])} to "
            f"{quantity.text(front[-1].mean)} at {cost_text(name, front[-1].costs[name])}"
            for name, front in fronts.items()
        )
        return maker.markup(figure, title, f"{title}. {said}.")


def _panel(
    axes: Axes, rows: Sequence[Row], name: str, front: Sequence[Row], quantity: Quantity
) -> None:
    factor = quantity.label.factor
    unit, label = 1.0, COSTS[name]
    if name in PRICES:
        unit, label = on_axis(name, [row.costs[name] for row in rows])
    places = np.array([(row.costs[name] * unit, (row.mean or 0.0) * factor) for row in rows])
    axes.plot(*_thinned(places).T, ".", color=MUTED, alpha=0.7, markersize=7, markeredgewidth=0)
    ends = [(row.costs[name] * unit, (row.mean or 0.0) * factor) for row in front]
    axes.plot(*zip(*ends, strict=True), "o-", color=SERIES[1], drawstyle="steps-post", markersize=5)
    costs = np.unique(places[:, 0]).tolist()
    if suits_log(costs):
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(FuncFormatter(_compact))
    axes.set_xlabel(label)
    if name == "bits" and len(costs) <= 8:
        axes.set_xticks(costs)


def cost_text(name: str, value: float) -> str:
    """Write a cost: prices with their unit, others as whole numbers."""
    return PRICES[name].write(value) if name in PRICES else f"{value:,.0f}"


def _compact(value: float, _: object) -> str:
    """Write a count on an axis: 2.5 M for 2500000."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if letter == 'k' else size):g} {letter}"
    return f"{value:g}"


def _thinned(places: np.ndarray) -> np.ndarray:
    """Keep a single point of those that would be drawn on each other, (points, 2)."""
    if len(places) <= _MOST_DOTS:
        return places
    span = np.maximum(places.max(axis=0) - places.min(axis=0), 1e-300)
    cells = np.floor((places - places.min(axis=0)) / span * 38).astype(int)
    _, first = np.unique(cells @ (39, 1), return_index=True)  # a cell's number: 0 to 38 each way
    return places[np.sort(first)]


def _table(material: Material, name: str, front: Sequence[Row]) -> Table:
    quantity = material.quantity
    rows = [
        (
            point_name(material, row),
            cost_text(name, row.costs[name]),
            quantity.text(row.mean, unit=False),
            quantity.span(row.interval),
        )
        for row in front[:_MOST_FRONT]
    ]
    caption = f"On the front: {within_text(quantity.label.text)} against {within_text(COSTS[name])}"
    if len(front) > _MOST_FRONT:
        caption += f" (the first {_MOST_FRONT} of {len(front)})"
    return Table(
        caption=caption,
        head=("point", COSTS[name], quantity.label.full, "95 % interval"),
        rows=rows,
        folded=True,
    )
