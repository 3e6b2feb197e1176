"""Exact solution of a mild array by line relaxation.

With the bitlines' voltages held, every wordline is a ladder that is solved in one walk to one end and
back; then every bitline with the wordlines held; and so on. Walks use the factors of `line_factors`
and sums of positive terms only. Starting from bitlines at 0 V, voltages rise to the solution;
`plan_sweeps` tells beforehand how many sweeps are enough.

16 wanted wordlines are driven side by side, innermost in memory (`rxsim.circuit.lanes`). A sweep reads
and writes the array once. Bitlines are folded up from top to bottom and from bottom to top in turns.
While a sweep hands its bitline voltages back along the rows, each row's wordline is solved at once and
folded into the next sweep. In each row these follow on one another: the bitlines' voltages u, the
wordline's currents c from right to left, its voltages x from left to right, and the bitlines' currents
y of the next sweep.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from rxsim.circuit.factors import (
    F_DOWN,
    F_UP,
    F_WL,
    G_SENSED,
    V_DRIVEN,
    Z_DOWN,
    Z_UP,
    Z_WL,
    fold_lines,
)
from rxsim.circuit.jit import entry, inner
from rxsim.circuit.ladder import number_places
from rxsim.circuit.lanes import LANES, add, combine, element, load, store, zeros
from rxsim.circuit.sweep_count import plan_sweeps


@inner
def _wordline_currents(i, g, f_wl, f_bl, z_bl, y, u, c):
    """Bitline voltages u of the row next to row i become those of row i, and its currents c."""
    n = g.shape[1]
    arriving, f = zeros(), 0.0
    for j in range(n - 1, -1, -1):
        k = i * n + j
        v = combine(element(z_bl, k), load(y, k), element(f_bl, k), load(u, j))
        store(u, j, v)
        arriving = combine(element(g, k), v, f, arriving)
        store(c, j, arriving)
        f = element(f_wl, k)


@inner
def _unfed_currents(i, g, f_wl, f_bl, u, c):
    """The same where nothing flows into row i of the bitlines: their folded currents y are 0."""
    n = g.shape[1]
    arriving, f = zeros(), 0.0
    for j in range(n - 1, -1, -1):
        k = i * n + j
        v = add(element(f_bl, k), load(u, j), zeros())
        store(u, j, v)
        arriving = combine(element(g, k), v, f, arriving)
        store(c, j, arriving)
        f = element(f_wl, k)


@inner
def _add_row(i, weights, f_wl, z_wl, c, to, at):
    """Wordline voltages of row i, and what they add to row `at` of some bitline currents."""
    n = weights.shape[1]
    x = zeros()
    for j in range(n):
        k = i * n + j
        x = combine(element(z_wl, k), load(c, j), element(f_wl, k), x)
        store(to, at * n + j, add(element(weights, k), x, load(to, at * n + j)))


@inner
def _fold_row(i, before, g, f_wl, z_wl, f_bl, c, y):
    """The same for row i of the bitline currents y, which come folded up from row `before`."""
    n = g.shape[1]
    x = zeros()
    for j in range(n):
        k, k_before = i * n + j, before * n + j
        x = combine(element(z_wl, k), load(c, j), element(f_wl, k), x)
        store(y, k, combine(element(g, k), x, element(f_bl, k_before), load(y, k_before)))


@inner
def _add_driven(i, lane, weights, v_driven, to, at):
    """What a driven wordline's own source adds to row `at` of some bitline currents."""
    n = weights.shape[1]
    if lane[i] >= 0:
        for j in range(n):
            to[(at * n + j) * LANES + lane[i]] += weights[i, j] * v_driven[i, j]


@inner
def _start(i, lane, g, v_driven, f_bl, up, y):
    """Fold up the bitlines with the driven wordlines at their voltages, all others at 0 V.

    From row i on, behind which all is at 0 V: there y stays unset.
    """
    n_rows, n = g.shape
    y[i * n * LANES : (i + 1) * n * LANES] = 0.0
    step = -1 if up else 1
    before = -1
    while 0 <= i < n_rows:
        if before >= 0:
            for j in range(n):
                k = before * n + j
                store(y, i * n + j, add(element(f_bl, k), load(y, k), zeros()))
        _add_driven(i, lane, g, v_driven, y, i)
        before = i
        i += step


@inner
def _sweep(up, fed, is_last, lane, g, factors, y, u, c, out):
    """One sweep; the first `fed` rows of bitlines come folded upwards (`up`) or downwards."""
    n_rows, n = g.shape
    f_wl, z_wl = factors[F_WL], factors[Z_WL]
    v_driven, sensed = factors[V_DRIVEN], factors[G_SENSED]
    f_bl, z_bl = (factors[F_UP], factors[Z_UP]) if up else (factors[F_DOWN], factors[Z_DOWN])
    f_next = factors[F_DOWN] if up else factors[F_UP]
    u[:] = 0.0
    for count in range(n_rows):
        i = count if up else n_rows - 1 - count
        if count < fed:
            _wordline_currents(i, g, f_wl, f_bl, z_bl, y, u, c)
        else:
            _unfed_currents(i, g, f_wl, f_bl, u, c)
        if is_last:
            _add_row(i, sensed, f_wl, z_wl, c, out, 0)
            _add_driven(i, lane, sensed, v_driven, out, 0)
            continue
        if count == 0:
            y[i * n * LANES : (i + 1) * n * LANES] = 0.0
            _add_row(i, g, f_wl, z_wl, c, y, i)
        else:
            _fold_row(i, i - 1 if up else i + 1, g, f_wl, z_wl, f_next, c, y)
        _add_driven(i, lane, g, v_driven, y, i)


