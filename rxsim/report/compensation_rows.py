"""What an evaluation tells of its compensation, in words: the same for terminal and HTML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rxsim.metrics import Metric, all_metrics
from rxsim.report.json_values import as_list, as_number, as_text, at
from rxsim.report.labels import shortened
from rxsim.statistics import LEVEL

HEAD = ("step", "knows", "gain", f"{100 * LEVEL:g} %", "residual", "asks for")
CAPTION = "Compensation, step by step"
NOTHING_CHANGED = "nothing changed"
"""What stands in place of hardware where a step did nothing."""
_MOST_STEPS, _LONGEST = 40, 60
_NEEDS = {
    "multipliers": ("multiplication per position", "multiplications per position"),
    "adders": ("addition per position", "additions per position"),
    "stored_values": ("stored value", "stored values"),
    "spare_columns": ("spare column", "spare columns"),
    "reads": ("product read", "products read"),
    "cell_reads": ("cell read", "cells read"),
}
"""What hardware is asked for, of one and of several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRow:
    """A step as text.

    Attributes:
        step: its name.
        knows: design or chip.
        gain: over the rung before, with its standard error.
        interval: of the gain.
        residual: before and after, median over layers, and what it is.
        needs: the hardware that it asks for, or that nothing changed.
    """

    step: str
    knows: str
    gain: str
    interval: str
    residual: str
    needs: str

    @property
    def cells(self) -> tuple[str, ...]:
        """The texts in the order of `HEAD`."""
        return self.step, self.knows, self.gain, self.interval, self.residual, self.needs


def step_rows(block: Any) -> list[StepRow]:
    """Write the steps of an evaluation's block `compensation`; none where it holds none.

    Args:
        block: as JSON holds it; what can't be read becomes a dash.
    """
    metric = _metric(block)
    return [
        StepRow(
            step=_short(at(step, "name")),
            knows=_short(at(step, "knows")),
            gain=_gain(at(step, "gain"), metric),
            interval=_interval(at(step, "gain"), metric),
            residual=_residual(at(step, "residual")),
            needs=NOTHING_CHANGED if at(step, "changed") is False else _needs(step),
        )
        for step in as_list(at(block, "steps"))[:_MOST_STEPS]
    ]


def head(block: Any) -> tuple[str, ...]:
    """Return the column titles, with the unit of the gain."""
    unit = _unit(_metric(block))
    return tuple(f"gain, {unit}" if title == "gain" and unit else title for title in HEAD)


def notes(block: Any) -> list[str]:
    """Say what all steps together gave, and what the columns hold."""
    said = [text for text in (_together(block),) if text]
    residuals = [at(step, "residual") for step in as_list(at(block, "steps"))]
    if any(residuals):
        said.append(
            "Residuals are medians over layers, of the first chip; worst afterwards: "
            + "; ".join(filter(None, map(_worst, as_list(at(block, "steps")))))
            + "."
        )
    return said


def built_rung(details: Any) -> str:
    """Name the rung of the built chips; results without compensation have `nonideal`."""
    rung = as_text(at(details, "compensation", "rung"))
    return rung if rung is not None else "nonideal"


def _together(block: Any) -> str:
    """Say what came back of what the circuit took."""
    metric = _metric(block)
    taken, gain = at(block, "taken"), at(block, "gain")
    if as_number(at(taken, "mean")) is None or as_number(at(gain, "mean")) is None:
        return ""
    unit = f" {_unit(metric)}" if _unit(metric) else ""
    start = f"Wires and devices took {_plain(taken, metric)}{unit} (ideal to nonideal); all steps"
    share = at(block, "share_returned")
    mean, error = as_number(at(share, "mean")), as_number(at(share, "standard_error"))
    if mean is not None and mean < 0:
        worse = _gain(gain, metric).removeprefix("\N{MINUS SIGN}")
        return f"{start} made it worse by {worse}{unit}."
    text = f"{start} gave {_gain(gain, metric)}{unit}"
    if mean is None:
        return f"{text}."
    came = f"{100 * mean:.0f}"
    if error is None:
        return f"{text}: {came} % came back."
    return f"{text}: {came} \N{PLUS-MINUS SIGN} {100 * error:.0f} % came back."


def _metric(block: Any) -> Metric | None:
    return all_metrics().get(as_text(at(block, "metric")) or "")


def _unit(metric: Metric | None) -> str:
    """Name the unit of a difference: points for what is counted in percent."""
    if metric is None:
        return ""
    return "points" if metric.unit == "%" else metric.unit


def _short(value: Any) -> str:
    text = as_text(value)
    return shortened(text, _LONGEST) if text else "-"


def _gain(gain: Any, metric: Metric | None) -> str:
    """Write a gain with its standard error."""
    mean, error = as_number(at(gain, "mean")), as_number(at(gain, "standard_error"))
    if mean is None or metric is None:
        return "-"
    text = _signed(mean, metric)
    return text if error is None else f"{text} \N{PLUS-MINUS SIGN} {metric.figure_text(error)}"


def _plain(value: Any, metric: Metric | None) -> str:
    """Write a difference with its standard error, without a plus."""
    return _gain(value, metric).removeprefix("+")


def _interval(gain: Any, metric: Metric | None) -> str:
    bounds = [as_number(bound) for bound in as_list(at(gain, "interval"))]
    if len(bounds) != 2 or bounds[0] is None or bounds[1] is None or metric is None:
        return "-"
    return f"{_signed(bounds[0], metric)} to {_signed(bounds[1], metric)}"


def _signed(value: float, metric: Metric) -> str:
    text = metric.figure_text(abs(value))
    if float(text) == 0:
        return text
    return ("+" if value > 0 else "\N{MINUS SIGN}") + text


def _residual(residual: Any) -> str:
    before, after = as_number(at(residual, "before")), as_number(at(residual, "after"))
    if before is None or after is None:
        return "-"
    return f"{before:.2g} -> {after:.2g} {_unit_of(residual)}".rstrip()


def _worst(step: Any) -> str:
    """Write the layer with the largest residual after a step; empty where there is none."""
    worst = at(step, "residual", "worst_layer")
    before, after = as_number(at(worst, "before")), as_number(at(worst, "after"))
    if before is None or after is None:
        return ""
    return f"{_short(at(step, 'name'))} {_short(at(worst, 'name'))} {before:.2g} -> {after:.2g}"


def _unit_of(residual: Any) -> str:
    text = as_text(at(residual, "unit"))
    return shortened(text, _LONGEST) if text else ""


def _needs(step: Any) -> str:
    """Write what a step asks for, in words."""
    needs, told = at(step, "needs"), []
    for name, (one, several) in _NEEDS.items():
        count = as_number(at(needs, name))
        if count:
            told.append(f"{count:,.0f} {one if count == 1 else several}")
    tested = as_text(at(step, "cells_tested_for"))
    if tested:
        told.append(f"the cells read for {shortened(tested, _LONGEST)}")
    if told or isinstance(needs, Mapping):
        return ", ".join(told) or "nothing"
    return "-"
