"""The ladders of an array: how a line passes on currents and voltages, in positive terms only.

A line with its other side held at 0 V is a ladder of wires and devices. Folding it up from one end,
node by node, gives at every node an attenuation f (of the current that goes on to the next node, and
of the voltage that comes back) and an impedance z (voltage at the node for a current into it, the
next node at 0 V): 1/z = 1/r + t and f = z/r, with t the conductance folded up so far and r the
resistance to the next node, or to the source or the sense behind the last one. Resistances of 0,
open ends and open devices are ordinary values.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from rxsim.circuit.jit import entry, inner
from rxsim.circuit.ladder import SIDE_BY_SIDE, fold, joined_ends
from rxsim.circuit.lines import Lines
from rxsim.circuit.scratch import scratch

F_WL, Z_WL, F_DOWN, Z_DOWN, F_UP, Z_UP, V_DRIVEN, G_SENSED = range(8)
"""What each plane of the factors holds at node (i, j).

F_WL, Z_WL: wordlines folded up from right to left. F_DOWN, Z_DOWN: bitlines from top to bottom;
F_UP, Z_UP: from bottom to top. V_DRIVEN: wordline voltage for 1 V at its source, the bitlines at 0 V.
G_SENSED: current sensed for 1 V on the wordline node, all other wordline nodes at 0 V, siemens.
"""


@entry
def cells_in_series(g, r_access):
    """Put the access resistance in series with every cell: g/(1 + g r_access).

    Args:
        g: conductances, siemens, float64 (n_rows, n_cols).
        r_access: ohm.

    Returns:
        Siemens, float64 (n_rows, n_cols), and whether all were finite and none negative.
    """
    loaded = np.empty(g.shape)
    possible = True
    for i in range(g.shape[0]):
        g_row, row = g[i], loaded[i]
        for j in range(g.shape[1]):
            possible &= 0.0 <= g_row[j] < np.inf
            row[j] = g_row[j] / (1.0 + g_row[j] * r_access)
    return loaded, possible


@inner
def _fold_wordlines(g, left, right, r_wire, f, z, v):
    """Fold up all wordlines from right to left; v is their voltage for 1 V at both ends.

    Some go side by side: each waits at each node for its own last division.
    """
    n_rows, n = g.shape
    near, far, t = np.empty(SIDE_BY_SIDE), np.empty(SIDE_BY_SIDE), np.empty(SIDE_BY_SIDE)
    for first in range(0, n_rows, SIDE_BY_SIDE):
        count = min(SIDE_BY_SIDE, n_rows - first)
        for k in range(count):
            near[k], far[k] = joined_ends(left[first + k], right[first + k], r_wire, n)
            t[k] = 1.0 / far[k]
        for j in range(n - 1, -1, -1):
            for k in range(count):
                r = r_wire if j > 0 else near[k]
                f[first + k, j], z[first + k, j], t[k] = fold(t[k] + g[first + k, j], r)
        for k in range(count):
            _drive(g[first + k], near[k], far[k], r_wire, f[first + k], v[first + k])


@inner
def _drive(g, near, far, r_wire, f, v):
    """Voltage of a wordline for 1 V at both ends, folded up from right to left."""
    n = g.shape[0]
    arrived = 1.0
    for j in range(n):
        arrived *= f[j]
        v[j] = arrived
    if far < np.inf:
        t = 1.0 / near
        arriving = np.empty(n)
        for j in range(n):
            arriving[j], _, t = fold(t + g[j], r_wire if j < n - 1 else far)
        arrived = 1.0
        for j in range(n - 1, -1, -1):
            arrived *= arriving[j]
            v[j] += arrived


@inner
def _fold_rows(g, t, r_wire, r_last, first, f, z):
    """Fold up all bitlines from row `first` (0 or the last) to the opposite one, t at their start."""
    n_rows, n_cols = g.shape
    step = 1 if first == 0 else -1
    last = n_rows - 1 - first
    for count in range(n_rows - 1):
        i = first + step * count
        g_row, f_row, z_row = g[i], f[i], z[i]
        for j in range(n_cols):
            f_row[j], z_row[j], t[j] = fold(t[j] + g_row[j], r_wire)
    for j in range(n_cols):
        f[last, j], z[last, j], t[j] = fold(t[j] + g[last, j], r_last[j])


@inner
def _sensed(g, f_down, f_up, two_ended, sensed):
    """Current that leaves each bitline at its ends for 1 V on a wordline node."""
    n_rows, n_cols = g.shape
    arrived = np.ones(n_cols)
    for i in range(n_rows - 1, -1, -1):
        g_row, f_row, row = g[i], f_down[i], sensed[i]
        for j in range(n_cols):
            arrived[j] *= f_row[j]
            row[j] = g_row[j] * arrived[j]
    if two_ended:
        arrived[:] = 1.0
        for i in range(n_rows):
            for j in range(n_cols):
                arrived[j] *= f_up[i, j]
                sensed[i, j] += g[i, j] * arrived[j]


@entry
def fold_lines(g, r_wl, r_bl, left, right, top, bottom, out):
    """Compute what `line_factors` describes.

    Args:
        g: conductances, siemens, float64 (n_rows, n_cols).
        r_wl: between neighbouring nodes of a wordline, ohm.
        r_bl: between neighbouring nodes of a bitline, ohm.
        left: the wordlines' ends, ohm (inf: open), float64 (n_rows,).
        right: likewise.
        top: the bitlines' ends, ohm, float64 (n_cols,).
        bottom: likewise.
        out: what is computed, float64 (8, n_rows, n_cols).
    """
    n_rows, n_cols = g.shape
    _fold_wordlines(g, left, right, r_wl, out[F_WL], out[Z_WL], out[V_DRIVEN])
    low, high = np.empty(n_cols), np.empty(n_cols)
    start_down, start_up = np.empty(n_cols), np.empty(n_cols)
    first, two_ended = np.int64(0), np.bool_(False)  # for a literal numba would compile twice
    for j in range(n_cols):
        low[j], far = joined_ends(bottom[j], top[j], r_bl, n_rows)
        start_down[j] = 1.0 / far
        two_ended = two_ended or far < np.inf
        high[j], far = joined_ends(top[j], bottom[j], r_bl, n_rows)
        start_up[j] = 1.0 / far
    _fold_rows(g, start_down, r_bl, low, first, out[F_DOWN], out[Z_DOWN])
    _fold_rows(g, start_up, r_bl, high, n_rows - 1, out[F_UP], out[Z_UP])
    _sensed(g, out[F_DOWN], out[F_UP], two_ended, out[G_SENSED])


def line_factors(g: np.ndarray, lines: Lines) -> np.ndarray:
    """Fold up every line of an array.

    Args:
        g: conductances, siemens, float64 (n_rows, n_cols), contiguous.
        lines: wires and ends.

    Returns:
        float64 (8, n_rows, n_cols): see F_WL and the names beside it. The thread's next call writes
        over it.
    """
    out = scratch("factors", (8, *g.shape))
    ends = (lines.left, lines.right, lines.top, lines.bottom)
    fold_lines(g, lines.r_wire_wl, lines.r_wire_bl, *ends, out)
    return out
