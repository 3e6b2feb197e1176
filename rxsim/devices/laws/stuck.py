"""Stuck cells: a share rests at g_on, a share at g_off, whatever was programmed.

u ~ U(0, 1): stuck at g_on where u < stuck_lrs, at g_off where stuck_lrs <= u < stuck_lrs + stuck_hrs

Source: docs/concepts/model.md section 4. Papers disagree on whether SA0 or SA1 is the low-resistance
state, so the settings name the conductance.
"""

from __future__ import annotations

import numpy as np

from rxsim.config import Device, Step
from rxsim.devices.law import Cells, Draws, Law
from rxsim.seeds import Effect


def with_stuck_cells(
    g: np.ndarray, u: np.ndarray, at_g_on: float, at_g_off: float, g_on: float, g_off: float
) -> np.ndarray:
    """Set the cells that are stuck to g_on or g_off.

    Args:
        g: conductances, siemens.
        u: uniform draws in [0, 1), of g's shape.
        at_g_on: share of cells stuck at g_on.
        at_g_off: share of cells stuck at g_off.
        g_on: largest conductance, siemens.
        g_off: smallest conductance, siemens.

    Returns:
        Siemens, of g's shape.
    """
    on = u < at_g_on
    off = ~on & (u < at_g_on + at_g_off)
    return np.where(on, g_on, np.where(off, g_off, g))


class Stuck:
    """`stuck_lrs` and `stuck_hrs`."""

    step: Step = "faults"
    stream: int = Effect.STUCK

    def acts(self, device: Device) -> bool:
        """Tell whether cells are stuck."""
        return device.stuck_lrs + device.stuck_hrs > 0

    def change(self, g: np.ndarray, cells: Cells, draws: Draws) -> np.ndarray:
        """Set stuck cells to g_on or g_off."""
        device = cells.device
        u = draws.of_array().random(g.shape)
        return with_stuck_cells(g, u, device.stuck_lrs, device.stuck_hrs, device.g_on, device.g_off)


LAW: Law = Stuck()
