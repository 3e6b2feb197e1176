"""Dead wordlines: a share of them is broken, and all their cells are open.

u ~ U(0, 1) for each: dead where u < dead_rows; a dead one overrides stuck cells

Source: docs/concepts/model.md section 12.
"""

from __future__ import annotations

import numpy as np

from rxsim.config import Device, Step
from rxsim.devices.law import Cells, Draws, Law
from rxsim.seeds import Effect


class DeadRows:
    """`dead_rows`."""

    step: Step = "faults"
    stream: int = Effect.DEAD_ROWS

    def acts(self, device: Device) -> bool:
        """Tell whether wordlines can be dead."""
        return device.dead_rows > 0

    def change(self, g: np.ndarray, cells: Cells, draws: Draws) -> np.ndarray:
        """Open all cells of dead wordlines."""
        dead = draws.of_array().random((g.shape[0], 1)) < cells.device.dead_rows
        return np.where(dead, 0.0, g)


LAW: Law = DeadRows()
