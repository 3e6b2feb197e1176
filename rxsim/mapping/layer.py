"""A layer on its arrays: where each weight lies, and with what conductance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rxsim.config import Crossbar, Device, Mapping
from rxsim.load import Layer
from rxsim.mapping.arrays import PhysicalArray
from rxsim.mapping.scale import weight_scales
from rxsim.mapping.tiling import Tiling, tile_layer


@dataclass(frozen=True, slots=True, eq=False)
class MappedLayer:
    """A layer cut into tiles; its physical arrays are made one at a time, on demand.

    Arrays are numbered ((group * row tiles + p) * column tiles + q) * 2 + polarity, where polarity 0
    carries max(w, 0) and 1 carries max(-w, 0).

    Attributes:
        layer: the layer.
        tiling: how it is cut.
        w_max: weight scale, float64 (row tiles, groups, N).
        device: its conductance range.
        blank_unused: cells without a weight are open instead of resting at g_off.
    """

    layer: Layer
    tiling: Tiling
    w_max: np.ndarray
    device: Device
    blank_unused: bool

    @property
    def row_tiles(self) -> tuple[np.ndarray, ...]:
        """Rows k of each row tile, in physical order."""
        return self.tiling.row_tiles

    @property
    def n_arrays(self) -> int:
        """Physical arrays of the layer."""
        return self.tiling.n_arrays

    @property
    def weight_per_siemens(self) -> np.ndarray:
        """Weight that one siemens of a pair's difference stands for, (row tiles, groups, N)."""
        return self.w_max / (self.device.g_on - self.device.g_off)

    def array(self, index: int) -> PhysicalArray:
        """Make one physical array with its target conductances."""
        pair, polarity = divmod(index, 2)
        rest, q = divmod(pair, self.tiling.n_col_tiles)
        group, p = divmod(rest, len(self.row_tiles))
        rows_of_tile = self.row_tiles[p]
        shape = (self.tiling.crossbar.rows, self.tiling.crossbar.cols)
        start = q * shape[1]
        stop = min(start + shape[1], self.layer.n_outputs)
        weights = self.layer.matrices[group, rows_of_tile, start:stop].astype(np.float64)
        magnitude = np.maximum(weights if polarity == 0 else -weights, 0)
        share = np.minimum(magnitude / self.w_max[p, group, start:stop], 1)
        g_off, g_on = self.device.g_off, self.device.g_on
        used = (slice(0, len(rows_of_tile)), slice(0, stop - start))
        target = np.full(shape, 0.0 if self.blank_unused else g_off)
        target[used] = g_off + share * (g_on - g_off)
        blank = np.full(shape, self.blank_unused)
        blank[used] = False
        rows = np.full(shape[0], -1, dtype=np.int64)
        rows[used[0]] = group * self.layer.n_inputs + rows_of_tile
        cols = np.full(shape[1], -1, dtype=np.int64)
        cols[used[1]] = group * self.layer.n_outputs + np.arange(start, stop)
        return PhysicalArray(
            index,
            p,
            target,
            blank,
            rows,
            np.ones(shape[0]),
            cols,
            np.full(shape[1], 1.0 if polarity == 0 else -1.0),
        )


def map_layer(layer: Layer, crossbar: Crossbar, device: Device, mapping: Mapping) -> MappedLayer:
    """Cut a layer's matrices into tiles and find its weight scales.

    Source: MODEL.md sections 2 and 3 (differential, one-sided, analog subtraction, filled tiles).
    """
    tiling = tile_layer(layer, crossbar, mapping)
    magnitudes = np.abs(layer.matrices.astype(np.float64))
    scales = weight_scales(
        magnitudes, tiling.row_tiles, crossbar.cols, mapping.w_max_scope, mapping.w_percentile
    )
    return MappedLayer(layer, tiling, scales, device, mapping.unused_cells == "open")
