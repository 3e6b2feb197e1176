"""Which point to evaluate next: a bisection on points that are ordered in part.

A point that misses the goal rules out all points that are nowhere better, one that meets it makes all
costlier points unnecessary. The next point is the one that settles most points whatever it turns out to
be; along a single setting that is a bisection.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """What is known of a search's points before any is evaluated.

    Attributes:
        rank: place of each in the order of cost, 0 the cheapest, int64 (points,); no two are equal.
        below: bool (points, points): whether the first is nowhere better than the second; False on the
            diagonal.
    """

    rank: np.ndarray
    below: np.ndarray

    def ruled_out(self, missed: Collection[int]) -> np.ndarray:
        """Tell which points are nowhere better than one that missed, bool (points,)."""
        return np.asarray(self.below[:, list(missed)].any(axis=1))

    def implied(self, met: Collection[int]) -> np.ndarray:
        """Tell which points are nowhere worse than one that met the goal, bool (points,)."""
        return np.asarray(self.below[list(met), :].any(axis=0))

    def open_points(
        self, met: Collection[int], missed: Collection[int], failed: Collection[int] = ()
    ) -> np.ndarray:
        """Tell which points may still be the cheapest that meets the goal, bool (points,)."""
        still = ~self.ruled_out(missed)
        still[[*met, *missed, *failed]] = False
        if met:
            still &= self.rank < self.rank[list(met)].min()
        return np.asarray(still)

    def next_point(
        self, met: Collection[int], missed: Collection[int], failed: Collection[int] = ()
    ) -> int | None:
        """Choose the next point to evaluate.

        Args:
            met: points that met the goal.
            missed: points that missed it.
            failed: points that could not be evaluated.

        Returns:
            None where the cheapest point that meets the goal is known, or that there is none.
        """
        open_now = np.flatnonzero(self.open_points(met, missed, failed))
        if not len(open_now):
            return None
        # One that meets settles itself and what costs more; one that misses, itself and those below.
        by_cost = np.argsort(np.argsort(self.rank[open_now]))
        if_met = len(open_now) - by_cost
        if_missed = 1 + self.below[np.ix_(open_now, open_now)].sum(axis=0)
        sure = self.implied(met)[open_now]
        settled = np.where(sure, if_met, np.minimum(if_met, if_missed))
        best = np.lexsort((self.rank[open_now], -(if_met + if_missed), -settled))[0]
        return int(open_now[best])

    def cheapest(self, points: Collection[int]) -> int | None:
        """Return the cheapest of some points; None where there are none."""
        return min(points, key=lambda point: int(self.rank[point]), default=None)

    def contradictions(
        self, met: Collection[int], missed: Collection[int]
    ) -> list[tuple[int, int]]:
        """List pairs that contradict the order: one met the goal, one that is nowhere worse missed."""
        return [(low, high) for low in met for high in missed if self.below[low, high]]


def make_order(costs: np.ndarray, qualities: np.ndarray, classes: np.ndarray) -> Order:
    """Order points by cost and by what is known of their accuracy.

    Points of equal cost stand in the order of their quality, the lowest first: what is worse is taken
    for less hardware.

    Args:
        costs: float64 (points, quantities); the first decides, others where it is equal.
        qualities: float64 (points, settings); rises with the good side of a setting.
        classes: int64 (points,); points of different classes are not comparable.
    """
    count = len(costs)
    below = classes[:, None] == classes[None, :]
    for values in qualities.T:
        below &= values[:, None] <= values[None, :]
    np.fill_diagonal(below, False)
    better = below.sum(axis=1)  # how many are nowhere worse
    keys = (np.arange(count), -better, *costs.T[::-1])
    rank = np.empty(count, np.int64)
    rank[np.lexsort(keys)] = np.arange(count)
    return Order(rank, below)
