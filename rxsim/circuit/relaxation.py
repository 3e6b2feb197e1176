"""Exact solution of a mild array by line relaxation, with a bound on its error known beforehand.

With the bitlines' voltages held, every wordline is a ladder that is solved in one walk to its driver
and back; then every bitline with the wordlines held; and so on. Walks use resistances and sums of
positive terms only (a resistance of exactly 0 or an open device is an ordinary value). The iteration
works on what each sweep adds, so the result is a sum of positive increments that rises to g_eff.

How many sweeps are enough is found before any of the work is done: a single iteration with all wanted
wordlines driven at once costs next to nothing and adds, sweep by sweep, exactly the sum over those
wordlines of what the real ones add. What is left after a sweep of the sum bounds what is left of each
entry. Its own rest is bounded by a geometric series: increments are positive, and where no node's
increment exceeds theta times its last one, none ever will (Collatz 1942).

numba does not see a change in a kernel that is imported from another file, so all of it stands here.
"""

from __future__ import annotations

import numba
import numpy as np

_jit = numba.njit(
    cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"}
)
_LANES = 16  # driven wordlines solved side by side, innermost in memory for SIMD
_FLOOR = 1e-6  # entries are judged against at least this share of their column's largest


@_jit
def _ladder_factors(g, r_wl, r_bl, r_driver, r_sense, f_wl, f_bl):  # type: ignore[no-untyped-def]
    """Attenuation from every node to the next one on the way to its driver or sense."""
    n_rows, n_cols = g.shape
    for i in range(n_rows):
        total = 0.0
        for j in range(n_cols - 1, -1, -1):
            total += g[i, j]
            f_wl[i, j] = 1.0 / (1.0 + (r_wl if j > 0 else r_driver) * total)
            total *= f_wl[i, j]
    for j in range(n_cols):
        total = 0.0
        for i in range(n_rows):
            total += g[i, j]
            f_bl[i, j] = 1.0 / (1.0 + (r_bl if i < n_rows - 1 else r_sense) * total)
            total *= f_bl[i, j]


@_jit
def _scale(y, a):  # type: ignore[no-untyped-def]
    for b in range(_LANES):
        y[b] *= a


@_jit
def _combine(y, a, x, c):  # type: ignore[no-untyped-def]
    for b in range(_LANES):
        y[b] = a * y[b] + c * x[b]


@_jit
def _walk_to_sense(x, g, f_bl, j):  # type: ignore[no-untyped-def]
    """From wordline voltages to the current that arrives at each node of bitline j from above."""
    _scale(x[0, j], g[0, j])
    for i in range(1, g.shape[0]):
        _combine(x[i, j], g[i, j], x[i - 1, j], f_bl[i - 1, j])


@_jit
def _walk_from_sense(x, f_bl, j, r_bl, r_sense):  # type: ignore[no-untyped-def]
    """From arriving currents to the node voltages of bitline j."""
    last = f_bl.shape[0] - 1
    _scale(x[last, j], f_bl[last, j] * r_sense)
    for i in range(last - 1, -1, -1):
        _combine(x[i, j], f_bl[i, j] * r_bl, x[i + 1, j], f_bl[i, j])


@_jit
def _solve_wordline(x, g, f_wl, i, r_wl, r_driver):  # type: ignore[no-untyped-def]
    """From bitline voltages to the node voltages of wordline i, its source at 0 V."""
    last = g.shape[1] - 1
    _scale(x[i, last], g[i, last])
    for j in range(last - 1, -1, -1):
        _combine(x[i, j], g[i, j], x[i, j + 1], f_wl[i, j + 1])
    _scale(x[i, 0], f_wl[i, 0] * r_driver)
    for j in range(1, last + 1):
        _combine(x[i, j], f_wl[i, j] * r_wl, x[i, j - 1], f_wl[i, j])


