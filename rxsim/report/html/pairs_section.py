"""Heat maps: the quantity over two settings at once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from rxsim.counted import counted
from rxsim.report.curves import Mean, Points, grouped, levels_of, mean_over
from rxsim.report.html.page_blocks import Block, Chart, Heading, Paragraph, Section, Table
from rxsim.report.html.svg import SvgMaker
from rxsim.report.labels import Quantity, label_of, shortened, within_text
from rxsim.report.material import Material, Row
from rxsim.report.scales import Axis
from rxsim.report.style import figure_style
from rxsim.report.tied import with_tied

_MOST_MAPS = 6
_MOST_LEVELS = 24
_MOST_WRITTEN = 80
_LEAST_FILLED = 0.5


def pairs_section(material: Material, points: Points, maker: SvgMaker) -> Section | None:
    """Return heat maps of pairs of settings; None where there is no pair to draw."""
    rows = points.with_mean()
    axes = [levels_of(rows, name) for name in material.names]
    axes = [with_tied(axis, rows, material.more) for axis in axes if 1 < len(axis) <= _MOST_LEVELS]
    blocks: list[Block] = []
    skipped = 0
    for first, second in combinations(axes, 2):
        # More values along x: pages are wide where phones are not.
        x, y = (first, second) if len(first) >= len(second) else (second, first)
        table = means_of_pair(rows, x, y, material.quantity)
        if len(table) < _LEAST_FILLED * len(x) * len(y):
            continue
        if len(blocks) >= 2 * _MOST_MAPS:
            skipped += 1
            continue
        blocks += [
            Heading(f"{x.label.text} and {y.label.text}"),
            _map(x, y, table, material, maker),
        ]
    if skipped:
        blocks.append(Paragraph(f"{skipped} more pairs of settings are not drawn.", note=True))
    return Section("pairs", "Two settings at once", blocks) if blocks else None


def means_of_pair(
    rows: Sequence[Row], x: Axis, y: Axis, quantity: Quantity
) -> dict[tuple[int, int], Mean]:
    """Average points for each pair of values: (place on y, place on x) -> mean."""
    means = {}
    for (x_key, y_key), points in grouped(rows, [x.name, y.name]).items():
        mean = mean_over(points, quantity)
        if mean is not None:
            means[y.keys.index(y_key), x.keys.index(x_key)] = mean
    return means


def _map(
    x: Axis, y: Axis, means: dict[tuple[int, int], Mean], material: Material, maker: SvgMaker
) -> Chart:
    quantity = material.quantity
    values = np.full((len(y), len(x)), np.nan)
    for place, mean in means.items():
        values[place] = mean.mean * quantity.label.factor
    title = (
        f"{quantity.label.text} over {within_text(x.label.text)} and {within_text(y.label.text)}"
    )
    caption = f"{title}."
    others = [name for name in material.names if name not in (x.name, y.name)]
    if others:
        listed = ", ".join(shortened(name, 60) for name in others)
        caption += f" Averaged over {listed}."
    if np.isnan(values).any():
        caption += " Empty cells were not run."
    rows = [
        (
            y.tick_texts[i],
            *(
                quantity.text(means[i, j].mean, unit=False) if (i, j) in means else "-"
                for j in range(len(x))
            ),
        )
        for i in reversed(range(len(y)))
    ]
    head = (f"{y.label.full} \N{NORTH EAST ARROW} {x.label.full}", *x.tick_texts)
    return Chart(
        _chart(x, y, values, quantity, maker, title),
        caption,
        Table(
            caption=f"Numbers of this map: {quantity.label.full}", head=head, rows=rows, folded=True
        ),
    )


def _chart(
    x: Axis, y: Axis, values: np.ndarray, quantity: Quantity, maker: SvgMaker, title: str
) -> Markup:
    colours = matplotlib.colormaps["cividis"].resampled(40)
    if not quantity.higher:
        colours = colours.reversed()
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    with figure_style(9.0, svg__fonttype="none", axes__grid=False):
        height = min(max(0.34 * len(y) + 1.0, 0.09 * len(y.label.full) + 0.8, 1.9), 6.0)
        figure = Figure(figsize=(7.2, height), layout="constrained")
        axes = figure.subplots()
        mesh = axes.pcolormesh(
            np.ma.masked_invalid(values),
            cmap=colours,
            edgecolors="face",
            linewidth=0.4,
            vmin=low,
            vmax=high if high > low else low + 1,
        )
        for axis, target in ((x, axes.xaxis), (y, axes.yaxis)):
            texts = [shortened(text, 16) for text in axis.tick_texts]
            target.set_ticks(list(np.arange(len(axis)) + 0.5), texts)
            target.set_tick_params(length=0)
        if sum(len(text) for text in x.tick_texts) > 70:
            for text in axes.get_xticklabels():
                text.set(rotation=30, ha="right", rotation_mode="anchor")
        axes.set_xlabel(x.label.full)
        axes.set_ylabel(y.label.full)
        for side in axes.spines.values():
            side.set_visible(False)
        if values.size <= _MOST_WRITTEN:
            for (i, j), value in np.ndenumerate(values):
                if np.isfinite(value):
                    bright = float(np.dot(mesh.cmap(mesh.norm(value))[:3], (0.299, 0.587, 0.114)))
                    axes.text(
                        j + 0.5,
                        i + 0.5,
                        quantity.text(value / quantity.label.factor, unit=False),
                        ha="center",
                        va="center",
                        color="#010101" if bright > 0.5 else "#ffffff",
                    )
        bar = figure.colorbar(mesh, ax=axes, label=quantity.label.full, aspect=12, pad=0.01)
        solids: Any = bar.solids
        solids.set(edgecolor="face", linewidth=0.4)
        bar.outline.set_visible(False)
        seen = int(np.isfinite(values).sum())
        said = (
            f"{title}: {counted(seen, 'pair')} of values, "
            f"from {low:.4g} to {high:.4g} {quantity.label.unit}"
        )
        return maker.markup(
            figure, title, f"{said.rstrip()}; best {_best(x, y, values, quantity)}."
        )


def _best(x: Axis, y: Axis, values: np.ndarray, quantity: Quantity) -> str:
    flat = np.nanargmax(values) if quantity.higher else np.nanargmin(values)
    i, j = np.unravel_index(int(flat), values.shape)
    parts = ((x, int(j)), (y, int(i)))
    return " and ".join(
        f"{within_text(label_of(axis.name).text)} {shortened(axis.tick_texts[place], 60)}"
        for axis, place in parts
    )
