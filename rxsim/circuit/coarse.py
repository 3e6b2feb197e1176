"""A coarser array that takes nearly as many sweeps of relaxation as a large one, in milliseconds.

Where s x s cells and the wires between them are lumped into a single cell, s wordlines side by side
carry s times the current over s segments: the wire resistance of a lumped line is that of a single
segment again, its ends have theirs in parallel, and its cells the sum of their conductances.
"""

from __future__ import annotations

import numpy as np

from rxsim.circuit.factors import line_factors
from rxsim.circuit.lines import Lines
from rxsim.circuit.sweep_count import plan_sweeps

_COARSE = 256


def lumping(shape: tuple[int, ...]) -> int:
    """Return how many lines of an array are lumped into one: s."""
    return -(-max(shape) // _COARSE)


def lumped(g: np.ndarray) -> np.ndarray:
    """Sum the conductances of an array over the cells that are lumped."""
    s = lumping(g.shape)
    by_rows = np.add.reduceat(g, np.arange(0, g.shape[0], s), axis=0)
    return np.ascontiguousarray(np.add.reduceat(by_rows, np.arange(0, g.shape[1], s), axis=1))


def coarse_sweeps(
    coarse: np.ndarray,
    s: int,
    lines: Lines,
    rows: np.ndarray,
    cols: np.ndarray,
    *,
    tolerance: float,
    most: int,
) -> int:
    """Return about how many sweeps an array takes; -1: more than `most`.

    Args:
        coarse: its lumped conductances, siemens.
        s: how many lines are lumped.
        lines: those of the array itself.
        rows: int64, its wanted wordlines.
        cols: int64, its wanted bitlines.
        tolerance: of an entry of g_eff.
        most: so many are planned at most.
    """
    few = Lines(
        r_wire_wl=lines.r_wire_wl,
        r_wire_bl=lines.r_wire_bl,
        left=_in_parallel(lines.left, s),
        right=_in_parallel(lines.right, s),
        top=_in_parallel(lines.top, s),
        bottom=_in_parallel(lines.bottom, s),
    )
    rows, cols = np.unique(rows // s), np.unique(cols // s)
    turned = len(cols) < len(rows)
    g = coarse
    if turned:
        g, few = np.ascontiguousarray(g[::-1, ::-1].T), few.turned()
        rows, cols = g.shape[0] - 1 - cols, g.shape[1] - 1 - rows
    factors, nodes = line_factors(g, few), np.empty((3, *g.shape))
    return int(plan_sweeps(g, factors, rows, cols, turned, tolerance, most, True, nodes)[0])


def _in_parallel(ends: np.ndarray, s: int) -> np.ndarray:
    """Join the ends of lines that are lumped; 0 and infinite ones are ordinary values."""
    with np.errstate(divide="ignore"):
        return np.asarray(1.0 / np.add.reduceat(1.0 / ends, np.arange(0, len(ends), s)))
