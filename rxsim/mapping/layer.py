"""A layer on its arrays: where each weight lies, and its target conductance."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rxsim.config import Crossbar, Device, Mapping
from rxsim.load import Layer
from rxsim.mapping.array_stack import ArrayStack
from rxsim.mapping.arrays import PhysicalArray
from rxsim.mapping.blocks import block_weights
from rxsim.mapping.cells import Cells, cells_of
from rxsim.mapping.columns import column_maps
from rxsim.mapping.readouts import Readouts, readouts_of
from rxsim.mapping.scale import weight_scales
from rxsim.mapping.tiling import Tiling, tile_layer
from rxsim.seeds import layout_generator

_Kinds = tuple[tuple[int, int], ...]  # slice and polarity of an output's columns in an array


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _TilePart:
    """A tile's part of a layer.

    Attributes:
        tile: its number.
        place: block, row tile and column tile.
        weights: float64 (rows, outputs).
        w_max: weight scale of each output, float64 (outputs,).
        used: bool (rows, outputs), which cells hold a weight; None where all do.
        inputs: input `group * K + k` of each row, -1 where its group does not exist, int64 (rows,).
        has_output: which outputs belong to an existing group, bool (outputs,).
    """

    tile: int
    place: tuple[int, int, int]
    weights: np.ndarray
    w_max: np.ndarray
    used: np.ndarray | None
    inputs: np.ndarray
    has_output: np.ndarray


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class MappedLayer:
    """A layer cut into tiles; its physical arrays are made one at a time, on demand.

    Arrays are numbered ((group * row tiles + p) * column tiles + q) * arrays of a tile + a; tiles that
    are left out have no number. On separate arrays a is slice * polarities + polarity, where polarity 0
    carries max(w, 0) and 1 carries max(-w, 0); in the layout `adjacent` a tile is one array, and an
    output's cells lie side by side in this order.

    Attributes:
        layer: the layer.
        tiling: how it is cut; groups packed into a block count as a single group from here on.
        cells: how a weight becomes cells.
        readouts: the converted currents, and their place values.
        w_max: weight scale, float64 (row tiles, groups, N).
        mapping: layout, permutations and unused cells.
        designed: the arrays, where a design step made them; None where they follow from the weights.
        gain: factor that the conductances of a weight hold more than it asks for, and that decoding
            divides out, float64 (row tiles, groups, N); None for 1.
        counted_deviation: of programmed cells, which design steps took into account, siemens; part of
            what the arrays follow from, also where chips are nominal.
    """

    layer: Layer
    tiling: Tiling
    cells: Cells
    readouts: Readouts
    w_max: np.ndarray
    mapping: Mapping
    designed: tuple[PhysicalArray, ...] | None = None
    gain: np.ndarray | None = None
    counted_deviation: float = 0.0

    def with_arrays(self, arrays: Sequence[PhysicalArray]) -> MappedLayer:
        """Return the layer with arrays of a design step, one for each number."""
        assert len(arrays) == self.n_arrays
        return replace(self, designed=tuple(arrays))

    def with_gain(self, gain: np.ndarray) -> MappedLayer:
        """Return the layer whose arrays hold a factor that decoding divides out.

        Args:
            gain: float64, broadcast to (row tiles, groups, N); on top of a gain that it has.
        """
        before = 1.0 if self.gain is None else self.gain
        return replace(self, gain=np.broadcast_to(gain, self.w_max.shape) * before)

    @property
    def row_tiles(self) -> tuple[np.ndarray, ...]:
        """Rows k of each row tile, in physical order."""
        return self.tiling.row_tiles

    @property
    def n_arrays(self) -> int:
        """Physical arrays of the layer."""
        return self.tiling.n_arrays

    @property
    def device(self) -> Device:
        """Conductance range and levels of the cells."""
        return self.cells.device

    @property
    def weight_per_siemens(self) -> np.ndarray:
        """Weight per siemens of an output's sum of readouts, (row tiles, groups, N).

        0 where a row tile has no cells of an output: whatever its converters read does not count.
        """
        weight = self.w_max * self.cells.weight_per_siemens
        weight = weight if self.gain is None else weight / self.gain
        carried = self.tiling.carried
        return weight if carried is None else np.where(carried, weight, 0.0)

    def array(self, index: int, *, used_only: bool = False) -> PhysicalArray:
        """Make a physical array with its target conductances.

        Args:
            index: the array's number.
            used_only: leave out the rows and columns behind the used ones, which only a circuit or a
                draw can tell from none at all; not where lines are permuted or a design step made the
                arrays.
        """
        return self.stack(range(index, index + 1), used_only=used_only).arrays[0]

    def runs(self, most: int) -> Iterator[range]:
        """List the numbers of arrays that `stack` makes at once: tiles with as many used lines.

        Args:
            most: arrays of a run, which holds whole tiles, or parts of a single one.
        """
        each = self.tiling.arrays_per_tile
        if most < each:
            for tile in range(0, self.n_arrays, each):
                for start in range(tile, tile + each, most):
                    yield range(start, min(start + most, tile + each))
            return
        rows = np.array([len(part) for part in self.row_tiles])
        outputs = np.array([stop - start for start, stop in self.tiling.col_tiles])
        _, p, q = self.tiling.places.T
        changes = (np.diff(rows[p]) != 0) | (np.diff(outputs[q]) != 0)
        bounds = [0, *(np.flatnonzero(changes) + 1).tolist(), self.tiling.n_tiles]
        step = most // each
        for first, end in itertools.pairwise(bounds):
            for start in range(first, end, step):
                yield range(start * each, min(start + step, end) * each)

    def stack(self, numbers: range, *, used_only: bool = False) -> ArrayStack:
        """Make arrays that follow on one another, of one tile or of the tiles of a run.

        Args:
            numbers: of the arrays.
            used_only: as `array` takes it.
        """
        if self.designed is not None:
            return ArrayStack.of([self.designed[number] for number in numbers])
        each = self.tiling.arrays_per_tile
        tiles = range(numbers.start // each, (numbers.stop - 1) // each + 1)
        places = range(each)
        if len(tiles) == 1:
            places = range(numbers.start % each, (numbers.stop - 1) % each + 1)
        parts = [self._part(tile) for tile in tiles]
        kinds = [self._kinds(a) for a in places]
        target, blank = self._targets(parts, kinds, used_only)
        first = places.start
        arrays = [
            array
            for at, part in enumerate(parts)
            for array in self._arrays(part, kinds, first, target[at], blank[at])
        ]
        if self.mapping.is_permuted:
            return ArrayStack.of([self._permuted(array, array.index // each) for array in arrays])
        size = (len(arrays), *target.shape[2:])
        return ArrayStack(tuple(arrays), target.reshape(size), blank.reshape(size))

    def _part(self, tile: int) -> _TilePart:
        """Take a tile's part of the weights."""
        group, p, q = self.tiling.place(tile)
        start, stop = self.tiling.col_tiles[q]
        k, n = self.row_tiles[p], self.tiling.outputs[start:stop]
        weights, used, present = block_weights(self.layer, group, self.tiling.packed, k, n)
        return _TilePart(
            tile=tile,
            place=(group, p, q),
            weights=weights,
            w_max=self.w_max[p, group, n],
            used=used,
            inputs=np.where(present[0], group * self.tiling.n_inputs + k, -1),
            has_output=present[1],
        )

    def _arrays(
        self,
        part: _TilePart,
        kinds: Sequence[_Kinds],
        first: int,
        target: np.ndarray,
        blank: np.ndarray,
    ) -> Iterator[PhysicalArray]:
        """Name the lines of a tile's arrays from the first one on; their cells are (arrays, ..)."""
        group, p, q = part.place
        n_rows, n_cols = target.shape[1:]
        rows, row_signs = np.full(n_rows, -1, dtype=np.int64), np.ones(n_rows)
        rows[: len(part.inputs)] = part.inputs
        for lines in (rows, row_signs):
            lines.setflags(write=False)  # arrays of a tile share them
        for at, kind in enumerate(kinds):
            cols, signs, references = self._columns(kind, group, q, part.has_output, n_cols)
            yield PhysicalArray(
                index=part.tile * self.tiling.arrays_per_tile + first + at,
                conversion=p,
                target=target[at],
                blank=blank[at],
                rows=rows,
                row_signs=row_signs,
                cols=cols,
                col_signs=signs,
                references=references,
            )

    def _kinds(self, a: int) -> _Kinds:
        """List the slice and polarity of an output's columns in an array."""
        cells = self.cells
        kinds = tuple((s, side) for s in range(cells.slices) for side in range(cells.polarities))
        return kinds if self.mapping.layout == "adjacent" else kinds[a : a + 1]

    def _reference_slices(self, kinds: _Kinds) -> tuple[int, ...]:
        return tuple(s for s, _ in kinds) if self.cells.has_reference else ()

    def _targets(
        self, parts: list[_TilePart], kinds: Sequence[_Kinds], used_only: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Lay out the target conductances of some arrays of tiles, and which cells are open.

        Returns:
            Siemens and bool, (tiles, arrays of a tile, n_rows, n_cols).
        """
        weights = np.stack([part.weights for part in parts])
        shares = self.cells.shares(weights, np.stack([part.w_max for part in parts])[:, None])
        masks = [part.used for part in parts if part.used is not None]
        used = np.stack(masks) if masks else None  # all tiles of a layer have one, or none has
        is_open = self.mapping.unused_cells == "open"
        n_rows, n_outputs = weights.shape[1:]
        shape = (self.tiling.crossbar.rows, self.tiling.crossbar.cols)
        if used_only and not self.mapping.is_permuted:
            behind = len(self._reference_slices(kinds[0]))
            shape = (n_rows, n_outputs * len(kinds[0]) + behind)
        target = np.empty((len(parts), len(kinds), *shape))
        blank = np.zeros(target.shape, dtype=bool)
        is_full = shape == (n_rows, n_outputs) and used is None
        if not is_full:
            target[:], blank[:] = (0.0 if is_open else self.device.g_off), is_open
        for at, kind in enumerate(kinds):
            self._lay_out(kind, shares, used, target[:, at], blank[:, at])
        return target, blank

    def _lay_out(
        self,
        kinds: _Kinds,
        shares: np.ndarray,
        used: np.ndarray | None,
        target: np.ndarray,
        blank: np.ndarray,
    ) -> None:
        """Put the cells of weights into arrays, which hold (tiles, n_rows, n_cols) resting ones."""
        is_open = self.mapping.unused_cells == "open"
        in_columns = self.mapping.scheme == "offset"
        _, n_rows, n_outputs = shares.shape
        for at, (s, side) in enumerate(kinds):
            cols = slice(at, n_outputs * len(kinds), len(kinds))
            if not is_open and in_columns:
                target[:, n_rows:, cols] = self.cells.zero(s)
            conductances = self.cells.targets(shares, s, side)
            if used is not None:
                resting = (
                    0.0 if is_open else self.cells.zero(s) if in_columns else self.device.g_off
                )
                conductances = np.where(used, conductances, resting)
            target[:, :n_rows, cols] = conductances
            blank[:, :n_rows, cols] = False if used is None else is_open & ~used
        for at, s in enumerate(self._reference_slices(kinds)):
            col = n_outputs * len(kinds) + at
            rows = slice(0, n_rows if is_open else None)
            target[:, rows, col] = self.cells.zero(s)
            blank[:, rows, col] = False

    def _columns(
        self, kinds: _Kinds, group: int, q: int, present: np.ndarray, n_cols: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the readout and the sign of each column, and the reference subtracted from it."""
        cells, first = self.cells, group * self.readouts.count
        digital = self.mapping.subtract == "digital"
        first_reference = -1
        if digital:
            all_outputs = len(self.tiling.outputs) * cells.readouts
            first_reference = first + all_outputs + q * cells.slices
        return column_maps(
            kinds=kinds,
            references=self._reference_slices(kinds),
            present=present.tobytes(),
            n_cols=n_cols,
            first=first,
            start=self.tiling.col_tiles[q][0],
            per_output=cells.readouts,
            polarities=cells.polarities if digital else None,
            first_reference=first_reference,
        )

    def _permuted(self, array: PhysicalArray, tile: int) -> PhysicalArray:
        """Permute the rows and columns of an array as the settings say."""
        how = (self.mapping.row_permutation, self.mapping.col_permutation)
        rng = layout_generator(self.layer.arrays_of, tile)
        rows, cols = (
            _order(kind, length, rng) for kind, length in zip(how, array.target.shape, strict=True)
        )
        return array.moved(rows, cols)


def _order(kind: str, length: int, rng: np.random.Generator) -> np.ndarray:
    """Return the logical line that lies on each physical line."""
    if kind == "random":
        return np.asarray(rng.permutation(length))
    return np.arange(length)[:: -1 if kind == "reversed" else 1]


def map_layer(layer: Layer, crossbar: Crossbar, device: Device, mapping: Mapping) -> MappedLayer:
    """Cut a layer's matrices into tiles and find its weight scales.

    Source: docs/concepts/model.md sections 2 and 3.

    Raises:
        SettingError: an array has no room for the cells of one weight.
    """
    tiling = tile_layer(layer, crossbar, mapping)
    cells = cells_of(device, mapping)
    scales = weight_scales(layer, tiling, mapping.w_max_scope, mapping.w_percentile)
    return MappedLayer(
        layer=layer,
        tiling=tiling,
        cells=cells,
        readouts=readouts_of(tiling, cells, layer.groups),
        w_max=scales,
        mapping=mapping,
    )
