"""Which lines of a layer's matrices, and which of its tiles, carry any weight that is not 0."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rxsim.load import Layer


def carrying_lines(layer: Layer) -> tuple[np.ndarray, np.ndarray]:
    """Find the rows and columns that are not 0 in all groups.

    A layer without any weight keeps its first row and column: it must lie somewhere.

    Args:
        layer: the layer.

    Returns:
        Rows k and columns n of a group, int64, rising.
    """
    held = (layer.matrices != 0).any(axis=0)
    rows, columns = np.flatnonzero(held.any(axis=1)), np.flatnonzero(held.any(axis=0))
    return (rows, columns) if len(rows) else (np.zeros(1, np.int64), np.zeros(1, np.int64))


def carrying_tiles(
    layer: Layer,
    packed: int,
    row_tiles: Sequence[np.ndarray],
    col_tiles: Sequence[tuple[int, int]],
    outputs: np.ndarray,
) -> np.ndarray:
    """Tell which tiles hold a weight that is not 0.

    Args:
        layer: the layer.
        packed: groups of the layer per block; where there are several, a block is a single tile.
        row_tiles: for each row tile its rows of a block.
        col_tiles: for each column tile its range of `outputs`.
        outputs: outputs of a block that lie on columns.

    Returns:
        bool (blocks, row tiles, column tiles).
    """
    held = layer.matrices != 0
    if packed > 1:
        starts = np.arange(0, layer.groups, packed)
        return np.logical_or.reduceat(held.any(axis=(1, 2)), starts)[:, None, None]
    held = held[:, np.concatenate(row_tiles)][:, :, outputs]
    row_starts = np.cumsum([0, *(len(rows) for rows in row_tiles[:-1])])
    col_starts = np.array([start for start, _ in col_tiles])
    in_rows = np.logical_or.reduceat(held, col_starts, axis=2)
    return np.logical_or.reduceat(in_rows, row_starts, axis=1)
