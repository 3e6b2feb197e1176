"""A layer's transfer matrices: program every array, solve it, and add it up where it belongs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rxsim.config import Settings
from rxsim.devices import Chip, Pulses
from rxsim.mapping import MappedLayer, PhysicalArray
from rxsim.parallel import ordered
from rxsim.tiles.effective_matrix import OperatingPoint, array_matrix, block_of, has_circuit
from rxsim.tiles.program import LayerProgramming, ProgrammedArray

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
        variances: for each row tile the variance of the read noise that is drawn anew for each product,
            of the current that a readout gets for one volt on an input, siemens^2, of the shape of its
            matrix; None where there is none.
        pulses: what programming and verifying its cells took; None where they are not verified.
    """

    mapped: MappedLayer
    matrices: tuple[np.ndarray, ...]
    losses: np.ndarray
    variances: tuple[np.ndarray, ...] | None = None
    pulses: Pulses | None = None


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
    variances: tuple[np.ndarray, ...] | None = None
    pulses: Pulses | None = None
    orders = [np.argsort(rows) for rows in mapped.row_tiles]
    losses = np.zeros(mapped.n_arrays)
    used_only = not has_circuit(settings, point)
    programming = LayerProgramming(mapped, settings, chip, used_only=used_only)

    def work(index: int) -> _Solved:
        return _solved(programming.array(index), settings, point)

    bar = tiling.crossbar
    chunk = _CHUNK if bar.rows * bar.cols <= _SMALL_CELLS else 1
    for solved in ordered(work, range(mapped.n_arrays), threads, chunk):
        array = solved.array
        losses[array.index] = solved.loss
        if solved.pulses is not None:
            pulses = solved.pulses if pulses is None else pulses + solved.pulses
        if solved.variance is not None and variances is None:
            variances = tuple(np.zeros_like(matrix) for matrix in matrices)
        rows, read = array.rows[array.rows >= 0], array.cols >= 0
        if len(rows) and read.any():
            p, group = array.conversion, int(rows[0]) // tiling.n_inputs
            k, order = rows - group * tiling.n_inputs, orders[p]
            place = order[np.searchsorted(mapped.row_tiles[p], k, sorter=order)]
            cols = array.cols[read] - group * count
            _add(matrices[p][group], place, cols, array.col_signs[read], solved.block)
            if solved.variance is not None and variances is not None:
                _add_variance(
                    variances[p][group], place, cols, array.col_signs[read], solved.variance
                )
        if done is not None:
            done()
    return LayerTransfer(mapped, matrices, losses, variances, pulses)


@dataclass(frozen=True, slots=True, eq=False)
class _Solved:
    """What an array adds to its layer.

    Attributes:
        array: the array.
        block: its block of g_eff, rows signed and references subtracted, siemens.
        loss: share of its current that is lost in its wires.
        variance: of the fresh read noise of each entry of the block, siemens^2; None without any.
        pulses: what programming it took; None where cells are not verified.
    """

    array: PhysicalArray
    block: np.ndarray
    loss: float
    variance: np.ndarray | None
    pulses: Pulses | None


def _solved(
    programmed: ProgrammedArray, settings: Settings, point: OperatingPoint | None
) -> _Solved:
    array, g = programmed.array, programmed.g
    rows, read = np.flatnonzero(array.rows >= 0), np.flatnonzero(array.cols >= 0)
    off = array.references[read]
    has_reference = bool((off >= 0).any())
    wanted = np.union1d(read, off[off >= 0]) if has_reference else read
    block, cells = array_matrix(g, settings, point, rows, wanted), block_of(g, rows, wanted)
    loss = _loss(block, cells)
    fresh = programmed.cells.fresh
    variance = None if fresh is None else _variance(block, cells, block_of(fresh, rows, wanted))
    if has_reference:
        used = np.searchsorted(wanted, read)
        reference = np.searchsorted(wanted, np.where(off >= 0, off, wanted[0]))
        block = block[:, used] - np.where(off >= 0, block[:, reference], 0.0)
        if variance is not None:
            variance = variance[:, used] + np.where(off >= 0, variance[:, reference], 0.0)
    signs = array.row_signs[rows]
    block = block if (signs > 0).all() else block * signs[:, None]
    return _Solved(array, block, loss, variance, programmed.cells.pulses)


def _variance(block: np.ndarray, g: np.ndarray, fresh: np.ndarray) -> np.ndarray:
    """Return sigma(g)^2 (g_eff / g)^2: what noise of a cell does to the current of its bitline.

    Source: docs/concepts/model.md section 4. Noise of a cell that reaches other bitlines through the
    wires is left out.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(g > 0, block / g, 0.0)
    return np.asarray(np.square(fresh * share))


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


def _add_variance(
    matrix: np.ndarray, rows: np.ndarray, cols: np.ndarray, signs: np.ndarray, block: np.ndarray
) -> None:
    """Add the variances of an array's block, whatever the signs of its columns."""
    for sign in (1.0, -1.0):
        of_sign = signs == sign  # both cells of a pair in one array add to the same readout
        if of_sign.any():
            _add(matrix, rows, cols[of_sign], np.ones(int(of_sign.sum())), block[:, of_sign])


def _is_run(places: np.ndarray) -> bool:
    """Tell whether places are consecutive."""
    span = int(places[-1]) - int(places[0]) + 1
    return span == len(places) and bool((np.diff(places) == 1).all())


def _loss(block: np.ndarray, g: np.ndarray) -> float:
    """Return the share of the cells' ideal current that is lost."""
    total = float(g.sum())
    return 1.0 - float(block.sum()) / total if total > 0 else 0.0
