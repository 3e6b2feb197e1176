"""Means with 95 % intervals along an axis, over points that differ in other settings too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, overload

import numpy as np

from rxsim.report.labels import Quantity, label_of, setting_text
from rxsim.report.material import Row
from rxsim.report.scales import Axis, axis_of
from rxsim.statistics import chip_interval, within
from rxsim.store import level_key


class _Columns:
    """Columns of many points as arrays; each is made when it is first used."""

    def __init__(self, rows: tuple[Row, ...]) -> None:
        self.rows = rows
        self._levels: dict[str, tuple[np.ndarray, list[Any]]] = {}

    def levels(self, name: str) -> tuple[np.ndarray, list[Any]]:
        """Return the number of each point's value of a setting, and the keys of these numbers."""
        if name not in self._levels:
            numbers: dict[Any, int] = {}
            # Points share their values, and the rows keep them alive: most need no new key.
            known: dict[int, int] = {}
            column = []
            for row in self.rows:
                value = row.settings.get(name)
                number = known.get(id(value))
                if number is None:
                    number = numbers.setdefault(level_key(value), len(numbers))
                    known[id(value)] = number
                column.append(number)
            self._levels[name] = np.array(column, dtype=np.int64), list(numbers)
        return self._levels[name]

    @cached_property
    def means(self) -> np.ndarray:
        """The points' means, nan where there is none."""
        return np.array([row.mean for row in self.rows], dtype=np.float64)

    @cached_property
    def chips(self) -> np.ndarray:
        """A number for each point, the same where the chips are."""
        numbers: dict[tuple[int, ...], int] = {}
        column = [numbers.setdefault(row.chips, len(numbers)) for row in self.rows]
        return np.array(column, dtype=np.int64)

    @cached_property
    def values(self) -> np.ndarray:
        """The values of all chips, point after point."""
        return np.concatenate([row.values for row in self.rows])

    @cached_property
    def starts(self) -> np.ndarray:
        """Where the values of each point begin."""
        return np.cumsum([0, *(len(row.values) for row in self.rows)])[:-1]


class Points(Sequence[Row]):
    """Points in columns, so that grouping and averaging are array operations; parts share columns."""

    __slots__ = ("_columns", "_places")

    def __init__(self, rows: Iterable[Row]) -> None:
        self._columns = _Columns(tuple(rows))
        self._places = np.arange(len(self._columns.rows))

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, place: int) -> Row: ...

    @overload
    def __getitem__(self, place: slice) -> Points: ...

    def __getitem__(self, place: int | slice) -> Row | Points:
        if isinstance(place, slice):
            return self.part(np.arange(len(self))[place])
        return self._columns.rows[int(self._places[place])]

    def __iter__(self) -> Iterator[Row]:
        rows = self._columns.rows
        return (rows[place] for place in self._places.tolist())

    def part(self, places: np.ndarray) -> Points:
        """Return some of the points, by index."""
        made = Points.__new__(Points)
        made._columns, made._places = self._columns, self._places[places]
        return made

    def with_mean(self) -> Points:
        """Return the points that were evaluated."""
        return self.part(np.flatnonzero(~np.isnan(self.means)))

    @property
    def means(self) -> np.ndarray:
        """The points' means, nan where there is none."""
        return self._columns.means[self._places]

    def last_of_levels(self, name: str) -> list[Row]:
        """Return the last point of each value of a setting."""
        numbers, keys = self._columns.levels(name)
        last = np.full(len(keys), -1)
        np.maximum.at(last, numbers[self._places], np.arange(len(self)))
        return [self[place] for place in last[last >= 0].tolist()]

    def combinations(self, names: Sequence[str]) -> np.ndarray:
        """Return a number for each point, from 0, the same where these settings are."""
        numbered = np.zeros(len(self), dtype=np.int64)
        for name in names:
            numbers, keys = self._columns.levels(name)
            # Numbered anew each time: products of many settings would not fit.
            mixed = numbered * len(keys) + numbers[self._places]
            numbered = np.unique(mixed, return_inverse=True)[1]
        return numbered

    def key(self, place: int, names: Sequence[str]) -> tuple[Any, ...]:
        """Return the keys of a point's values of some settings."""
        columns = [self._columns.levels(name) for name in names]
        return tuple([keys[numbers[self._places[place]]] for numbers, keys in columns])

    def shared_chips(self) -> tuple[np.ndarray, bool]:
        """Average over points for each chip that all points have; tell whether these are all chips."""
        chips = self._columns.chips[self._places]
        first = self[0].chips
        if (chips == chips[0]).all():
            at = self._columns.starts[self._places][:, None] + np.arange(len(first))
            return self._columns.values[at].mean(axis=0), True
        shared = set(first).intersection(*(row.chips for row in self))
        tables = [
            [value for chip, value in zip(row.chips, row.values, strict=True) if chip in shared]
            for row in self
        ]
        return np.asarray(np.mean(tables, axis=0)), False


