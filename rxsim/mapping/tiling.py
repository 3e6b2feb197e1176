"""How a layer's matrices are cut into tiles: from its shape alone, weights are not looked at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rxsim.config import Crossbar, Mapping
from rxsim.load import Layer


@dataclass(frozen=True, slots=True, eq=False)
class Tiling:
    """A layer's tiles; each is a pair of physical arrays.

    Attributes:
        groups: separate matrices.
        n_outputs: columns N of each.
        row_tiles: for each row tile p the rows k of the matrix that it holds, in physical order.
        crossbar: the array's size.
    """

    groups: int
    n_outputs: int
    row_tiles: tuple[np.ndarray, ...]
    crossbar: Crossbar

    @property
    def n_col_tiles(self) -> int:
        """Tiles side by side along the outputs of one group."""
        return -(-self.n_outputs // self.crossbar.cols)

    @property
    def n_arrays(self) -> int:
        """Physical arrays of the layer."""
        return self.groups * len(self.row_tiles) * self.n_col_tiles * 2

    @property
    def utilisation(self) -> float:
        """Weight cells over all cells; both cells of a pair carry the weight."""
        weights = self.groups * sum(map(len, self.row_tiles)) * self.n_outputs
        return 2 * weights / (self.n_arrays * self.crossbar.rows * self.crossbar.cols)


def tile_layer(layer: Layer, crossbar: Crossbar, mapping: Mapping) -> Tiling:
    """Cut a layer's matrices into tiles of the array's size, filled from row 0 and column 0.

    Source: MODEL.md section 2 (`split: fill`).
    """
    order = np.arange(layer.n_inputs)
    if mapping.row_order == "kernel_major" and layer.kernel:
        positions = int(np.prod(layer.kernel))
        order = order.reshape(-1, positions).T.ravel()
    row_tiles = tuple(
        order[start : start + crossbar.rows] for start in range(0, layer.n_inputs, crossbar.rows)
    )
    return Tiling(layer.groups, layer.n_outputs, row_tiles, crossbar)
