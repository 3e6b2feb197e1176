"""Drift of phase-change memory: each cell loses conductance by a power of time.

G' = G ((t + t0) / t0)^-nu, nu ~ N(m(x), s(x)) or its magnitude, x = G_target / scale
t: time after programming, which was read at t0. Exponents are drawn once per chip.

Sources of the form, whose numbers stand in the presets:
[1] Nandakumar et al., ICECS 2019 (PCM; t0 = 20 s).
[2] Le Gallo et al., 2023 (HERMES; t0 = 300 s).
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from rxsim.config import Device, Preset
from rxsim.devices.curve_of_g import Curve, curve_at
from rxsim.devices.law import Cells, Draws, Law, MeasuredLaw
from rxsim.schema import LongerThanZero, Positive, Section
from rxsim.seeds import Effect


class Numbers(Section):
    """What a preset says beside `law: power_drift`."""

    t0: LongerThanZero = Field(description="seconds; when the programmed state was read")
    scale: Positive = Field(1.0, description="conductance of x = 1, in the preset's unit")
    nu_mean: Curve = Field(description="mean exponent, over x")
    nu_sd: Curve = Field(description="deviation of the exponent from cell to cell, over x")
    absolute: bool = Field(
        True, description="the magnitude of a draw counts: no exponent is negative"
    )


def drifted(g: np.ndarray, nu: np.ndarray, seconds: float, t0: float) -> np.ndarray:
    """Let conductances drift.

    Args:
        g: conductances as programmed, siemens.
        nu: exponents, without unit, of g's shape.
        seconds: time after programming.
        t0: seconds at which g was read.

    Returns:
        Siemens, of g's shape.
    """
    return np.asarray(g * np.exp(-nu * np.log1p(seconds / t0)))


class PowerDrift(MeasuredLaw[Numbers]):
    """A power of time with the exponents of a preset."""

    step = "drift"
    stream = Effect.DRIFT
    numbers = Numbers
    formula = "G' = G ((t + t0) / t0)^-nu, nu ~ N(nu_mean(x), nu_sd(x)), x = G_target / scale"

    def acts(self, device: Device) -> bool:
        """Tell whether the preset names it and time has passed."""
        return device.age > 0 and super().acts(device)

    def change(self, g: np.ndarray, cells: Cells, draws: Draws) -> np.ndarray:
        """Draw each cell's exponent and let it drift."""
        preset = cells.device.preset
        numbers = self.numbers_of(preset)
        mean, sd = self.exponents(cells.level, preset)
        nu = mean + draws.of_array().standard_normal(g.shape) * sd
        return drifted(g, np.abs(nu) if numbers.absolute else nu, cells.device.age, numbers.t0)

    def exponents(self, g: np.ndarray, preset: Preset) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and deviation of the exponent of cells that aim at g (siemens), of g's shape."""
        numbers = self.numbers_of(preset)
        x = g / (numbers.scale * preset.siemens)
        return curve_at(numbers.nu_mean, x), curve_at(numbers.nu_sd, x)


LAW: Law = PowerDrift()
