"""The levels that a device can be set to, evenly spaced in conductance.

Source: docs/concepts/model.md section 3.
"""

from __future__ import annotations

import numpy as np

from rxsim.config import Device


def to_levels(target: np.ndarray, device: Device) -> np.ndarray:
    """Move each conductance (siemens, any shape) to the nearest level, ties to the even level."""
    if device.levels is None:
        return target
    steps = device.levels - 1
    span = device.g_on - device.g_off
    # Level numbers are rounded, not conductances: the ends then are g_off and g_on to the last bit.
    # Float rounding must not decide a tie: a number this near to a half counts as a half.
    levels: np.ndarray = np.asarray(target - device.g_off)
    levels /= span
    levels *= steps
    np.round(levels, 9, out=levels)
    np.rint(levels, out=levels)
    levels /= steps
    levels *= span
    levels += device.g_off
    return levels