@_jit
def _needed(first_order, cols, turned):  # type: ignore[no-untyped-def]
    """The smallest value that an entry of each wanted bitline is judged against, from below.

    Entries are judged against max(entry, 1e-6 of their column's largest); in a turned circuit what
    stands in a row here is a column of the user's matrix.
    """
    need = np.full(cols.shape[0], np.inf)
    largest = np.empty(cols.shape[0])
    for place in range(cols.shape[0]):
        largest[place] = first_order[:, cols[place]].max()
    for row in range(first_order.shape[0]):
        along_row = 0.0
        for place in range(cols.shape[0]):
            along_row = max(along_row, first_order[row, cols[place]])
        for place in range(cols.shape[0]):
            peak = along_row if turned else largest[place]
            judged = max(first_order[row, cols[place]], _FLOOR * peak)
            need[place] = min(need[place], judged)
    return need


@_jit
def _fraction(rest, need):  # type: ignore[no-untyped-def]
    """The largest rest relative to what it is judged against; 0 where both are 0."""
    worst = 0.0
    for place in range(rest.shape[0]):
        if rest[place] > worst * need[place]:
            worst = rest[place] / need[place] if need[place] > 0.0 else np.inf
    return worst


@_jit
def _growth(now, before):  # type: ignore[no-untyped-def]
    """The smallest theta with now <= theta before at every node."""
    theta = 0.0
    for i in range(now.shape[0]):
        for j in range(now.shape[1]):
            if now[i, j] > theta * before[i, j]:
                theta = now[i, j] / before[i, j] if before[i, j] > 0.0 else np.inf
    return theta


@_jit
def _sweep_of_sum(x, g, f_wl, f_bl, r_wl, r_bl, r_driver, r_sense):  # type: ignore[no-untyped-def]
    """One sweep with all wanted wordlines driven at once; x (n_rows, n_cols) changes in place.

    Returns:
        What it adds to the current of every bitline, (n_cols,).
    """
    n_rows, n_cols = g.shape
    last = n_rows - 1
    for j in range(n_cols):
        x[0, j] *= g[0, j]
    for i in range(1, n_rows):
        for j in range(n_cols):
            x[i, j] = g[i, j] * x[i, j] + f_bl[i - 1, j] * x[i - 1, j]
    arrived = f_bl[last] * x[last]
    for j in range(n_cols):
        x[last, j] *= f_bl[last, j] * r_sense
    for i in range(last - 1, -1, -1):
        for j in range(n_cols):
            x[i, j] = f_bl[i, j] * (r_bl * x[i, j] + x[i + 1, j])
    for i in range(n_rows):
        x[i, n_cols - 1] *= g[i, n_cols - 1]
        for j in range(n_cols - 2, -1, -1):
            x[i, j] = g[i, j] * x[i, j] + f_wl[i, j + 1] * x[i, j + 1]
        x[i, 0] *= f_wl[i, 0] * r_driver
        for j in range(1, n_cols):
            x[i, j] = f_wl[i, j] * (r_wl * x[i, j] + x[i, j - 1])
    return arrived


@_jit
def _start(g, f_wl, f_bl, rows):  # type: ignore[no-untyped-def]
    """Voltages with wanted wordlines driven and bitlines at 0 V, and what g_eff is at least."""
    n_rows, n_cols = g.shape
    to_sense = f_bl.copy()
    for i in range(n_rows - 2, -1, -1):
        to_sense[i] *= to_sense[i + 1]
    x = np.zeros((n_rows, n_cols))
    first_order = np.empty((rows.shape[0], n_cols))
    for place in range(rows.shape[0]):
        i = rows[place]
        v = 1.0
        for j in range(n_cols):
            v *= f_wl[i, j]
            x[i, j] = v
            first_order[place, j] = v * g[i, j] * to_sense[i, j]
    return x, first_order