def as_points(rows: Iterable[Row]) -> Points:
    """Return points with columns; points that have columns are returned as they are."""
    return rows if isinstance(rows, Points) else Points(rows)


@dataclass(frozen=True, slots=True, eq=False)
class Mean:
    """The mean of a quantity over some points.

    Attributes:
        mean: of the points' means.
        bounds: 95 % interval; None where the chips do not give an interval.
        points: how many points.
        chips: number of chips that the interval is from; 0 without an interval.
    """

    mean: float
    bounds: tuple[float, float] | None
    points: int
    chips: int


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A line of a figure.

    Attributes:
        label: the values that it stands for; empty for a single line.
        means: index of the axis's value -> mean, in the axis's order.
    """

    label: str
    means: dict[int, Mean]


def mean_over(rows: Sequence[Row], quantity: Quantity) -> Mean | None:
    """Average points that were evaluated, with the interval of that mean over chips.

    In all points of a sweep, chips of the same number have the same draws, so points are not
    independent. Each chip is averaged over the points first, then Student t is taken over chips.

    Returns:
        None where no point has a mean.
    """
    points = as_points(rows).with_mean()
    if not points:
        return None
    if len(points) == 1:
        row = points[0]
        assert row.mean is not None
        return Mean(row.mean, row.interval, 1, len(row.values) if row.interval else 0)
    mean = float(points.means.mean())
    shared, complete = points.shared_chips()
    interval = within(chip_interval(shared), quantity.low, quantity.high)
    if interval is None or not complete:
        return Mean(mean, None, len(points), 0)
    return Mean(mean, (interval.low, interval.high), len(points), len(shared))


def grouped(rows: Iterable[Row], names: Sequence[str]) -> dict[tuple[Any, ...], Points]:
    """Group points by their values of some settings, in order of appearance."""
    points = as_points(rows)
    if not points:
        return {}
    numbers = points.combinations(names)
    order = np.argsort(numbers, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(numbers))[:-1])
    parts.sort(key=lambda part: int(part[0]))
    return {points.key(int(part[0]), names): points.part(part) for part in parts}


def levels_of(rows: Iterable[Row], name: str, *, log: bool | None = None) -> Axis:
    """Return the axis of a setting over some points."""
    points = as_points(rows).last_of_levels(name)
    return axis_of(name, [row.settings.get(name) for row in points], log=log)


def curve(rows: Iterable[Row], axis: Axis, quantity: Quantity, label: str = "") -> Curve:
    """Average points for each value of an axis."""
    groups = grouped(rows, [axis.name])
    means = {
        place: mean_over(groups[(key,)], quantity)
        for place, key in enumerate(axis.keys)
        if (key,) in groups
    }
    return Curve(label, {place: mean for place, mean in means.items() if mean is not None})


def curves_by(
    rows: Sequence[Row], axis: Axis, names: Sequence[str], quantity: Quantity
) -> list[Curve]:
    """Return a curve for each combination of values of given settings, in their order."""
    rows = as_points(rows)
    groups = grouped(rows, names)
    axes = [levels_of(rows, name) for name in names]

    def rank(key: tuple[Any, ...]) -> list[int]:
        return [axes[i].keys.index(part) for i, part in enumerate(key)]

    made = [
        curve(groups[key], axis, quantity, _combination(groups[key][0], names))
        for key in sorted(groups, key=rank)
    ]
    return [curve for curve in made if curve.means]


def _combination(row: Row, names: Sequence[str]) -> str:
    """Write the values that a curve stands for, in the order of their settings' names."""
    return ", ".join(value_in_unit(name, row.settings.get(name)) for name in names)


def value_in_unit(name: str, value: Any) -> str:
    """Write a setting's value with the unit that its axis has."""
    label = label_of(name)
    if isinstance(value, int | float) and not isinstance(value, bool) and not label.duration:
        return f"{value * label.factor:.6g} {label.unit}".rstrip()
    return setting_text(name, value)
