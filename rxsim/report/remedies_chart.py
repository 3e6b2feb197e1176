"""The chart of remedies, for pages and figures: gains with their intervals, and what they take."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from rxsim.explain.result import Attempt, Explanation
from rxsim.report.explanation_charts import is_wide
from rxsim.report.explanation_words import TOGETHER, Wording, remedy_titles
from rxsim.report.labels import shortened
from rxsim.report.style import INK, MUTED, PAPER, SERIES

MOST_REMEDIES = 10
"""Remedies that a chart shows: the table has all."""
_LINE_OF_REMEDY, _LINE_NARROW = 40, 26  # letters
_LONGEST_PART = 80  # letters of each of the remedies that are taken together
_GAP = 0.7  # lines between remedies
_FAR = 5.0  # times the largest gain; what was lost and lies further would hide the gains


def shown_remedies(attempts: Sequence[Attempt]) -> tuple[Attempt, ...]:
    """Return the remedies of a chart: the best, and of the others those that change anything."""
    changing = [attempt for attempt in attempts[1:] if attempt.gain.mean != 0]
    return (*attempts[:1], *changing)[:MOST_REMEDIES]


def lines_of_remedies(explanation: Explanation, *, wide: bool) -> float:
    """Return how many lines of text the chart's rows are high."""
    return sum(_heights(_labels(explanation, wide=wide)))


def draw_remedies(axes: Axes, explanation: Explanation, words: Wording) -> None:
    """Draw the gain of each remedy with its interval, best first; hardware to the right."""
    attempts = shown_remedies(explanation.attempts or ())
    factor, sign = explanation.quantity.metric.factor, explanation.quantity.sign
    figure = axes.get_figure()
    wide = isinstance(figure, Figure) and is_wide(figure)
    labels = _labels(explanation, wide=wide)
    heights = np.array(_heights(labels))
    places = np.cumsum(heights) - heights / 2
    for place, attempt in zip(places, attempts, strict=True):
        gain = attempt.gain
        colour = SERIES[2] if gain.is_proven and gain.mean > 0 else MUTED
        axes.barh(place, gain.mean * factor, height=1.0, color=colour)
        if gain.low is not None and gain.high is not None:
            axes.hlines(place, gain.low * factor, gain.high * factor, color=INK, linewidth=0.8)
        if attempt.confirmed is not None:
            confirmed = attempt.confirmed.mean * factor
            axes.plot(confirmed, place, "D", color=PAPER, markeredgecolor=INK, markersize=4.5)
    lost = sign * (explanation.floating - explanation.all) * factor
    label = f"Gain ({words.unit})" if words.unit else "Gain"
    if 0 < lost < _FAR * max((abs(attempt.gain.mean) for attempt in attempts), default=0) * factor:
        axes.axvline(lost, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        label += "; dashed: all that was lost"
    axes.axvline(0, color=MUTED, linewidth=0.6)
    axes.set_yticks(places, labels)
    axes.set_ylim(float(heights.sum()), 0)
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(label if wide else label.replace("; ", "\n"))
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    if wide:
        _draw_hardware(axes, attempts, places)


def _labels(explanation: Explanation, *, wide: bool) -> list[str]:
    """Return the title of each shown remedy in lines; remedies that are taken together begin one."""
    titles = remedy_titles(explanation)
    letters = _LINE_OF_REMEDY if wide else _LINE_NARROW
    labels = []
    for attempt in shown_remedies(explanation.attempts or ()):
        first, *more = titles[attempt.title].split(TOGETHER)
        parts = [first, *(f"+ {part}" for part in more)]
        lines = [textwrap.fill(shortened(part, _LONGEST_PART), letters) for part in parts]
        labels.append("\n".join(lines))
    return labels


def _heights(labels: Sequence[str]) -> list[float]:
    return [label.count("\n") + 1 + _GAP for label in labels]


def _draw_hardware(axes: Axes, attempts: Sequence[Attempt], places: np.ndarray) -> None:
    """Write what each remedy takes to the right of its bar, in columns of a fixed width."""
    columns: tuple[tuple[str, float, Callable[[Attempt], int | None]], ...] = (
        ("arrays", 48.0, lambda attempt: attempt.arrays),
        ("conversions", 118.0, lambda attempt: attempt.conversions),
    )
    for title, points, read in columns:
        texts = [title, *(_short(read(attempt)) for attempt in attempts)]
        for text, height in zip(texts, [-0.7, *places], strict=True):
            axes.annotate(
                text,
                (1.0, height),
                xycoords=("axes fraction", "data"),
                xytext=(points, 0),
                textcoords="offset points",
                ha="right",
                va="center",
                annotation_clip=False,
                color=MUTED,
            )


def _short(count: int | None) -> str:
    """Write a count with three digits and a thousand's letter."""
    if count is None:
        return "-"
    for letter, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= 10 * size or (letter != "k" and count >= size):
            return f"{count / size:.3g} {letter}"
    return f"{count:,}"
