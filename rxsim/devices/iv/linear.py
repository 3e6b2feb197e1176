"""An ohmic cell: I = G V."""

from __future__ import annotations

import numpy as np

from rxsim.config import IV
from rxsim.devices.cell_curve import SeparableCurve


def curve(iv: IV, v_read: float) -> SeparableCurve:
    """Return the straight line; see `rxsim.devices.cell_curve.curve_of`."""
    return SeparableCurve(form=np.asarray, form_slope=np.ones_like)
