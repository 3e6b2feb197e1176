"""Lines that follow on one another: a slice takes them without a copy."""

from __future__ import annotations

import numpy as np


def slice_of(lines: np.ndarray) -> slice | None:
    """Return lines as a slice; None where they do not follow on one another upwards.

    Args:
        lines: whole numbers, (lines,).
    """
    if not len(lines):
        return None
    low, high = int(lines[0]), int(lines[-1])
    is_run = high - low + 1 == len(lines) and bool((lines[1:] - lines[:-1] == 1).all())
    return slice(low, high + 1) if is_run else None
