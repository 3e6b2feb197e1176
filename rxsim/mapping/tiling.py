"""How a layer's matrices are cut into tiles: by shapes alone, unless lines of zeros are left out."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np

from rxsim.config import Crossbar, Mapping
from rxsim.counted import counted
from rxsim.errors import SettingError
from rxsim.load import Layer
from rxsim.mapping.carrying import carrying_lines, carrying_tiles


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
        outputs: outputs n of a block that lie on columns, in physical order, int64; not those without
            a weight where `skip_zero` leaves them out.
        col_tiles: for each column tile q its part of `outputs` as a half-open range (start, stop).
        tiles: those that exist, by their numbers (block * row tiles + p) * column tiles + q, int64,
            rising; not those without a weight where `skip_zero` leaves them out.
        arrays_per_tile: physical arrays per tile.
        weights: cells that carry weights in the whole layer.
        crossbar: the array's size.
    """

    groups: int
    packed: int
    n_inputs: int
    n_outputs: int
    row_tiles: tuple[np.ndarray, ...]
    outputs: np.ndarray
    col_tiles: tuple[tuple[int, int], ...]
    tiles: np.ndarray
    arrays_per_tile: int
    weights: int
    crossbar: Crossbar

    @property
    def n_tiles(self) -> int:
        """Tiles of the layer."""
        return len(self.tiles)

    @property
    def places(self) -> np.ndarray:
        """Block, row tile and column tile of each tile, int64 (tiles, 3)."""
        shape = (self.groups, len(self.row_tiles), len(self.col_tiles))
        return np.stack(np.unravel_index(self.tiles, shape), axis=1)

    def place(self, tile: int) -> tuple[int, int, int]:
        """Return block, row tile and column tile of the tile of a number that counts from 0."""
        rest, q = divmod(int(self.tiles[tile]), len(self.col_tiles))
        block, p = divmod(rest, len(self.row_tiles))
        return block, p, q

    @property
    def there(self) -> np.ndarray:
        """Which tiles exist, bool (groups, row tiles, column tiles)."""
        there = np.zeros((self.groups, len(self.row_tiles), len(self.col_tiles)), dtype=bool)
        there.ravel()[self.tiles] = True
        return there

    @property
    def carried(self) -> np.ndarray | None:
        """Which outputs each row tile adds to, bool (row tiles, groups, N); None where all to all."""
        every = self.groups * len(self.row_tiles) * len(self.col_tiles)
        if self.n_tiles == every and len(self.outputs) == self.n_outputs:
            return None
        carried = np.zeros((len(self.row_tiles), self.groups, self.n_outputs), dtype=bool)
        for block, p, q in self.places.tolist():
            carried[p, block, self.outputs[slice(*self.col_tiles[q])]] = True
        return carried

    def groups_in(self, blocks: np.ndarray, layer_groups: int) -> np.ndarray:
        """Count the groups of the layer in blocks: the last one may hold fewer than the others."""
        return np.asarray(np.minimum(layer_groups - blocks * self.packed, self.packed))

    def lines(self, layer_groups: int) -> tuple[np.ndarray, np.ndarray]:
        """Count the rows and the outputs that carry weights in each tile, int64 (tiles,) each."""
        blocks, p, q = self.places.T
        rows = np.array([len(part) for part in self.row_tiles])[p]
        outputs = np.array([stop - start for start, stop in self.col_tiles])[q]
        here = self.groups_in(blocks, layer_groups)
        return rows // self.packed * here, outputs // self.packed * here

    def driven_inputs(self, layer_groups: int) -> np.ndarray:
        """List the inputs `group * K + k` of the layer that drive tiles, once for each, int64."""
        listed = [block * self.n_inputs + self.row_tiles[p] for block, p, _ in self.places.tolist()]
        inputs = np.concatenate(listed)
        return inputs[inputs < layer_groups * (self.n_inputs // self.packed)]

    def inputs_read(self, layer_groups: int) -> int:
        """Count the inputs of a position, once for each row tile that reads them."""
        _, first = np.unique(self.places[:, :2], axis=0, return_index=True)
        return int(self.lines(layer_groups)[0][first].sum())

    def outputs_held(self, layer_groups: int) -> int:
        """Count the layer's outputs that any array has columns of."""
        _, first = np.unique(self.places[:, ::2], axis=0, return_index=True)
        return int(self.lines(layer_groups)[1][first].sum())

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
    rows, columns = np.arange(layer.n_inputs), np.arange(layer.n_outputs)
    if mapping.skip_zero:
        rows, columns = carrying_lines(layer)
    adjacent = mapping.layout == "adjacent"
    capacity = _outputs_per_array(layer, crossbar, mapping, cells if adjacent else 1)
    packed = 1
    if mapping.pack_groups:
        packed = _packed(layer.groups, len(rows), len(columns), crossbar, capacity)
    order = np.arange(layer.n_inputs)
    if mapping.row_order == "kernel_major":
        order = order.reshape(-1, layer.kernel_size).T.ravel()
    order = order[np.isin(order, rows)]
    order = (np.arange(packed)[:, None] * layer.n_inputs + order).ravel()
    outputs = (np.arange(packed)[:, None] * layer.n_outputs + columns).ravel()
    row_tiles = tuple(order[part] for part in _parts(len(order), crossbar.rows, mapping.split))
    col_tiles = tuple((p.start, p.stop) for p in _parts(len(outputs), capacity, mapping.split))
    groups = -(-layer.groups // packed)
    tiles = np.arange(groups * len(row_tiles) * len(col_tiles))
    if mapping.skip_zero:
        there = carrying_tiles(layer, packed, row_tiles, col_tiles, outputs)
        tiles = np.flatnonzero(there) if there.any() else tiles[:1]
    tiling = Tiling(
        groups=groups,
        packed=packed,
        n_inputs=packed * layer.n_inputs,
        n_outputs=packed * layer.n_outputs,
        row_tiles=row_tiles,
        outputs=outputs,
        col_tiles=col_tiles,
        tiles=tiles,
        arrays_per_tile=1 if adjacent else cells,
        weights=cells * layer.matrices.size,
        crossbar=crossbar,
    )
    return replace(tiling, weights=cells * _held(tiling, layer)) if mapping.skip_zero else tiling


def _held(tiling: Tiling, layer: Layer) -> int:
    """Count the weights that have cells: those on lines and tiles that are left."""
    rows, outputs = tiling.lines(layer.groups)
    groups = tiling.groups_in(tiling.places[:, 0], layer.groups)
    return int((rows * outputs // groups).sum())


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


def _packed(groups: int, rows: int, columns: int, crossbar: Crossbar, capacity: int) -> int:
    """Return how many groups share an array: as many as fit along its diagonal."""
    fitting = min(crossbar.rows // rows, capacity // columns)
    return min(max(fitting, 1), groups)


def _parts(length: int, size: int, split: str) -> list[slice]:
    """Cut a length into full parts and a rest, or into equal parts."""
    if split == "fill":
        return [slice(start, min(start + size, length)) for start in range(0, length, size)]
    count = -(-length // size)
    bounds = np.cumsum([0, *(length // count + (k < length % count) for k in range(count))])
    return [slice(int(a), int(b)) for a, b in itertools.pairwise(bounds)]
