"""A static curve: what the units of one pass count as."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class DriveCurve:
    """A curve over the units of one pass.

    Attributes:
        lowest: the smallest unit that is driven.
        values: what each unit from there on counts as, in units, float64 (units,).
    """

    lowest: int
    values: np.ndarray

    def at(self, unit: int) -> float:
        """Return what one unit counts as."""
        return float(self.values[unit - self.lowest])
