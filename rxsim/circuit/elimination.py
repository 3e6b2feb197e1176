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

numba reads y[m] as "from the end" where m may be negative, and then uses no SIMD: hence the slices.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from rxsim.circuit.factors import F_DOWN, G_SENSED, Z_DOWN
from rxsim.circuit.jit import entry, inner
from rxsim.circuit.ladder import copy_to, joined_ends, number_places
from rxsim.circuit.lanes import LANES, add, load, store

_PANEL = 8
_WIDTH = LANES


@inner
def _padded(n):
    return -(-n // _WIDTH) * _WIDTH


@inner
def _take_panel(w, before, after, r, first, count, width):
    """Take whole rows of the nodes first .. first + count - 1 out of w.

    They go into `after` as they are and into `before` times their resistance; the rest is zeros.
    """
    after[:, :width] = 0.0
    before[:, :width] = 0.0
    for k in range(count):
        node = first + k
        row = after[k, :width]
        for m in range(node):
            row[m] = w[m, node]
        copy_to(row[node + 1 :], w[node, node + 1 : width])
        scaled = before[k, :width]
        for m in range(scaled.shape[0]):
            scaled[m] = row[m] * r[node]


@inner
def _eliminate_panel(after, first, count, width, r):
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


@inner
def _add_to_row(y, block, width, c, after):
    """Add eight multiples of the panel's rows to a row, from a block of 16 on."""
    stride = after.shape[1] // LANES
    for m in range(block, width // LANES):
        s = load(y, m)
        for k in range(_PANEL):
            s = add(c[k], load(after, k * stride + m), s)
        store(y, m, s)


@inner
def _add_to_rows(y, z, block, width, c, d, after):
    """The same for two rows: what is read of the panel serves both."""
    stride = after.shape[1] // LANES
    for m in range(block, width // LANES):
        s, t = load(y, m), load(z, m)
        for k in range(_PANEL):
            x = load(after, k * stride + m)
            s = add(c[k], x, s)
            t = add(d[k], x, t)
        store(y, m, s)
        store(z, m, t)


@inner
def _update_rest(w, before, after, first, count, n, width):
    """Join the neighbours of an eliminated panel: every other row gains before^T after.

    Rows are taken in pairs of the same block of 16, those of the panel itself passed over.
    """
    c, d = np.empty(_PANEL), np.empty(_PANEL)
    i = 0 if first > 0 else count
    while i < n:
        after_next = i + 1 if i + 1 != first else first + count
        pair = i + 1 < n and i + 1 != first and (i + 1) % LANES != 0
        for k in range(_PANEL):
            c[k] = before[k, i]
            d[k] = before[k, i + 1] if pair else 0.0
        if pair:
            _add_to_rows(w[i], w[i + 1], i // LANES, width, c, d, after)
            after_next = i + 2 if i + 2 != first else first + count
        else:
            _add_to_row(w[i], i // LANES, width, c, after)
        if i < first:
            for k in range(count):
                w[i, first + k] = after[k, i]
                if pair:
                    w[i + 1, first + k] = after[k, i + 1]
        i = after_next


@inner
def _put_in_series(w, n, width, r, before, after):
    """Put resistances r in front of nodes 0 .. n - 1: each is eliminated in favour of its new end.

    Nodes are taken in panels of eight, so that a row is read and written once for eight of them.
    `before` and `after` (_PANEL, >= width) are scratch.
    """
    for first in range(0, n, _PANEL):
        count = min(_PANEL, n - first)
        _take_panel(w, before, after, r, first, count, width)
        _eliminate_panel(after, first, count, width, r)
        _update_rest(w, before, after, first, count, w.shape[0], width)
        for k in range(count):
            node = first + k
            copy_to(w[node, node + 1 : width], after[k, node + 1 : width])


@inner
def _remove(w, k, width):
    """Eliminate node k for good: it has no end."""
    row = np.zeros(width)
    for m in range(k):
        row[m] = w[m, k]
        w[m, k] = 0.0
    copy_to(row[k + 1 :], w[k, k + 1 : width])
    w[k, k + 1 : width] = 0.0
    total = row.sum()
    if total > 0.0:
        for i in range(w.shape[0]):
            c = row[i] / total
            for m in range(i + 1, width):
                w[i, m] += c * row[m]


@inner
def _add_bitline(w, place, straight, target, g, factors, j):
    """Connect bitline j and its devices to the wordline nodes place[i]; its sense is w[:, target].

    The conductance that it puts between wordlines l < m is (g_l f_l .. f_(m-1)) g_m h_m, with h_m the
    voltage of its node m for a current into it, all wordlines at 0 V.
    """
    n = g.shape[0]
    f, h = np.empty(n), np.empty(n)
    for i in range(n - 1, -1, -1):
        f[i], h[i] = factors[F_DOWN, i, j], factors[Z_DOWN, i, j]
        if i < n - 1:
            h[i] += f[i] * f[i] * h[i + 1]
    for i in range(n):
        h[i] *= g[i, j]
    for i in range(n):
        t = g[i, j]
        if t == 0.0:
            continue
        node = place[i]
        w[node, target] += factors[G_SENSED, i, j]
        if straight:
            row = w[i]
            for m in range(i + 1, n):
                t *= f[m - 1]
                row[m] += t * h[m]
        else:
            for m in range(i + 1, n):
                t *= f[m - 1]
                w[min(node, place[m]), max(node, place[m])] += t * h[m]


@inner
def _smallest(values):
    smallest = np.inf
    for value in values:
        smallest = min(smallest, value)
    return smallest


@inner
def _add_right_ends(w, far, place):
    """Connect the last wordline nodes to their sources, which are the nodes behind the first n.

    Where an end has no resistance, the last node is its source: place[k] says so.
    """
    n = far.shape[0]
    for k in range(n):
        place[k] = k
        if far[k] == 0.0:
            place[k] = n + k
        elif far[k] < np.inf:
            w[k, n + k] = 1.0 / far[k]


@inner
def _leave_right_ends(w, place, r_wl):
    """Go on from sources that are last nodes to the nodes to their left, over a wire."""
    for k in range(place.shape[0]):
        if place[k] != k:
            w[k, place[k]] += 1.0 / r_wl
            place[k] = k


@inner
def _put_left_ends(w, near, width, before, after):
    """Put the left ends in front of the first wordline nodes, which become the sources."""
    n = near.shape[0]
    ends, largest = np.empty(n), 0.0
    for k in range(n):
        ends[k] = near[k] if near[k] < np.inf else 0.0
        largest = max(largest, ends[k])
    if largest > 0.0:
        _put_in_series(w, n, width, ends, before, after)
    for k in range(n):
        if near[k] == np.inf:
            _remove(w, k, width)


@inner
def _network_of_sources(g, factors, r_wl, near, far, sensed, met):
    """Conductances between the sources of an array's wordlines and its bitlines.

    sensed[j] is the number of bitline j if it is wanted, or -1; met[number] becomes its place in w.
    Where wordlines have a right end, their sources are nodes too: n .. 2 n - 1.
    """
    n, n_cols = g.shape
    nearest = _smallest(far)
    n_nodes = 2 * n if nearest < np.inf else n
    first_target = _padded(n_nodes)
    w = np.zeros((n_nodes, first_target + _padded(met.shape[0] + 1)))
    before, after = np.zeros((_PANEL, w.shape[1])), np.zeros((_PANEL, w.shape[1]))
    used = 1  # the first place gathers the bitlines not wanted
    place, straight, wires = np.empty(n, np.int64), nearest > 0.0, np.empty(n)
    wires[:] = r_wl
    _add_right_ends(w, far, place)
    for j in range(n_cols - 1, -1, -1):
        if r_wl > 0.0 and j < n_cols - 1:
            _put_in_series(w, n, first_target + _padded(used), wires, before, after)
        if j == n_cols - 2 and not straight:
            _leave_right_ends(w, place, r_wl)
            straight = True
        target = first_target
        if sensed[j] >= 0:
            target = first_target + used
            met[sensed[j]] = target
            used += 1
        _add_bitline(w, place, straight, target, g, factors, j)
    _put_left_ends(w, near, first_target + _padded(used), before, after)
    return w


@inner
def _joined_wordlines(n_cols, r_wl, left, right):
    """Return the ends of all wordlines, those of lines without any wire joined into one."""
    near, far = np.empty(left.shape[0]), np.empty(left.shape[0])
    for i in range(left.shape[0]):
        near[i], far[i] = joined_ends(left[i], right[i], r_wl, n_cols)
    return near, far


@entry
def eliminate_to_sources(g, factors, r_wl, left, right):
    """Conductances that the sources of an array see between each other and to ground.

    The bitlines' senses are ground; the work grows with the cube of the wordlines.

    Args:
        g: conductances, siemens, float64 (n_rows, n_cols).
        factors: those of `line_factors`.
        r_wl: wordline resistance per cell, ohm.
        left: from a wordline's first node to its source, ohm (inf: open), float64 (n_rows,); not all of
            them open.
        right: from its last node to its source, ohm (inf: open), float64 (n_rows,).

    Returns:
        Siemens, float64: between each two sources (n_rows, n_rows), and to ground (n_rows,).
    """
    n, n_cols = g.shape
    near, far = _joined_wordlines(n_cols, r_wl, left, right)
    sensed, met = np.empty(n_cols, np.int64), np.empty(0, np.int64)
    sensed[:] = -1  # all bitlines gather in one place
    w = _network_of_sources(g, factors, r_wl, near, far, sensed, met)
    n_nodes = w.shape[0]
    between, to_ground = np.zeros((n, n)), np.zeros(n)
    for a in range(n_nodes):
        i = a if a < n else a - n  # the source of a wordline that is driven at both ends
        to_ground[i] += w[a, _padded(n_nodes)]
        for b in range(a + 1, n_nodes):
            m = b if b < n else b - n
            if m != i:
                between[i, m] += w[a, b]
                between[m, i] += w[a, b]
    return between, to_ground


@entry
def eliminate(g, factors, r_wl, left, right, rows, cols):
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
    n, n_cols = g.shape
    near, far = _joined_wordlines(n_cols, r_wl, left, right)
    sensed, met = np.empty(n_cols, np.int64), np.empty(cols.shape[0], np.int64)
    number_places(cols, sensed)
    w = _network_of_sources(g, factors, r_wl, near, far, sensed, met)
    result = np.empty((rows.shape[0], cols.shape[0]))
    for k in range(rows.shape[0]):
        for at in range(cols.shape[0]):
            result[k, at] = w[rows[k], met[at]]
            if w.shape[0] > n:  # the wordline is driven at both ends
                result[k, at] += w[n + rows[k], met[at]]
    return result
