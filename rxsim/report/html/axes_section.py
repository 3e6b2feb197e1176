"""The quantity along each setting that varies."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from rxsim.counted import counted
from rxsim.durations import written
from rxsim.report.curves import (
    Curve,
    Mean,
    Points,
    curve,
    curves_by,
    grouped,
    levels_of,
    mean_over,
)
from rxsim.report.drawing import (
    beside,
    draw_curves,
    draw_range,
    draw_reference,
    dress_x,
    shared_reference,
)
from rxsim.report.html.page_blocks import Block, Chart, Heading, Paragraph, Section, Table
from rxsim.report.html.svg import SvgMaker
from rxsim.report.labels import Quantity, label_of, shortened, within_text
from rxsim.report.material import Material
from rxsim.report.scales import Axis
from rxsim.report.style import MUTED, SERIES, figure_style, legend
from rxsim.report.tied import tied_label, tied_to, with_tied

_MOST_AXES = 8
_MOST_LINES = 6
_MOST_LEVELS = 40
_MOST_DOTS = 1000
_BINS = 16
_MOST_TABLE_ROWS = 120


def axes_section(material: Material, points: Points, maker: SvgMaker) -> Section | None:
    """Return a chart for each setting that varies; None where none does."""
    rows = points.with_mean()
    names = [name for name in material.names if len(levels_of(rows, name)) > 1]
    if not names:
        return None
    blocks: list[Block] = []
    for name in names[:_MOST_AXES]:
        told = Heading(tied_label(rows, name, material.more).text)
        if told in blocks:  # a setting with the values of another has its chart already
            continue
        blocks += [told, *_along(rows, name, names, material, maker)]
    if len(names) > _MOST_AXES:
        left = ", ".join(shortened(name, 60) for name in names[_MOST_AXES:])
        blocks.append(Paragraph(f"Not drawn: {left}; 'rxsim plot' draws any of them.", note=True))
    return Section("axes", f"{material.quantity.label.text} along each setting", blocks)


def _along(
    rows: Points, name: str, names: Sequence[str], material: Material, maker: SvgMaker
) -> list[Block]:
    """Draw one setting: lines if few enough, averages else, and bins where values are drawn."""
    axis = with_tied(levels_of(rows, name), rows, material.more)
    tied = tied_to(rows, name, material.more)
    others = [other for other in names if other != name and other not in tied]
    if axis.numeric and len(axis) > _MOST_LEVELS:
        return [_scattered(rows, axis, material, maker)]
    if len(axis) > _MOST_LEVELS:
        return [Paragraph(f"{len(axis):,} values of {name}: too many to draw.", note=True)]
    by = lines_of(rows, name, others, material.quantity)
    curves = (
        curves_by(rows, axis, by, material.quantity)
        if by
        else [curve(rows, axis, material.quantity)]
    )
    title = f"{material.quantity.label.text} against {within_text(axis.label.text)}"
    if by:
        words = [within_text(tied_label(rows, other, material.more).text) for other in by]
        title += f" by {_and(words)}"
    averaged = [other for other in others if other not in by]
    caption = f"{title}, with 95 % intervals." + _average_note(rows, [name, *by], averaged)
    svg = _chart(axis, curves, by, rows, material, maker, title)
    return [Chart(svg, caption, _numbers(axis, curves, by, material.quantity))]


def lines_of(rows: Points, name: str, others: Sequence[str], quantity: Quantity) -> list[str]:
    """Choose the settings that get a line each.

    All other settings where their combinations are few enough. Else, of those with few values, the
    setting that moves the quantity most; else none.
    """
    if others and _few_combinations(rows, others):
        return [other for other in others if len(levels_of(rows, other)) > 1]
    few = [other for other in others if 1 < len(levels_of(rows, other)) <= _MOST_LINES]
    return [max(few, key=lambda other: _effect(rows, other, quantity))] if few else []


def _few_combinations(rows: Points, names: Sequence[str]) -> bool:
    """Tell whether there are 2 to 6 combinations of values."""
    return 1 < int(rows.combinations(names).max(initial=0)) + 1 <= _MOST_LINES


def _effect(rows: Points, name: str, quantity: Quantity) -> float:
    """Return how far a setting's averages lie apart."""
    means = [mean_over(points, quantity) for points in grouped(rows, [name]).values()]
    known = [mean.mean for mean in means if mean is not None]
    return max(known) - min(known)


def _average_note(rows: Points, drawn: Sequence[str], averaged: Sequence[str]) -> str:
    """Say what is averaged, and whether each average is over the same points."""
    if not averaged:
        return ""
    text = f" Averaged over {_and([shortened(name, 60) for name in averaged])}."
    counts = {len(points) for points in grouped(rows, drawn).values()}
    if len(counts) > 1:
        text += " Not every combination was run, so the averages are over different points."
    return text


