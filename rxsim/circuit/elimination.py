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

from rxsim.circuit.factors import F_DOWN, G_SENSED, Z_DOWN

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
def _take_panel(w, before, first, count, width):  # type: ignore[no-untyped-def]
    """Copy whole rows of the nodes first .. first + count - 1; the rest of the panel is zeros."""
    before[:, :width] = 0.0
    for k in range(count):
        node = first + k
        for m in range(node):
            before[k, m] = w[m, node]
        before[k, node + 1 : width] = w[node, node + 1 : width]


@_jit
def _eliminate_panel(after, first, count, width, r):  # type: ignore[no-untyped-def]
    """Eliminate the nodes of a panel one by one in favour of their new ends, in its rows only."""
    for k in range(count):
        row = after[k, :width]
        f = 1.0 / (1.0 + r[first + k] * row.sum())
        for i in range(count):
            if i == k:
                continue
            other = after[i, :width]
            to_k = after[i, first + k]
            c = r[first + k] * f * to_k
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
def _update_rest(w, before, after, first, count, n, width):  # type: ignore[no-untyped-def]
    """Join the neighbours of an eliminated panel: every other row gains before^T after."""
    for start in range(0, n, _WIDTH):
        x0, x1 = after[0, start:width], after[1, start:width]
        x2, x3 = after[2, start:width], after[3, start:width]
        x4, x5 = after[4, start:width], after[5, start:width]
        x6, x7 = after[6, start:width], after[7, start:width]
        for i in range(start, min(start + _WIDTH, n)):
            if first <= i < first + count:
                continue
            c = before[:, i]
            y = w[i, start:width]
            _add_four(y, c[0], x0, c[1], x1, c[2], x2, c[3], x3)
            _add_four(y, c[4], x4, c[5], x5, c[6], x6, c[7], x7)
            if i < first:
                for k in range(count):
                    w[i, first + k] = after[k, i]


@_jit
def _put_in_series(w, n, width, r, before, after):  # type: ignore[no-untyped-def]
    """Put resistances r in front of nodes 0 .. n - 1: each is eliminated in favour of its new end.

    Nodes are taken in panels of eight, so that a row is read and written once for eight of them.
    `before` and `after` (_PANEL, >= width) are scratch.
    """
    for first in range(0, n, _PANEL):
        count = min(_PANEL, n - first)
        _take_panel(w, before, first, count, width)
        after[:, :width] = before[:, :width]
        for k in range(count):
            before[k, :width] *= r[first + k]
        _eliminate_panel(after, first, count, width, r)
        _update_rest(w, before, after, first, count, w.shape[0], width)
        for k in range(count):
            node = first + k
            w[node, node + 1 : width] = after[k, node + 1 : width]


@_jit
def _remove(w, k, width):  # type: ignore[no-untyped-def]
    """Eliminate node k for good: it has no end."""
    row = np.zeros(width)
    for m in range(k):
        row[m] = w[m, k]
        w[m, k] = 0.0
    row[k + 1 :] = w[k, k + 1 : width]
    w[k, k + 1 : width] = 0.0
    total = row.sum()
    if total > 0.0:
        for i in range(w.shape[0]):
            c = row[i] / total
            for m in range(i + 1, width):
                w[i, m] += c * row[m]


@_jit
def _add_bitline(w, place, straight, target, column, f, z, sensed):  # type: ignore[no-untyped-def]
    """Connect a bitline and its devices to the wordline nodes place[i]; its sense is w[:, target].

    The conductance that it puts between wordlines l < m is (g_l f_l .. f_(m-1)) g_m h_m, with h_m the
    voltage of its node m for a current into it, all wordlines at 0 V.
    """
    n = column.shape[0]
    h = np.empty(n)
    h[n - 1] = z[n - 1]
    for i in range(n - 2, -1, -1):
        h[i] = z[i] + f[i] * f[i] * h[i + 1]
    for m in range(n):
        h[m] *= column[m]
    for i in range(n):
        t = column[i]
        if t == 0.0:
            continue
        node = place[i]
        w[node, target] += sensed[i]
        if straight:
            row = w[i]
            for m in range(i + 1, n):
                t *= f[m - 1]
                row[m] += t * h[m]
        else:
            for m in range(i + 1, n):
                t *= f[m - 1]
                w[min(node, place[m]), max(node, place[m])] += t * h[m]


