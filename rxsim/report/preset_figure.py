"""The curves of a preset as a figure: a panel for each chart, two side by side."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from rxsim.devices import Chart
from rxsim.durations import written
from rxsim.report.drawing import beside
from rxsim.report.style import DASHES, SERIES, figure_bytes, figure_style, legend

FORMS = ("pdf", "svg", "png")
_POINTS = 7.0
_PANEL_INCHES = (3.4, 2.3)
_TITLE_LETTERS = 52
_MOST_TICKS = 7
_TICKS = (1e-6, 1e-4, 1e-2, 1.0, 60.0, 3600.0, 86400.0, 30 * 86400.0, 365 * 86400.0, 3650 * 86400.0)
"""Seconds."""


def draw_charts(name: str, charts: Sequence[Chart], form: str) -> bytes:
    """Draw a preset's curves.

    Args:
        name: the preset's, above the figure.
        charts: one at least.
        form: pdf, svg or png.

    Returns:
        The file's bytes, the same for the same curves.
    """
    columns = min(len(charts), 2)
    rows = math.ceil(len(charts) / columns)
    width, height = _PANEL_INCHES
    with figure_style(
        _POINTS, figure__facecolor="white", svg__fonttype="path", lines__linewidth=1.0
    ):
        figure = Figure(figsize=(width * columns, height * rows + 0.25), layout="constrained")
        FigureCanvasAgg(figure)
        figure.suptitle(name, fontsize=_POINTS + 1)
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, chart in zip(panels, charts, strict=False):
            _draw(axes, chart)
        for axes in panels[len(charts) :]:
            axes.set_visible(False)
        return figure_bytes(figure, form, dpi=300)


def _draw(axes: Axes, chart: Chart) -> None:
    handles = []
    for number, line in enumerate(chart.lines):
        colour, dash = SERIES[number % len(SERIES)], DASHES[number % len(DASHES)]
        marker = "o" if len(chart.x) < 10 else ""
        handles += axes.plot(
            chart.x, line.y, color=colour, linestyle=dash, marker=marker, markersize=3
        )
        if line.spread is not None:
            low, high = line.y - line.spread, line.y + line.spread
            axes.fill_between(chart.x, low, high, color=colour, alpha=0.18, linewidth=0)
    axes.set_xlabel(chart.x_label)
    if chart.seconds:
        _dress_times(axes, chart)
    axes.set_title(textwrap.fill(chart.title, _TITLE_LETTERS), loc="left")
    axes.set_ylabel(chart.y_label)
    if all(line.y.min() >= 0 for line in chart.lines):
        axes.set_ylim(bottom=0)
    if len(handles) > 1:
        legend(axes, handles, [line.label for line in chart.lines], "", **beside(axes, 3))


def _dress_times(axes: Axes, chart: Chart) -> None:
    """Set a logarithmic axis with a tick at lengths of time that readers know."""
    low, high = chart.x[0], chart.x[-1]
    ticks = chart.x if len(chart.x) <= _MOST_TICKS else [t for t in _TICKS if low <= t <= high]
    axes.set_xscale("log")
    axes.set_xticks(list(ticks), [written(float(time)) for time in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
