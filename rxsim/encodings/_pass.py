"""A pass: one set of voltages on the wordlines, and the weight of its currents in the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rxsim.encodings._units import Units


@dataclass(frozen=True, slots=True, eq=False)
class UnitCurve:
    """A table of what the units of a pass count as, where cells or DACs are not linear.

    A unit counts as the number of units that linear cells and DACs would need for the same current.

    Attributes:
        lowest: the smallest unit that is driven.
        values: for each unit from the smallest on, what it counts as, in units, float64 (units,).
    """

    lowest: int
    values: np.ndarray

    def at(self, unit: int) -> float:
        """Return what a unit counts as."""
        return float(self.values[unit - self.lowest])


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One set of voltages on the wordlines, or several summed in analog before a conversion.

    Attributes:
        units: the part of the codes that it drives.
        volt: volt per unit.
        weight: factor of its current in the sum over passes.
        span: its largest current over that of a single digit, where digits are summed in analog.
        steps: steps in a unit: the number of pulses, where it is the mean of several.
        summed: the sets of voltages that are summed in analog; empty for a single set.
        gain: volt that a volt counts as, where cells are not linear and all voltages have one size.
        curve: what its units count as; None where cells and DACs are linear.
        offsets: how often it holds a DAC's offset: once for each summed set, by that set's weight.
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
        """Units that an input of 0 drives: hardware drives them, the patched graph leaves them out."""
        return self.units.rest

    @property
    def counted_rest(self) -> float:
        """What the units that an input of 0 drives count as."""
        return self.rest if self.curve is None else self.curve.at(self.rest)

    @property
    def parts(self) -> tuple[tuple[float, Pass], ...]:
        """The sets of voltages that wordlines carry, each with its share in this pass's current."""
        if not self.summed:
            return ((1.0, self),)
        whole = self.weight * self.volt
        return tuple((part.weight * part.volt / whole, part) for part in self.summed)


def pass_names(pulses: Sequence[Pass], each: str = "") -> list[str]:
    """Name each pass in words.

    Args:
        pulses: the sets of voltages, in the order in which wordlines carry them.
        each: words that hold for all of them; the whole name of a single pass.
    """
    if len(pulses) == 1:
        return [each]
    names = []
    for number, pulse in enumerate(pulses):
        what = [*pulse.units.words, *([each] if each else [])]
        names.append(f"pass {number} of {len(pulses)} ({', '.join(what)})")
    return names
