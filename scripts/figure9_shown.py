"""What figure9.py shows of its results: a Markdown table, a CSV file and the figure."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from figure9_rows import Row
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from rxsim.report.style import INK, MUTED, SERIES, figure_bytes, figure_style, legend_beneath
from rxsim.statistics import LEVEL, difference_interval
from rxsim.store import PointSummary, Results

Bounds = tuple[float, float] | None
IDEAL_AT = 64
"""Assumption: the size of arrays whose ideal rung is the bar `ideal`: the paper prints one for all."""
VARIANTS = ("plain", "compensated", "retrained")
MARKS = {"compensated": ("D", "#ffffff"), "retrained": ("^", INK)}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a row came to; accuracies are shares.

    Attributes:
        row: the row.
        images: evaluated.
        chips: that are there.
        float32: of the network as it is.
        weights: of its weights on levels alone.
        ideal: of levels and converters, with perfect wires and devices.
        crossbars: with everything: mean over chips.
        these_images: 95 % over chips.
        new_images: 95 % over chips and images.
        processor_seconds: that its chips took; None where that was not measured.
        megabytes: peak memory of the largest process, likewise.
    """

    row: Row
    images: int
    chips: int
    float32: float
    weights: float
    ideal: float
    crossbars: float
    these_images: Bounds
    new_images: Bounds
    processor_seconds: float | None
    megabytes: float | None


def outcome(
    row: Row,
    chips: PointSummary,
    new_images: Bounds,
    details: Mapping[str, Any],
    took: tuple[float, float],
) -> Outcome:
    """Return what a row came to.

    Args:
        row: the row.
        chips: its point, summed up over chips.
        new_images: 95 % over chips and images.
        details: of its point.
        took: seconds of the processor, and megabytes; 0 where that was not measured.
    """
    ladder = {name: rung["accuracy"]["mean"] for name, rung in details["ladder"].items()}
    assert chips.mean is not None
    seconds, megabytes = took
    return Outcome(
        row=row,
        images=chips.images or 0,
        chips=chips.done,
        **{name: ladder[name] for name in ("float32", "weights", "ideal")},
        crossbars=chips.mean,
        these_images=chips.interval if chips.done > 1 else None,
        new_images=new_images,
        processor_seconds=seconds or None,
        megabytes=megabytes or None,
    )


def _arrays(row: Row) -> str:
    return f"{row.size}x{row.size}" + ("" if row.variant == "plain" else f", {row.variant}")


def _title(row: Row) -> str:
    network = row.network
    return f"{network.title}, {row.scope}" if len(network.scopes) > 1 else network.title


def _label(row: Row) -> str:
    """Return a title in lines that fit beneath bars."""
    return _title(row).replace(", ", "\n").replace("digits ", "digits\n")


def _span(bounds: Bounds) -> str:
    return "" if bounds is None else f"{bounds[0]:.3f} .. {bounds[1]:.3f}"


HEAD = (
    *("network", "images, chips", "arrays", "float32", "ideal", "on crossbars"),
    *("95 %, these images", "95 %, new images", "processor time", "peak memory"),
)


def markdown(outcomes: Sequence[Outcome]) -> str:
    """Return the table of all rows."""
    lines = [f"| {' | '.join(HEAD)} |", f"|{'---|' * len(HEAD)}"]
    for each in outcomes:
        spent = "" if each.processor_seconds is None else f"{each.processor_seconds:.0f} s"
        peak = "" if each.megabytes is None else f"{each.megabytes:.0f} MB"
        cells = [_title(each.row), f"{each.images}, {each.chips}", _arrays(each.row)]
        cells += [f"{each.float32:.3f}", f"{each.ideal:.3f}", f"{each.crossbars:.3f}"]
        cells += [_span(each.these_images), _span(each.new_images), spent, peak]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def as_csv(outcomes: Sequence[Outcome]) -> str:
    """Return all rows as CSV, numbers with all their digits."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    names = ("images", "chips", "float32", "weights", "ideal", "crossbars")
    spans = ("these_images", "new_images")
    table.writerow(
        [
            *("network", "w_max_scope", "rows_and_cols", "variant", *names),
            *(f"{end}_{span}" for span in spans for end in ("low", "high")),
            *("processor_seconds", "megabytes"),
        ]
    )
    for each in outcomes:
        ends = [end for span in spans for end in (getattr(each, span) or ("", ""))]
        row = each.row
        table.writerow(
            [
                *(row.network.name, row.scope or "", row.size, row.variant),
                *(getattr(each, name) for name in names),
                *(*ends, each.processor_seconds, each.megabytes),
            ]
        )
    return text.getvalue()


def changes(outcomes: Sequence[Outcome], points: Mapping[str, str], results: Results) -> str:
    """Return a table of paired differences on the same images: larger arrays, and compensation.

    Args:
        outcomes: of all rows.
        points: their keys in the results by the rows' names.
        results: the results file, which holds the hits.
    """
    lines = ["| network | from | to | change, points | 95 %, new images |", "|---|---|---|---|---|"]
    for group in _grouped(outcomes):
        plain = sorted(_of(group, "plain"), key=lambda each: each.row.size)
        pairs = [(plain[0], plain[-1])] if len(plain) > 1 else []
        for each in group:
            same = [one for one in plain if one.row.size == each.row.size]
            if each.row.variant != "plain" and same:
                pairs.append((same[0], each))
        for first, second in pairs:
            before, after = (_hits(points[each.row.name], results) for each in (first, second))
            if before.shape[1] != after.shape[1]:
                continue  # they are of other images
            chips = min(len(before), len(after))
            table = after[:chips].astype(float) - before[:chips]
            cells = [_title(first.row), _arrays(first.row), _arrays(second.row)]
            cells += [f"{100 * table.mean():+.1f}", _change_span(table)]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _change_span(table: np.ndarray) -> str:
    """Return the 95 % interval of a mean of paired differences, in points.

    Where no image is decided otherwise, new ones may be: as many as would leave none among these with a
    probability of 2.5 %.

    Args:
        table: differences of hits, (chips, images).
    """
    if not table.any():
        most = 100 * (1 - ((1 - LEVEL) / 2) ** (1 / table.shape[1]))
        return f"{-most:+.1f} .. {most:+.1f}"
    interval = difference_interval(table)
    return "" if interval is None else f"{100 * interval.low:+.1f} .. {100 * interval.high:+.1f}"


def _hits(point: str, results: Results) -> Any:
    """Return a point's hits, bool (chips, images)."""
    trials = results.trials([point], hits=True)
    return np.stack([trial.hits for trial in trials if trial.hits is not None])


