"""Write error of the settings: normal, with one deviation for all cells or a share of each.

g' = g + z s (g_on - g_off), or g' = g + z s g with `write_unit: relative`
z ~ N(0, 1), s = write_sigma

Source: docs/concepts/model.md section 4. Assumption: no device stands behind it; published ones are
presets, which replace it.
"""

from __future__ import annotations

import numpy as np

from rxsim.config import Device
from rxsim.devices.law import Cells, Law
from rxsim.devices.write_error import WriteError


def with_write_error(g: np.ndarray, sigma: np.ndarray | float, z: np.ndarray) -> np.ndarray:
    """Add a normal error.

    Args:
        g: conductances aimed at, siemens.
        sigma: deviation, siemens, of g's shape or for all cells.
        z: standard normal draws, of g's shape.

    Returns:
        Siemens, of g's shape; may be below 0.
    """
    return np.asarray(g + z * sigma)


class GenericWrite(WriteError):
    """`write_sigma` and `write_unit`."""

    def acts(self, device: Device) -> bool:
        """Tell whether the settings state an error."""
        return device.write_sigma > 0

    def sigma(self, g: np.ndarray, device: Device) -> np.ndarray:
        """Return the deviation, siemens, for levels aimed at, siemens."""
        scale = g if device.write_unit == "relative" else device.g_on - device.g_off
        return np.broadcast_to(device.write_sigma * scale, g.shape)

    def written(self, g: np.ndarray, cells: Cells, rng: np.random.Generator) -> np.ndarray:
        """Add the error to each cell."""
        z = rng.standard_normal(g.shape)
        return with_write_error(g, self.sigma(g, cells.device), z)


LAW: Law = GenericWrite()
