"""Where weights sit: packed groups, tiles, and the cells of the physical arrays.

Source: docs/concepts/model.md, section 2. Conventions:

- Arrays of a layer are numbered ((g * P + p) * Q + q) * arrays of a tile + a; on arrays of their own a
  is slice * sides + side (plus before minus); with `layout: adjacent` a tile is one array in which the
  columns of one output lie side by side in this order. Reference columns follow the outputs.
- A random permutation belongs to the design: of `SeedSequence(0, spawn_key=(layer index, tile))`, tile
  being (g * P + p) * Q + q, first the rows are drawn (where they are random), then the columns; entry r
  of a permutation is the line that lies at physical place r. All arrays of a tile have the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin import settings as plain
from twin.arrays import Bools, Floats, Ints, Tensor
from twin.settings import Settings


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

    def pack_vectors(self, vectors: Tensor) -> Tensor:
        """Return input vectors (M, original groups, rows) as (M, G, K), 0 for missing groups."""
        missing = self.weights.shape[0] * self.size - self.original
        filled = np.pad(vectors, ((0, 0), (0, missing), (0, 0)))
        return filled.reshape(vectors.shape[0], *self.weights.shape[:2])

    def unpack_results(self, results: Tensor) -> Tensor:
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


@dataclass(frozen=True)
class Order:
    """Which line of a tile lies at each physical place of its arrays.

    Attributes:
        rows: Shape (n_rows,).
        cols: Shape (n_cols,).
    """

    rows: Ints
    cols: Ints

    def placed(self, array: Tensor) -> Tensor:
        """Return an array (n_rows, n_cols) with its lines at their physical places."""
        return array[np.ix_(self.rows, self.cols)]

    def back(self, array: Tensor) -> Tensor:
        """Return a physical array's lines in the order of the tile."""
        return array[np.ix_(np.argsort(self.rows), np.argsort(self.cols))]


def sides(settings: Settings) -> int:
    """Return how many polarities a weight has cells for."""
    return 2 if settings["mapping"]["scheme"] == "differential" else 1


def has_reference(settings: Settings) -> bool:
    """Return whether arrays have reference columns."""
    return bool(settings["mapping"]["offset_removal"] == "reference_column")


def capacity(settings: Settings) -> int:
    """Return how many outputs fit on one array."""
    mapping = settings["mapping"]
    adjacent, slices = mapping["layout"] == "adjacent", plain.slices(mapping)
    references = (slices if adjacent else 1) if has_reference(settings) else 0
    each = slices * sides(settings) if adjacent else 1
    free: int = settings["crossbar"]["cols"] - mapping["spare_cols"] - references
    return free // each


def pack(weights: Floats, settings: Settings) -> Packed:
    """Put as many groups (weights (groups, rows, outputs)) on one array as fit, where asked to."""
    groups, rows, outputs = weights.shape
    size = min(settings["crossbar"]["rows"] // rows, capacity(settings) // outputs, groups)
    if not settings["mapping"]["pack_groups"] or size < 2:
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
        return list(np.array_split(everything, -(-length // largest)))
    return [everything[first : first + largest] for first in range(0, length, largest)]


def columns(settings: Settings, outputs: int) -> list[Column]:
    """Return the columns in use of the arrays of one tile with so many outputs."""
    slices, n_sides = plain.slices(settings["mapping"]), sides(settings)
    held = []
    if settings["mapping"]["layout"] == "adjacent":
        position = 0
        for n in range(outputs):
            for s in range(slices):
                for r in range(n_sides):
                    held.append(Column(0, position, s, r, n))
                    position += 1
        if has_reference(settings):
            held += [Column(0, position + s, s, 0, -1) for s in range(slices)]
        return held
    for s in range(slices):
        for r in range(n_sides):
            held += [Column(s * n_sides + r, n, s, r, n) for n in range(outputs)]
        if has_reference(settings):
            held.append(Column(s * n_sides, outputs, s, 0, -1))
    return held


def tile_arrays(
    settings: Settings, cells: Floats, present: Bools, zero: Floats, held: list[Column]
) -> tuple[list[Floats], list[Bools]]:
    """Return the arrays of one tile in S and where they are open, before any permutation.

    Args:
        settings: The layer's settings.
        cells: Conductance of every weight's cells, shape (S, R, K_p, N_q).
        present: Where there is a weight, shape (K_p, N_q).
        zero: Conductance of a zero weight, shape (S,).
        held: The columns of the tile's arrays.
    """
    open_cells = settings["mapping"]["unused_cells"] == "open"
    resting = 0.0 if open_cells else float(settings["device"]["g_off"])
    shape = (settings["crossbar"]["rows"], settings["crossbar"]["cols"])
    count = 1 + max(column.array for column in held)
    arrays = [np.full(shape, resting) for _ in range(count)]
    blank = [np.full(shape, open_cells) for _ in range(count)]
    used = cells.shape[2]
    for column in held:
        unused = resting
        if settings["mapping"]["scheme"] == "offset" and not open_cells:
            unused = zero[column.digit]
        values, is_open = np.full(shape[0], unused), np.full(shape[0], open_cells)
        if column.output < 0:
            values[:used] = zero[column.digit]
            is_open[:used] = False
        else:
            here = present[:, column.output]
            values[:used][here] = cells[column.digit, column.side, here, column.output]
            is_open[:used][here] = False
        arrays[column.array][:, column.position] = values
        blank[column.array][:, column.position] = is_open
    return arrays, blank


def order_of(settings: Settings, layer: int, tile: int) -> Order:
    """Return where the lines of a tile lie."""
    mapping, bar = settings["mapping"], settings["crossbar"]
    seeds = np.random.SeedSequence(0, spawn_key=(layer, tile))
    rng = np.random.Generator(np.random.PCG64(seeds))
    orders = []
    for how, length in ((mapping["row_permutation"], bar["rows"]),
                        (mapping["col_permutation"], bar["cols"])):  # fmt: skip
        if how == "random":
            orders.append(rng.permutation(length))
        else:
            orders.append(np.arange(length)[:: -1 if how == "reversed" else 1])
    return Order(*orders)
