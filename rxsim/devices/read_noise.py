"""Read noise: the common part of its laws, and its split into a frozen and a fresh part.

A read draws noise of a deviation sigma(t). With `read_noise: frozen` a chip draws it once. With `fresh`
the part of its variance that is quicker than a run is drawn anew for every product, in the patched
graph; what is slower is frozen. Source: docs/concepts/model.md section 4.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from rxsim.config import Step
from rxsim.devices.law import Cells, Draws
from rxsim.seeds import Effect


class ReadNoise(ABC):
    """A normal deviation of each reading; see `rxsim.devices.law.Law`."""

    step: Step = "read_noise"
    stream: int = Effect.READ_NOISE

    def change(self, g: np.ndarray, cells: Cells, draws: Draws) -> np.ndarray:
        """Add the frozen part; siemens."""
        share = self.fresh_share(cells)
        if share == 1:
            return g
        z = draws.of_array().standard_normal(g.shape)
        return np.asarray(g + z * (np.sqrt(1 - share) * self.sigma(g, cells)))

    def fresh(self, g: np.ndarray, cells: Cells) -> np.ndarray | None:
        """Return the deviation of the fresh part, siemens, of g's shape; None where there is none.

        Args:
            g: conductances before this law, siemens.
            cells: what else is known of the cells.
        """
        share = self.fresh_share(cells)
        return np.asarray(np.sqrt(share) * self.sigma(g, cells)) if share > 0 else None

    def fresh_share(self, cells: Cells) -> float:
        """Return the share of the variance that is drawn anew for every product, 0 to 1."""
        return self.quick_share(cells) if cells.device.read_noise == "fresh" else 0.0

    @abstractmethod
    def sigma(self, g: np.ndarray, cells: Cells) -> np.ndarray:
        """Return the deviation of a reading, siemens, of g's shape.

        Args:
            g: conductances before this law, siemens.
            cells: what else is known of the cells.
        """

    @abstractmethod
    def quick_share(self, cells: Cells) -> float:
        """Return the share of the variance that is quicker than a run, 0 to 1."""
