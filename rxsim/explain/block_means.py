"""Large maps of cells, reduced to means over blocks: a file and a picture hold so many at most."""

from __future__ import annotations

import numpy as np

LARGEST_MAP = 64
"""Rows and columns of a map that are kept as they are."""


def block_of_map(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the rows and the columns of a block with which a map of this shape is small enough."""
    rows, columns = (max(-(-length // LARGEST_MAP), 1) for length in shape)
    return rows, columns


def block_means(values: np.ndarray, block: tuple[int, int]) -> np.ndarray:
    """Return the mean of each block of cells; blocks at the end may be smaller.

    Args:
        values: float64 (rows, columns); NaN does not count.
        block: rows and columns of a block.

    Returns:
        float64; NaN where a block holds nothing else.
    """
    if block == (1, 1):
        return values
    known = ~np.isnan(values)
    totals, counts = np.where(known, values, 0.0), known.astype(np.float64)
    for axis, size in enumerate(block):
        starts = np.arange(0, values.shape[axis], size)
        totals = np.add.reduceat(totals, starts, axis=axis)
        counts = np.add.reduceat(counts, starts, axis=axis)
    with np.errstate(invalid="ignore"):
        return np.asarray(totals / counts)
