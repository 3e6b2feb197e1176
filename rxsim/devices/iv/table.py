"""A cell whose current was measured at some voltages: a curve through these points.

The points are joined by a cubic that keeps their shape and has a continuous derivative.
Source: Fritsch and Carlson, SIAM J. Numer. Anal. 17, 1980 (PCHIP): it rises wherever the points do.
"""

from __future__ import annotations

import numpy as np

from rxsim.config import IV
from rxsim.devices.cell_curve import SeparableCurve, refuse_short_curve, scaled_curve
from rxsim.errors import SettingError


def curve(iv: IV, v_read: float) -> SeparableCurve:
    """Return the curve through the points v, f in volt; see `rxsim.devices.cell_curve.curve_of`."""
    v, f = iv.v or (), iv.f or ()
    refuse_short_curve(v[-1], v_read, "a table that ends there")
    points = dict(zip((*v, 0.0), (*f, 0.0), strict=True))
    if v[0] >= 0:
        # Assumption: a table of positive voltages stands for a symmetric cell (the odd extension).
        points |= {-volt: -value for volt, value in points.items() if volt > 0}
    volts, values = np.array(sorted(points.items())).T
    if not (np.diff(values) > 0).all():
        raise SettingError(
            "device.iv.f: found a current that does not have its voltage's sign, expected f to rise "
            "through 0 at 0 V; mend the table"
        )
    from scipy.interpolate import PchipInterpolator  # takes a second to import: for tables alone

    spline = PchipInterpolator(volts, values)
    return scaled_curve(spline, spline.derivative(), v_read, float(volts[0]), float(volts[-1]))
