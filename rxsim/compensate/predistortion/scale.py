"""The gain and the shift with which wanted conductances are held, so that a circuit can reach them.

An array is to hold T = gain G + shift instead of G. Decoding divides the gain out; the shift cancels
where two columns are subtracted. A cell reaches from low to high, as far as its range and its wires let
it. Counted in G, the error that is left is the distance of G - b from [a low, a high] with a = 1/gain
and b = -shift/gain. The sum of its squares is convex in a and b: Newton's method finds the least.

A small gain makes the noise of cells larger, so (a noise)^2 is added for each cell, noise being what
rounding to levels and programming leave.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_STEPS, _HALVINGS = 60, 30
_ENOUGH = 1e-6
"""A step that shortens the sum of squares by a smaller share is the last."""
_SINGULAR = 1e-12
"""Least determinant of a 2x2 matrix, of the product of its diagonal."""


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """Gain and shift of each slot: a layer is one, or each of its columns.

    Attributes:
        gain: float64 (slots,).
        shift: siemens, float64 (slots,).
    """

    gain: np.ndarray
    shift: np.ndarray

    @staticmethod
    def plain(slots: int) -> Scale:
        """Return a gain of 1 and no shift."""
        return Scale(np.ones(slots), np.zeros(slots))

    @property
    def coefficients(self) -> tuple[np.ndarray, np.ndarray]:
        """The a and b that bring what is held back to what was wanted: G = a T + b."""
        return 1 / self.gain, -self.shift / self.gain

    @staticmethod
    def of(a: np.ndarray, b: np.ndarray) -> Scale:
        """Return the scale of these coefficients."""
        return Scale(1 / a, -b / a)

    def held(self, wanted: np.ndarray, slots: np.ndarray) -> np.ndarray:
        """Return what is to be held instead of wanted conductances, siemens."""
        return np.asarray(self.gain[slots] * wanted + self.shift[slots])

    def restored(self, held: np.ndarray, slots: np.ndarray) -> np.ndarray:
        """Return what conductances that are held count as, siemens."""
        return np.asarray((held - self.shift[slots]) / self.gain[slots])


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Reach:
    """Cells, what they are to stand for, and what they can hold.

    Attributes:
        wanted: siemens, float64 (cells,).
        low: least g_eff, siemens, float64 (cells,).
        high: largest g_eff, siemens, float64 (cells,).
        slots: the slot of each cell, int64 (cells,).
    """

    wanted: np.ndarray
    low: np.ndarray
    high: np.ndarray
    slots: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Freedom:
    """What of a scale may be chosen, and what speaks against a small gain.

    Attributes:
        gain: whether the gain is chosen.
        shift: whether the shift is; else it stays in proportion to the gain.
        noise: siemens, of a cell.
        largest: the largest gain.
    """

    gain: bool
    shift: bool
    noise: float
    largest: float = 1.0


def best_scale(reach: Reach, start: Scale, freedom: Freedom) -> Scale:
    """Return the scale with the least error of what cells can reach.

    Args:
        reach: the cells.
        start: a scale to begin with.
        freedom: what may be chosen.
    """
    if not freedom.gain:
        return start
    a, b = start.coefficients
    convex = _SumOfSquares(reach, len(a), freedom)
    value, error = convex.value(a, b)
    for _ in range(_STEPS):
        along_a, along_b = convex.step(a, b, error)
        length = np.ones(len(a))
        for _ in range(_HALVINGS):
            found, error = convex.value(a + length * along_a, b + length * along_b)
            worse = found > value
            if not worse.any():
                break
            length = np.where(worse, length / 2, length)
        if (found > value).any():
            length = np.where(found > value, 0.0, length)
            found, error = convex.value(a + length * along_a, b + length * along_b)
        a, b = a + length * along_a, b + length * along_b
        before, value = value, found
        if (before - value <= _ENOUGH * before).all():
            break
    return Scale.of(a, b)


class _SumOfSquares:
    """The convex function of the coefficients, for each slot by itself."""

    def __init__(self, reach: Reach, count: int, freedom: Freedom) -> None:
        self._reach, self._count, self._freedom = reach, count, freedom
        cells = np.maximum(self._sum(np.ones(len(reach.wanted))), 1.0)
        # Where all cells reach what they should, a small number makes Newton's matrix regular.
        self._least, self._against = cells * _SINGULAR, cells * freedom.noise**2

    def _sum(self, values: np.ndarray) -> np.ndarray:
        if self._count == 1:
            return np.array([values.sum()])  # much quicker
        return np.bincount(self._reach.slots, values, minlength=self._count)

    def value(self, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the sums, and the error of each cell: negative where it can't hold so little."""
        reach = self._reach
        wanted, each = reach.wanted - b[reach.slots], a[reach.slots]
        error = np.minimum(wanted - each * reach.low, 0.0)
        error += np.maximum(wanted - each * reach.high, 0.0)
        return self._sum(error * error) + self._against * a * a, error

    def step(
        self, a: np.ndarray, b: np.ndarray, error: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return Newton's step, which leaves the gain at its largest value or below."""
        reach, least = self._reach, 1 / self._freedom.largest
        end = np.where(error < 0, reach.low, np.where(error > 0, reach.high, 0.0))
        slope_a = -self._sum(error * end) + self._against * a
        aa = self._sum(end * end) + self._against
        aa += np.where(aa > 0, 0.0, 1.0)
        if not self._freedom.shift:
            return np.maximum(-slope_a / aa, least - a), np.zeros(len(b))
        slope_b, ab = -self._sum(error), self._sum(end)
        bb = self._sum((error != 0).astype(float)) + self._least
        determinant = np.maximum(aa * bb - ab * ab, _SINGULAR * aa * bb)
        along_a = (ab * slope_b - bb * slope_a) / determinant
        along_b = (ab * slope_a - aa * slope_b) / determinant
        bound = a + along_a < least
        along_b = np.where(bound, -(slope_b + ab * (least - a)) / bb, along_b)
        return np.where(bound, least - a, along_a), along_b


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Sums over the cells of each slot, float64 (5, slots): 1, x, x^2, y, x y.

    x is what cells hold and y what they are to stand for, both in units of the range.
    """

    sums: np.ndarray

    @staticmethod
    def of(held: np.ndarray, wanted: np.ndarray, slots: np.ndarray, count: int) -> Moments:
        """Sum over cells; held and wanted are in units of the range."""
        ones = np.ones(len(held))
        values = (ones, held, held**2, wanted, held * wanted)
        return Moments(np.stack([np.bincount(slots, each, minlength=count) for each in values]))

    def __add__(self, other: Moments) -> Moments:
        """Return the sums over the cells of both."""
        return Moments(self.sums + other.sums)


def fitted_scale(moments: Moments, now: Scale, freedom: Freedom, span: float) -> Scale:
    """Return the scale by which what cells hold comes nearest to what they are to stand for.

    Least squares of y = a x + b.

    Args:
        moments: of the cells.
        now: the scale that they were made for; what is not free stays.
        freedom: what may be chosen.
        span: siemens of the range.
    """
    if not freedom.gain:
        return now
    count, x, xx, y, xy = moments.sums
    cells = np.maximum(count, 1.0)
    xx = xx + cells * (freedom.noise / span) ** 2
    b = now.coefficients[1]
    if freedom.shift:
        spread = xx - x * x / cells
        a = (xy - x * y / cells) / np.where(spread > 0, spread, 1.0)
    else:
        a = (xy - b / span * x) / np.where(xx > 0, xx, 1.0)
    a = np.maximum(a, 1 / freedom.largest)
    if freedom.shift:
        b = (y - a * x) / cells * span
    empty = count == 0
    return Scale.of(np.where(empty, 1.0, a), np.where(empty, 0.0, b))
