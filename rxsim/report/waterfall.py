"""From the float network to the built chips, effect by effect, as a waterfall."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.axes import Axes

from rxsim.counted import counted
from rxsim.estimate import Estimate
from rxsim.explain.quantity import HIGHEST_DB
from rxsim.explain.result import EffectRow, Explanation
from rxsim.report.explanation_words import Wording
from rxsim.report.labels import shortened
from rxsim.report.style import INK, MUTED, SERIES

Kind = Literal["value", "effect", "rest"]
_MOST_EFFECTS = 30
_LONGEST = 26
_BAR = 0.62
# Changes that differ from their sum by less are rounding.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A line of the waterfall.

    Attributes:
        title: its name for readers.
        start: the quantity before it.
        end: the quantity after it.
        kind: value: where it starts or ends; effect: what an effect changes; rest: what no effect does.
        change: of an effect with its errors; None for others.
        sampling_error: of that change, from sampled orders.
    """

    title: str
    start: float
    end: float
    kind: Kind
    change: Estimate | None = None
    sampling_error: float = 0.0


def by_shapley(explanation: Explanation) -> bool:
    """Tell whether every effect has its Shapley value; else the waterfall is that of accumulation."""
    rows = () if explanation.effects is None else explanation.effects.rows
    return all(row.shapley is not None for row in rows)


def waterfall_steps(explanation: Explanation) -> tuple[Step, ...]:
    """Return the lines of the waterfall from the float network to the built chips.

    Shapley values stand with what costs most first, for they hold in any order; without them effects
    stand in the order of accumulation. Either adds up to v(all) - v(none).
    """
    sign = explanation.quantity.sign
    rows = () if explanation.effects is None else explanation.effects.rows
    changes: list[tuple[EffectRow, Estimate]] = [
        (row, row.shapley if row.shapley is not None and by_shapley(explanation) else row.added)
        for row in rows
    ]
    if by_shapley(explanation):
        changes.sort(key=lambda change: sign * change[1].mean)
    at = explanation.floating
    steps = [Step(title="float32", start=at, end=at, kind="value")]
    tolerance = _ROUNDING * max(abs(explanation.floating), abs(explanation.all))
    if abs(explanation.none - at) > tolerance:
        steps.append(Step(title="without effects", start=at, end=explanation.none, kind="rest"))
        at = explanation.none
    for row, change in changes[:_MOST_EFFECTS]:
        end = at + change.mean
        error = row.sampling_error if change is row.shapley else 0.0
        steps.append(
            Step(
                title=row.title,
                start=at,
                end=end,
                kind="effect",
                change=change,
                sampling_error=error,
            )
        )
        at = end
    if abs(explanation.all - at) > tolerance:
        hidden = len(changes) - _MOST_EFFECTS
        title = counted(hidden, "more effect") if hidden > 0 else "not told apart"
        steps.append(Step(title=title, start=at, end=explanation.all, kind="rest"))
    steps.append(
        Step(title="built chips", start=explanation.all, end=explanation.all, kind="value")
    )
    return tuple(steps)


def draw_waterfall(axes: Axes, explanation: Explanation, words: Wording) -> None:
    """Draw the waterfall, one line a step from above, its numbers to the right.

    Args:
        axes: to draw on.
        explanation: what is shown.
        words: how numbers are written.
    """
    steps = waterfall_steps(explanation)
    factor, sign = explanation.quantity.metric.factor, explanation.quantity.sign
    ends: list[float] = []
    for place, step in enumerate(steps):
        start, end = step.start * factor, step.end * factor
        ends += [start, end]
        if step.kind == "value":
            ends += _draw_value(axes, place, end, explanation, is_built=place > 0)
        else:
            helps = sign * (end - start) >= 0
            colour = MUTED if step.kind == "rest" else SERIES[2 if helps else 1]
            axes.barh(place, end - start, left=start, height=_BAR, color=colour)
        if step.change is not None and step.change.low is not None and step.change.high is not None:
            low, high = (start + bound * factor for bound in (step.change.low, step.change.high))
            axes.hlines(place, low, high, color=INK, linewidth=0.8)
            ends += [low, high]
        if place + 1 < len(steps):
            axes.vlines(end, place, place + 1, color=MUTED, linewidth=0.6, linestyle=(0, (2, 2)))
        axes.annotate(
            _number(step, words),
            (1.0, place),
            xycoords=("axes fraction", "data"),
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
            annotation_clip=False,
            color=INK,
        )
    axes.set_yticks(range(len(steps)), [shortened(step.title, _LONGEST) for step in steps])
    axes.set_ylim(len(steps) - 0.4, -0.6)
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(*_range(ends))
    unit = explanation.quantity.metric.unit
    label = explanation.quantity.metric.label
    heading = f"{label} ({unit})" if unit else label
    if explanation.quantity.name == "snr_db":
        heading += f"; without errors it counts as {HIGHEST_DB:g} dB"
    axes.set_xlabel(heading)


def _draw_value(
    axes: Axes, place: int, value: float, explanation: Explanation, *, is_built: bool
) -> list[float]:
    """Draw where the waterfall starts or ends; a value is a point, for the axis need not begin at 0."""
    colour, bounds = SERIES[0], list[float]()
    if is_built and explanation.interval is not None:
        bounds = [bound * explanation.quantity.metric.factor for bound in explanation.interval]
        axes.hlines(place, bounds[0], bounds[1], color=colour, linewidth=5, alpha=0.3)
    axes.plot(value, place, "o", color=colour, markersize=6)
    return bounds


def _range(ends: list[float]) -> tuple[float, float]:
    """Leave room around all that is drawn."""
    low, high = float(np.min(ends)), float(np.max(ends))
    room = 0.05 * (high - low) or max(abs(high) * 0.02, 1e-12)
    return low - room, high + room


def _number(step: Step, words: Wording) -> str:
    if step.kind == "value":
        return words.value(step.end, unit=False)
    if step.change is None:
        return words.change(step.end - step.start)
    return words.with_error(step.change, step.sampling_error)
