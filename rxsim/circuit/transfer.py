"""A layer's transfer matrices: every array programmed and solved, the pairs subtracted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from rxsim.circuit.factors import cells_in_series
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
        matrices: for each row tile p, siemens, float64 (groups, rows of p, N): the current that
            conversion p adds to an output per volt on an input.
    """

    mapped: MappedLayer
    matrices: tuple[np.ndarray, ...]


def transfer_matrices(
    mapped: MappedLayer,
    programmer: Programmer,
    crossbar: Crossbar | None,
    *,
    threads: int = 1,
    done: Callable[[], None] | None = None,
) -> LayerTransfer:
    """Program and solve every array of a layer.

    Args:
        mapped: the layer on its arrays.
        programmer: gives the programmed conductances (n_rows, n_cols) of an array.
        crossbar: the resistances, or None for perfect wires (access resistance included).
        threads: arrays solved side by side; the result does not depend on it.
        done: called after each array.
    """
    layer = mapped.layer
    matrices = tuple(
        np.zeros((layer.groups, len(rows), layer.n_outputs)) for rows in mapped.row_tiles
    )
    for array, block in _solved(mapped, programmer, crossbar, threads):
        rows, cols = array.rows[array.rows >= 0], array.cols[array.cols >= 0]
        group = rows[0] // layer.n_inputs
        place = _position(mapped.row_tiles[array.conversion], rows - group * layer.n_inputs)
        matrix = matrices[array.conversion][group]
        matrix[np.ix_(place, cols - group * layer.n_outputs)] += block
        if done is not None:
            done()
    return LayerTransfer(mapped, matrices)


def _solved(
    mapped: MappedLayer, programmer: Programmer, crossbar: Crossbar | None, threads: int
) -> Iterator[tuple[PhysicalArray, np.ndarray]]:
    """Give every array with its signed block of g_eff, in order, few at a time in memory."""

    def work(index: int) -> tuple[PhysicalArray, np.ndarray]:
        array = mapped.array(index)
        g = programmer(array)
        used_rows, used_cols = array.rows >= 0, array.cols >= 0
        if crossbar is None:
            block = g[np.ix_(used_rows, used_cols)]
        elif not any((crossbar.r_wire_wl, crossbar.r_wire_bl, crossbar.r_driver, crossbar.r_sense)):
            block = cells_in_series(g, crossbar.r_access)[0][np.ix_(used_rows, used_cols)]
        else:
            rows, cols = np.flatnonzero(used_rows), np.flatnonzero(used_cols)
            block = solve_array(g, crossbar, rows=rows, cols=cols).g_eff
        signs = array.row_signs[used_rows][:, None] * array.col_signs[used_cols][None, :]
        return array, block * signs

    return ordered(work, range(mapped.n_arrays), threads)


def _position(tile_rows: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Find where each row k stands among the rows of its tile."""
    order = np.argsort(tile_rows)
    return np.asarray(order[np.searchsorted(tile_rows, rows, sorter=order)])
