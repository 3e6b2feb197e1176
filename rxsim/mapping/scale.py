"""The weight scale w_max: the largest |w| of its scope, or a percentile.

Source: docs/concepts/model.md section 3.
"""

from __future__ import annotations

import numpy as np

from rxsim.load import Layer
from rxsim.mapping.tiling import Tiling


def weight_scales(layer: Layer, tiling: Tiling, scope: str, percentile: float) -> np.ndarray:
    """Find w_max for every row tile, group and output.

    Args:
        layer: the layer.
        tiling: its tiles.
        scope: layer, tile or column (an output of the whole layer).
        percentile: 100 is the maximum.

    Returns:
        float64 (row tiles, groups, N), groups and N of the tiling; 1 where it would be 0.
    """
    weights = layer.matrices
    shape = (len(tiling.row_tiles), tiling.groups, tiling.n_outputs)
    scales = np.ones(shape)
    if scope == "layer":
        scales[:] = _largest(weights, percentile, None)
    elif scope == "column":
        by_column = _largest(weights, percentile, 1).ravel()
        padded = np.ones(tiling.groups * tiling.n_outputs)
        padded[: len(by_column)] = by_column
        scales[:] = padded.reshape(shape[1:])
    elif tiling.packed > 1:
        for block in range(tiling.groups):
            groups = weights[block * tiling.packed : (block + 1) * tiling.packed]
            scales[:, block] = _largest(groups, percentile, None)
    else:
        for p, rows in enumerate(tiling.row_tiles):
            for start, stop in tiling.col_tiles:
                outputs = tiling.outputs[start:stop]
                tile = weights[:, rows[:, None], outputs]
                scales[p][:, outputs] = _largest(tile, percentile, (1, 2))[:, None]
    return np.where(scales > 0, scales, 1.0)


def _largest(
    weights: np.ndarray, percentile: float, axis: int | tuple[int, ...] | None
) -> np.ndarray:
    """Return the largest |w|, or a percentile, float64.

    The largest is one of two ends, whatever the precision: no copy of the weights is made for it.
    """
    if percentile == 100:
        ends = weights.max(axis=axis), weights.min(axis=axis)
        high, low = (np.asarray(end, dtype=np.float64) for end in ends)
        return np.asarray(np.maximum(np.abs(high), np.abs(low)))
    return np.asarray(np.percentile(np.abs(weights.astype(np.float64)), percentile, axis=axis))
