"""Exact solution of a linear array by eliminating its nodes, in sums of positive terms only.

The network of a crossbar is conductances between nodes and to ground. Eliminating a node joins its
neighbours by new conductances (star to mesh): a + b c / d with everything >= 0. Nothing is ever
subtracted, so every entry of g_eff keeps a small relative error (a few thousand roundings in a
64x64 array: below 1e-12), whatever the spread of the conductances; and a resistance of exactly 0 or
an open device is an ordinary value, for every formula below is written with resistances.

The elimination walks along the wordlines from their far end to the drivers. Its state at column j is
the network that the wordline nodes of column j see to their right, one row of `w` for each node:
first its conductances to the other nodes (only those to later nodes are kept up to date: the network
is symmetric), then those into each sensed bitline, in the order in which they were met. Rows are
padded with zeros to whole blocks of _WIDTH for SIMD. Two steps repeat:

  series    put the wire resistance r in front of every node (`_put_in_series`)
  parallel  add column j itself, a bitline with its devices, in closed form (`_add_bitline`)

Source: star-mesh transformation (Rosen 1924); the subtraction-free form is that of Grassmann, Taksar
and Heyman (Oper. Res. 33, 1985) for Markov chains.

numba does not see a change in a kernel that is imported from another file, so all of it stands here.
It reads y[m] as "from the end" where m may be negative, and then uses no SIMD: hence the slices.
"""

from __future__ import annotations

import numba
import numpy as np

# Everything is finite and positive: contraction and reassociation change the last bits only.
_jit = numba.njit(
    cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"}
)
_PANEL = 8
_WIDTH = 16


