"""Axes of figures: which values a setting takes, in which order, and on which scale."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rxsim.report.labels import Label, label_of, value_text
from rxsim.store import level_key

_MOST_TICKS = 8
_SPAN_OF_A_LOG = 3.9  # two doublings, within rounding


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Axis:
    """The values of a setting along a figure.

    Attributes:
        name: dotted name.
        label: words and unit.
        keys: a hashable key for each value, sorted.
        texts: each value as text.
        places: where each value stands: its number in the label's unit, or 0, 1, 2 ..
        numeric: whether they are numbers.
        log: whether a logarithmic scale suits them.
    """

    name: str
    label: Label
    keys: tuple[Any, ...]
    texts: tuple[str, ...]
    places: tuple[float, ...]
    numeric: bool
    log: bool

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def ticks(self) -> tuple[float, ...] | None:
        """Places of the ticks, one at each value; None: chosen by matplotlib."""
        if not self.numeric:
            return self.places
        if len(self.places) > _MOST_TICKS:
            return None
        at = np.log(self.places) if self.log else np.asarray(self.places)
        gaps = np.diff(at)
        crowded = len(gaps) > 0 and float(gaps.min()) < 0.05 * float(at[-1] - at[0])
        return None if crowded else self.places

    @property
    def tick_texts(self) -> tuple[str, ...]:
        """Texts of the ticks: numbers in the label's unit, or the values."""
        return tuple(f"{place:.6g}" for place in self.places) if self.numeric else self.texts


_ORDER = ("bool", "number", "none", "text", "other")


def axis_of(name: str, values: Iterable[Any], *, log: bool | None = None) -> Axis:
    """Gather the values of a setting as an axis.

    Args:
        name: dotted name.
        values: those of all points, in any order.
        log: force a logarithmic or a linear scale; None: as the values lie.
    """
    levels = {level_key(value): value for value in values}
    keys = sorted(levels, key=lambda key: (_ORDER.index(key[0]), key[1]))
    label = label_of(name)
    numeric = all(kind == "number" and math.isfinite(value) for kind, value in keys)
    if numeric:
        places = tuple(round(value * label.factor, 12) for _, value in keys)
    else:
        places = tuple(float(i) for i in range(len(keys)))
    return Axis(
        name=name,
        label=label,
        keys=tuple(keys),
        texts=tuple(value_text(levels[key]) for key in keys),
        places=places,
        numeric=numeric,
        log=numeric and (suits_log(places) if log is None else log),
    )


def suits_log(places: Iterable[float]) -> bool:
    """Tell whether values lie more evenly on a logarithmic than on a linear scale."""
    values = np.array(sorted(places))
    if len(values) < 3 or values[0] <= 0 or values[-1] / values[0] < _SPAN_OF_A_LOG:
        return False
    return _unevenness(np.log(values)) < _unevenness(values)


def _unevenness(values: np.ndarray) -> float:
    gaps = np.diff(values)
    return float(gaps.std() / gaps.mean())