@_jit
def plan_sweeps(g, r_wl, r_bl, r_driver, r_sense, rows, cols, turned, tolerance, most):  # type: ignore[no-untyped-def]
    """Find how many sweeps bring every wanted entry of g_eff within a tolerance.

    Args:
        g: conductances, siemens, float64 (n_rows, n_cols).
        r_wl: wordline resistance per cell, ohm.
        r_bl: bitline resistance per cell, ohm.
        r_driver: driver resistance, ohm.
        r_sense: sense resistance, ohm.
        rows: int64, wanted wordlines.
        cols: int64, wanted bitlines.
        turned: whether the circuit is turned: columns of the user's matrix are rows here.
        tolerance: of an entry, relative to max(entry, 1e-6 of its column's largest).
        most: more sweeps than this are not worth it.

    Returns:
        The number of sweeps and the bound that they reach; (-1, inf) where they would be too many.
    """
    f_wl, f_bl = np.empty(g.shape), np.empty(g.shape)
    _ladder_factors(g, r_wl, r_bl, r_driver, r_sense, f_wl, f_bl)
    x, first_order = _start(g, f_wl, f_bl, rows)
    need = _needed(first_order, cols, turned)
    added = np.zeros((most + 2, cols.shape[0]))
    for sweep in range(most + 2):
        before = x.copy()
        arrived = _sweep_of_sum(x, g, f_wl, f_bl, r_wl, r_bl, r_driver, r_sense)
        for place in range(cols.shape[0]):
            added[sweep, place] = arrived[cols[place]]
        theta = _growth(x, before)
        if theta < 1.0:
            # What is added from here on is at most theta, theta^2, .. of what was added last.
            rest = added[sweep] * (theta / (1.0 - theta))
            if _fraction(rest, need) <= 0.1 * tolerance:
                found = sweep
                while found > 0 and _fraction(rest + added[found], need) <= tolerance:
                    rest = rest + added[found]
                    found -= 1
                if found > most:
                    break
                return found, _fraction(rest, need)
        if sweep >= 3 and _fraction(added[sweep], need) * theta ** (most - sweep) > tolerance:
            break
    return -1, np.inf


@_jit
def relax(g, r_wl, r_bl, r_driver, r_sense, rows, cols, sweeps):  # type: ignore[no-untyped-def]
    """Sum a number of sweeps (see `plan_sweeps`, whose arguments these are).

    Returns:
        g_eff between the wanted wordlines and bitlines, siemens, float64 (wanted rows, wanted cols).
    """
    n_rows, n_cols = g.shape
    last = n_rows - 1
    f_wl, f_bl = np.empty(g.shape), np.empty(g.shape)
    _ladder_factors(g, r_wl, r_bl, r_driver, r_sense, f_wl, f_bl)
    currents = np.zeros((n_cols, _LANES))
    out = np.empty((rows.shape[0], cols.shape[0]))
    # One column more than needed: bitlines would otherwise lie powers of two apart in the cache.
    x = np.empty((n_rows, n_cols + 1, _LANES))
    for first in range(0, rows.shape[0], _LANES):
        lanes = min(_LANES, rows.shape[0] - first)
        x[:] = 0.0
        currents[:] = 0.0
        for lane in range(lanes):
            i = rows[first + lane]
            v = 1.0
            for j in range(n_cols):
                v *= f_wl[i, j]
                x[i, j, lane] = v
        for sweep in range(sweeps + 1):
            for j in range(n_cols):
                _walk_to_sense(x, g, f_bl, j)
                _combine(currents[j], 1.0, x[last, j], f_bl[last, j])
                if sweep < sweeps:
                    _walk_from_sense(x, f_bl, j, r_bl, r_sense)
            if sweep < sweeps:
                for i in range(n_rows):
                    _solve_wordline(x, g, f_wl, i, r_wl, r_driver)
        for lane in range(lanes):
            for place in range(cols.shape[0]):
                out[first + lane, place] = currents[cols[place], lane]
    return out
