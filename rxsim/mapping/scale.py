"""The weight scale w_max: the largest |w| of its scope, or a percentile (MODEL.md section 3)."""

from __future__ import annotations

import numpy as np


def weight_scales(
    magnitudes: np.ndarray,
    row_tiles: tuple[np.ndarray, ...],
    n_cols: int,
    scope: str,
    percentile: float,
) -> np.ndarray:
    """Find w_max for every row tile, group and output.

    Args:
        magnitudes: |w|, float64 (groups, K, N).
        row_tiles: the rows k of each row tile.
        n_cols: columns of a tile.
        scope: layer, tile or column (one output of the whole layer).
        percentile: 100 is the maximum.

    Returns:
        float64 (row tiles, groups, N); 1 where it would be 0.
    """
    groups, _, outputs = magnitudes.shape
    scales = np.empty((len(row_tiles), groups, outputs))
    if scope == "layer":
        scales[:] = _largest(magnitudes, percentile, None)
    elif scope == "column":
        scales[:] = _largest(magnitudes, percentile, 1)
    else:
        for p, rows in enumerate(row_tiles):
            for start in range(0, outputs, n_cols):
                tile = magnitudes[:, rows, start : start + n_cols]
                scales[p, :, start : start + n_cols] = _largest(tile, percentile, (1, 2))[:, None]
    return np.where(scales > 0, scales, 1.0)


def _largest(
    values: np.ndarray, percentile: float, axis: int | tuple[int, ...] | None
) -> np.ndarray:
    if percentile == 100:
        return np.asarray(values.max(axis=axis))
    return np.asarray(np.percentile(values, percentile, axis=axis))
