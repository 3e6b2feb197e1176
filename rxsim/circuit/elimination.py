"""Exact solution of a linear array by eliminating its nodes, in sums of positive terms only.

The network of a crossbar is conductances between nodes and to ground. Eliminating a node joins its
neighbours by new conductances (star to mesh): a + b c / d with everything >= 0. Nothing is ever
subtracted, so every entry of g_eff keeps a small relative error (a few thousand roundings in a
64x64 array: below 1e-12), whatever the spread of the conductances; and a resistance of exactly 0 or
an open device is an ordinary value, for every formula below is written with resistances.

The elimination walks along the wordlines from their far end to the drivers. Its state at column j is
the network that the wordline nodes of column j see to their right: conductances `a` between them and
`s` from them into each sensed bitline. Two steps repeat:
  series    put the wire resistance r in front of every node (`_put_in_series`)
  parallel  add column j itself, a bitline with its devices, in closed form (`_add_bitline`)
Source: star-mesh transformation (Rosen 1924); the subtraction-free form is that of Grassmann, Taksar
and Heyman (Oper. Res. 33, 1985) for Markov chains.

numba does not see a change in a kernel that is imported from another file, so all of it stands here.
"""

from __future__ import annotations

import numba
import numpy as np

_jit = numba.njit(cache=True, nogil=True, error_model="numpy")


@_jit
def _put_in_series(a, s, r, kept, kept_f):  # type: ignore[no-untyped-def]
    """Put a resistance r in front of every node: each node is eliminated in favour of its new end.

    `a` (n, n) is symmetric with a diagonal of zeros; both arrays are changed in place. Node k is at
    kept_f[k] v_k + sum over m of kept[k, m] v_m, where v_k is its new end, v_m that of node m for
    m < k and node m itself for m > k; this is written down only where `kept` is not empty.
    """
    n = a.shape[0]
    for k in range(n):
        row_a = a[k].copy()  # copies, so that the compiler knows that nothing overlaps
        row_s = s[k].copy()
        total = row_a.sum() + row_s.sum()
        f = 1.0 / (1.0 + r * total)
        if kept.shape[0] > 0:
            kept_f[k] = f
            kept[k] = r * f * row_a
        for i in range(n):
            if i == k or row_a[i] == 0.0:
                continue
            c = r * f * row_a[i]
            _add_multiple(a[i], c, row_a)
            _add_multiple(s[i], c, row_s)
            a[i, i] = 0.0
            a[i, k] *= f  # row_a[k] is 0: the line above has left this entry as it was
        a[k] = row_a * f
        s[k] = row_s * f


@_jit
def _add_multiple(y, c, x):  # type: ignore[no-untyped-def]
    for m in range(y.shape[0]):
        y[m] += c * x[m]


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
def _add_bitline(a, s, target, column, r_wire, r_sense, f, h):  # type: ignore[no-untyped-def]
    """Connect a bitline and its devices to the wordline nodes; its sense is s[:, target]."""
    n = column.shape[0]
    _bitline_factors(column, r_wire, r_sense, f, h)
    for i in range(n):
        if column[i] == 0.0:
            continue
        t = column[i]
        for m in range(i + 1, n):
            t *= f[m - 1]
            joint = t * column[m] * h[m]
            a[i, m] += joint
            a[m, i] += joint
        s[i, target] += t * f[n - 1]


@_jit
def _solve_one(g, r_wl, r_bl, r_driver, r_sense, sensed, n_sensed):  # type: ignore[no-untyped-def]
    """Columns of g_eff. sensed[j] is the place of bitline j in the result, or -1 if not wanted."""
    n_rows, n_cols = g.shape
    a = np.zeros((n_rows, n_rows))
    s = np.zeros((n_rows, n_sensed + 1))  # the last place gathers the bitlines not wanted
    f = np.empty(n_rows)
    h = np.empty(n_rows)
    column = np.empty(n_rows)
    kept = np.empty((0, 0))
    for j in range(n_cols - 1, -1, -1):
        if r_wl > 0.0 and j < n_cols - 1:
            _put_in_series(a, s, r_wl, kept, f)
        for i in range(n_rows):
            column[i] = g[i, j]
        target = sensed[j] if sensed[j] >= 0 else n_sensed
        _add_bitline(a, s, target, column, r_bl, r_sense, f, h)
    if r_driver > 0.0:
        _put_in_series(a, s, r_driver, kept, f)
    return s[:, :n_sensed].copy()


@_jit
def effective_conductance(g, r_wl, r_bl, r_driver, r_sense, row_place, col_place):  # type: ignore[no-untyped-def]
    """Transfer matrix of one array between wanted wordlines and bitlines.

    Args:
        g: conductances, siemens, float64 (n_rows, n_cols).
        r_wl: wordline resistance per cell, ohm.
        r_bl: bitline resistance per cell, ohm.
        r_driver: driver resistance, ohm.
        r_sense: sense resistance, ohm.
        row_place: int64 (n_rows,), place of each wordline in the result, -1 if not wanted.
        col_place: int64 (n_cols,), the same for bitlines.

    Returns:
        float64 (number of wanted wordlines, number of wanted bitlines), siemens.
    """
    n_rows, n_cols = g.shape
    n_wanted_rows = row_place.max() + 1
    n_wanted_cols = col_place.max() + 1
    out = np.empty((n_wanted_rows, n_wanted_cols))
    if n_rows <= n_cols:
        full = _solve_one(g, r_wl, r_bl, r_driver, r_sense, col_place, n_wanted_cols)
        for i in range(n_rows):
            if row_place[i] >= 0:
                out[row_place[i], :] = full[i, :]
        return out
    # Reciprocity: driving the sense ends and sensing at the drivers gives the transposed matrix, and
    # the work grows with the square of the lines that are walked along: walk along the longer ones.
    turned = np.ascontiguousarray(g[::-1, ::-1].T)
    places = row_place[::-1].copy()
    full = _solve_one(turned, r_bl, r_wl, r_sense, r_driver, places, n_wanted_rows)
    for j in range(n_cols):
        if col_place[j] >= 0:
            out[:, col_place[j]] = full[n_cols - 1 - j, :]
    return out


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
    a = np.zeros((n_rows, n_rows))
    s = np.zeros((n_rows, 1))
    f = np.empty(n_rows)
    h = np.empty(n_rows)
    kept = np.zeros((n_cols, n_rows, n_rows))
    kept_f = np.ones((n_cols, n_rows))
    for j in range(n_cols - 1, -1, -1):
        _add_bitline(a, s, 0, g[:, j].copy(), r_bl, r_sense, f, h)
        _put_in_series(a, s, r_wl if j > 0 else r_driver, kept[j], kept_f[j])
    v_wl = np.empty((n_rows, n_cols))
    v_bl = np.empty((n_rows, n_cols))
    i_out = np.empty(n_cols)
    before = v_in.copy()
    for j in range(n_cols):
        for k in range(n_rows - 1, -1, -1):
            # before[m] is the new end of node m for m < k, and node m itself for m > k.
            v = kept_f[j, k] * before[k]
            for m in range(n_rows):
                v += kept[j, k, m] * before[m]
            before[k] = v
        v_wl[:, j] = before
    for j in range(n_cols):
        i_out[j] = _bitline_voltages(
            g[:, j].copy(), v_wl[:, j].copy(), r_bl, r_sense, f, h, v_bl, j
        )
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
