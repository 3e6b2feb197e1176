"""How one signed weight becomes cells, and how their currents become the weight again.

Source: MODEL.md section 3. A weight is a pair of cells (`differential`) or one cell around a middle
(`offset`), in one piece or as digits of an integer (bit slicing).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rxsim.config import Device, Mapping
from rxsim.mapping.levels import to_levels


@dataclass(frozen=True, slots=True)
class Cells:
    """The cells of one weight.

    Attributes:
        device: conductance range and levels (of an offset: an odd number, so that zero is one).
        mapping: scheme, balance, subtraction, slices and removal of the offset.
    """

    device: Device
    mapping: Mapping

    @property
    def polarities(self) -> int:
        """Cells that carry a weight, or one digit of it."""
        return 2 if self.mapping.scheme == "differential" else 1

    @property
    def slices(self) -> int:
        """Digits of a weight."""
        return self.mapping.slices

    @property
    def readouts(self) -> int:
        """Currents of one weight that are converted apart from each other."""
        return self.slices * (self.polarities if self.mapping.subtract == "digital" else 1)

    @property
    def has_reference(self) -> bool:
        """Whether a reference column (one for each slice) measures the offset."""
        return self.mapping.offset_removal == "reference_column"

    @property
    def is_difference(self) -> bool:
        """Whether what is converted is a difference of two currents."""
        return self.mapping.subtract == "analog" and (self.polarities == 2 or self.has_reference)

    @property
    def step(self) -> float:
        """Siemens of one unit of a digit, or of one level; 0 for continuous cells."""
        if self.mapping.bits_per_cell is not None:
            return self._span / float(2**self.mapping.bits_per_cell - 1)
        levels = self.device.levels
        return 0.0 if levels is None else self._span / (levels - 1)

    @property
    def weight_per_siemens(self) -> float:
        """Weight, in units of w_max, that one siemens of a weight's (least) readout stands for."""
        if self.mapping.weight_bits is not None:
            return 1 / (self._largest * self.step)
        return (1 if self.polarities == 2 else 2) / self._span

    def slice_weight(self, place: int) -> int:
        """What a digit counts: a power of two."""
        return int(2 ** (place * (self.mapping.bits_per_cell or 0)))

    def zero(self, place: int) -> float:
        """Conductance, siemens, of a weight of zero in one slice."""
        if self.mapping.scheme == "differential":
            middle = self.mapping.balance == "two_sided"
            return (self.device.g_off + self.device.g_on) / 2 if middle else self.device.g_off
        if self.mapping.weight_bits is None:
            return (self.device.g_off + self.device.g_on) / 2
        digit = self._digit(np.array(2.0 ** (self.mapping.weight_bits - 1)), place)
        return float(self.device.g_off + digit * self.step)

    @property
    def removed(self) -> float:
        """Siemens, all slices together, whose current is removed digitally: what cells of 0 hold."""
        if self.mapping.scheme == "differential" or self.has_reference:
            return 0.0
        places = range(self.slices)
        levels = to_levels(np.array([self.zero(place) for place in places]), self.device)
        return float(sum(self.slice_weight(place) * levels[place] for place in places))

    def targets(self, weights: np.ndarray, w_max: np.ndarray, place: int, side: int) -> np.ndarray:
        """Give one cell of every weight its target conductance.

        Args:
            weights: float64 (rows, n).
            w_max: weight scale, (n,).
            place: slice.
            side: 0 for the cell that carries positive weights, 1 for the one that carries negative.

        Returns:
            Siemens, float64 (rows, n).
        """
        share = weights / w_max
        np.clip(share, -1, 1, out=share)
        if side:
            np.negative(share, out=share)
        if self.mapping.weight_bits is not None:
            integers = np.rint(share * self._largest)
            if self.polarities == 2:
                np.maximum(integers, 0, out=integers)
            else:
                integers += 2.0 ** (self.mapping.weight_bits - 1)
            return np.asarray(self.device.g_off + self._digit(integers, place) * self.step)
        if self.polarities == 1 or self.mapping.balance == "two_sided":
            return np.asarray(self.zero(0) + share * (self._span / 2))
        np.maximum(share, 0, out=share)
        share *= self._span
        share += self.device.g_off
        return np.asarray(share)

    def _digit(self, integers: np.ndarray, place: int) -> np.ndarray:
        shifted = np.floor(integers / self.slice_weight(place))
        return np.asarray(np.mod(shifted, 2.0 ** (self.mapping.bits_per_cell or 0)))

    @property
    def _span(self) -> float:
        return self.device.g_on - self.device.g_off

    @property
    def _largest(self) -> int:
        return int(2 ** ((self.mapping.weight_bits or 1) - 1) - 1)


def cells_of(device: Device, mapping: Mapping) -> Cells:
    """Choose the cells of a layer's weights."""
    if mapping.scheme == "offset" and mapping.weight_bits is None and device.n_bits is not None:
        device = device.model_copy(update={"n_bits": None, "n_levels": 2**device.n_bits - 1})
    return Cells(device, mapping)
