"""How a layer's matrices are cut into tiles; it depends on shapes alone, not on weights."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from rxsim.config import Crossbar, Mapping
from rxsim.counted import counted
from rxsim.errors import SettingError
from rxsim.load import Layer


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Tiling:
    """A layer's tiles; each lies on one or more physical arrays.

    Several groups of the layer may be packed into a block, which then counts as a single group here.

    Attributes:
        groups: separate blocks.
        packed: groups of the layer per block.
        n_inputs: rows K of a block.
        n_outputs: columns N of a block.
        row_tiles: for each row tile p the rows k of the block that it holds, in physical order.
        col_tiles: for each column tile q its outputs n as a half-open range (start, stop).
        arrays_per_tile: physical arrays per tile.
        weights: cells that carry weights in the whole layer.
        crossbar: the array's size.
    """

    groups: int
    packed: int
    n_inputs: int
    n_outputs: int
    row_tiles: tuple[np.ndarray, ...]
    col_tiles: tuple[tuple[int, int], ...]
    arrays_per_tile: int
    weights: int
    crossbar: Crossbar

    @property
    def n_tiles(self) -> int:
        """Tiles of the layer."""
        return self.groups * len(self.row_tiles) * len(self.col_tiles)

    @property
    def n_arrays(self) -> int:
        """Physical arrays of the layer."""
        return self.n_tiles * self.arrays_per_tile

    @property
    def utilisation(self) -> float:
        """Cells that carry weights over all cells; every cell of a pair or of slices counts."""
        return self.weights / (self.n_arrays * self.crossbar.rows * self.crossbar.cols)

    def of_outputs(self, values: np.ndarray, fill: float) -> np.ndarray:
        """Lay out values of a layer's channels for the outputs of its blocks, (.., groups, N).

        Args:
            values: float64 (.., channels), groups of the layer one after the other.
            fill: for the outputs of a block's empty places.
        """
        lead, missing = values.shape[:-1], self.groups * self.n_outputs - values.shape[-1]
        filled = np.concatenate([values, np.full((*lead, missing), fill)], axis=-1)
        return filled.reshape(*lead, self.groups, self.n_outputs)


def tile_layer(layer: Layer, crossbar: Crossbar, mapping: Mapping) -> Tiling:
    """Cut a layer's matrices into tiles of the array's size, filled from row 0 and column 0.

    Source: docs/concepts/model.md section 2.

    Raises:
        SettingError: an array has too few columns for the cells of one weight.
    """
    cells = mapping.slices * (2 if mapping.scheme == "differential" else 1)
    adjacent = mapping.layout == "adjacent"
    capacity = _outputs_per_array(layer, crossbar, mapping, cells if adjacent else 1)
    packed = _packed(layer, crossbar, mapping, capacity)
    order = np.arange(layer.n_inputs)
    if mapping.row_order == "kernel_major":
        order = order.reshape(-1, layer.kernel_size).T.ravel()
    order = (np.arange(packed)[:, None] * layer.n_inputs + order).ravel()
    n_outputs = packed * layer.n_outputs
    row_tiles = tuple(order[part] for part in _parts(len(order), crossbar.rows, mapping.split))
    col_tiles = tuple((p.start, p.stop) for p in _parts(n_outputs, capacity, mapping.split))
    return Tiling(
        groups=-(-layer.groups // packed),
        packed=packed,
        n_inputs=len(order),
        n_outputs=n_outputs,
        row_tiles=row_tiles,
        col_tiles=col_tiles,
        arrays_per_tile=1 if adjacent else cells,
        weights=cells * layer.matrices.size,
        crossbar=crossbar,
    )


def _outputs_per_array(
    layer: Layer, crossbar: Crossbar, mapping: Mapping, columns_per_output: int
) -> int:
    """Return how many outputs fit beside the spare and the reference columns."""
    references = 0
    if mapping.offset_removal == "reference_column":
        references = mapping.slices if mapping.layout == "adjacent" else 1
    capacity = (crossbar.cols - mapping.spare_cols - references) // columns_per_output
    if capacity < 1:
        raise SettingError(
            f"crossbar.cols: found {crossbar.cols} for layer {layer.name}, expected room for "
            f"{counted(columns_per_output, 'column')} of one output, {references} reference and "
            f"{mapping.spare_cols} spare ones; use wider arrays or mapping.layout: separate"
        )
    return capacity


def _packed(layer: Layer, crossbar: Crossbar, mapping: Mapping, capacity: int) -> int:
    """Return how many groups share an array: as many as fit along its diagonal."""
    if not mapping.pack_groups:
        return 1
    fitting = min(crossbar.rows // layer.n_inputs, capacity // layer.n_outputs)
    return min(max(fitting, 1), layer.groups)


def _parts(length: int, size: int, split: str) -> list[slice]:
    """Cut a length into full parts and a rest, or into equal parts."""
    if split == "fill":
        return [slice(start, min(start + size, length)) for start in range(0, length, size)]
    count = -(-length // size)
    bounds = np.cumsum([0, *(length // count + (k < length % count) for k in range(count))])
    return [slice(int(a), int(b)) for a, b in itertools.pairwise(bounds)]
