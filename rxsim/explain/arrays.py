"""The arrays of a chip that do worst, with maps of what each of their cells gets wrong.

What is wrong with an array is what it adds to its layer's output. That is known of all arrays without
solving any again: the transfer matrices of the chip, less those of levels alone, times the mean
voltages of the rows, decoded as the layer's outputs are. So a loss that both arrays of a pair share
does not count, as it is subtracted; nor does an array whose inputs are always 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rxsim.config import Settings
from rxsim.devices import Chip, has_random_effects
from rxsim.explain.result import ArrayMap
from rxsim.explain.row_voltages import RowVoltages, row_voltages
from rxsim.mapping import MappedLayer, PhysicalArray
from rxsim.pipeline import Foundry, MadeChip, Study, for_each
from rxsim.scenarios import nominal, perfect
from rxsim.tiles import LayerTransfer, array_matrix, is_linear, program_array


def worst_arrays(
    study: Study, foundry: Foundry, chip: MadeChip, count: int, *, trial: int = 0
) -> tuple[ArrayMap, ...]:
    """Return a closer look at the arrays that do worst, worst first.

    Tiles (slices that are on arrays of their own apart) are ranked by the root mean square of their
    errors in the layer's outputs, over that of these outputs, bias left out. Of a pair on two arrays
    the one whose currents are further off stands for both. Converters, noise that is drawn for each
    product and digital compensation are left out.

    Args:
        study: the study.
        foundry: has made the chip.
        chip: the chip.
        count: how many at most.
        trial: number of the chip.

    Raises:
        CircuitError: an array can't be solved.
        ModelError: the float network can't be run.
    """
    if count < 1 or not chip.transfers:
        return ()
    volts = row_voltages(foundry)
    tiles: list[_Tile] = []
    for transfer, exact in zip(chip.transfers, foundry.perfect, strict=True):
        tiles += _tiles(transfer, exact, volts[transfer.mapped.layer.name])
    worst = sorted(tiles, key=lambda tile: -tile.error)[:count]
    maker = _MapMaker(foundry, Chip(study.settings.seed, trial))
    with study.stages("array maps"):
        return tuple(maker.worst_of(tile, volts[tile.transfer.mapped.layer.name]) for tile in worst)


@dataclass(frozen=True, slots=True, eq=False)
class _Tile:
    """A tile, or a slice of it that is on arrays of its own.

    Attributes:
        transfer: what its layer's arrays compute.
        arrays: numbers of its arrays.
        error: of what it adds to the layer's outputs, relative to them.
    """

    transfer: LayerTransfer
    arrays: tuple[int, ...]
    error: float


def _tiles(transfer: LayerTransfer, exact: LayerTransfer, volts: RowVoltages) -> list[_Tile]:
    """Judge the tiles of a layer.

    Args:
        transfer: of the chip.
        exact: with levels only.
        volts: on the layer's rows.
    """
    mapped = transfer.mapped
    tiling, readouts, cells = mapped.tiling, mapped.readouts, mapped.cells
    applied, counted = _by_group(mapped, volts.applied), _by_group(mapped, volts.counted)
    terms = _terms(mapped)
    present = readouts.present[:, readouts.places[0]]
    outputs = np.zeros(present.shape)
    squares = np.zeros((tiling.groups, len(mapped.row_tiles), len(terms), tiling.n_outputs))
    for p, rows in enumerate(mapped.row_tiles):
        v, scale = applied[:, rows], mapped.weight_per_siemens[p]
        ideal = np.einsum("gr,grc->gc", v, exact.matrices[p])
        wrong = np.einsum("gr,grc->gc", counted[:, rows], transfer.matrices[p]) - ideal
        every = _decoded(mapped, ideal, np.arange(len(readouts.weights)))
        outputs += (every - cells.removed * v.sum(axis=1)[:, None]) * scale
        for at, some in enumerate(terms):
            squares[:, p, at] = np.square(_decoded(mapped, wrong, some) * scale)
    size = _rms(outputs[present])
    columns = [tiling.outputs[slice(*part)] for part in tiling.col_tiles]
    tiles = []
    for number, (group, p, q) in enumerate(tiling.places.tolist()):
        used = columns[q][present[group, columns[q]]]
        for at in range(len(terms)):
            error = float(np.sqrt(squares[group, p, at, used].sum() / max(len(used), 1)))
            numbers = _arrays(mapped, number, at)
            tiles.append(_Tile(transfer, numbers, error / size if size > 0 else 0.0))
    return tiles


def _by_group(mapped: MappedLayer, volts: np.ndarray) -> np.ndarray:
    """Deal out voltages to the groups, (groups, K): the last block may hold fewer than the others."""
    tiling = mapped.tiling
    padded = np.zeros(tiling.groups * tiling.n_inputs)
    padded[: len(volts)] = volts
    return padded.reshape(tiling.groups, tiling.n_inputs)


def _terms(mapped: MappedLayer) -> list[np.ndarray]:
    """List the terms of an output that lie on the same arrays: those of a slice, or all."""
    slices = mapped.readouts.slices[mapped.readouts.places[:, 0]]
    if mapped.mapping.layout == "adjacent":
        return [np.arange(len(slices))]
    return [np.flatnonzero(slices == place) for place in range(mapped.cells.slices)]


def _decoded(mapped: MappedLayer, currents: np.ndarray, terms: np.ndarray) -> np.ndarray:
    """Add some terms of each output's currents by their place values, (groups, N)."""
    readouts = mapped.readouts
    places = currents[:, readouts.places[terms]]
    return np.asarray(np.einsum("t,gtn->gn", readouts.weights[terms].astype(np.float64), places))


