"""Variation from cell to cell: a log-normal factor whose median is 1.

g' = g exp(z s), z ~ N(0, 1), s = d2d_sigma

Source: docs/concepts/model.md section 4. Assumption: no device stands behind it; published deviations
hold variation already, and are refused beside it.
"""

from __future__ import annotations

import numpy as np

from rxsim.config import Device, Step
from rxsim.devices.law import Cells, Draws, Law
from rxsim.seeds import Effect


def with_lognormal_factor(g: np.ndarray, sigma: float, z: np.ndarray) -> np.ndarray:
    """Multiply conductances by log-normal factors.

    Args:
        g: conductances, siemens.
        sigma: deviation of the factor's logarithm, without unit.
        z: standard normal draws, of g's shape.

    Returns:
        Siemens, of g's shape.
    """
    return np.asarray(g * np.exp(z * sigma))


class Lognormal:
    """`d2d_sigma`."""

    step: Step = "variation"
    stream: int = Effect.VARIATION

    def acts(self, device: Device) -> bool:
        """Tell whether cells vary."""
        return device.d2d_sigma > 0

    def change(self, g: np.ndarray, cells: Cells, draws: Draws) -> np.ndarray:
        """Multiply each cell by its random factor."""
        z = draws.of_array().standard_normal(g.shape)
        return with_lognormal_factor(g, cells.device.d2d_sigma, z)


LAW: Law = Lognormal()
