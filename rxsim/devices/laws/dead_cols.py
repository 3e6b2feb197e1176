"""Dead bitlines: a share of them is broken, and all their cells are open.

u ~ U(0, 1) for each: dead where u < dead_cols; a dead one overrides stuck cells

Source: docs/concepts/model.md section 12.
"""

from __future__ import annotations

import numpy as np

from rxsim.config import Device, Step
from rxsim.devices.law import Cells, Draws, Law
from rxsim.seeds import Effect


class DeadCols:
    """`dead_cols`."""

    step: Step = "faults"
    stream: int = Effect.DEAD_COLS

    def acts(self, device: Device) -> bool:
        """Tell whether bitlines can be dead."""
        return device.dead_cols > 0

    def change(self, g: np.ndarray, cells: Cells, draws: Draws) -> np.ndarray:
        """Open all cells of dead bitlines."""
        dead = draws.of_array().random(g.shape[1]) < cells.device.dead_cols
        return np.where(dead, 0.0, g)


LAW: Law = DeadCols()
