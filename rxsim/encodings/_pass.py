"""A pass: one set of voltages on the wordlines, and what its current counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rxsim.encodings._units import Units


@dataclass(frozen=True, slots=True, eq=False)
class UnitCurve:
    """What the units of one pass count as, where cells or DACs are not linear.

    Attributes:
        lowest: the smallest unit that is driven.
        values: what each unit from there on counts as, in units, float64 (units,).
    """

    lowest: int
    values: np.ndarray

    def at(self, unit: int) -> float:
        """Return what one unit counts as."""
        return float(self.values[unit - self.lowest])


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One set of voltages, or several that are summed in analog before one conversion.

    Attributes:
        units: what of a code it drives.
        volt: volt per unit.
        weight: what its current counts.
        span: how many times the largest current of one digit the summed digits' is.
        steps: smallest steps of one unit: the number of pulses for a mean of several.
        summed: the passes whose analog sum it is, as wordlines carry them; empty for a single one.
        gain: what a volt counts as, where cells are not linear and a pass has voltages of one size.
        curve: what its units count as, where cells or DACs are not linear; None for themselves.
        offsets: offsets of a DAC that it holds: of each summed pass one, by what that pass counts.
    """

    units: Units
    volt: float
    weight: float = 1.0
    span: float = 1.0
    steps: int = 1
    summed: tuple[Pass, ...] = ()
    gain: float = 1.0
    curve: UnitCurve | None = None
    offsets: float = 1.0

    @property
    def signed(self) -> bool:
        """Whether voltages of both signs occur."""
        return self.units.signed

    @property
    def rest(self) -> int:
        """Units that an input of 0 drives: the graph leaves them out, hardware adds them."""
        return self.units.rest

    @property
    def counted_rest(self) -> float:
        """What the units that an input of 0 drives count as."""
        return self.rest if self.curve is None else self.curve.at(self.rest)

    @property
    def parts(self) -> tuple[tuple[float, Pass], ...]:
        """What wordlines carry, one by one, each with what its current counts in this pass's."""
        if not self.summed:
            return ((1.0, self),)
        whole = self.weight * self.volt
        return tuple((part.weight * part.volt / whole, part) for part in self.summed)


def pass_names(pulses: Sequence[Pass], each: str = "") -> list[str]:
    """Say in words which pass each is.

    Args:
        pulses: what wordlines carry one by one.
        each: what holds for every one; all that is said of a single pass.
    """
    if len(pulses) == 1:
        return [each]
    names = []
    for number, pulse in enumerate(pulses):
        what = [*pulse.units.words, *([each] if each else [])]
        names.append(f"pass {number} of {len(pulses)} ({', '.join(what)})")
    return names
