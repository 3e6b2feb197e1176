"""A cell whose current grows like a hyperbolic sine: f(v) = v0 sinh(v / v0).

Source: docs/concepts/model.md section 10. Assumption: no measured device stands behind it.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from rxsim.config import IV
from rxsim.devices.cell_curve import SeparableCurve, scaled_curve


def curve(iv: IV, v_read: float) -> SeparableCurve:
    """Return the curve of a scale v0 in volt; see `rxsim.devices.cell_curve.curve_of`."""
    v0 = iv.v0 if iv.v0 is not None else 1.0
    return scaled_curve(partial(_sinh, v0), partial(_sinh_slope, v0), v_read)


def _sinh(v0: float, v: np.ndarray) -> np.ndarray:
    # numpy's exp costs a quarter of its sinh; what small v loses is rounding of v0, not of v_read.
    growth = np.exp(v / v0)
    return np.asarray((0.5 * v0) * (growth - 1 / growth))


def _sinh_slope(v0: float, v: np.ndarray) -> np.ndarray:
    growth = np.exp(v / v0)
    return np.asarray(0.5 * (growth + 1 / growth))