def _grouped(outcomes: Sequence[Outcome]) -> list[list[Outcome]]:
    """Return rows by what stands side by side in the figure, in the order they came."""
    groups: dict[tuple[str, str | None], list[Outcome]] = {}
    for each in outcomes:
        groups.setdefault(each.row.bars, []).append(each)
    return list(groups.values())


def _of(group: Sequence[Outcome], variant: str) -> list[Outcome]:
    return [each for each in group if each.row.variant == variant]


def figure(outcomes: Sequence[Outcome]) -> bytes:
    """Draw the figure as SVG: bars of accuracy by network, ideal beside each size of arrays.

    Args:
        outcomes: of all rows.
    """
    sizes = sorted({each.row.size for each in outcomes})
    panels: dict[str, list[list[Outcome]]] = {}
    for group in _grouped(outcomes):
        if _of(group, "plain"):
            panels.setdefault(group[0].row.network.group, []).append(group)
    with figure_style(8.0, figure__facecolor="white", svg__fonttype="path"):
        drawn = Figure(figsize=(7.2, 2.4 * len(panels) + 0.6), layout="constrained")
        FigureCanvasAgg(drawn)
        grid = drawn.subplots(len(panels), 1, squeeze=False)
        for axes, (title, groups) in zip(grid[:, 0], panels.items(), strict=True):
            for place, group in enumerate(groups):
                _draw_group(axes, place, group, sizes)
            axes.set_xticks(range(len(groups)), [_label(g[0].row) for g in groups])
            axes.set(
                title=title,
                ylabel="Top-1 accuracy (%)",
                ylim=(0, 103),
                xlim=(-0.6, len(groups) - 0.4),
            )
            axes.grid(False, axis="x")
        handles, labels = _keys(outcomes, sizes)
        legend_beneath(grid[-1, 0], handles, labels, ncols=5)
        return figure_bytes(drawn, "svg")


def _draw_group(axes: Axes, place: int, group: Sequence[Outcome], sizes: Sequence[int]) -> None:
    """Draw the bars of a network."""
    width = 0.8 / (len(sizes) + 1)
    plain = {each.row.size: each for each in _of(group, "plain")}
    left = place - 0.4
    at = _ideal_at(sizes)
    if at in plain:
        axes.bar(left + width / 2, 100 * plain[at].ideal, width * 0.92, color=MUTED)
    float32 = 100 * next(iter(plain.values())).float32
    axes.plot([left, left + 0.8], [float32] * 2, color=INK, lw=0.9, ls=(0, (4, 2)))
    for number, size in enumerate(sizes):
        x = left + (number + 1.5) * width
        if size in plain:
            each = plain[size]
            axes.bar(x, 100 * each.crossbars, width * 0.92, color=SERIES[number % len(SERIES)])
            _whisker(axes, x, each)
            axes.plot([x - width / 3, x + width / 3], [100 * each.ideal] * 2, color=MUTED, lw=1.6)
        for variant, (marker, face) in MARKS.items():
            for each in _of(group, variant):
                if each.row.size == size:
                    _whisker(axes, x, each)
                    look = {"marker": marker, "markerfacecolor": face, "markeredgecolor": INK}
                    axes.plot(x, 100 * each.crossbars, ls="none", ms=4, zorder=4, **look)


def _ideal_at(sizes: Sequence[int]) -> int:
    """Return the size of arrays whose `ideal` is a bar."""
    return min(sizes, key=lambda size: abs(size - IDEAL_AT))


def _whisker(axes: Axes, x: float, each: Outcome) -> None:
    """Draw the interval for new images."""
    if each.new_images is not None:
        low, high = each.new_images
        axes.plot([x, x], [100 * low, 100 * high], color=INK, lw=0.8, zorder=3)


def _keys(outcomes: Sequence[Outcome], sizes: Sequence[int]) -> tuple[list[Any], list[str]]:
    """Return the legend's handles and labels."""
    handles: list[Any] = [Line2D([], [], color=INK, lw=0.9, ls=(0, (4, 2))), Patch(color=MUTED)]
    at = _ideal_at(sizes)
    labels = ["float32", f"ideal ({at}x{at})"]
    for number, size in enumerate(sizes):
        handles.append(Patch(color=SERIES[number % len(SERIES)]))
        labels.append(f"{size}x{size}")
    handles.append(Line2D([], [], color=MUTED, lw=1.6))
    labels.append("ideal of that size")
    for variant, (marker, face) in MARKS.items():
        if any(each.row.variant == variant for each in outcomes):
            look = {"marker": marker, "markerfacecolor": face, "markeredgecolor": INK}
            handles.append(Line2D([], [], ls="none", ms=4, **look))
            labels.append(f"{variant}, that size")
    return handles, labels
