"""Variation across an array: the logarithm of its conductances is a plane.

g' = g exp(s (z_r r + z_c c)), z ~ N(0, 1) twice for each array, s = gradient
r, c: place along its rows and columns, -1/2 at the first and 1/2 at the last

Source: docs/concepts/model.md section 12. Assumption: no device stands behind it.
"""

from __future__ import annotations

import numpy as np

from rxsim.config import Device, Step
from rxsim.devices.law import Cells, Draws, Law
from rxsim.seeds import Effect


def with_plane(g: np.ndarray, along_rows: float, along_cols: float) -> np.ndarray:
    """Multiply conductances by the exponential of a plane whose mean is 0.

    Args:
        g: conductances, siemens, (n_rows, n_cols).
        along_rows: change of the logarithm from the first row to the last.
        along_cols: likewise from the first column to the last.

    Returns:
        Siemens, of g's shape.
    """
    rows, cols = (np.linspace(-0.5, 0.5, n) if n > 1 else np.zeros(1) for n in g.shape)
    return np.asarray(g * np.exp(along_rows * rows)[:, None] * np.exp(along_cols * cols))


class Gradient:
    """`gradient`."""

    step: Step = "variation"
    stream: int = Effect.GRADIENT

    def acts(self, device: Device) -> bool:
        """Tell whether arrays have gradients."""
        return device.gradient > 0

    def change(self, g: np.ndarray, cells: Cells, draws: Draws) -> np.ndarray:
        """Multiply each cell by the plane of its array."""
        along_rows, along_cols = cells.device.gradient * draws.of_array().standard_normal(2)
        return with_plane(g, float(along_rows), float(along_cols))


LAW: Law = Gradient()
