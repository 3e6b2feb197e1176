"""Axes of figures: which values a setting takes, in which order, and on which scale."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rxsim.durations import written
from rxsim.report.labels import Label, label_of, setting_text, value_text
from rxsim.report.time_scale import round_times, time_scale
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
        zero: on a logarithmic scale the place of the value 0, left of a break; None without one.
    """

    name: str
    label: Label
    keys: tuple[Any, ...]
    texts: tuple[str, ...]
    places: tuple[float, ...]
    numeric: bool
    log: bool
    zero: float | None = None

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def ticks(self) -> tuple[float, ...] | None:
        """Places of the ticks, one at each value or at round lengths of time; None: matplotlib's."""
        if not self.numeric or not self._is_crowded():
            return self.places
        return self._round_times if self.label.duration else None

    def _is_crowded(self) -> bool:
        """Tell whether ticks at all values would stand too close."""
        if len(self.places) > _MOST_TICKS:
            return True
        at = np.log(self.places) if self.log else np.asarray(self.places)
        gaps = np.diff(at)
        return len(gaps) > 0 and float(gaps.min()) < 0.05 * float(at[-1] - at[0])

    @property
    def _round_times(self) -> tuple[float, ...]:
        zero = () if self.zero is None else (self.zero,)
        return (*zero, *round_times(self.places[len(zero)], self.places[-1], log=self.log))

    @property
    def tick_labels(self) -> tuple[str, ...]:
        """Texts at `ticks`."""
        if self.label.duration and self.numeric and self.ticks != self.places:
            return tuple(written(0.0 if at == self.zero else at) for at in self.ticks or ())
        return self.tick_texts

    @property
    def tick_texts(self) -> tuple[str, ...]:
        """A text for each value: a number in the label's unit, a length of time, or the value."""
        if self.numeric and not self.label.duration:
            return tuple(f"{place:.6g}" for place in self.places)
        return self.texts

    @property
    def zero_gap(self) -> float:
        """The place of the break between 0 and the smallest other value."""
        assert self.zero is not None
        return float((self.zero * self.places[1]) ** 0.5)

    def place_of(self, value: float) -> float:
        """Return where a number stands."""
        return self.zero if value == 0 and self.zero is not None else value * self.label.factor


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
    zero = None
    if numeric and label.duration:
        log, zero = time_scale(places, log)
        places = places if zero is None else (zero, *places[1:])
    return Axis(
        name=name,
        label=label,
        keys=tuple(keys),
        texts=_texts(name, [levels[key] for key in keys]),
        places=places,
        numeric=numeric,
        log=numeric and (suits_log(places) if log is None else log),
        zero=zero,
    )


def _texts(name: str, values: list[Any]) -> tuple[str, ...]:
    """Write values for readers; lengths of time that would read alike as plain seconds."""
    texts = [setting_text(name, value) for value in values]
    if len(set(texts)) == len(texts) or not label_of(name).duration:
        return tuple(texts)
    return tuple(value_text(value) + (" s" if value is not None else "") for value in values)


def suits_log(places: Iterable[float]) -> bool:
    """Tell whether values lie more evenly on a logarithmic than on a linear scale."""
    values = np.array(sorted(places))
    if len(values) < 3 or values[0] <= 0 or values[-1] / values[0] < _SPAN_OF_A_LOG:
        return False
    return _unevenness(np.log(values)) < _unevenness(values)


def _unevenness(values: np.ndarray) -> float:
    gaps = np.diff(values)
    return float(gaps.std() / gaps.mean())
