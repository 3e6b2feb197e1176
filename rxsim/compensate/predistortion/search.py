"""The search for targets: the arrays of a layer side by side, and the scale that they share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rxsim.compensate.predistortion.held_array import LITTLE, SMALL, HeldArray, Solve, WantedArray
from rxsim.compensate.predistortion.scale import (
    Freedom,
    Reach,
    Scale,
    best_scale,
    fitted_scale,
)

_SCALINGS = 3
"""Passes after which the scale stays: as cells move, so does what they can reach, less each time."""
_SAMPLE = 2**12
"""Cells of a single slot that choose its scale: more change it by less than a percent."""
_GOLDEN = (5**0.5 - 1) / 2

Each = Callable[[Callable[[int], Any], Sequence[int]], list[Any]]
"""Applies a function to numbers, perhaps in threads, results in order."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Predistortion:
    """Targets that were searched for.

    Attributes:
        arrays: the cells of each array, with their g_eff.
        scale: gain and shift with which they hold what was wanted.
        before: error of the wanted conductances as targets, of the range, rms over used cells.
        after: error of the targets, counted in what was wanted, likewise.
        solves: how often circuits were solved, a mean over the arrays.
        helps: whether the targets are nearer than the wanted conductances were; else these stay.
    """

    arrays: tuple[HeldArray, ...]
    scale: Scale
    before: float
    after: float
    solves: float
    helps: bool


def searched(
    wanted: Sequence[WantedArray],
    start: Scale,
    freedom: Freedom,
    passes: int,
    solve: Solve,
    each: Each,
) -> Predistortion:
    """Search for the cells whose exact g_eff is nearest to what is wanted.

    Args:
        wanted: the arrays.
        start: the scale to begin with.
        freedom: what of it may be chosen.
        passes: how often cells are moved at most.
        solve: the circuit's.
        each: applies a function to the number of every array.
    """
    numbers = range(len(wanted))
    held = each(lambda n: wanted[n].started(solve), numbers)
    scale, slots = start, len(start.gain)
    before = best = _Judged.of(wanted, held, Scale.plain(slots), freedom)
    settled = not freedom.gain
    for number in range(passes if before.error > SMALL else 0):
        if not settled and number == _SCALINGS:
            settled, scale = True, best.scale
            held = [one.woken() for one in best.held]
        elif not settled:
            scale = best_scale(_reach(wanted, held, slots), scale, freedom)
            held = [one.woken() for one in held]
        held = each(_Pass(wanted, held, scale, solve, number == 0), numbers)
        now = _Judged.of(wanted, held, scale, freedom)
        fitted = _Judged.of(wanted, held, _fitted(wanted, held, scale, freedom), freedom)
        best = min(best, now if settled else fitted, key=lambda one: one.cost)
        if not all(one.done for one in held):
            continue
        if settled or fitted.error > (1 - LITTLE) * now.error:
            break
        settled, scale = True, best.scale
        held = [one.woken() for one in best.held]
    helps = best.error < before.error
    kept = best if helps else before
    return Predistortion(
        arrays=tuple(kept.held),
        scale=kept.scale,
        before=before.error,
        after=kept.error,
        solves=float(np.mean([one.solves for one in held])) if held else 0.0,
        helps=helps,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Pass:
    """Moves the cells of an array once, by its number."""

    wanted: Sequence[WantedArray]
    held: Sequence[HeldArray]
    scale: Scale
    solve: Solve
    first: bool

    def __call__(self, number: int) -> HeldArray:
        """Return the array afterwards."""
        held = self.held[number]
        return self.wanted[number].advanced(held, self.scale, self.solve, first=self.first)


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """Arrays under a scale.

    Attributes:
        held: the arrays.
        scale: by which they are read.
        error: rms over all used cells, of the range.
        cost: mean square, with what the gain makes of noise.
    """

    held: Sequence[HeldArray]
    scale: Scale
    error: float
    cost: float

    @staticmethod
    def of(
        wanted: Sequence[WantedArray], held: Sequence[HeldArray], scale: Scale, freedom: Freedom
    ) -> _Judged:
        """Measure the error."""
        squares, noise, cells = 0.0, 0.0, 0
        for one, now in zip(wanted, held, strict=True):
            squares += float(np.square(one.errors(now, scale)).sum())
            noise += float(np.square(freedom.noise / one.span / scale.gain[one.slot_of]).sum())
            cells += int(one.used.sum())
        cells = max(cells, 1)
        return _Judged(held, scale, (squares / cells) ** 0.5, (squares + noise) / cells)


def _fitted(
    wanted: Sequence[WantedArray], held: Sequence[HeldArray], scale: Scale, freedom: Freedom
) -> Scale:
    slots = len(scale.gain)
    sums = [one.moments(now, slots) for one, now in zip(wanted, held, strict=True)]
    total = sums[0]
    for one in sums[1:]:
        total = total + one
    return fitted_scale(total, scale, freedom, wanted[0].span)


def _reach(wanted: Sequence[WantedArray], held: Sequence[HeldArray], slots: int) -> Reach:
    """Gather what cells can hold; of a single slot with many cells a sample spread over all arrays."""
    cells = sum(int(one.used.sum()) for one in wanted)
    share = 1.0 if slots > 1 else min(1.0, _SAMPLE / max(cells, 1))
    parts = []
    for one, now in zip(wanted, held, strict=True):
        size = int(one.used.sum())
        places = None
        if share < 1 and size:
            # Multiples of the golden ratio lie evenly, and in step with no row or column.
            count = max(1, int(share * size))
            places = (np.arange(count) * _GOLDEN % 1 * size).astype(np.int64)
        parts.append(one.reach(now, places))
    return Reach(
        wanted=np.concatenate([part.wanted for part in parts]),
        low=np.concatenate([part.low for part in parts]),
        high=np.concatenate([part.high for part in parts]),
        slots=np.concatenate([part.slots for part in parts]),
    )
