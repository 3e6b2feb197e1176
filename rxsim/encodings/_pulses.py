"""Pulses of one voltage: a wordline is at v_read (with a sign) for a share of a pass, else at 0 V."""

from __future__ import annotations

import numpy as np

from rxsim.encodings._cells import Cells
from rxsim.encodings._codes import InputCodes


def share_load(shares: np.ndarray, codes: InputCodes) -> tuple[float, float]:
    """Sum square volts and active rows of pulses, in the mean over time; a pulse lasts its share."""
    return float(shares.sum() * codes.v_read**2), float(shares.sum())


def volts_beyond(
    units: np.ndarray, shares: np.ndarray, codes: InputCodes, level: float | np.ndarray
) -> np.ndarray:
    """Return the voltages of those pulses whose share lies beyond a level, volt."""
    return np.where(shares > level, np.sign(units) * codes.v_read, 0.0)


def share_volts(
    units: np.ndarray, shares: np.ndarray, codes: InputCodes, cells: Cells
) -> np.ndarray:
    """Return what pulses count as in the mean over time, volt; a pulse lasts its share."""
    return np.asarray(shares * cells(np.sign(units) * codes.v_read))
