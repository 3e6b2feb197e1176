"""A layer's transfer matrices: program every array, solve it, and add it up where it belongs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rxsim.config import Settings
from rxsim.devices import Chip
from rxsim.mapping import MappedLayer, PhysicalArray
from rxsim.parallel import ordered
from rxsim.tiles.effective_matrix import OperatingPoint, array_matrix, block_of, has_circuit
from rxsim.tiles.program import LayerProgramming

# Arrays that a thread takes at once: handing over a small array takes as long as solving it.
_CHUNK = 8
_SMALL_CELLS = 128 * 128


@dataclass(frozen=True, slots=True, eq=False)
class LayerTransfer:
    """The transfer matrices of a layer's arrays.

    Attributes:
        mapped: the layer on its arrays.
        matrices: for each row tile p, siemens, float64 (groups, rows of p, readouts): the current that
            row tile p adds to a readout per volt on an input.
        losses: for each array the share of its current that is lost in its wires, with all used rows at
            the same voltage and linear cells, float64 (arrays,).
    """

    mapped: MappedLayer
    matrices: tuple[np.ndarray, ...]
    losses: np.ndarray


def transfer_matrices(
    mapped: MappedLayer,
    settings: Settings,
    chip: Chip,
    *,
    point: OperatingPoint | None = None,
    threads: int = 1,
    done: Callable[[], None] | None = None,
) -> LayerTransfer:
    """Program and solve every array of a layer.

    Args:
        mapped: the layer on its arrays.
        settings: the layer's settings: devices and circuit.
        chip: the chip whose arrays these are.
        point: the operating point at which non-linear or input-gated cells are made linear.
        threads: arrays solved side by side; the result does not depend on it.
        done: called after each array.

    Raises:
        CircuitError: an array can't be solved.
    """
    tiling, count = mapped.tiling, mapped.readouts.count
    matrices = tuple(np.zeros((tiling.groups, len(rows), count)) for rows in mapped.row_tiles)
    orders = [np.argsort(rows) for rows in mapped.row_tiles]
    losses = np.zeros(mapped.n_arrays)
    used_only = not has_circuit(settings, point)
    programming = LayerProgramming(mapped, settings, chip, used_only=used_only)

    def work(index: int) -> tuple[PhysicalArray, np.ndarray, float]:
        return _solved(programming, index, settings, point)

    bar = tiling.crossbar
    chunk = _CHUNK if bar.rows * bar.cols <= _SMALL_CELLS else 1
    for array, block, loss in ordered(work, range(mapped.n_arrays), threads, chunk):
        losses[array.index] = loss
        rows, read = array.rows[array.rows >= 0], array.cols >= 0
        if len(rows) and read.any():
            p, group = array.conversion, int(rows[0]) // tiling.n_inputs
            k, order = rows - group * tiling.n_inputs, orders[p]
            place = order[np.searchsorted(mapped.row_tiles[p], k, sorter=order)]
            cols = array.cols[read] - group * count
            _add(matrices[p][group], place, cols, array.col_signs[read], block)
        if done is not None:
            done()
    return LayerTransfer(mapped, matrices, losses)


def _solved(
    programming: LayerProgramming, index: int, settings: Settings, point: OperatingPoint | None
) -> tuple[PhysicalArray, np.ndarray, float]:
    """Return an array, its block of g_eff (signed rows, references subtracted), and its loss."""
    programmed = programming.array(index)
    array, g = programmed.array, programmed.g
    rows, read = np.flatnonzero(array.rows >= 0), np.flatnonzero(array.cols >= 0)
    off = array.references[read]
    has_reference = bool((off >= 0).any())
    wanted = np.union1d(read, off[off >= 0]) if has_reference else read
    block = array_matrix(g, settings, point, rows, wanted)
    loss = _loss(block, block_of(g, rows, wanted))
    if has_reference:
        taken = block[:, np.searchsorted(wanted, np.where(off >= 0, off, wanted[0]))]
        block = block[:, np.searchsorted(wanted, read)] - np.where(off >= 0, taken, 0.0)
    signs = array.row_signs[rows]
    return array, block if (signs > 0).all() else block * signs[:, None], loss


def _add(
    matrix: np.ndarray, rows: np.ndarray, cols: np.ndarray, signs: np.ndarray, block: np.ndarray
) -> None:
    """Add an array's block, with the signs of its columns, to the layer's matrix."""
    if _is_run(rows) and _is_run(cols) and (signs == signs[0]).all():
        part = matrix[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
        part += block if signs[0] > 0 else -block
        return
    # Both cells of a pair in one array add to the same readout, so add one sign after the other.
    for sign in (1.0, -1.0):
        of_sign = signs == sign
        matrix[np.ix_(rows, cols[of_sign])] += sign * block[:, of_sign]


def _is_run(places: np.ndarray) -> bool:
    """Tell whether places are consecutive."""
    span = int(places[-1]) - int(places[0]) + 1
    return span == len(places) and bool((np.diff(places) == 1).all())


def _loss(block: np.ndarray, g: np.ndarray) -> float:
    """Return the share of the cells' ideal current that is lost."""
    total = float(g.sum())
    return 1.0 - float(block.sum()) / total if total > 0 else 0.0
