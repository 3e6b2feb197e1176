"""The error measure of an effective conductance matrix against a reference."""

import numpy as np
from numpy.typing import ArrayLike

COLUMN_FLOOR = 1e-6
"""Entries under this fraction of their column's maximum are compared with that fraction."""


def g_eff_error(a: ArrayLike, b: ArrayLike, largest: ArrayLike | None = None) -> float:
    """Return the largest error of an effective conductance matrix.

    The error of an entry is ``|a - b| / max(|b|, 1e-6 * max |b| in its column)``. Where the
    reference is exactly 0 the error is 0 if ``a`` is exactly 0 too, else infinite. An entry
    which is not a number has an infinite error.

    Args:
        a: Matrix to judge, in S, shape (n_rows, n_cols).
        b: Reference, in S, shape (n_rows, n_cols).
        largest: The largest entries of the columns, shape (n_cols,), where b holds a part of them.

    Returns:
        The maximum over all entries, without unit.

    Raises:
        ValueError: If the shapes differ or are not two-dimensional.
    """
    a = np.asarray(a, dtype=np.float64)
    b = np.asarray(b, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 2:
        raise ValueError(f"expected two matrices of one shape, got {a.shape} and {b.shape}")
    if a.size == 0:
        return 0.0
    largest = np.abs(b).max(axis=0) if largest is None else np.asarray(largest)
    scale = np.maximum(np.abs(b), COLUMN_FLOOR * largest)
    error = np.full(a.shape, np.inf)
    error[(a == 0) & (b == 0)] = 0.0
    nonzero = b != 0
    error[nonzero] = np.abs(a - b)[nonzero] / scale[nonzero]
    return float(np.where(np.isnan(error), np.inf, error).max())
