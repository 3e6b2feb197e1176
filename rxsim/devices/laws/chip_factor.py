"""Variation from chip to chip: a log-normal factor that all cells of a chip share.

g' = g exp(z s), z ~ N(0, 1) once for each chip, s = chip_sigma

Source: docs/concepts/model.md section 12. Assumption: no device stands behind it.
"""

from __future__ import annotations

import numpy as np

from rxsim.config import Device, Step
from rxsim.devices.law import Cells, Draws, Law
from rxsim.seeds import Effect


class ChipFactor:
    """`chip_sigma`."""

    step: Step = "variation"
    stream: int = Effect.CHIP

    def acts(self, device: Device) -> bool:
        """Tell whether chips vary."""
        return device.chip_sigma > 0

    def change(self, g: np.ndarray, cells: Cells, draws: Draws) -> np.ndarray:
        """Multiply all cells by the chip's random factor."""
        z = float(draws.of_chip().standard_normal())
        return np.asarray(g * np.exp(z * cells.device.chip_sigma))


LAW: Law = ChipFactor()
