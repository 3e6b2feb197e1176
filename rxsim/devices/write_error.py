"""Write errors: the common part of their laws, which program and verify writes with again and again.

Source: docs/concepts/model.md sections 4 and 12.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from rxsim.config import Device, Step
from rxsim.devices.law import Cells, Draws
from rxsim.seeds import Effect


class WriteError(ABC):
    """A deviation from the level that a cell is programmed to; see `rxsim.devices.law.Law`."""

    step: Step = "write_error"
    stream: int = Effect.WRITE

    def change(self, g: np.ndarray, cells: Cells, draws: Draws) -> np.ndarray:
        """Write each cell; siemens."""
        return self.written(g, cells, draws.of_array())

    @abstractmethod
    def sigma(self, g: np.ndarray, device: Device) -> np.ndarray:
        """Return the deviation of a write, siemens, for levels aimed at, siemens."""

    @abstractmethod
    def written(self, g: np.ndarray, cells: Cells, rng: np.random.Generator) -> np.ndarray:
        """Return what writing leaves, siemens, of g's shape; each call draws on.

        Args:
            g: levels aimed at, siemens.
            cells: what else is known of the cells.
            rng: draws for the whole array, whatever it holds.
        """
