"""Relaxation after programming: the mean and the spread of all cells move with the logarithm of time.

G' = G + m ln(t / 1 s) + z (a ln(t / 1 s) + b), z ~ N(0, 1)
t: time after programming. The spread adds to that of programming; it does not depend on G.

Assumption: a cell keeps its draw z over time. Source of the form, whose numbers stand in the presets:
[1] Falcone et al., arXiv 2502.04524, 2025 (CMO/HfOx RRAM).
"""

from __future__ import annotations

import math

import numpy as np
from pydantic import Field

from rxsim.config import Device
from rxsim.devices.law import Cells, Draws, Law, MeasuredLaw
from rxsim.schema import Number, Section
from rxsim.seeds import Effect


class Numbers(Section):
    """What a preset says beside `law: relaxation`, in the preset's unit of conductance."""

    mean: Number = Field(description="m: mean shift for each e-fold of time")
    sd: tuple[Number, Number] = Field(description="[a, b]: the spread is a ln t + b, not below 0")


def relaxed(
    g: np.ndarray, z: np.ndarray, seconds: float, mean: float, sd: tuple[float, float]
) -> np.ndarray:
    """Let conductances relax.

    Args:
        g: conductances as programmed, siemens.
        z: standard normal draws, of g's shape.
        seconds: time after programming, above 0.
        mean: shift for each e-fold of time, siemens.
        sd: the spread for each e-fold of time and at 1 s, siemens.

    Returns:
        Siemens, of g's shape; may be below 0.
    """
    folds = math.log(seconds)
    return np.asarray(g + mean * folds + z * max(sd[0] * folds + sd[1], 0.0))


class Relaxation(MeasuredLaw[Numbers]):
    """A relaxation with the numbers of a preset."""

    step = "drift"
    stream = Effect.DRIFT
    numbers = Numbers
    formula = "G' = G + m ln t + z (a ln t + b), t in seconds; m = mean, [a, b] = sd"

    def acts(self, device: Device) -> bool:
        """Tell whether the preset names it and time has passed."""
        return device.age > 0 and super().acts(device)

    def change(self, g: np.ndarray, cells: Cells, draws: Draws) -> np.ndarray:
        """Shift and spread each cell."""
        device = cells.device
        numbers, unit = self.numbers_of(device.preset), device.preset.siemens
        z = draws.of_array().standard_normal(g.shape)
        slope, constant = numbers.sd
        return relaxed(g, z, device.age, numbers.mean * unit, (slope * unit, constant * unit))


LAW: Law = Relaxation()
