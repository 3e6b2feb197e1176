"""Which currents of a layer are converted, and how their codes add up to outputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rxsim.mapping.cells import Cells
from rxsim.mapping.tiling import Tiling


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Readouts:
    """The readouts of a group: every output's slices and polarities, then reference columns.

    Output n is the sum over terms t of `weights[t] * readout[places[t, n]]`; one without columns, which
    is 0, points at the first readout (its scale is 0).

    Attributes:
        count: number C of readouts of a group.
        places: int64 (terms, N).
        weights: signed place value of each term, int64 (terms,).
        slices: slice of each readout, int64 (C,).
        col_tiles: column tile of each readout, int64 (C,).
        present: which readouts belong to an existing group, bool (groups, C).
        columns: position of each readout in its tile, for converters shared by neighbours, int64 (C,).
    """

    count: int
    places: np.ndarray
    weights: np.ndarray
    slices: np.ndarray
    col_tiles: np.ndarray
    columns: np.ndarray
    present: np.ndarray

    @property
    def is_plain(self) -> bool:
        """Whether each output is a single readout, in order."""
        return len(self.weights) == 1 and self.places.shape[1] == self.count

    @staticmethod
    def plain(n_outputs: int) -> Readouts:
        """Return the readouts of a layer whose every output is a readout, all in a single tile."""
        numbers, zeros = np.arange(n_outputs), np.zeros(n_outputs, dtype=np.int64)
        weights = np.ones(1, dtype=np.int64)
        present = np.ones((1, n_outputs), dtype=bool)
        return Readouts(
            count=n_outputs,
            places=numbers[None],
            weights=weights,
            slices=zeros,
            col_tiles=zeros,
            columns=numbers,
            present=present,
        )


def readouts_of(tiling: Tiling, cells: Cells, layer_groups: int) -> Readouts:
    """List a layer's readouts.

    Args:
        tiling: the layer's tiles.
        cells: the cells of its weights.
        layer_groups: groups of the layer; the last block may hold fewer than the others.
    """
    per_output, slices = cells.readouts, cells.slices
    digital_pairs = per_output // slices
    n_outputs = len(tiling.outputs)  # from here on outputs are those on columns
    outputs = np.arange(n_outputs)
    tile_of = np.zeros(n_outputs, dtype=np.int64)
    for q, (start, stop) in enumerate(tiling.col_tiles):
        tile_of[start:stop] = q
    starts = np.array([start for start, _ in tiling.col_tiles])
    kinds = np.arange(per_output)
    places = [outputs * per_output + kind for kind in kinds]
    weights = [
        cells.slice_weight(int(kind) // digital_pairs) * (-1 if kind % digital_pairs else 1)
        for kind in kinds
    ]
    slice_of = np.tile(kinds // digital_pairs, n_outputs)
    q_of = np.repeat(tile_of, per_output)
    output_of = np.repeat(outputs, per_output)
    column = (outputs - starts[tile_of])[:, None] * per_output + kinds
    count = n_outputs * per_output
    columns = column.ravel()
    if cells.has_reference and cells.mapping.subtract == "digital":
        n_tiles = len(tiling.col_tiles)
        for place in range(slices):
            places.append(count + tile_of * slices + place)
            weights.append(-cells.slice_weight(place))
        slice_of = np.concatenate([slice_of, np.tile(np.arange(slices), n_tiles)])
        q_of = np.concatenate([q_of, np.repeat(np.arange(n_tiles), slices)])
        output_of = np.concatenate([output_of, n_outputs + np.repeat(np.arange(n_tiles), slices)])
        sizes = np.array([stop - start for start, stop in tiling.col_tiles])
        behind = sizes[:, None] * per_output + np.arange(slices)
        columns = np.concatenate([columns, behind.ravel()])
        count += n_tiles * slices
    in_block = np.minimum(output_of // (n_outputs // tiling.packed), tiling.packed - 1)
    in_block[output_of >= n_outputs] = 0  # a reference column is there in any case
    first = np.arange(tiling.groups)[:, None] * tiling.packed
    every = np.zeros((len(places), tiling.n_outputs), dtype=np.int64)
    every[:, tiling.outputs] = places
    return Readouts(
        count=count,
        places=every,
        weights=np.array(weights),
        slices=slice_of,
        col_tiles=q_of,
        columns=columns,
        present=first + in_block < layer_groups,
    )
