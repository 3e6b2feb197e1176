"""Write error whose measured deviation is a polynomial in the conductance that is aimed at.

sigma(G) = max(0, c0 + c1 x + c2 x^2 + ..), x = G / scale
mean(G) - G = m0 + m1 x + m2 x^2 + .., where the preset states it

Sources of the form, whose coefficients stand in the presets:
[1] Nandakumar et al., ICECS 2019 (PCM; x = G / G_max).
[2] Joshi et al., Nat. Commun. 11, 2020, Fig. 3b (PCM; CrossSim's fit, x = G in microsiemens).
[3] Wan et al., Nature 608, 2022, Extended Data Fig. 3 (RRAM; fits of aihwkit and of CrossSim).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import Field

from rxsim.config import Device
from rxsim.devices.law import Law
from rxsim.devices.measured_deviation import MeasuredDeviation
from rxsim.schema import Number, Positive, Section


class Numbers(Section):
    """What a preset says beside `law: polynomial`, in the preset's unit of conductance."""

    coefficients: Annotated[tuple[Number, ...], Field(min_length=1)] = Field(
        description="c0, c1, ..: the value is in the preset's unit"
    )
    mean: tuple[Number, ...] = Field(
        (), description="m0, m1, ..: mean deviation from the target, in the preset's unit"
    )
    scale: Positive = Field(1.0, description="conductance that stands for x = 1 (G_max, or 1)")


def polynomial_sigma(
    g: np.ndarray, coefficients: Sequence[float], scale: float, unit: float
) -> np.ndarray:
    """Return the deviation of a programmed conductance.

    Args:
        g: conductances aimed at, siemens.
        coefficients: constant first; the polynomial's value is in `unit`.
        scale: conductance that stands for 1 of the polynomial's variable, in `unit`.
        unit: siemens.

    Returns:
        Siemens, of g's shape; 0 where the polynomial is below.
    """
    value = np.polynomial.polynomial.polyval(g / (scale * unit), coefficients)
    return np.asarray(np.maximum(value, 0) * unit)


class Polynomial(MeasuredDeviation[Numbers]):
    """A polynomial with the coefficients of a preset."""

    numbers = Numbers
    formula = "sigma = c0 + c1 x + c2 x^2 + .., x = G / scale, not below 0"

    def sigma(self, g: np.ndarray, device: Device) -> np.ndarray:
        """Return the deviation, siemens, for conductances in siemens."""
        preset = device.preset
        numbers = self.numbers_of(preset)
        return polynomial_sigma(g, numbers.coefficients, numbers.scale, preset.siemens)

    def mean(self, g: np.ndarray, device: Device) -> np.ndarray | None:
        """Return the mean deviation, siemens; None where the preset states none."""
        preset = device.preset
        numbers = self.numbers_of(preset)
        if not numbers.mean:
            return None
        x = g / (numbers.scale * preset.siemens)
        return np.asarray(np.polynomial.polynomial.polyval(x, numbers.mean) * preset.siemens)


LAW: Law = Polynomial()
