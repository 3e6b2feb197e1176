"""The time t0 at which a programmed state was read, from readings after it.

    ln(G(t) / G) = a - nu ln((t + t0) / t0)

t0 is the one at which the cells' lines leave least of their readings unexplained, each level weighed
by its own noise. The programmed state is a reading at t = 0, with noise of its own: so a is free. Where
every cell was read once, the means of its level at each time take the cells' place, with a = 0. The
error is where the weighted sum of squares has grown by one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rxsim.durations import written
from rxsim.errors import DataError
from rxsim.fitting.cells import Readings

# t0 is looked for from a thousandth of the first time to a thousand times the last.
_BEYOND = 1e3
_GRID = 31
_GOLDEN = (np.sqrt(5) - 1) / 2
_EXACT = 1e-8  # of ln t0
_ROUNDING = 1e-6  # of ln t0: the least error, of logarithms that are rounded
_STEP = 1e-3  # of ln t0, for the second difference
_AT_END = 0.1  # of ln t0: nearer to an end of the search there is no minimum
_LEAST_FREE = 5  # readings of a level beyond its lines, for a noise of its own
_EVEN = 1e-6  # smallest noise of a level over that of all


@dataclass(frozen=True, slots=True, kw_only=True)
class StartTime:
    """A time t0.

    Attributes:
        seconds: from programming to the reading of the programmed state.
        error: standard error, seconds; None where it was not fitted.
        how: where it is from.
        notes: what has to be said of it.
    """

    seconds: float
    error: float | None
    how: str
    notes: tuple[str, ...] = ()


def fit_start_time(
    readings: Readings, y: np.ndarray, group: np.ndarray, where: str, given: float | None
) -> StartTime:
    """Find t0.

    Args:
        readings: of known cells, their programmed states at time 0 among them.
        y: ln of each over its programmed state.
        group: the level of each.
        where: the file's name in messages.
        given: the user's own, seconds.

    Raises:
        DataError: readings at a single time can't tell it.
    """
    if given is not None:
        return StartTime(seconds=given, error=None, how="as given")
    later = readings.time > 0
    times = np.unique(readings.time[later])
    if len(times) < 2:
        raise DataError(
            f"{where}: found readings at one time ({written(float(times[0]))}) after achieved, "
            "expected two times at least, or to know when achieved was read; give --t0 SECONDS, from "
            "programming to that reading"
        )
    kinds = np.unique(readings.cell[later] + 1j * readings.time[later])
    if len(kinds) > len(np.unique(kinds.real)):
        unit = np.unique(readings.cell, return_inverse=True)[1]
        return _of_cells(readings.time, y, unit, group)
    return _of_means(*_means(readings.time[later], y[later], group[later]))


def _means(
    time: np.ndarray, y: np.ndarray, group: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return time, mean, level and number over variance of all readings of a level at a time."""
    kinds, kind = np.unique(group + 1j * time, return_inverse=True)
    counts = np.bincount(kind)
    means = np.bincount(kind, y) / counts
    variance = np.bincount(kind, np.square(y - means[kind])) / np.maximum(counts - 1, 1)
    usual = float(np.median(variance[counts > 1])) if (counts > 1).any() else 1.0
    variance = np.where(variance > 0, variance, usual or 1.0)
    return kinds.imag, means, kinds.real.astype(int), counts / variance


def _of_cells(time: np.ndarray, y: np.ndarray, unit: np.ndarray, group: np.ndarray) -> StartTime:
    """Find t0 from cells of several times: lines of their own, levels weighed by their noise."""
    of_unit = np.zeros(unit.max() + 1, dtype=int)
    of_unit[unit] = group
    free = np.bincount(group) - 2 * np.bincount(of_unit)
    counts = np.bincount(unit)

    def squares(log_t0: float) -> np.ndarray:
        """Return the sum of squares about the lines, a level."""
        length = np.log1p(time / np.exp(log_t0))
        mean_length, mean_y = (np.bincount(unit, v) / counts for v in (length, y))
        away = length - mean_length[unit]
        lever = np.bincount(unit, away**2)
        rise = np.bincount(unit, away * y)
        slope = np.divide(rise, lever, out=np.zeros(len(lever)), where=lever > 0)
        left = y - mean_y[unit] - slope[unit] * away
        return np.bincount(group, left * left)

    low, high = np.log(time[time > 0].min() / _BEYOND), np.log(time.max() * _BEYOND)
    at = _minimum(lambda v: float(squares(v).sum()), low, high)
    square = squares(at)
    whole = max(float(square.sum()) / max(int(free.sum()), 1), 1e-300)
    noise = np.where(free >= _LEAST_FREE, square / np.maximum(free, 1), whole)
    weight = 1 / np.maximum(noise, whole * _EVEN)
    rest = lambda v: float(weight @ squares(v))  # noqa: E731
    return _told(rest, _minimum(rest, low, high), low, high, 1.0)


def _of_means(time: np.ndarray, y: np.ndarray, group: np.ndarray, weight: np.ndarray) -> StartTime:
    """Find t0 from means of levels at times; what the lines leave beyond chance widens the error."""
    unit = np.unique(group, return_inverse=True)[1]

    def rest(log_t0: float) -> float:
        length = np.log1p(time / np.exp(log_t0))
        slope = np.bincount(unit, weight * length * y) / np.bincount(unit, weight * length**2)
        return float(weight @ np.square(y - slope[unit] * length))

    low, high = np.log(time.min() / _BEYOND), np.log(time.max() * _BEYOND)
    at = _minimum(rest, low, high)
    freedom = max(len(time) - len(np.unique(unit)) - 1, 1)
    return _told(rest, at, low, high, max(np.sqrt(rest(at) / freedom), 1.0))


def _told(
    rest: Callable[[float], float], at: float, low: float, high: float, excess: float
) -> StartTime:
    """Return t0 with its error, from the bend of the sum of squares at its minimum."""
    bend = rest(at + _STEP) - 2 * rest(at) + rest(at - _STEP)
    # The sum is its minimum + bend / step^2 (ln t0 - ..)^2 / 2, which grows by one at this distance.
    error = excess * float(np.sqrt(2 * _STEP**2 / bend)) if bend > 0 else np.inf
    notes: tuple[str, ...] = ()
    if at - low < _AT_END or high - at < _AT_END or error > 1:
        factor = np.exp(min(error, 20))
        notes = (
            f"the readings hardly tell t0 (a factor of {factor:.3g} either way is as good); give --t0 "
            "if you know when achieved was read",
        )
    error = max(error, _ROUNDING)
    seconds = float(np.exp(at))
    how = "all times lie on one line with it"
    return StartTime(seconds=seconds, error=seconds * min(error, 1e6), how=how, notes=notes)


def _minimum(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where a function is least: the best of a grid, then golden sections around it."""
    grid = np.linspace(low, high, _GRID)
    best = int(np.argmin([function(v) for v in grid]))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, _GRID - 1)]
    inner = [high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)]
    values = [function(v) for v in inner]
    while high - low > _EXACT:
        if values[0] < values[1]:
            high = inner[1]
            inner = [high - _GOLDEN * (high - low), inner[0]]
            values = [function(inner[0]), values[0]]
        else:
            low = inner[0]
            inner = [inner[1], low + _GOLDEN * (high - low)]
            values = [values[1], function(inner[1])]
    return float(inner[int(np.argmin(values))])
