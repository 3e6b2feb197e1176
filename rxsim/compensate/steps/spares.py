"""Spares: spare columns take over the columns whose known faults cost most.

Each array has `mapping.spare_cols` columns without weights. A multiplexer in front of the converters
(or of the subtraction of a pair or a reference) lets a spare stand for any column of its array; the
columns of a pair move one by one. The cost of a place is the squared error, siemens^2, that known
faults leave in the sums which the column enters (a pair's difference, or a column less its reference),
times the square of the slice's place value. Columns get their own place or a spare by optimal
assignment; where columns share sums, such as both columns of a pair, one set after the other, until no
set gains. Where `pairs` follows in the list, only what it can't mend counts.

Source: the assignment is that of Kuhn, Naval Res. Logist. 2, 1955; docs/concepts/model.md section 14.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from rxsim.compensate.chosen import chosen_steps
from rxsim.compensate.step import KnownTile, Needs, NoOptions, TileStep
from rxsim.compensate.steps._lines import lines_of, sides_apart, used_rows
from rxsim.config import Settings
from rxsim.devices import to_levels
from rxsim.mapping import MappedLayer, PhysicalArray

_MOST_SWEEPS = 8  # over the sets of columns; each only lowers the cost
_ROUNDING = 1e-12  # relative gains below it are float rounding


class Spares(TileStep[NoOptions]):
    """See the file's docstring."""

    title = "spare columns"
    source = "docs/concepts/model.md section 14"
    options = NoOptions
    mends = "faults"

    def check(self, settings: Settings, options: NoOptions) -> str | None:
        """Refuse arrays without spare columns."""
        if settings.mapping.spare_cols:
            return None
        return "found mapping.spare_cols: 0, expected some; set it, or leave the step out"

    def needs(self, layer: MappedLayer, options: NoOptions) -> Needs:
        """Every cell is tested once, and every spare stores the column that it stands for."""
        bar = layer.tiling.crossbar
        spares = layer.n_arrays * layer.mapping.spare_cols
        return Needs(
            spare_columns=spares,
            stored_values=spares,
            cell_reads=layer.n_arrays * bar.rows * bar.cols,
        )

    def retarget(
        self, tile: KnownTile, layer: MappedLayer, settings: Settings, options: NoOptions
    ) -> tuple[PhysicalArray, ...]:
        """Move columns to spares."""
        placement = Placement(tile, layer, mended=_pairs_follow(settings))
        placement.improve()
        return tuple(
            _swapped(array, placement.moves(number)) for number, array in enumerate(tile.arrays)
        )


