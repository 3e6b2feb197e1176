"""Write errors whose deviation was measured: the common part of such laws."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from rxsim.config import Preset
from rxsim.devices.law import Cells, Draws, MeasuredLaw, NumbersT
from rxsim.seeds import Effect


class MeasuredDeviation(MeasuredLaw[NumbersT]):
    """A normal write error whose deviation is a function of the target conductance."""

    step = "write_error"
    stream = Effect.WRITE

    def change(self, g: np.ndarray, cells: Cells, draws: Draws) -> np.ndarray:
        """Return g + z sigma(g), with z a standard normal draw a cell; siemens."""
        z = draws.of_array().standard_normal(g.shape)
        return np.asarray(g + z * self.sigma(g, cells.device.preset))

    @abstractmethod
    def sigma(self, g: np.ndarray, preset: Preset) -> np.ndarray:
        """Return the deviation of conductances, siemens, for target conductances, siemens."""
