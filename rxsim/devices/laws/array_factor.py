"""Variation from array to array: a log-normal factor that all cells of an array share.

g' = g exp(z s), z ~ N(0, 1) once for each array, s = array_sigma

Source: docs/concepts/model.md section 12. Assumption: no device stands behind it.
"""

from __future__ import annotations

import numpy as np

from rxsim.config import Device, Step
from rxsim.devices.law import Cells, Draws, Law
from rxsim.seeds import Effect


class ArrayFactor:
    """`array_sigma`."""

    step: Step = "variation"
    stream: int = Effect.ARRAY

    def acts(self, device: Device) -> bool:
        """Tell whether arrays vary."""
        return device.array_sigma > 0

    def change(self, g: np.ndarray, cells: Cells, draws: Draws) -> np.ndarray:
        """Multiply all cells by the array's random factor."""
        z = float(draws.of_array().standard_normal())
        return np.asarray(g * np.exp(z * cells.device.array_sigma))


LAW: Law = ArrayFactor()
