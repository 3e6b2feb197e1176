"""A percentile over a stream of values, exact, holding only the upper tail."""

from __future__ import annotations

import math

import numpy as np


class UpperQuantile:
    """numpy's linear percentile of values that arrive in parts.

    Args:
        percentile: in (0, 100]; 100 is the maximum.
        total: number of values that will arrive; not used for the maximum.
    """

    def __init__(self, percentile: float, total: int | None) -> None:
        self._total = total
        self._seen = 0
        self._tail = np.empty(0)
        if total is None:
            if percentile != 100:
                raise ValueError("a percentile below 100 must know how many values will arrive")
            self._low, self._fraction, self._keep = 0, 0.0, 1
            return
        position = (total - 1) * percentile / 100
        self._low = math.floor(position)
        self._fraction = position - self._low
        self._keep = total - self._low

    def add(self, values: np.ndarray) -> None:
        """Take in some values of any shape."""
        flat = values.ravel()
        self._seen += flat.size
        if self._keep == 1:  # the maximum: no need to hold more
            top = flat.max(initial=-np.inf)
            self._tail = np.maximum(self._tail, top) if self._tail.size else np.array([float(top)])
            return
        if self._tail.size == self._keep:
            flat = flat[flat > self._tail.min()]
        merged = np.concatenate([self._tail, flat.astype(np.float64)])
        if merged.size > self._keep:
            merged = np.partition(merged, merged.size - self._keep)[-self._keep :]
        self._tail = merged

    def value(self) -> float:
        """Return the percentile; all values must have arrived."""
        if self._total is not None and self._seen != self._total:
            raise ValueError(f"{self._seen} of {self._total} values have arrived")
        tail = np.sort(self._tail)
        if self._fraction == 0 or tail.size == 1:
            return float(tail[0])
        return float(tail[0] + (tail[1] - tail[0]) * self._fraction)
