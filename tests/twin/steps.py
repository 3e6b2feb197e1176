"""Steps of ADCs that are not evenly spaced.

Conventions (section 6 of docs/concepts/model.md): a list holds shares of the range, times the highest
code in LSB. A code stands for the middle of its two thresholds; an outermost one lies half the
neighbouring step beyond its threshold; beside a single threshold, half way to the end of the range. A
current takes the value above as many thresholds as it reaches; ties count as risky. Lloyd-Max steps are
given: one pair for each range, in the order in which `Layer.listed_ranges` lists them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from twin.arrays import Bools, Floats


@dataclass(frozen=True)
class Steps:
    """Steps of one range.

    Attributes:
        thresholds: LSB, rising.
        values: LSB, one more.
    """

    thresholds: Floats
    values: Floats

    def read(self, code: Floats) -> Floats:
        """Return the values, LSB, that currents in LSB are read as."""
        reached = (code[..., None] >= self.thresholds).sum(axis=-1)
        return np.asarray(self.values[reached])

    def near(self, code: Floats, eps: Floats) -> Bools:
        """Return where currents in LSB lie at most `eps` from a threshold."""
        distance = np.abs(code[..., None] - self.thresholds).min(axis=-1, initial=np.inf)
        return np.asarray(distance <= eps)


def listed(shares: Sequence[float], low: int, high: int) -> Steps:
    """Return the steps of a list of thresholds.

    Args:
        shares: Of the range.
        low: Lowest code.
        high: Highest code.
    """
    at = [share * high for share in shares]
    values = [(a + b) / 2 for a, b in pairwise(at)]
    if len(at) == 1:
        values = [(low + at[0]) / 2, (at[0] + high) / 2]
    else:
        values = [at[0] - (at[1] - at[0]) / 2, *values, at[-1] + (at[-1] - at[-2]) / 2]
    return Steps(np.array(at), np.array(values))
