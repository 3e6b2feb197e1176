"""Curves with intervals on an axis, for the report's charts and for figures of papers alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator
from matplotlib.transforms import ScaledTranslation

from rxsim.report.curves import Curve
from rxsim.report.labels import Quantity, shortened
from rxsim.report.scales import Axis
from rxsim.report.style import DASHES, INK, MARKERS, MUTED, SERIES

_MOST_BARS = 12
_LONGEST_TICK = 18
_GAP = 3.0
LETTER = 0.65
"""Assumption: the mean width of a letter of DejaVu Sans over the font size."""
REFERENCE = "float32"


def draw_curves(axes: Axes, axis: Axis, curves: Sequence[Curve], quantity: Quantity) -> list[Any]:
    """Draw curves: lines over numbers, points with bars over categories.

    Args:
        axes: to draw on.
        axis: the setting along x.
        curves: lines, few enough to be told apart.
        quantity: the quantity along y.

    Returns:
        A handle for each curve, for a legend.
    """
    handles: list[Any] = []
    for number, curve in enumerate(curves):
        look: dict[str, Any] = {
            "color": SERIES[number % len(SERIES)],
            "marker": MARKERS[number % len(MARKERS)],
        }
        shift = 0.0 if axis.numeric else _beside(number, len(curves))
        places = np.array([axis.places[i] + shift for i in curve.means])
        factor = quantity.label.factor
        means = np.array([mean.mean for mean in curve.means.values()]) * factor
        bounds = [mean.bounds or (np.nan, np.nan) for mean in curve.means.values()]
        low, high = np.array(bounds).T * factor
        if axis.zero is not None and len(places) > 1 and places[0] == axis.zero:
            # No line leads across the break of the axis.
            places, means, low, high = (
                np.insert(values, 1, gap)
                for values, gap in (
                    (places, axis.zero_gap),
                    *((values, np.nan) for values in (means, low, high)),
                )
            )
        if axis.numeric and len(places) > _MOST_BARS:
            axes.fill_between(places, low, high, color=look["color"], alpha=0.18, linewidth=0)
            handles += axes.plot(places, means, linestyle=DASHES[number % len(DASHES)], **look)
            if places[0] == axis.zero:  # a band of a single point has no width
                axes.vlines(places[0], low[0], high[0], color=look["color"], linewidth=0.8)
        else:
            line = DASHES[number % len(DASHES)] if axis.numeric else "none"
            if axis.numeric:
                axes.fill_between(places, low, high, color=look["color"], alpha=0.13, linewidth=0)
            reach = np.maximum([means - low, high - means], 0)
            drawn = axes.errorbar(
                *(places, means, reach), capsize=2.0, elinewidth=0.8, linestyle=line, **look
            )
            handles.append(drawn)
    dress_x(axes, axis)
    axes.set_ylabel(quantity.label.full)
    return handles


def _beside(number: int, count: int) -> float:
    """Set the points of several curves at the same category beside each other."""
    return (number - (count - 1) / 2) * min(0.16, 0.6 / max(count, 1))


def dress_x(axes: Axes, axis: Axis) -> None:
    """Set the label, the scale and the ticks of a horizontal axis."""
    axes.set_xlabel(axis.label.full)
    if axis.log:
        axes.set_xscale("log")
    if axis.ticks is not None:
        texts = [shortened(text, _LONGEST_TICK) for text in axis.tick_labels]
        axes.xaxis.set_major_locator(FixedLocator(list(axis.ticks)))
        crowded = sum(map(len, texts)) > 60
        axes.set_xticks(list(axis.ticks), texts)
        if crowded:
            for text in axes.get_xticklabels():
                text.set(rotation=30, ha="right", rotation_mode="anchor")
        axes.xaxis.set_minor_locator(NullLocator())
    elif axis.log:
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    if axis.zero is not None:
        _break_axis(axes, axis.zero_gap)
    if not axis.numeric:
        axes.set_xlim(-0.6, len(axis) - 0.4)
        axes.grid(False, axis="x")


def _break_axis(axes: Axes, place: float) -> None:
    """Mark a break of the horizontal axis: 0 stands to its left."""
    for shift in (-1.5, 1.5):
        axes.annotate(
            "/",
            (place, 0.0),
            xycoords=("data", "axes fraction"),
            xytext=(shift, 0),
            textcoords="offset points",
            ha="center",
            va="center",
            color=MUTED,
            annotation_clip=False,
        )


def draw_reference(axes: Axes, value: float | None, quantity: Quantity) -> float:
    """Draw the float network's value as a dashed line, named beside the axes, away from points.

    Returns:
        How far the name reaches to the right of the axes, in points.
    """
    if value is None:
        return 0.0
    height = value * quantity.label.factor
    axes.axhline(height, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    axes.annotate(
        REFERENCE,
        (1.0, height),
        xycoords=("axes fraction", "data"),
        xytext=(_GAP, 0),
        textcoords="offset points",
        ha="left",
        va="center",
        color=INK,
        annotation_clip=False,
    )
    size = float(matplotlib.rcParams["font.size"])
    return 2 * _GAP + len(REFERENCE) * LETTER * size


def beside(axes: Axes, points: float) -> dict[str, Any]:
    """Return where a legend stands to the right of axes, this far away from them.

    Args:
        axes: whose legend it is.
        points: free room between them, in points.
    """
    figure = axes.get_figure()
    assert figure is not None
    shift = ScaledTranslation(points / 72, 0, figure.dpi_scale_trans)
    return {
        "loc": "center left",
        "bbox_to_anchor": (1.0, 0.5),
        "bbox_transform": axes.transAxes + shift,
    }


def draw_range(axes: Axes, values: Sequence[float], quantity: Quantity) -> None:
    """Leave room around values, with no place for shares that can't be."""
    factor = quantity.label.factor
    scaled = np.asarray([value * factor for value in values if np.isfinite(value)])
    if len(scaled) == 0:
        return
    low, high = float(scaled.min()), float(scaled.max())
    room = 0.09 * (high - low) or max(abs(high) * 0.02, 1e-12)
    bottom = max(low - room, quantity.low * factor - 0.02 * (high - low or 1.0))
    top = high + room
    axes.set_ylim(bottom, top)
    # Room above 100 % is for the marks, not for ticks.
    axes.set_yticks([tick for tick in axes.get_yticks() if tick <= quantity.high * factor + 1e-9])
    axes.set_ylim(bottom, top)


def shared_reference(values: Sequence[float | None]) -> float | None:
    """Return the float network's value where all points share it; else None."""
    known = {value for value in values if value is not None}
    return known.pop() if len(known) == 1 else None
