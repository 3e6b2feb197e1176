"""Several groups of a layer packed into a block-diagonal matrix."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from rxsim.load import Layer
from rxsim.mapping.consecutive import slice_of


def block_weights(
    layer: Layer, block: int, packed: int, k: np.ndarray, n: np.ndarray
) -> tuple[np.ndarray, np.ndarray | None, tuple[np.ndarray, np.ndarray]]:
    """Take a part of a block's matrix.

    Args:
        layer: the layer.
        block: index of the block; its first group is block * packed.
        packed: groups per block; the last block may have fewer.
        k: rows of the block, (rows,).
        n: columns of the block, (cols,).

    Returns:
        Weights, float64 (rows, cols), 0 off the diagonal; bool (rows, cols), True on the diagonal
        blocks, or None where every cell holds a weight; and which rows and which columns belong to
        an existing group, bool (rows,) and (cols,).
    """
    first = block * packed
    if packed == 1:
        if n[-1] - n[0] + 1 == len(n):  # neighbours are taken at once
            part = layer.matrices[first, :, n[0] : n[-1] + 1]
            run = _rows_of(k.tobytes())
            weights = part[k if run is None else run].astype(np.float64)
        else:
            weights = layer.matrices[first, k[:, None], n].astype(np.float64)
        return weights, None, (_all(len(k)), _all(len(n)))
    row_group, row = np.divmod(k, layer.n_inputs)
    col_group, col = np.divmod(n, layer.n_outputs)
    present = (first + row_group < layer.groups, first + col_group < layer.groups)
    used = (row_group[:, None] == col_group) & present[0][:, None]
    group = np.minimum(first + row_group, layer.groups - 1)[:, None]
    weights = layer.matrices[group, row[:, None], col].astype(np.float64)
    return np.where(used, weights, 0.0), used, present


@lru_cache(maxsize=64)
def _rows_of(k: bytes) -> slice | None:
    """Tell rows that follow on one another: the tiles of a row tile ask for the same."""
    return slice_of(np.frombuffer(k, dtype=np.int64))


@lru_cache(maxsize=64)
def _all(count: int) -> np.ndarray:
    every = np.ones(count, dtype=bool)
    every.setflags(write=False)
    return every
