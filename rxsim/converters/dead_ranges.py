"""Ranges of ADCs whose calibration currents are all 0.

See docs/concepts/model.md section 6.
"""

from __future__ import annotations

import numpy as np

# Assumption: a range of 1e-7 of the layer's largest is what float32 leaves of currents that cancel
# (its rounding is 6e-8); a layer's largest of 1e-9 of full scale is what is left of equal conductances.
_OF_LARGEST = 1e-7
_OF_FULL_SCALE = 1e-9


def without_dead_ranges(
    ranges: np.ndarray, blocks: np.ndarray, full_scale: np.ndarray
) -> np.ndarray:
    """Give every ADC whose currents were all 0 a range of the layer's size.

    An ADC's static errors are so many LSB: they must not be amperes where nothing was measured.

    Args:
        ranges: ampere as measured, float64 (conversions, groups, readouts).
        blocks: which range each conversion uses, int64, of the same shape; -1 where nothing is carried.
        full_scale: ampere that the layer's cells and voltages allow, float64, of the same shape.

    Returns:
        The ranges. In place of one up to 1e-7 of the layer's largest stands that largest; where the
        largest is up to 1e-9 of full scale, all of them are full scale.
    """
    carried = blocks >= 0
    largest = ranges[carried].max(initial=0.0)
    if largest <= _OF_FULL_SCALE * full_scale.max():
        return np.where(carried, full_scale, ranges)
    return np.where(carried & (ranges <= _OF_LARGEST * largest), largest, ranges)
