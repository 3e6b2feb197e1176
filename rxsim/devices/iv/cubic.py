"""A cell that loses conductance with the voltage: f(v) = v - c v^3.

Source: docs/concepts/model.md section 10, `g (v - 0.25 v^3)`. Assumption: no measured device stands
behind it.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from rxsim.config import IV
from rxsim.devices.cell_curve import SeparableCurve, refuse_short_curve, scaled_curve

CUBIC = 0.25
"""1/volt^2; where the settings give none."""


def curve(iv: IV, v_read: float) -> SeparableCurve:
    """Return the curve up to where it turns; see `rxsim.devices.cell_curve.curve_of`."""
    cubic = CUBIC if iv.cubic is None else iv.cubic
    top = 1 / np.sqrt(3 * cubic) if cubic > 0 else np.inf
    refuse_short_curve(top, v_read, f"cubic: {cubic:g}, whose current falls beyond that")
    return scaled_curve(partial(_cubic, cubic), partial(_cubic_slope, cubic), v_read, -top, top)


def _cubic(cubic: float, v: np.ndarray) -> np.ndarray:
    return np.asarray(v - cubic * v * v * v)


def _cubic_slope(cubic: float, v: np.ndarray) -> np.ndarray:
    return np.asarray(1 - 3 * cubic * v * v)