@_jit
def _one_ended(r_wl, left, right, n_cols):  # type: ignore[no-untyped-def]
    """Ends of the wordlines; without any wire between them both are one, at the left."""
    near, far = left.copy(), right.copy()
    if r_wl == 0.0 or n_cols == 1:
        for i in range(near.shape[0]):
            if far[i] < np.inf:
                total = near[i] + far[i]
                if near[i] == np.inf:
                    near[i] = far[i]
                elif total > 0.0:
                    near[i] *= far[i] / total
                far[i] = np.inf
    return near, far


@_jit
def _solve_one(g, factors, r_wl, left, right, sensed, n_sensed):  # type: ignore[no-untyped-def]
    """Columns of g_eff. sensed[j] is the place of bitline j in the result, or -1 if not wanted.

    Where wordlines have a right end, their sources are nodes too: n .. 2 n - 1.
    """
    n, n_cols = g.shape
    near, far = _one_ended(r_wl, left, right, n_cols)
    two_ended = far.min() < np.inf
    n_nodes = 2 * n if two_ended else n
    first_target = _padded(n_nodes)
    w = np.zeros((n_nodes, first_target + _padded(n_sensed + 1)))
    before = np.zeros((_PANEL, w.shape[1]))
    after = np.zeros((_PANEL, w.shape[1]))
    out = np.empty((n, n_sensed))
    met = np.empty(n_sensed, dtype=np.int64)  # where in w each wanted bitline went
    used = 1  # the first place gathers the bitlines not wanted
    place, straight = np.arange(n), True
    for k in range(n):
        if far[k] == 0.0:
            place[k], straight = n + k, False  # the last node of this wordline is its source
        elif far[k] < np.inf:
            w[k, n + k] = 1.0 / far[k]
    wires = np.full(n, r_wl)
    for j in range(n_cols - 1, -1, -1):
        if r_wl > 0.0 and j < n_cols - 1:
            _put_in_series(w, n, first_target + _padded(used), wires, before, after)
        if j == n_cols - 2 and not straight:
            for k in range(n):
                if place[k] != k:
                    w[k, place[k]] += 1.0 / r_wl
                    place[k] = k
            straight = True
        target = first_target
        if sensed[j] >= 0:
            target = first_target + used
            met[sensed[j]] = target
            used += 1
        f, z = factors[F_DOWN, :, j].copy(), factors[Z_DOWN, :, j].copy()
        _add_bitline(
            w, place, straight, target, g[:, j].copy(), f, z, factors[G_SENSED, :, j].copy()
        )
    width = first_target + _padded(used)
    ends = np.where(near < np.inf, near, 0.0)
    if ends.max() > 0.0:
        _put_in_series(w, n, width, ends, before, after)
    for k in range(n):
        if near[k] == np.inf:
            _remove(w, k, width)
    for at in range(n_sensed):
        out[:, at] = w[:n, met[at]]
        if two_ended:
            out[:, at] += w[n:, met[at]]
    return out


@_jit
def _places(wanted, n):  # type: ignore[no-untyped-def]
    """Number some of n lines by their place in `wanted`; -1 for the others."""
    places = np.full(n, -1)
    for place in range(wanted.shape[0]):
        places[wanted[place]] = place
    return places


@_jit
def eliminate(g, factors, r_wl, left, right, rows, cols):  # type: ignore[no-untyped-def]
    """Transfer matrix of one array between wanted wordlines and bitlines.

    The work grows with the square of the wordlines: turn an array that has more of them than bitlines.

    Args:
        g: conductances, siemens, float64 (n_rows, n_cols).
        factors: those of `line_factors`.
        r_wl: wordline resistance per cell, ohm.
        left: from a wordline's first node to its source, ohm (inf: open), float64 (n_rows,).
        right: from its last node to its source, ohm (inf: open), float64 (n_rows,).
        rows: int64, wanted wordlines.
        cols: int64, wanted bitlines.

    Returns:
        float64 (wanted wordlines, wanted bitlines), siemens.
    """
    places = _places(cols, g.shape[1])
    return _solve_one(g, factors, r_wl, left, right, places, cols.shape[0])[rows]
