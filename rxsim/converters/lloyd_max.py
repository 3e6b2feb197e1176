"""The quantiser of least mean square error for a distribution, by the Lloyd-Max iteration.

Each value is the mean of what lies between its thresholds, each threshold lies half way between its
values: the two are set in turn until nothing moves.
Source: Lloyd, IEEE Trans. Inf. Theory 28(2), 129-137 (1982); Max, IRE Trans. Inf. Theory 6(1), 7-12
(1960).
"""

from __future__ import annotations

import numpy as np

# Assumption: what moves after so many turns changes the error by less than can be measured.
_MOST_TURNS = 2000


def lloyd_max(
    counts: np.ndarray, sums: np.ndarray, edges: np.ndarray, uniform: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Find thresholds and values for a histogram; bins are never taken apart.

    The iteration never raises the error. It starts twice: from evenly spaced thresholds, so that it
    ends with no more than their error, and from thresholds between which the third root of the density
    has equal shares, which is near the optimum for many values (Panter and Dite, Proc. IRE 39, 44-48,
    1951).

    Args:
        counts: of the values in each bin, (bins,).
        sums: of the values in each bin, likewise.
        edges: between neighbouring bins, rising, (bins - 1,).
        uniform: evenly spaced thresholds, all of them edges, (values - 1,).

    Returns:
        Thresholds, all of them edges, rising, and the values, one more: fewer than asked for where the
        values of the distribution are.
    """
    full = np.flatnonzero(counts)
    if not full.size:
        return uniform, _middles(uniform)
    counts, means = counts[full], sums[full] / counts[full]
    # Whatever lies in bins between two full ones is decided by their edge, so it is the lower one's.
    starts = np.unique(np.searchsorted(edges[full[:-1]], uniform, side="right"))
    third = np.cumsum(np.cbrt(counts))
    shares = np.arange(1, len(uniform) + 1) / (len(uniform) + 1)
    quantiles = np.unique(np.searchsorted(third, shares * third[-1], side="left"))
    best = min(
        (_settled(counts, means, start) for start in (starts, quantiles)), key=lambda end: end[0]
    )
    _, cuts, values = best
    return _thresholds(cuts, values, full, edges), values


def _middles(uniform: np.ndarray) -> np.ndarray:
    """Return the values of evenly spaced thresholds where nothing tells better ones."""
    step = uniform[1] - uniform[0] if len(uniform) > 1 else 1.0
    return np.concatenate([uniform - step / 2, [uniform[-1] + step / 2]])


def _settled(
    counts: np.ndarray, means: np.ndarray, cuts: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Iterate from some cuts.

    Args:
        counts: of the full bins.
        means: of their values, rising.
        cuts: number of the first bin of each cell but the first, rising.

    Returns:
        The squared error between bins, the cuts and the values; without empty cells.
    """
    number = np.concatenate([[0.0], np.cumsum(counts)])
    first = np.concatenate([[0.0], np.cumsum(counts * means)])
    for _ in range(_MOST_TURNS):
        inner = np.unique(cuts)
        inner = inner[(inner > 0) & (inner < len(counts))]
        bounds = np.concatenate([[0], inner, [len(counts)]])
        values = np.diff(first[bounds]) / np.diff(number[bounds])
        cuts = np.searchsorted(means, (values[1:] + values[:-1]) / 2, side="right")
        if np.array_equal(cuts, inner):
            break
    off = means - np.repeat(values, np.diff(bounds))
    return float(counts @ off**2), inner, values


def _thresholds(
    cuts: np.ndarray, values: np.ndarray, full: np.ndarray, edges: np.ndarray
) -> np.ndarray:
    """Return for each cut the edge nearest to the middle of its values, between its two full bins."""
    wanted = (values[1:] + values[:-1]) / 2
    low, high = full[cuts - 1], full[cuts] - 1  # edge i lies above bin i
    places = np.searchsorted(edges, wanted)
    below = np.clip(places - 1, low, high)
    above = np.clip(places, low, high)
    nearer = np.abs(edges[above] - wanted) < np.abs(edges[below] - wanted)
    return np.asarray(edges[np.where(nearer, above, below)])
