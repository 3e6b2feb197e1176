"""Write error whose measured deviation saturates with the current that a cell carries when read.

sigma_I = A (1 - exp(-I / B)), I = G v_read; so sigma_G = A/v_read (1 - exp(-G / (B/v_read)))

Source of the form, whose numbers stand in the presets:
[1] Agrawal et al., IEDM 2022 (SONOS 40 nm: A 19.887 nA, B 176.31 nA, read at 0.1 V).
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from rxsim.config import Device
from rxsim.devices.law import Law
from rxsim.devices.measured_deviation import MeasuredDeviation
from rxsim.schema import Positive, Section

_MICRO = 1e-6


class Numbers(Section):
    """What a preset says beside `law: saturating`."""

    a: Positive = Field(description="A, the largest deviation of the current, nanoampere")
    b: Positive = Field(description="B, the current at which it is 63 % of that, nanoampere")
    v_read: Positive = Field(description="volt; at which the currents were read")


def saturating_sigma(g: np.ndarray, height: float, scale: float) -> np.ndarray:
    """Return the deviation of a programmed conductance.

    Args:
        g: conductances aimed at, siemens.
        height: largest deviation, microsiemens.
        scale: conductance at which 63 % of it are reached, microsiemens.

    Returns:
        Siemens, of g's shape.
    """
    return np.asarray(height * -np.expm1(-g / (scale * _MICRO)) * _MICRO)


class Saturating(MeasuredDeviation[Numbers]):
    """A saturating deviation with the numbers of a preset."""

    numbers = Numbers
    formula = "sigma_I = A (1 - exp(-I / B)), I = G v_read; A = a and B = b in nanoampere"

    def sigma(self, g: np.ndarray, device: Device) -> np.ndarray:
        """Return the deviation, siemens, for conductances in siemens."""
        numbers = self.numbers_of(device.preset)
        # Nanoampere over volt are nanosiemens.
        height, scale = (current / numbers.v_read / 1e3 for current in (numbers.a, numbers.b))
        return saturating_sigma(g, height, scale)


LAW: Law = Saturating()
