"""Predistortion of a layer: which cells count, and which columns share a gain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rxsim.compensate.predistortion.held_array import WantedArray
from rxsim.config import Settings
from rxsim.mapping import MappedLayer, PhysicalArray


class GainSlots:
    """The slots of a layer's gains: one, or one for each column of a row tile.

    Currents that are summed before they are converted share a gain, and so do all cells of a weight.
    """

    def __init__(self, layer: MappedLayer, settings: Settings, *, by_column: bool) -> None:
        """Count them."""
        self._layer, self._by_column = layer, by_column
        self._over_tiles = settings.adc.where == "per_layer"
        readouts = layer.readouts
        self._output_of = np.zeros(readouts.count, dtype=np.int64)
        outputs = layer.tiling.outputs
        self._output_of[readouts.places[:, outputs]] = outputs

    @property
    def _shape(self) -> tuple[int, ...]:
        if not self._by_column:
            return (1, 1, 1)
        tiles, groups, outputs = self._layer.w_max.shape
        return (1 if self._over_tiles else tiles, groups, outputs)

    @property
    def count(self) -> int:
        """How many there are."""
        return int(np.prod(self._shape))

    def of_columns(self, array: PhysicalArray, cols: np.ndarray) -> np.ndarray:
        """Return the slot of some columns of an array, int64 (cols,)."""
        if not self._by_column:
            return np.zeros(len(cols), dtype=np.int64)
        group, readout = np.divmod(array.cols[cols], self._layer.readouts.count)
        tile = 0 if self._over_tiles else array.conversion
        place = (np.full(len(cols), tile), group, self._output_of[readout])
        return np.ravel_multi_index(place, self._shape)

    def gains(self, gain: np.ndarray) -> np.ndarray:
        """Shape the slots' gains so that they broadcast to (row tiles, groups, N)."""
        return gain.reshape(self._shape)


def wanted_array(array: PhysicalArray, layer: MappedLayer, slots: GainSlots) -> WantedArray:
    """Say what the g_eff of an array is to be: its targets, where inputs come and currents go.

    Cells of rows without an input, of columns that nobody reads, and places without a device stay.
    """
    rows = np.flatnonzero(array.rows >= 0)
    read = np.flatnonzero(array.cols >= 0)
    references = array.references[read]
    cols = np.union1d(read, references[references >= 0])
    block = np.ix_(rows, cols)
    device = layer.device
    return WantedArray(
        target=array.target,
        rows=rows,
        cols=cols,
        used=~array.blank[block],
        wanted=array.target[block],
        slots=slots.of_columns(array, cols),
        limits=(device.g_off, device.g_on),
        crossbar=layer.tiling.crossbar,
    )


def with_targets(layer: MappedLayer, cells: Sequence[np.ndarray], gain: np.ndarray) -> MappedLayer:
    """Return the layer whose arrays have other targets, and hold a gain that decoding divides out."""
    arrays = [replace(layer.array(n), target=target) for n, target in enumerate(cells)]
    return layer.with_arrays(arrays).with_gain(gain)
