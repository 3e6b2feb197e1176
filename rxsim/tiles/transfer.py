"""A layer's transfer matrices: program every array, solve it, and add it up where it belongs."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rxsim.config import Settings
from rxsim.devices import Chip, Pulses
from rxsim.mapping import MappedLayer
from rxsim.parallel import ordered
from rxsim.tiles.effective_matrix import OperatingPoint, has_circuit
from rxsim.tiles.line_use import ReadColumns, Run, UsedRows, run_of
from rxsim.tiles.program import LayerProgramming
from rxsim.tiles.solved_arrays import SolvedArray, solved_arrays


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

    def work(numbers: range) -> list[SolvedArray]:
        return solved_arrays(programming.stack(numbers), settings, point)

    known: tuple[int, UsedRows] | None = None  # arrays side by side share their rows
    places = run_of(np.empty(0, dtype=np.int64))
    runs = ordered(work, programming.runs(threads), threads)
    for solved in itertools.chain.from_iterable(runs):
        array = solved.array
        losses[array.index] = solved.loss
        if solved.pulses is not None:
            pulses = solved.pulses if pulses is None else pulses + solved.pulses
        if solved.variance is not None and variances is None:
            variances = tuple(np.zeros_like(matrix) for matrix in matrices)
        p, rows, cols = array.conversion, solved.rows, solved.cols
        if len(rows.lines) and len(cols.readouts.at):
            group = int(rows.inputs[0]) // tiling.n_inputs
            if (p, rows) != known:
                known, order = (p, rows), orders[p]
                k = rows.inputs - group * tiling.n_inputs
                places = run_of(order[np.searchsorted(mapped.row_tiles[p], k, sorter=order)])
            readouts = cols.readouts.behind(group * count)
            _add(matrices[p][group], places, readouts, cols, solved.block)
            if solved.variance is not None and variances is not None:
                at = (places, readouts.at, cols.signs)
                _add_variance(variances[p][group], *at, solved.variance)
        if done is not None:
            done()
    return LayerTransfer(mapped, matrices, losses, variances, pulses)


def _add(
    matrix: np.ndarray, rows: Run, readouts: Run, cols: ReadColumns, block: np.ndarray
) -> None:
    """Add an array's block, with the signs of its columns, to the layer's matrix."""
    if cols.sign is not None and rows.part is not None and readouts.part is not None:
        part = matrix[rows.part, readouts.part]
        if cols.sign > 0:
            part += block
        else:
            part -= block
        return
    # Both cells of a pair in one array add to the same readout, so add one sign after the other.
    for sign in (1.0, -1.0):
        of_sign = cols.signs == sign
        matrix[np.ix_(rows.at, readouts.at[of_sign])] += sign * block[:, of_sign]


def _add_variance(
    matrix: np.ndarray, rows: Run, readouts: np.ndarray, signs: np.ndarray, block: np.ndarray
) -> None:
    """Add the variances of an array's block, whatever the signs of its columns."""
    for sign in (1.0, -1.0):
        of_sign = signs == sign  # both cells of a pair in one array add to the same readout
        if of_sign.any():
            matrix[np.ix_(rows.at, readouts[of_sign])] += block[:, of_sign]