@inner
def _relax(g, factors, rows, cols, sweeps, y, result):
    """As `relax`; the result goes into an array."""
    n_rows, n_cols = g.shape
    v_driven, sensed = factors[V_DRIVEN], factors[G_SENSED]
    u, c, out = np.empty(n_cols * LANES), np.empty(n_cols * LANES), np.empty(n_cols * LANES)
    lane = np.empty(n_rows, np.int64)
    for first in range(0, rows.shape[0], LANES):
        driven = rows[first : first + LANES]
        number_places(driven, lane)
        out[:] = 0.0
        if sweeps == 0:
            for place in range(driven.shape[0]):
                _add_driven(driven[place], lane, sensed, v_driven, out, 0)
        else:
            low, high = n_rows, 0
            for place in range(driven.shape[0]):
                low, high = min(low, driven[place]), max(high, driven[place])
            # The first fold goes to the nearer side: behind the driven rows all is at 0 V.
            up = low + high < n_rows
            f_bl = factors[F_UP] if up else factors[F_DOWN]
            _start(high if up else low, lane, g, v_driven, f_bl, up, y)
            fed = high + 1 if up else n_rows - low
            for sweep in range(sweeps):
                _sweep(up, fed, sweep == sweeps - 1, lane, g, factors, y, u, c, out)
                up, fed = not up, n_rows
        for place in range(driven.shape[0]):
            for at in range(cols.shape[0]):
                result[first + place, at] = out[cols[at] * LANES + place]


@entry
def relax(g, factors, rows, cols, sweeps, y):
    """Relax an array in a number of sweeps (see `plan_sweeps`).

    Args:
        g: conductances, siemens, float64 (n_rows, n_cols).
        factors: those of `line_factors`.
        rows: int64, wanted wordlines.
        cols: int64, wanted bitlines.
        sweeps: how many; 0 gives what wordlines in front of bitlines at 0 V give.
        y: to work in, float64 (n_rows n_cols LANES,), contiguous.

    Returns:
        g_eff between the wanted wordlines and bitlines, siemens, float64 (wanted rows, wanted cols).
    """
    result = np.empty((rows.shape[0], cols.shape[0]))
    _relax(g, factors, rows, cols, sweeps, y, result)
    return result


@inner
def _load(g, r_access, turned, loaded):
    """Put r_access in series with every cell of an array, which may be turned as `Lines.turned` says.

    Returns whether all cells were finite and none negative.
    """
    n_rows, n_cols = g.shape
    possible = True
    for i in range(n_rows):
        for j in range(n_cols):
            possible &= 0.0 <= g[i, j] < np.inf
            cell = g[i, j] / (1.0 + g[i, j] * r_access)
            if turned:
                loaded[n_cols - 1 - j, n_rows - 1 - i] = cell
            else:
                loaded[i, j] = cell
    return possible


@entry
def relax_each(
    g,
    r_access,
    r_wl,
    r_bl,
    left,
    right,
    top,
    bottom,
    rows,
    cols,
    turned,
    tolerance,
    most,
    factors,
    lanes,
    result,
    sweeps,
    bounds,
):
    """Fold up, plan and relax arrays of one circuit in a single call: small ones are quick to solve.

    Args:
        g: conductances of the devices alone, siemens, float64 (arrays, n_rows, n_cols).
        r_access: in series with each, ohm.
        r_wl: and the next five as `fold_lines` takes them: the lines of the turned arrays, where these
            are turned.
        r_bl: ohm.
        left: ohm.
        right: ohm.
        top: ohm.
        bottom: ohm.
        rows: int64, wanted wordlines, of the turned arrays likewise.
        cols: int64, wanted bitlines, likewise.
        turned: whether to turn the arrays before, as `Lines.turned` says.
        tolerance: as `plan_sweeps` takes it, and `most`.
        most: sweeps.
        factors: to work in, float64 (8, wordlines, bitlines).
        lanes: to work in, float64 (n_rows n_cols LANES,).
        result: g_eff of each array as the user has it, float64 (arrays, its wanted wordlines, its
            wanted bitlines); unset where sweeps would be too many.
        sweeps: the number for each array, int64 (arrays,): -1: too many, -2: a conductance is none.
        bounds: that they reach, float64 (arrays,).

    Returns:
        The smallest of these numbers of sweeps.
    """
    n_rows, n_cols = factors.shape[1], factors.shape[2]
    loaded = np.empty((n_rows, n_cols))
    nodes = lanes[: 3 * loaded.size].reshape((3, n_rows, n_cols))
    relaxed = np.empty((rows.shape[0], cols.shape[0]))
    worst = most
    for k in range(g.shape[0]):
        sweeps[k], bounds[k] = -2, np.inf
        if _load(g[k], r_access, turned, loaded):
            fold_lines(loaded, r_wl, r_bl, left, right, top, bottom, factors)
            sweeps[k], bounds[k] = plan_sweeps(
                loaded, factors, rows, cols, turned, tolerance, most, False, nodes
            )
        worst = min(worst, sweeps[k])
        if sweeps[k] >= 0 and turned:
            _relax(loaded, factors, rows, cols, sweeps[k], lanes, relaxed)
            for i in range(relaxed.shape[0]):
                for j in range(relaxed.shape[1]):
                    result[k, j, i] = relaxed[i, j]
        elif sweeps[k] >= 0:
            _relax(loaded, factors, rows, cols, sweeps[k], lanes, result[k])
    return worst
