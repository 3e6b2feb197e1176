"""How far cells end from their levels when they are programmed, known without a draw.

Source: docs/concepts/model.md, sections 4, 12 and 14.
"""

from __future__ import annotations

import math

import numpy as np

from rxsim.config import Device
from rxsim.devices.law import acting_laws
from rxsim.devices.write_error import WriteError


def nominal_deviation(device: Device) -> float:
    """Return the standard deviation of a cell at the middle of the range, siemens.

    It holds the write error (of the settings or of a preset; verified or not) and the variation from
    cell to cell, which are independent. Factors that cells share, drift, read noise, faults, and a mean
    deviation from the level are no part of it.

    Raises:
        SettingError: the preset's laws can't be used.
    """
    middle = (device.g_off + device.g_on) / 2
    # Of the log-normal factor exp(z s).
    factor = math.sqrt(math.expm1(device.d2d_sigma**2) * math.exp(device.d2d_sigma**2))
    return math.hypot(_written(device, middle), middle * factor)


def _written(device: Device, g: float) -> float:
    """Return the deviation of the write error at a conductance, siemens."""
    # Time passes after programming: each time has the same design.
    programmed = device.model_copy(update={"time": 0.0})
    law = next((law for law in acting_laws(programmed) if isinstance(law, WriteError)), None)
    if law is None:
        return 0.0
    sigma = float(law.sigma(np.array([g]), programmed)[0])
    if device.verify is None:
        return sigma
    # Assumption: accepted readings lie evenly within the tolerance. Of n attempts of which none was
    # accepted the least distance has an exponential distribution, of rms sqrt(pi) sigma/n (large n).
    span, verify = device.g_on - device.g_off, device.verify
    accepted = verify.tolerance * span / math.sqrt(3)
    best = math.sqrt(math.pi) * sigma / verify.attempts
    return min(sigma, math.hypot(accepted, best, verify.read_sigma * span))
