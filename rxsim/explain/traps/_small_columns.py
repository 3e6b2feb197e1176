"""How small the smallest quarter of a layer's columns is beside what they share."""

from __future__ import annotations

import numpy as np

# Assumption: a column ten bits below the largest carries nothing: it is switched off.
SWITCHED_OFF = 1e-3
# Assumption: a quarter of fewer columns is a single column.
_FEWEST = 4


def small_quarter(peaks: np.ndarray) -> float | None:
    """Return the size that the smallest quarter of the columns do not exceed.

    Args:
        peaks: the largest value of each column, as a share of the range that they share.

    Returns:
        The share; columns that are switched off do not count. None where fewer than four are left.
    """
    used = np.sort(peaks[peaks > SWITCHED_OFF * peaks.max(initial=0)])
    return float(used[len(used) // 4 - 1]) if len(used) >= _FEWEST else None
