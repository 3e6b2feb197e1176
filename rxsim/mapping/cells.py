"""How a signed weight becomes cells, and how their currents become the weight again.

A weight is a pair of cells (`differential`), or a single cell whose middle conductance stands for zero
(`offset`). It is stored as a whole, or as the digits of an integer (bit slicing).
Source: docs/concepts/model.md section 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rxsim.config import Device, Mapping
from rxsim.devices import to_levels


@dataclass(frozen=True, slots=True)
class Cells:
    """The cells of a weight.

    Attributes:
        device: conductance range and levels (scheme `offset`: an odd number, so that zero is a level).
        mapping: scheme, balance, subtraction, slices and removal of the offset.
    """

    device: Device
    mapping: Mapping

    @property
    def polarities(self) -> int:
        """Cells of a digit: 2 for a pair, 1 for a single cell."""
        return 2 if self.mapping.scheme == "differential" else 1

    @property
    def slices(self) -> int:
        """Digits of a weight, each on its own slice; 1 without bit slicing."""
        return self.mapping.slices

    @property
    def readouts(self) -> int:
        """Separately converted currents of a weight."""
        return self.slices * (self.polarities if self.mapping.subtract == "digital" else 1)

    @property
    def has_reference(self) -> bool:
        """Whether a reference column per slice measures the offset."""
        return self.mapping.offset_removal == "reference_column"

    @property
    def is_difference(self) -> bool:
        """Whether the converted current is the difference of two columns."""
        return self.mapping.subtract == "analog" and (self.polarities == 2 or self.has_reference)

    @property
    def step(self) -> float:
        """Conductance step of a digit or of a level, siemens; 0 for continuous cells."""
        if self.mapping.bits_per_cell is not None:
            return self._span / float(2**self.mapping.bits_per_cell - 1)
        levels = self.device.levels
        return 0.0 if levels is None else self._span / (levels - 1)

    @property
    def weight_per_siemens(self) -> float:
        """Weight per siemens of the lowest digit's readout, in units of w_max."""
        if self.mapping.weight_bits is not None:
            return 1 / (self._largest * self.step)
        return (1 if self.polarities == 2 else 2) / self._span

    def slice_weight(self, place: int) -> int:
        """Place value of a digit: a power of two."""
        return int(2 ** (place * (self.mapping.bits_per_cell or 0)))

    def zero(self, place: int) -> float:
        """Conductance of a weight of zero in a slice, siemens."""
        if self.mapping.scheme == "differential":
            middle = self.mapping.balance == "two_sided"
            return (self.device.g_off + self.device.g_on) / 2 if middle else self.device.g_off
        if self.mapping.weight_bits is None:
            return (self.device.g_off + self.device.g_on) / 2
        digit = self._digit(np.array(2.0 ** (self.mapping.weight_bits - 1)), place)
        return float(self.device.g_off + digit * self.step)

    @property
    def removed(self) -> float:
        """Conductance of a zero weight over all slices, siemens; its current is removed digitally."""
        if self.mapping.scheme == "differential" or self.has_reference:
            return 0.0
        places = range(self.slices)
        levels = to_levels(np.array([self.zero(place) for place in places]), self.device)
        return float(sum(self.slice_weight(place) * levels[place] for place in places))

    def shares(self, weights: np.ndarray, w_max: np.ndarray) -> np.ndarray:
        """Return weights as shares of their scale, within -1 and 1.

        Args:
            weights: float64 (.., rows, n).
            w_max: weight scale, broadcast to (.., rows, n).
        """
        share = weights / w_max
        np.clip(share, -1, 1, out=share)
        return np.asarray(share)

    def targets(self, shares: np.ndarray, place: int, side: int) -> np.ndarray:
        """Return the target conductances of a cell of every weight.

        Args:
            shares: those of the weights, float64 (.., rows, n).
            place: slice.
            side: 0 for the cell of positive weights, 1 for the cell of negative weights.

        Returns:
            Siemens, float64 (.., rows, n).
        """
        share = np.negative(shares) if side else shares
        if self.mapping.weight_bits is not None:
            integers = np.rint(share * self._largest)
            if self.polarities == 2:
                np.maximum(integers, 0, out=integers)
            else:
                integers += 2.0 ** (self.mapping.weight_bits - 1)
            return np.asarray(self.device.g_off + self._digit(integers, place) * self.step)
        if self.polarities == 1 or self.mapping.balance == "two_sided":
            return np.asarray(self.zero(0) + share * (self._span / 2))
        share = np.maximum(share, 0)
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