def _and(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _chart(
    axis: Axis,
    curves: Sequence[Curve],
    by: Sequence[str],
    rows: Points,
    material: Material,
    maker: SvgMaker,
    title: str,
) -> Markup:
    quantity = material.quantity
    reference = shared_reference([row.reference for row in rows])
    means = [mean for each in curves for mean in each.means.values()]
    ends = [bound for mean in means for bound in (mean.bounds or (mean.mean,))]
    with figure_style(9.0, svg__fonttype="none"):
        figure = Figure(figsize=(7.2, 3.5), layout="constrained")
        axes = figure.subplots()
        handles = draw_curves(axes, axis, curves, quantity)
        reach = draw_reference(axes, reference, quantity)
        draw_range(axes, ends + ([] if reference is None else [reference]), quantity)
        if by:
            labels = [shortened(each.label, 44) for each in curves]
            if len(by) == 1:
                names = tied_label(rows, by[0], material.more).text
            else:
                names = textwrap.fill(", ".join(label_of(name).text for name in by), 44)
            legend(axes, handles, labels, names, **beside(axes, max(reach, 3.0)))
        return maker.markup(figure, title, _told(axis, means, quantity, title))


def _told(axis: Axis, means: Sequence[Mean], quantity: Quantity, title: str) -> str:
    low, high = min(mean.mean for mean in means), max(mean.mean for mean in means)
    return (
        f"{title}: {counted(len(axis), 'value')} from {shortened(axis.tick_texts[0], 60)} to "
        f"{shortened(axis.tick_texts[-1], 60)}; the means lie between {quantity.text(low)} and "
        f"{quantity.text(high)}."
    )


def _numbers(axis: Axis, curves: Sequence[Curve], by: Sequence[str], quantity: Quantity) -> Table:
    lines = ", ".join(label_of(name).text for name in by)
    head = (
        *(axis.label.full, *([lines] if by else [])),
        *(quantity.label.full, "95 % interval", "points", "chips"),
    )
    rows = [
        (
            axis.tick_texts[place],
            *([each.label] if by else []),
            quantity.text(mean.mean, unit=False),
            quantity.span(mean.bounds),
            f"{mean.points:,}",
            f"{mean.chips:,}" if mean.chips else "-",
        )
        for each in curves
        for place, mean in each.means.items()
    ]
    return Table(
        caption="Numbers of this chart",
        head=head,
        rows=rows[:_MOST_TABLE_ROWS],
        text_columns=frozenset({0, 1}) if by else frozenset({0}),
        folded=True,
    )


def _span(axis: Axis, start: float, end: float) -> str:
    """Write from where to where a part of an axis goes."""
    if not axis.label.duration:
        return f"{start:.4g} to {end:.4g}"
    return " to ".join(written(0.0 if place == axis.zero else place) for place in (start, end))


def _scattered(rows: Points, axis: Axis, material: Material, maker: SvgMaker) -> Chart:
    """Draw points at random places of a setting, and their averages over equally filled bins."""
    quantity = material.quantity
    factor = quantity.label.factor
    ordered = sorted(rows, key=lambda row: float(row.settings[axis.name]))
    bins = [
        list(places) for places in np.array_split(np.arange(len(ordered)), _BINS) if len(places)
    ]
    spans = [
        (
            axis.place_of(float(ordered[places[0]].settings[axis.name])),
            axis.place_of(float(ordered[places[-1]].settings[axis.name])),
        )
        for places in bins
    ]
    means = [mean_over([ordered[i] for i in places], quantity) for places in bins]
    kept = ordered[:: -(-len(ordered) // _MOST_DOTS)]
    title = f"{quantity.label.text} against {within_text(axis.label.text)}"
    with figure_style(9.0, svg__fonttype="none"):
        figure = Figure(figsize=(7.2, 3.5), layout="constrained")
        axes = figure.subplots()
        axes.plot(
            [axis.place_of(float(row.settings[axis.name])) for row in kept],
            [(row.mean or 0.0) * factor for row in kept],
            ".",
            color=MUTED,
            alpha=0.35,
            markersize=2.5,
            markeredgewidth=0,
        )
        centres, heights, low, high = [], [], [], []
        for (start, end), mean in zip(spans, means, strict=True):
            assert mean is not None
            centres.append((start * end) ** 0.5 if axis.log else (start + end) / 2)
            heights.append(mean.mean * factor)
            bounds = mean.bounds or (mean.mean, mean.mean)
            low.append(bounds[0] * factor)
            high.append(bounds[1] * factor)
        axes.fill_between(centres, low, high, color=SERIES[0], alpha=0.2, linewidth=0)
        axes.plot(centres, heights, "o-", color=SERIES[0])
        dress_x(axes, axis)
        axes.set_ylabel(quantity.label.full)
        draw_range(axes, [row.mean or 0.0 for row in kept], quantity)
        known = [mean for mean in means if mean is not None]
        svg = maker.markup(figure, title, _told(axis, known, quantity, title))
    table = [
        (
            _span(axis, start, end),
            quantity.text(mean.mean, unit=False),
            quantity.span(mean.bounds),
            f"{mean.points:,}",
        )
        for (start, end), mean in zip(spans, known, strict=True)
    ]
    dots = (
        f"{len(kept):,} of {counted(len(ordered), 'point')}"
        if len(kept) < len(ordered)
        else "points"
    )
    return Chart(
        svg,
        f"{title}: {dots} (grey), and their averages over {len(bins)} equally filled parts with "
        "95 % intervals; all other settings are averaged over.",
        Table(
            caption="Numbers of this chart",
            head=(axis.label.full, quantity.label.full, "95 % interval", "points"),
            rows=table,
            folded=True,
        ),
    )
