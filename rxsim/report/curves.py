"""Means with 95 % intervals along an axis, over points that differ in other settings too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rxsim.report.labels import Quantity, label_of, value_text
from rxsim.report.material import Row
from rxsim.report.scales import Axis, axis_of, level_key
from rxsim.statistics import chip_interval, within

_NOTHING = level_key(None)


@dataclass(frozen=True, slots=True, eq=False)
class Mean:
    """The mean of a quantity over some points.

    Attributes:
        mean: of the points' means.
        bounds: 95 % interval; None where the chips do not tell one.
        points: how many points.
        chips: how many chips the interval is from; 0 without one.
    """

    mean: float
    bounds: tuple[float, float] | None
    points: int
    chips: int


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One line of a figure.

    Attributes:
        label: the values that it stands for; empty for a single line.
        means: index of the axis's value -> mean, in the axis's order.
    """

    label: str
    means: dict[int, Mean]


def mean_over(rows: Sequence[Row], quantity: Quantity) -> Mean | None:
    """Average points that were evaluated, with the interval of that mean over chips.

    Points of one sweep share the draws of a chip's number, so they are not independent: each chip's
    number is averaged over the points first, then Student t is taken over these averages.

    Returns:
        None where no point has a mean.
    """
    rows = [row for row in rows if row.mean is not None]
    if not rows:
        return None
    if len(rows) == 1:
        row = rows[0]
        assert row.mean is not None
        return Mean(row.mean, row.interval, 1, len(row.values) if row.interval else 0)
    mean = float(np.mean([row.mean for row in rows]))
    shared = _shared_chips(rows)
    found = within(chip_interval(shared), quantity.low, quantity.high)
    if found is None or any(len(row.values) != len(shared) for row in rows):
        return Mean(mean, None, len(rows), 0)
    return Mean(mean, (found.low, found.high), len(rows), len(shared))


def _shared_chips(rows: Sequence[Row]) -> np.ndarray:
    """Average over points for each chip that all of them have, (chips,)."""
    first = rows[0].chips
    if all(row.chips == first for row in rows):
        return np.asarray(np.mean([row.values for row in rows], axis=0))
    shared = set(first).intersection(*(row.chips for row in rows))
    tables = [
        [value for chip, value in zip(row.chips, row.values, strict=True) if chip in shared]
        for row in rows
    ]
    return np.asarray(np.mean(tables, axis=0))


def grouped(rows: Iterable[Row], names: Sequence[str]) -> dict[tuple[Any, ...], list[Row]]:
    """Group points by their values of some settings, in order of appearance."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        key = tuple([row.levels.get(name, _NOTHING) for name in names])
        groups.setdefault(key, []).append(row)
    return groups


def levels_of(rows: Iterable[Row], name: str, *, log: bool | None = None) -> Axis:
    """Return the axis of a setting over some points."""
    values = {row.levels.get(name, _NOTHING): row.settings.get(name) for row in rows}
    return axis_of(name, values.values(), log=log)


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
    """Return one curve for each combination of values of some settings, in their order."""
    groups = grouped(rows, names)
    axes = [levels_of(rows, name) for name in names]

    def rank(key: tuple[Any, ...]) -> list[int]:
        return [axes[i].keys.index(part) for i, part in enumerate(key)]

    made = [
        curve(groups[key], axis, quantity, _combination(groups[key][0], names))
        for key in sorted(groups, key=rank)
    ]
    return [one for one in made if one.means]


def _combination(row: Row, names: Sequence[str]) -> str:
    """Write the values that a curve stands for; with several settings, each is named."""
    if len(names) == 1:
        return value_in_unit(names[0], row.settings.get(names[0]))
    return ", ".join(
        f"{label_of(name).text} {value_in_unit(name, row.settings.get(name))}" for name in names
    )


def value_in_unit(name: str, value: Any) -> str:
    """Write a setting's value with the unit that its axis has."""
    label = label_of(name)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value * label.factor:.6g} {label.unit}".rstrip()
    return value_text(value)
