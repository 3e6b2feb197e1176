"""An array whose g_eff is brought near to wanted conductances, solve by solve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from rxsim.circuit.sensitivity import nearest_within
from rxsim.compensate.predistortion.scale import Moments, Reach, Scale
from rxsim.config import Crossbar

SMALL = 3e-5
"""An error, rms of the range, that is left as it is. # Assumption: half of what rounding to 12 bits
leaves."""
LITTLE = 0.01
"""A pass that shortens an error by a smaller share is the last. Source: docs/concepts/model.md, section
14."""
_LEAST_LENGTH = 0.03
"""Of a step towards the nearest cells: where a shorter one would not help, the search ends."""

Solve = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class WantedArray:
    """An array, and what its g_eff is to be.

    Attributes:
        target: siemens, float64 (n_rows, n_cols).
        rows: int64, the rows that carry inputs.
        cols: int64, the columns that are read or subtracted.
        used: bool (rows, cols), cells that may move and whose g_eff counts.
        wanted: siemens, float64 (rows, cols), what they are to stand for.
        slots: the slot of each column of `cols`, int64.
        limits: least and largest conductance of a cell, siemens.
        crossbar: the resistances.
    """

    target: np.ndarray
    rows: np.ndarray
    cols: np.ndarray
    used: np.ndarray
    wanted: np.ndarray
    slots: np.ndarray
    limits: tuple[float, float]
    crossbar: Crossbar

    @property
    def span(self) -> float:
        """Siemens of the cells' range."""
        return self.limits[1] - self.limits[0]

    @property
    def slot_of(self) -> np.ndarray:
        """The slot of each used cell, int64."""
        return np.asarray(np.broadcast_to(self.slots, self.used.shape)[self.used])

    @property
    def block(self) -> tuple[np.ndarray, ...]:
        """Index of the block of used rows and columns."""
        return np.ix_(self.rows, self.cols)

    def started(self, solve: Solve) -> HeldArray:
        """Solve the circuit with the wanted conductances as targets."""
        g_eff = solve(self.target, self.rows, self.cols)
        return HeldArray(self.target, g_eff, solves=1)

    def moments(self, held: HeldArray, slots: int) -> Moments:
        """Return the sums that tell which scale fits what the array holds."""
        x, y = held.g_eff[self.used] / self.span, self.wanted[self.used] / self.span
        return Moments.of(x, y, self.slot_of, slots)

    def errors(self, held: HeldArray, scale: Scale) -> np.ndarray:
        """Return what used cells stand for too much, in units of the range, float64 (cells,)."""
        restored = scale.restored(held.g_eff[self.used], self.slot_of)
        return np.asarray((restored - self.wanted[self.used]) / self.span)

    def reach(self, held: HeldArray, places: np.ndarray | None = None) -> Reach:
        """Return what used cells could hold if the others stayed; of some of them, by their places."""
        low, high = (self._in_series(np.array(limit)) for limit in self.limits)
        parts = (self.wanted[self.used], self._ratio(held)[self.used], self.slot_of)
        wanted, ratio, slots = parts if places is None else (part[places] for part in parts)
        return Reach(wanted=wanted, low=ratio * low, high=ratio * high, slots=slots)

    def _in_series(self, g: np.ndarray) -> np.ndarray:
        return np.asarray(g / (1 + g * self.crossbar.r_access))

    def _ratio(self, held: HeldArray) -> np.ndarray:
        """What arrives of each cell; open cells count as the others do on average."""
        cells = self._in_series(held.g[self.block])
        mean = held.g_eff[self.used].sum() / max(cells[self.used].sum(), np.finfo(float).tiny)
        ratio = held.g_eff / np.where(cells > 0, cells, 1.0)
        return np.where(cells > 0, ratio, mean)

    def first_guess(self, held: HeldArray, scale: Scale) -> np.ndarray:
        """Return cells that would hold what they should if each kept its share, siemens."""
        ratio = self._ratio(held)
        to_hold = scale.held(self.wanted, self.slots)
        arriving = to_hold / np.where(ratio > 0, ratio, 1.0)
        low, high = self._in_series(np.array(self.limits))
        arriving = np.clip(arriving, low, high)
        cells = np.clip(arriving / (1 - arriving * self.crossbar.r_access), *self.limits)
        return self._with_cells(held, np.where(self.used, cells, held.g[self.block]))

    def nearest(self, held: HeldArray, scale: Scale) -> np.ndarray:
        """Return the cells whose g_eff is nearest to what it should be, to first order, siemens."""
        error = held.g_eff - scale.held(self.wanted, self.slots)
        whole, error_whole = np.zeros_like(held.g), np.zeros_like(held.g)
        used = np.zeros(held.g.shape, dtype=bool)
        whole[self.block], used[self.block] = held.g_eff, self.used
        error_whole[self.block] = np.where(self.used, error, 0.0)
        return nearest_within(held.g, whole, error_whole, used, self.limits, self.crossbar)

    def _with_cells(self, held: HeldArray, cells: np.ndarray) -> np.ndarray:
        g = held.g.copy()
        g[self.block] = cells
        return g

    def advanced(self, held: HeldArray, scale: Scale, solve: Solve, *, first: bool) -> HeldArray:
        """Move the cells towards what they should hold, by one more solve; never to a larger error.

        Args:
            held: the array as it is.
            scale: with which wanted conductances are held.
            solve: the circuit's.
            first: whether all cells stand at the wanted conductances still.
        """
        if held.done or not self.used.any():
            return replace(held, done=True)
        goal = self.first_guess(held, scale) if first else self.nearest(held, scale)
        g = goal if held.length == 1 else held.g + held.length * (goal - held.g)
        after = HeldArray(g, solve(g, self.rows, self.cols), solves=held.solves + 1)
        error, before = (rms(self.errors(each, scale)) for each in (after, held))
        if error < before:
            done = error <= SMALL or error > (1 - LITTLE * held.length) * before
            return after.with_step(min(1.0, 2 * held.length), done)
        shorter = held.length / 4
        return held.with_step(shorter, shorter < _LEAST_LENGTH, held.solves + 1)


@dataclass(frozen=True, slots=True, eq=False)
class HeldArray:
    """An array on its way.

    Attributes:
        g: its cells, siemens, float64 (n_rows, n_cols).
        g_eff: of its used rows and columns, siemens, float64 (rows, cols).
        solves: how often its circuit was solved.
        done: whether a further solve would change little.
        length: of the next step, as a share of the way to the nearest cells.
    """

    g: np.ndarray
    g_eff: np.ndarray
    solves: int
    done: bool = False
    length: float = 1.0

    def woken(self) -> HeldArray:
        """Return the same array for another scale: a further solve may change much again."""
        return replace(self, done=False, length=1.0)

    def with_step(self, length: float, done: bool, solves: int | None = None) -> HeldArray:
        """Return the same array before a step of another length, or at the end of its way."""
        solves = self.solves if solves is None else solves
        return replace(self, length=length, done=done, solves=solves)


def rms(values: np.ndarray) -> float:
    """Return the root of the mean square; 0 for none."""
    return float(np.sqrt(np.mean(np.square(values)))) if values.size else 0.0
