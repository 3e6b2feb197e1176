"""Where weights sit: packed groups, tiles, and the cells of the physical arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rxsim.config import Settings

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]


@dataclass(frozen=True)
class Packed:
    """The matrices of a layer after several groups may have been put on one array.

    Attributes:
        weights: Block diagonal matrices, shape (G, K, N); 0 where there is no weight.
        present: Where there is a weight, shape as weights.
        size: Original groups of one packed group.
        original: Number of original groups.
    """

    weights: Floats
    present: Bools
    size: int
    original: int

    def pack_vectors(self, vectors: NDArray) -> NDArray:
        """Return input vectors (M, original groups, rows) as (M, G, K), 0 for missing groups."""
        missing = self.weights.shape[0] * self.size - self.original
        filled = np.pad(vectors, ((0, 0), (0, missing), (0, 0)))
        return filled.reshape(vectors.shape[0], *self.weights.shape[:2])

    def unpack_results(self, results: NDArray) -> NDArray:
        """Return results (M, G, N) as (M, original groups, outputs), missing groups left out."""
        outputs = self.weights.shape[2] // self.size
        return results.reshape(results.shape[0], -1, outputs)[:, : self.original]


@dataclass(frozen=True)
class Column:
    """What a physical column of an array holds.

    Attributes:
        array: Number of the array within its tile.
        position: Column of the array, before any permutation.
        digit: Slice s.
        side: 0 for plus (or a single cell), 1 for minus; 0 for a reference column.
        output: Output n within the column tile; -1 for a reference column.
    """

    array: int
    position: int
    digit: int
    side: int
    output: int


def sides(settings: Settings) -> int:
    """Return how many polarities a weight has cells for."""
    return 2 if settings.mapping.scheme == "differential" else 1


def has_reference(settings: Settings) -> bool:
    """Return whether arrays have reference columns."""
    return settings.mapping.offset_removal == "reference_column"


def capacity(settings: Settings) -> int:
    """Return how many outputs fit on one array."""
    mapping = settings.mapping
    adjacent = mapping.layout == "adjacent"
    references = (mapping.slices if adjacent else 1) if has_reference(settings) else 0
    each = mapping.slices * sides(settings) if adjacent else 1
    return (settings.crossbar.cols - mapping.spare_cols - references) // each


def pack(weights: Floats, settings: Settings) -> Packed:
    """Put as many groups (weights (groups, rows, outputs)) on one array as fit, where asked to."""
    groups, rows, outputs = weights.shape
    size = min(settings.crossbar.rows // rows, capacity(settings) // outputs, groups)
    if not settings.mapping.pack_groups or size < 2:
        return Packed(weights, np.ones(weights.shape, dtype=bool), 1, groups)
    count = -(-groups // size)
    packed = np.zeros((count, size * rows, size * outputs))
    present = np.zeros(packed.shape, dtype=bool)
    for g in range(groups):
        place = g % size
        at_rows = slice(place * rows, (place + 1) * rows)
        at_columns = slice(place * outputs, (place + 1) * outputs)
        packed[g // size, at_rows, at_columns] = weights[g]
        present[g // size, at_rows, at_columns] = True
    return Packed(packed, present, size, groups)


def parts(length: int, largest: int, split: str) -> list[Ints]:
    """Return the indices 0..length-1 in parts of at most ``largest``."""
    everything = np.arange(length)
    if split == "equal":
        return np.array_split(everything, -(-length // largest))
    return [everything[first : first + largest] for first in range(0, length, largest)]


def columns(settings: Settings, outputs: int) -> list[Column]:
    """Return the columns in use of the arrays of one tile with so many outputs."""
    slices, n_sides = settings.mapping.slices, sides(settings)
    found = []
    if settings.mapping.layout == "adjacent":
        position = 0
        for n in range(outputs):
            for s in range(slices):
                for r in range(n_sides):
                    found.append(Column(0, position, s, r, n))
                    position += 1
        if has_reference(settings):
            found += [Column(0, position + s, s, 0, -1) for s in range(slices)]
        return found
    for s in range(slices):
        for r in range(n_sides):
            found += [Column(s * n_sides + r, n, s, r, n) for n in range(outputs)]
        if has_reference(settings):
            found.append(Column(s * n_sides, outputs, s, 0, -1))
    return found


def tile_arrays(
    settings: Settings, cells: Floats, present: Bools, zero: Floats, held: list[Column]
) -> list[Floats]:
    """Return the arrays of one tile in S, in the order of their numbers.

    Args:
        settings: The settings.
        cells: Conductance of every weight's cells, shape (S, R, K_p, N_q).
        present: Where there is a weight, shape (K_p, N_q).
        zero: Conductance of a zero weight, shape (S,).
        held: The columns of the tile's arrays.
    """
    open_cells = settings.mapping.unused_cells == "open"
    resting = 0.0 if open_cells else settings.device.g_off
    shape = (settings.crossbar.rows, settings.crossbar.cols)
    count = 1 + max(column.array for column in held)
    arrays = [np.full(shape, resting) for _ in range(count)]
    used = cells.shape[2]
    for column in held:
        unused = resting
        if settings.mapping.scheme == "offset" and not open_cells:
            unused = zero[column.digit]
        values = np.full(shape[0], unused)
        if column.output < 0:
            values[:used] = zero[column.digit]
        else:
            here = present[:, column.output]
            values[:used][here] = cells[column.digit, column.side, here, column.output]
        arrays[column.array][:, column.position] = values
    return [permuted(array, settings) for array in arrays]


def permuted(array: Floats, settings: Settings) -> Floats:
    """Return an array (n_rows, n_cols) with reversed rows and columns, where asked to."""
    if settings.mapping.row_permutation == "reversed":
        array = array[::-1]
    if settings.mapping.col_permutation == "reversed":
        array = array[:, ::-1]
    return array