def _arrays(mapped: MappedLayer, tile: int, at: int) -> tuple[int, ...]:
    """Return the numbers of a tile's arrays, of one of its slices where these are apart.

    Args:
        mapped: the layer.
        tile: its number.
        at: its slice; 0 where all are on the same array.
    """
    first = tile * mapped.tiling.arrays_per_tile
    if mapped.mapping.layout == "adjacent":
        return (first,)
    polarities = mapped.cells.polarities
    return tuple(first + at * polarities + side for side in range(polarities))


class _MapMaker:
    """Programs and solves single arrays of a chip, as the chip was made."""

    def __init__(self, foundry: Foundry, chip: Chip) -> None:
        self._points, self._chip = foundry.mapped.points, chip
        settings = foundry.mapped.settings
        drawn = any(has_random_effects(of_layer.device) for of_layer in settings.values())
        self._settings = settings if drawn else for_each(settings, nominal)

    def worst_of(self, tile: _Tile, volts: RowVoltages) -> ArrayMap:
        """Look at a tile's arrays; return the one whose currents are further off."""
        looks = [self._look(tile.transfer, number, volts) for number in tile.arrays]
        return max(looks, key=lambda look: look[0])[1]

    def _look(
        self, transfer: LayerTransfer, number: int, volts: RowVoltages
    ) -> tuple[float, ArrayMap]:
        """Return how far an array's converted currents are off, ampere, and its map."""
        mapped = transfer.mapped
        name = mapped.layer.name
        settings = self._settings[name]
        array, g_eff = self._matrix(mapped, number, settings)
        target = program_array(mapped, number, perfect(settings), self._chip).g
        rows, read = np.flatnonzero(array.rows >= 0), np.flatnonzero(array.cols >= 0)
        applied, counted = (
            each[array.rows[rows], None] * array.row_signs[rows, None]
            for each in (volts.applied, volts.counted)
        )
        error = counted * g_eff - applied * target[rows]
        used = target[np.ix_(rows, read)]
        ratio = np.full(used.shape, np.nan)
        np.divide(g_eff[:, read], used, out=ratio, where=used > 0)
        look = ArrayMap(
            layer=name,
            array=number,
            loss=float(transfer.losses[number]),
            ratio=ratio,
            error=error[:, read],
        )
        return _rms(_converted(error.sum(axis=0), array, read)), look

    def _matrix(
        self, mapped: MappedLayer, number: int, settings: Settings
    ) -> tuple[PhysicalArray, np.ndarray]:
        """Return an array and its g_eff, (used rows, all columns)."""
        programmed = program_array(mapped, number, settings, self._chip)
        array, g = programmed.array, programmed.g
        point = None if is_linear(settings) else self._points[mapped.layer.name]
        rows, every = np.flatnonzero(array.rows >= 0), np.arange(g.shape[1])
        return array, array_matrix(g, settings, point, rows, every)


def _converted(currents: np.ndarray, array: PhysicalArray, read: np.ndarray) -> np.ndarray:
    """Return what an array adds to its readouts, of currents of all its columns."""
    off = array.references[read]
    added = array.col_signs[read] * (currents[read] - np.where(off >= 0, currents[off], 0.0))
    _, place = np.unique(array.cols[read], return_inverse=True)
    return np.bincount(place, weights=added)


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values)))) if values.size else 0.0
