"""Read noise of the settings: normal, white, with one deviation for all cells or a share of each.

sigma = s (g_on - g_off), or s g with `read_unit: relative`; s = read_sigma

Source: docs/concepts/model.md section 4. Assumption: no device stands behind it; published ones are
presets, which replace it.
"""

from __future__ import annotations

import numpy as np

from rxsim.config import Device
from rxsim.devices.law import Cells, Law
from rxsim.devices.read_noise import ReadNoise


class GenericRead(ReadNoise):
    """`read_sigma` and `read_unit`."""

    def acts(self, device: Device) -> bool:
        """Tell whether the settings state noise."""
        return device.read_sigma > 0

    def sigma(self, g: np.ndarray, cells: Cells) -> np.ndarray:
        """Return the deviation, siemens; an open cell has none."""
        device = cells.device
        if device.read_unit == "relative":
            return np.asarray(device.read_sigma * g)
        return np.where(g > 0, device.read_sigma * (device.g_on - device.g_off), 0.0)

    def quick_share(self, cells: Cells) -> float:
        """Return 1: white noise has no slow part."""
        return 1.0


LAW: Law = GenericRead()
