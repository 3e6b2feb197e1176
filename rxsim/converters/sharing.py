"""Which conversions share one range: of a layer, tile or column, each slice and pass apart."""

from __future__ import annotations

import numpy as np


def range_blocks(
    scope: str,
    passes: int,
    n_row_tiles: int,
    groups: int,
    slices: np.ndarray,
    col_tiles: np.ndarray,
    present: np.ndarray,
) -> np.ndarray:
    """Number the ranges of a layer.

    Args:
        scope: layer, tile (one row tile, group and column tile) or column (one readout).
        passes: of its inputs.
        n_row_tiles: conversions of one pass.
        groups: separate matrices.
        slices: slice of each readout, int64 (readouts,).
        col_tiles: column tile of each readout, int64 (readouts,).
        present: which readouts carry anything, bool (groups, readouts), or (row tiles, groups,
            readouts).

    Returns:
        Number of the range that each conversion uses, int64 (passes * row tiles, groups, readouts);
        the numbers are 0, 1, .. without gaps, and -1 where nothing is carried.
    """
    count = len(slices)
    shape = (passes, n_row_tiles, groups, count)
    number, tile, group, readout = np.indices(shape, sparse=True)
    by_slice = slices[None, None, None, :]
    if scope == "layer":
        key = number * count + by_slice
    elif scope == "tile":
        key = ((number * n_row_tiles + tile) * groups + group) * count + col_tiles
        key = key * count + by_slice
    else:
        key = ((number * n_row_tiles + tile) * groups + group) * count + readout
    here = np.broadcast_to(present, shape)
    numbers = np.full(shape, -1)
    _, numbers[here] = np.unique(np.broadcast_to(key, shape)[here], return_inverse=True)
    return numbers.reshape(passes * n_row_tiles, groups, count)
