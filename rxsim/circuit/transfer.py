"""A layer's transfer matrices: every array programmed and solved, the pairs subtracted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from rxsim.circuit.factors import cells_in_series
from rxsim.circuit.operating import OperatingPoint, chord_matrix
from rxsim.circuit.solve import solve_array
from rxsim.config import Crossbar
from rxsim.mapping import MappedLayer, PhysicalArray
from rxsim.parallel import ordered

Programmer = Callable[[PhysicalArray], np.ndarray]


@dataclass(frozen=True, slots=True, eq=False)
class LayerTransfer:
    """What the arrays of a layer compute.

    Attributes:
        mapped: the layer on its arrays.
        matrices: for each row tile p, siemens, float64 (groups, rows of p, readouts): the current that
            row tile p adds to a readout per volt on an input.
    """

    mapped: MappedLayer
    matrices: tuple[np.ndarray, ...]


def transfer_matrices(
    mapped: MappedLayer,
    programmer: Programmer,
    crossbar: Crossbar | None,
    *,
    point: OperatingPoint | None = None,
    threads: int = 1,
    done: Callable[[], None] | None = None,
) -> LayerTransfer:
    """Program and solve every array of a layer.

    Args:
        mapped: the layer on its arrays.
        programmer: gives the programmed conductances (n_rows, n_cols) of an array.
        crossbar: the resistances, or None for perfect wires (access resistance included).
        point: where cells that are not linear, or that the inputs gate, are made linear.
        threads: arrays solved side by side; the result does not depend on it.
        done: called after each array.
    """
    tiling, count = mapped.tiling, mapped.readouts.count
    matrices = tuple(np.zeros((tiling.groups, len(rows), count)) for rows in mapped.row_tiles)
    for array, block in _solved(mapped, programmer, crossbar, point, threads):
        rows, cols = array.rows[array.rows >= 0], array.cols[array.cols >= 0]
        if len(rows) and len(cols):
            group = rows[0] // tiling.n_inputs
            place = _position(mapped.row_tiles[array.conversion], rows - group * tiling.n_inputs)
            matrix = matrices[array.conversion][group]
            # The cells of a pair in one array add to one readout: first those of one sign.
            signs = array.col_signs[array.cols >= 0]
            for sign in np.unique(signs):
                some = signs == sign
                matrix[np.ix_(place, cols[some] - group * count)] += block[:, some]
        if done is not None:
            done()
    return LayerTransfer(mapped, matrices)


def _solved(
    mapped: MappedLayer,
    programmer: Programmer,
    crossbar: Crossbar | None,
    point: OperatingPoint | None,
    threads: int,
) -> Iterator[tuple[PhysicalArray, np.ndarray]]:
    """Give every array with its signed block of g_eff, in order, few at a time in memory."""

    def work(index: int) -> tuple[PhysicalArray, np.ndarray]:
        array = mapped.array(index)
        g = programmer(array)
        rows, read = np.flatnonzero(array.rows >= 0), np.flatnonzero(array.cols >= 0)
        off = array.references[read]
        wanted = np.union1d(read, off[off >= 0])
        if point is not None and crossbar is not None:
            found = chord_matrix(g, crossbar, point, rows, wanted)
        elif crossbar is None:
            found = g[np.ix_(rows, wanted)]
        elif _has_no_wires(crossbar):
            found = cells_in_series(g, crossbar.r_access)[0][np.ix_(rows, wanted)]
        else:
            found = solve_array(g, crossbar, rows=rows, cols=wanted).g_eff
        block = found[:, np.searchsorted(wanted, read)]
        if (off >= 0).any():
            taken = found[:, np.searchsorted(wanted, np.where(off >= 0, off, wanted[0]))]
            block = block - np.where(off >= 0, taken, 0.0)
        return array, block * (array.row_signs[rows][:, None] * array.col_signs[read])

    return ordered(work, range(mapped.n_arrays), threads)


def _has_no_wires(crossbar: Crossbar) -> bool:
    """Tell whether nothing but the access resistance stands between a source and its sense."""
    return not any((crossbar.r_wire_wl, crossbar.r_wire_bl, crossbar.r_driver, crossbar.r_sense))


def _position(tile_rows: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Find where each row k stands among the rows of its tile."""
    order = np.argsort(tile_rows)
    return np.asarray(order[np.searchsorted(tile_rows, rows, sorter=order)])
