"""Write errors whose deviation was measured: the common part of such laws."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from rxsim.config import Device
from rxsim.devices.law import Cells, MeasuredLaw, NumbersT
from rxsim.devices.write_error import WriteError


class MeasuredDeviation(WriteError, MeasuredLaw[NumbersT]):
    """A normal write error whose deviation is a function of the target conductance."""

    def written(self, g: np.ndarray, cells: Cells, rng: np.random.Generator) -> np.ndarray:
        """Return g + m(g) + z sigma(g), with z a standard normal draw a cell; siemens."""
        z = rng.standard_normal(g.shape)
        achieved = np.asarray(g + z * self.sigma(g, cells.device))
        mean = self.mean(g, cells.device)
        return achieved if mean is None else achieved + mean

    @abstractmethod
    def sigma(self, g: np.ndarray, device: Device) -> np.ndarray:
        """Return the deviation of conductances, siemens, for target conductances, siemens."""

    def mean(self, g: np.ndarray, device: Device) -> np.ndarray | None:
        """Return the mean deviation from target conductances, siemens; None where there is none."""
        return None
