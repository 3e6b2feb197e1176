"""Lines and arrays that hold nothing but weights of zero: a tile could do without them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rxsim.load import Layer
from rxsim.mapping import Tiling


@dataclass(frozen=True, slots=True, kw_only=True)
class ZeroLines:
    """Lines of tiles whose weights are all 0, summed over arrays as driven rows and used columns are.

    A line of a tile counts where it is 0 on all slices and both sides of pairs: their currents cancel
    together only.

    Attributes:
        weights: of 0.
        rows: driven rows without a weight in their tile.
        columns: used columns without a weight in their tile; references stay.
        arrays: of tiles without a weight.
    """

    weights: int = 0
    rows: int = 0
    columns: int = 0
    arrays: int = 0

    def __add__(self, other: ZeroLines) -> ZeroLines:
        """Return those of two layers together."""
        names = self.__dataclass_fields__
        return ZeroLines(**{name: getattr(self, name) + getattr(other, name) for name in names})


def zero_lines(layer: Layer, tiling: Tiling, cells_per_weight: int) -> ZeroLines:
    """Find the lines of a layer's tiles that hold weights of zero only, of those that lie on arrays.

    Args:
        layer: the layer.
        tiling: how it is cut.
        cells_per_weight: cells of a weight: its slices times the sides of a pair.
    """
    held = layer.matrices != 0
    zeros = held.size - int(np.count_nonzero(held))
    if zeros == 0:
        return ZeroLines()
    there, rows = tiling.there, np.concatenate(tiling.row_tiles)
    if tiling.packed > 1:  # a block lies on one tile, its groups apart from each other
        rows, columns = (
            rows[rows < layer.n_inputs],
            tiling.outputs[tiling.outputs < layer.n_outputs],
        )
        held = held[:, rows[:, None], columns]
        in_row, in_column = held.any(axis=2), held.any(axis=1)
        in_group = in_row.any(axis=1)
        starts = np.arange(0, layer.groups, tiling.packed)
        in_tile = np.logical_or.reduceat(in_group, starts)
        there = there.ravel()
        of_group = there[np.arange(layer.groups) // tiling.packed, None]
        in_row, in_column = in_row | ~of_group, in_column | ~of_group
    else:
        held = held[:, rows[:, None], tiling.outputs]
        row_starts = np.cumsum([0, *(len(rows) for rows in tiling.row_tiles[:-1])])
        col_starts = np.array([start for start, _ in tiling.col_tiles])
        in_row = np.logical_or.reduceat(held, col_starts, axis=2)
        in_column = np.logical_or.reduceat(held, row_starts, axis=1)
        in_tile = np.logical_or.reduceat(in_row, row_starts, axis=1)
        heights = [len(part) for part in tiling.row_tiles]
        widths = [stop - start for start, stop in tiling.col_tiles]
        in_row = in_row | ~np.repeat(there, heights, axis=1)
        in_column = in_column | ~np.repeat(there, widths, axis=2)
    return ZeroLines(
        weights=zeros,
        rows=int(np.count_nonzero(~in_row)) * tiling.arrays_per_tile,
        columns=int(np.count_nonzero(~in_column)) * cells_per_weight,
        arrays=int(np.count_nonzero(~in_tile & there)) * tiling.arrays_per_tile,
    )
