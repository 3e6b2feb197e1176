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

# Arrays that a thread takes at once: small ones are solved as quickly as they are handed over.
_CHUNK = 8

Programmer = Callable[[PhysicalArray], np.ndarray]


@dataclass(frozen=True, slots=True, eq=False)
class LayerTransfer:
    """What the arrays of a layer compute.

    Attributes:
        mapped: the layer on its arrays.
        matrices: for each row tile p, siemens, float64 (groups, rows of p, readouts): the current that
            row tile p adds to a readout per volt on an input.
        losses: for each array the share of its current that its wires take, all used rows driven alike
            and linear cells taken for it, float64 (arrays,).
    """

    mapped: MappedLayer
    matrices: tuple[np.ndarray, ...]
    losses: np.ndarray


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
    orders = [np.argsort(rows) for rows in mapped.row_tiles]
    losses = np.zeros(mapped.n_arrays)
    for array, block, loss in _solved(mapped, programmer, crossbar, point, threads):
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


def _add(
    matrix: np.ndarray, rows: np.ndarray, cols: np.ndarray, signs: np.ndarray, block: np.ndarray
) -> None:
    """Add an array's block, with its columns' signs, where its rows and columns belong."""
    if _is_run(rows) and _is_run(cols) and (signs == signs[0]).all():
        part = matrix[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
        part += block if signs[0] > 0 else -block
        return
    # The cells of a pair in one array add to one readout: first those of one sign.
    for sign in (1.0, -1.0):
        some = signs == sign
        matrix[np.ix_(rows, cols[some])] += sign * block[:, some]


def _is_run(places: np.ndarray) -> bool:
    """Tell whether places follow one another."""
    span = int(places[-1]) - int(places[0]) + 1
    return span == len(places) and bool((np.diff(places) == 1).all())


def _solved(
    mapped: MappedLayer,
    programmer: Programmer,
    crossbar: Crossbar | None,
    point: OperatingPoint | None,
    threads: int,
) -> Iterator[tuple[PhysicalArray, np.ndarray, float]]:
    """Give every array with its signed block of g_eff and its loss, in order, few at a time."""

    def work(index: int) -> tuple[PhysicalArray, np.ndarray, float]:
        array = mapped.array(index)
        g = programmer(array)
        rows, read = np.flatnonzero(array.rows >= 0), np.flatnonzero(array.cols >= 0)
        off = array.references[read]
        has_reference = bool((off >= 0).any())
        wanted = np.union1d(read, off[off >= 0]) if has_reference else read
        if point is not None and crossbar is not None:
            found = chord_matrix(g, crossbar, point, rows, wanted)
        elif crossbar is None:
            found = g[np.ix_(rows, wanted)]
        elif _has_no_wires(crossbar):
            found = cells_in_series(g, crossbar.r_access)[0][np.ix_(rows, wanted)]
        else:
            found = solve_array(g, crossbar, rows=rows, cols=wanted).g_eff
        loss = 0.0 if crossbar is None else _loss(found, g[np.ix_(rows, wanted)])
        if has_reference:
            taken = found[:, np.searchsorted(wanted, np.where(off >= 0, off, wanted[0]))]
            found = found[:, np.searchsorted(wanted, read)] - np.where(off >= 0, taken, 0.0)
        signs = array.row_signs[rows]
        return array, found if (signs > 0).all() else found * signs[:, None], loss

    return ordered(work, range(mapped.n_arrays), threads, _CHUNK)


def _loss(found: np.ndarray, g: np.ndarray) -> float:
    """Share of the current of all cells that does not arrive."""
    whole = float(g.sum())
    return 1.0 - float(found.sum()) / whole if whole > 0 else 0.0


def _has_no_wires(crossbar: Crossbar) -> bool:
    """Tell whether nothing but the access resistance stands between a source and its sense."""
    return not any((crossbar.r_wire_wl, crossbar.r_wire_bl, crossbar.r_driver, crossbar.r_sense))