@_jit
def _padded(n):  # type: ignore[no-untyped-def]
    return -(-n // _WIDTH) * _WIDTH


@_jit
def _take_panel(w, before, first, count, n, width):  # type: ignore[no-untyped-def]
    """Copy whole rows of the nodes first .. first + count - 1; the rest of the panel is zeros."""
    before[:, :width] = 0.0
    for k in range(count):
        node = first + k
        for m in range(node):
            before[k, m] = w[m, node]
        before[k, node + 1 : width] = w[node, node + 1 : width]


@_jit
def _eliminate_panel(after, first, count, width, r, kept, kept_f):  # type: ignore[no-untyped-def]
    """Eliminate the nodes of a panel one by one in favour of their new ends, in its rows only.

    Node k is at kept_f[k] v_k + sum over m of kept[k, m] v_m, where v_k is its new end, v_m that of
    node m for m < k and node m itself for m > k; written down only where `kept` is not empty.
    """
    for k in range(count):
        row = after[k, :width]
        f = 1.0 / (1.0 + r * row.sum())
        if kept.shape[0] > 0:
            kept_f[first + k] = f
            for m in range(kept.shape[1]):
                kept[first + k, m] = r * f * row[m]
        for i in range(count):
            if i == k:
                continue
            other = after[i, :width]
            to_k = after[i, first + k]
            c = r * f * to_k
            for m in range(other.shape[0]):
                other[m] += c * row[m]
            after[i, first + i] = 0.0
            after[i, first + k] = to_k * f
        for m in range(row.shape[0]):
            row[m] *= f


@_jit
def _add_four(y, c0, x0, c1, x1, c2, x2, c3, x3):  # type: ignore[no-untyped-def]
    """Add multiples of four rows: four, for with more LLVM gives up on proving them apart."""
    for m in range(y.shape[0]):
        y[m] += (c0 * x0[m] + c1 * x1[m]) + (c2 * x2[m] + c3 * x3[m])


@_jit
def _update_rest(w, before, after, first, count, n, width, r):  # type: ignore[no-untyped-def]
    """Join the neighbours of an eliminated panel: every other row gains r before^T after."""
    for start in range(0, n, _WIDTH):
        x0, x1 = after[0, start:width], after[1, start:width]
        x2, x3 = after[2, start:width], after[3, start:width]
        x4, x5 = after[4, start:width], after[5, start:width]
        x6, x7 = after[6, start:width], after[7, start:width]
        for i in range(start, min(start + _WIDTH, n)):
            if first <= i < first + count:
                continue
            c = before[:, i] * r
            y = w[i, start:width]
            _add_four(y, c[0], x0, c[1], x1, c[2], x2, c[3], x3)
            _add_four(y, c[4], x4, c[5], x5, c[6], x6, c[7], x7)
            if i < first:
                for k in range(count):
                    w[i, first + k] = after[k, i]


@_jit
def _put_in_series(w, width, r, before, after, kept, kept_f):  # type: ignore[no-untyped-def]
    """Put a resistance r in front of every node: each node is eliminated in favour of its new end.

    Nodes are taken in panels of eight, so that a row is read and written once for eight of them.
    `before` and `after` (_PANEL, >= width) are scratch; `kept` is for `_eliminate_panel`.
    """
    n = w.shape[0]
    for first in range(0, n, _PANEL):
        count = min(_PANEL, n - first)
        _take_panel(w, before, first, count, n, width)
        after[:, :width] = before[:, :width]
        _eliminate_panel(after, first, count, width, r, kept, kept_f)
        _update_rest(w, before, after, first, count, n, width, r)
        for k in range(count):
            node = first + k
            w[node, node + 1 : width] = after[k, node + 1 : width]


@_jit
def _bitline_factors(column, r_wire, r_sense, f, h):  # type: ignore[no-untyped-def]
    """Attenuations along a bitline: f[i] from node i to the next (the last: to ground).

    h[i] is what joins the devices at and above node i: conductance a[l, m] between wordlines l < m is
    (g_l f_l .. f_(m-1)) g_m h_m.
    """
    n = column.shape[0]
    total = 0.0
    for i in range(n):
        total += column[i]
        r = r_wire if i < n - 1 else r_sense
        f[i] = 1.0 / (1.0 + r * total)
        total *= f[i]
    h[n - 1] = r_sense * f[n - 1]
    for i in range(n - 2, -1, -1):
        h[i] = f[i] * (r_wire + f[i] * h[i + 1])


@_jit
def _add_bitline(w, target, column, r_wire, r_sense, f, h):  # type: ignore[no-untyped-def]
    """Connect a bitline and its devices to the wordline nodes; its sense is w[:, target]."""
    n = column.shape[0]
    _bitline_factors(column, r_wire, r_sense, f, h)
    for m in range(n):
        h[m] *= column[m]
    for i in range(n):
        t = column[i]
        if t == 0.0:
            continue
        for m in range(i + 1, n):
            t *= f[m - 1]
            w[i, m] += t * h[m]
        w[i, target] += t * f[n - 1]


@_jit
def _solve_one(g, r_wl, r_bl, r_driver, r_sense, sensed, n_sensed):  # type: ignore[no-untyped-def]
    """Columns of g_eff. sensed[j] is the place of bitline j in the result, or -1 if not wanted."""
    n_rows, n_cols = g.shape
    nodes = _padded(n_rows)
    w = np.zeros((n_rows, nodes + _padded(n_sensed + 1)))
    before = np.zeros((_PANEL, w.shape[1]))
    after = np.zeros((_PANEL, w.shape[1]))
    f, h = np.empty(n_rows), np.empty(n_rows)
    kept = np.empty((0, 0))
    out = np.empty((n_rows, n_sensed))
    met = np.empty(n_sensed, dtype=np.int64)  # where in w each wanted bitline went
    used = 1  # the first place gathers the bitlines not wanted
    for j in range(n_cols - 1, -1, -1):
        if r_wl > 0.0 and j < n_cols - 1:
            _put_in_series(w, nodes + _padded(used), r_wl, before, after, kept, f)
        target = nodes
        if sensed[j] >= 0:
            target = nodes + used
            met[sensed[j]] = target
            used += 1
        _add_bitline(w, target, g[:, j].copy(), r_bl, r_sense, f, h)
    if r_driver > 0.0:
        _put_in_series(w, nodes + _padded(used), r_driver, before, after, kept, f)
    for place in range(n_sensed):
        out[:, place] = w[:, met[place]]
    return out


@_jit
def _places(wanted, n):  # type: ignore[no-untyped-def]
    """Number some of n lines by their place in `wanted`; -1 for the others."""
    places = np.full(n, -1)
    for place in range(wanted.shape[0]):
        places[wanted[place]] = place
    return places


@_jit
def eliminate(g, r_wl, r_bl, r_driver, r_sense, rows, cols):  # type: ignore[no-untyped-def]
    """Transfer matrix of one array between wanted wordlines and bitlines.

    Args:
        g: conductances, siemens, float64 (n_rows, n_cols).
        r_wl: wordline resistance per cell, ohm.
        r_bl: bitline resistance per cell, ohm.
        r_driver: driver resistance, ohm.
        r_sense: sense resistance, ohm.
        rows: int64, wanted wordlines.
        cols: int64, wanted bitlines.

    Returns:
        float64 (wanted wordlines, wanted bitlines), siemens.
    """
    n_rows, n_cols = g.shape
    if n_rows <= n_cols:
        places = _places(cols, n_cols)
        return _solve_one(g, r_wl, r_bl, r_driver, r_sense, places, cols.shape[0])[rows]
    # Reciprocity: driving the sense ends and sensing at the drivers gives the transposed matrix, and
    # the work grows with the square of the lines that are walked along: walk along the longer ones.
    turned = np.ascontiguousarray(g[::-1, ::-1].T)
    places = _places(n_rows - 1 - rows, n_rows)
    full = _solve_one(turned, r_bl, r_wl, r_sense, r_driver, places, rows.shape[0])
    return np.ascontiguousarray(full[n_cols - 1 - cols].T)


@_jit
def node_voltages(g, r_wl, r_bl, r_driver, r_sense, v_in):  # type: ignore[no-untyped-def]
    """Solve one array for one input vector by elimination and back substitution.

    Args:
        g: conductances, siemens, float64 (n_rows, n_cols).
        r_wl: wordline resistance per cell, ohm.
        r_bl: bitline resistance per cell, ohm.
        r_driver: driver resistance, ohm.
        r_sense: sense resistance, ohm.
        v_in: source voltages, volt, float64 (n_rows,).

    Returns:
        Wordline node voltages (n_rows, n_cols), bitline node voltages (n_rows, n_cols), sense
        currents in ampere (n_cols,). The elimination is kept: n_rows^2 n_cols numbers of memory.
    """
    n_rows, n_cols = g.shape
    nodes = _padded(n_rows)
    w = np.zeros((n_rows, nodes + _WIDTH))
    before = np.zeros((_PANEL, w.shape[1]))
    after = np.zeros((_PANEL, w.shape[1]))
    f, h = np.empty(n_rows), np.empty(n_rows)
    kept = np.zeros((n_cols, n_rows, n_rows))
    kept_f = np.ones((n_cols, n_rows))
    for j in range(n_cols - 1, -1, -1):
        _add_bitline(w, nodes, g[:, j].copy(), r_bl, r_sense, f, h)
        r = r_wl if j > 0 else r_driver
        _put_in_series(w, w.shape[1], r, before, after, kept[j], kept_f[j])
    v_wl = np.empty((n_rows, n_cols))
    v_bl = np.empty((n_rows, n_cols))
    i_out = np.empty(n_cols)
    ends = v_in.copy()
    for j in range(n_cols):
        for k in range(n_rows - 1, -1, -1):
            # ends[m] is the new end of node m for m < k, and node m itself for m > k.
            v = kept_f[j, k] * ends[k]
            for m in range(n_rows):
                v += kept[j, k, m] * ends[m]
            ends[k] = v
        v_wl[:, j] = ends
    for j in range(n_cols):
        column, v = g[:, j].copy(), v_wl[:, j].copy()
        i_out[j] = _bitline_voltages(column, v, r_bl, r_sense, f, h, v_bl, j)
    return v_wl, v_bl, i_out


@_jit
def _bitline_voltages(column, v, r_wire, r_sense, f, h, v_bl, j):  # type: ignore[no-untyped-def]
    """Node voltages of one bitline whose wordline nodes are at v; returns its sense current."""
    n = column.shape[0]
    _bitline_factors(column, r_wire, r_sense, f, h)
    arriving = 0.0
    for i in range(n):
        arriving += column[i] * v[i]
        v_bl[i, j] = arriving  # for the moment: the current that a short below node i would carry
        arriving *= f[i]
    below = 0.0
    for i in range(n - 1, -1, -1):
        r = r_wire if i < n - 1 else r_sense
        below = f[i] * (r * v_bl[i, j] + below)
        v_bl[i, j] = below
    return arriving
