"""Read noise of which every reading is independent: white noise with a measured deviation.

sigma = s(x), x = G / scale; all of it is quicker than a run

Source of the numbers: the presets that name it, such as those that `rxsim fit` writes.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from rxsim.devices.curve_of_g import Curve, curve_at
from rxsim.devices.law import Cells, Law, MeasuredLaw
from rxsim.devices.read_noise import ReadNoise
from rxsim.schema import Positive, Section


class Numbers(Section):
    """What a preset says beside `law: white`."""

    scale: Positive = Field(1.0, description="conductance of x = 1, in the preset's unit")
    sigma: Curve = Field(description="deviation of a reading over x, in the preset's unit")


class White(ReadNoise, MeasuredLaw[Numbers]):
    """White noise with the numbers of a preset."""

    numbers = Numbers
    formula = "sigma = s(x), x = G / scale, not below 0; drawn anew for each reading"

    def sigma(self, g: np.ndarray, cells: Cells) -> np.ndarray:
        """Return the deviation, siemens."""
        preset = cells.device.preset
        numbers = self.numbers_of(preset)
        value = curve_at(numbers.sigma, g / (numbers.scale * preset.siemens))
        return np.asarray(np.maximum(value, 0) * preset.siemens)

    def quick_share(self, cells: Cells) -> float:
        """Return 1: white noise has no slow part."""
        return 1.0


LAW: Law = White()