class Placement:
    """Where the columns of a tile lie, and what error known faults leave there."""

    def __init__(self, tile: KnownTile, layer: MappedLayer, *, mended: bool) -> None:
        """Start with every column at its place.

        Args:
            tile: the tile.
            layer: its layer.
            mended: count only what other cells of pairs can't mend.
        """
        self.lines = lines_of(tile.arrays, layer)
        self._arrays, self._device, self._mended = tile.arrays, layer.device, mended
        rows = [used_rows(array) for array in tile.arrays]
        # Of spares, too: a cell that is left open where it is not needed may be stuck where it is.
        self._stuck = [cells[of].T for cells, of in zip(tile.stuck, rows, strict=True)]
        levels = [to_levels(array.target, layer.device) for array in tile.arrays]
        self._levels = np.array(
            [levels[line.array][rows[line.array], line.col] for line in self.lines]
        )
        self._blank = np.array(
            [tile.arrays[line.array].blank[rows[line.array], line.col] for line in self.lines]
        )
        sums = np.unique(np.concatenate([line.sums for line in self.lines]))
        self._signs = np.zeros((len(sums), len(self.lines)))
        for number, line in enumerate(self.lines):
            self._signs[np.searchsorted(sums, line.sums), number] = line.sign
        slices = layer.readouts.slices[sums * sides_apart(layer)]
        self._values = np.array([layer.cells.slice_weight(int(place)) for place in slices]) ** 2.0
        self._spares = [_free(array, layer.mapping.spare_cols) for array in tile.arrays]
        self.places = np.array([line.col for line in self.lines])

    def improve(self) -> None:
        """Assign the columns of each array to their own places or to spares."""
        for _ in range(_MOST_SWEEPS):
            before = self.cost()
            for array in range(len(self._arrays)):
                sets = self._sets(array)
                for chosen in [sets] if len(sets) == 1 else [sets, *([each] for each in sets)]:
                    self._assign(array, chosen)
            if self.cost() >= before:
                return

    def cost(self, places: np.ndarray | None = None) -> float:
        """Return the error that columns at some places leave, siemens^2."""
        return float(self._costs(self.places if places is None else places).sum())

    def moves(self, array: int) -> dict[int, int]:
        """Return the spares that columns of an array moved to, by their former places."""
        return {
            line.col: int(place)
            for line, place in zip(self.lines, self.places, strict=True)
            if line.array == array and line.col != place
        }

    def _sets(self, array: int) -> list[list[int]]:
        """Return the columns of an array in sets of which no two enter the same sum."""
        by_role: dict[tuple[bool, float], list[int]] = {}
        for number, line in enumerate(self.lines):
            if line.array == array:
                by_role.setdefault((line.is_reference, line.sign), []).append(number)
        return list(by_role.values())

    def _assign(self, array: int, sets: list[list[int]]) -> None:
        """Assign sets of an array's columns to their own places or spares, if that costs less."""
        members = [number for each in sets for number in each]
        others = [
            n for n, line in enumerate(self.lines) if line.array == array and n not in members
        ]
        taken = set(self.places[others].tolist())
        spares = [spare for spare in self._spares[array] if spare not in taken]
        if not members or not spares:
            return
        homes = np.array([self.lines[number].col for number in members])
        at_home = self._costs_of(sets, homes)
        at_spares = [self._costs_of(sets, np.full(len(members), spare)) for spare in spares]
        costs = np.full((len(members), len(members) + len(spares)), np.inf)
        np.fill_diagonal(costs, at_home)
        costs[:, len(members) :] = np.transpose(at_spares)
        _, chosen = linear_sum_assignment(costs)
        gains = costs[np.arange(len(members)), chosen] < at_home  # nothing moves for nothing
        places = self.places.copy()
        places[members] = np.where(gains, np.append(homes, spares)[chosen], homes)
        if self.cost(places) < self.cost() * (1 - _ROUNDING):
            self.places = places

    def _costs_of(self, sets: list[list[int]], places: np.ndarray) -> np.ndarray:
        """Return the cost of each column of some sets at a place, all other sets where they are."""
        costs, first = [], 0
        for members in sets:
            tried = self.places.copy()
            tried[members] = places[first : first + len(members)]
            by_sum = self._costs(tried)
            costs.append(by_sum @ (self._signs[:, members] != 0))
            first += len(members)
        return np.concatenate(costs)

    def _costs(self, places: np.ndarray) -> np.ndarray:
        """Return the squared error of each sum, times its place value squared, float64 (sums,)."""
        stuck = np.array(
            [self._stuck[line.array][at] for line, at in zip(self.lines, places, strict=True)]
        )
        stuck = np.where(self._blank, np.nan, stuck)
        if self._mended:
            errors = self._beyond_reach(stuck)
        else:
            errors = self._signs @ np.where(np.isnan(stuck), 0.0, stuck - self._levels)
        return np.asarray(np.square(errors).sum(axis=1) * self._values)

    def _beyond_reach(self, stuck: np.ndarray) -> np.ndarray:
        """Return how far the differences of pairs are out of reach of their cells, siemens."""
        plus, minus = self._signs.argmax(axis=1), self._signs.argmin(axis=1)
        wanted = self._levels[plus] - self._levels[minus]
        low, high = (
            np.where(np.isnan(stuck), end, stuck) for end in (self._device.g_off, self._device.g_on)
        )
        # A cell that works keeps its target where the pair has no fault, whatever that is.
        is_known = ~np.isnan(stuck[plus]) | ~np.isnan(stuck[minus])
        short = np.maximum(low[plus] - high[minus] - wanted, wanted - (high[plus] - low[minus]))
        return np.asarray(np.where(is_known, np.maximum(short, 0.0), 0.0))


def _pairs_follow(settings: Settings) -> bool:
    """Tell whether pairs are mended after spares took columns over."""
    names = [chosen.name for chosen in chosen_steps(settings, "tile")]
    return "pairs" in names[names.index("spares") :] if "spares" in names else False


def _free(array: PhysicalArray, count: int) -> list[int]:
    """Return the last of the columns that are neither read nor referred to: the spares of an array."""
    free = array.cols < 0
    free[array.references[array.references >= 0]] = False
    return [int(col) for col in np.flatnonzero(free)[-count:]]


def _swapped(array: PhysicalArray, moves: dict[int, int]) -> PhysicalArray:
    """Return an array whose columns changed places with spares."""
    if not moves:
        return array
    order = np.arange(len(array.cols))
    for home, spare in moves.items():
        order[home], order[spare] = spare, home
    return array.moved(np.arange(len(array.rows)), order)


STEP = Spares()
