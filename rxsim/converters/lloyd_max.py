"""The quantiser of least mean square error for a distribution, by the Lloyd-Max iteration.

Each value is the mean of what lies between its thresholds, each threshold lies half way between its
values: the two are set in turn until nothing moves.
Source: Lloyd, IEEE Trans. Inf. Theory 28(2), 129-137 (1982); Max, IRE Trans. Inf. Theory 6(1), 7-12
(1960).
"""

from __future__ import annotations

import numpy as np

from rxsim.converters.adc_levels import Steps

# Assumption: what moves after so many turns changes the error by less than can be measured.
_MOST_TURNS = 2000
_BINS = 2**20  # looked at together


def lloyd_max(
    counts: np.ndarray, sums: np.ndarray, edges: np.ndarray, uniform: np.ndarray
) -> list[Steps]:
    """Find thresholds and values for histograms; bins are never taken apart.

    The iteration never raises the error. It starts twice: from evenly spaced thresholds, so that it
    ends with no more than their error, and from thresholds between which the third root of the density
    has equal shares, which is near the optimum for many values (Panter and Dite, Proc. IRE 39, 44-48,
    1951).

    Args:
        counts: of the values in each bin of each histogram, (histograms, bins).
        sums: of the values in each bin, likewise.
        edges: between neighbouring bins, the same for all, rising, (bins - 1,).
        uniform: evenly spaced thresholds, all of them edges, (values - 1,).

    Returns:
        For each histogram thresholds, all of them edges, rising, and the values, one more: fewer than
        asked for where the values of the distribution are.
    """
    size = max(_BINS // counts.shape[1], 1)
    found: list[Steps] = []
    for start in range(0, len(counts), size):
        part = slice(start, start + size)
        found += _Histograms(counts[part], sums[part], edges).steps(uniform)
    return found


class _Histograms:
    """Some histograms side by side; a cut is the first bin of a cell, from the second on."""

    def __init__(self, counts: np.ndarray, sums: np.ndarray, edges: np.ndarray) -> None:
        self._counts, self._edges = counts, edges
        middles = np.concatenate([edges[:1], (edges[1:] + edges[:-1]) / 2, edges[-1:]])
        # An empty bin costs nothing wherever its values would be.
        self._means = np.where(counts > 0, sums / np.where(counts > 0, counts, 1), middles)
        self._number, self._first = (
            np.concatenate([np.zeros((len(each), 1)), np.cumsum(each, axis=1)], axis=1)
            for each in (counts, sums)
        )

    def steps(self, uniform: np.ndarray) -> list[Steps]:
        even = np.searchsorted(self._edges, uniform, side="right")
        third = np.cumsum(np.cbrt(self._counts), axis=1)
        shares = np.arange(1, len(uniform) + 1) / (len(uniform) + 1)
        dense = [np.searchsorted(row, shares * row[-1], side="left") for row in third]
        ends = [self._settled(np.tile(even, (len(third), 1))), self._settled(np.array(dense))]
        gains = [self._gain(cuts) for cuts in ends]
        best = np.where((gains[0] >= gains[1])[:, None], *ends)
        return [self._of_row(row, cuts) for row, cuts in enumerate(best)]

    def _settled(self, cuts: np.ndarray) -> np.ndarray:
        """Iterate from some cuts, (histograms, values - 1), rising, until none moves."""
        cuts = np.array(cuts)
        moving = np.arange(len(cuts))
        for _ in range(_MOST_TURNS):
            values = self._values(moving, cuts[moving])
            moved = self._nearest(moving, (values[:, 1:] + values[:, :-1]) / 2)
            still = (moved == cuts[moving]).all(axis=1)
            cuts[moving] = moved
            moving = moving[~still]
            if not moving.size:
                break
        return cuts

    def _cells(self, rows: np.ndarray, cuts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return counts and sums of each cell, (rows, values)."""
        last = np.full((len(cuts), 1), self._counts.shape[1])
        bounds = np.concatenate([np.zeros_like(last), cuts, last], axis=1)
        number, first = (
            np.diff(np.take_along_axis(each[rows], bounds, axis=1), axis=1)
            for each in (self._number, self._first)
        )
        return number, first

    def _values(self, rows: np.ndarray, cuts: np.ndarray) -> np.ndarray:
        """Return the mean of each cell; of an empty one the middle of its thresholds."""
        number, first = self._cells(rows, cuts)
        between = self._edges[np.clip(cuts - 1, 0, len(self._edges) - 1)]
        ends = np.concatenate([between[:, :1], between, between[:, -1:]], axis=1)
        middles = (ends[:, 1:] + ends[:, :-1]) / 2
        return np.where(number > 0, first / np.where(number > 0, number, 1), middles)

    def _nearest(self, rows: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """Return the cuts at wanted thresholds: a bin belongs where its mean lies."""
        bins = np.searchsorted(self._edges, wanted, side="right")
        means = np.take_along_axis(self._means[rows], bins, axis=1)
        return bins + (means <= wanted)

    def _gain(self, cuts: np.ndarray) -> np.ndarray:
        """Return how much less the squared error is than without any threshold, (histograms,)."""
        number, first = self._cells(np.arange(len(cuts)), cuts)
        return np.asarray((first**2 / np.where(number > 0, number, 1)).sum(axis=1))

    def _of_row(self, row: int, cuts: np.ndarray) -> Steps:
        """Return the steps of a histogram; cells of no width or no count are left out."""
        number = self._number[row]
        kept = np.unique(cuts[(number[cuts] > 0) & (number[cuts] < number[-1])])
        _, places = np.unique(number[kept], return_index=True)
        kept = kept[places]
        rows = np.array([row])
        if not kept.size:
            total = number[-1] or 1.0
            return np.zeros(0), np.array([self._first[row, -1] / total])
        return self._edges[kept - 1], self._values(rows, kept[None])[0]
