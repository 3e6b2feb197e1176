"""How many sweeps of relaxation are enough, with a bound on the error that they leave.

It is found before any of the work is done: a single iteration with all wanted wordlines driven at
once costs next to nothing and adds, sweep by sweep, exactly the sum over those wordlines of what the
real ones add. What is left of the sum bounds what is left of each entry. Its own rest is bounded by a
geometric series: increments are positive, and where no node's increment exceeds theta times its last
one, none ever will (Collatz 1942).

numba does not see a change in a kernel that is imported from another file, so all of it stands here.
"""

from __future__ import annotations

import numba
import numpy as np

from rxsim.circuit.factors import F_DOWN, F_WL, G_SENSED, V_DRIVEN, Z_DOWN, Z_WL

_jit = numba.njit(
    cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"}
)
_FLOOR = 1e-6  # entries are judged against at least this share of their column's largest
_SIDE_BY_SIDE = 8  # wordlines walked together: each walk waits for its own last step


@_jit
def _needed(v_driven, sensed, rows, cols, turned):  # type: ignore[no-untyped-def]
    """The smallest value that an entry of each wanted bitline is judged against, from below.

    Entries are judged against max(entry, 1e-6 of their column's largest); in a turned circuit what
    stands in a row here is a column of the user's matrix.
    """
    count = cols.shape[0]
    smallest, largest, need = np.full(count, np.inf), np.zeros(count), np.full(count, np.inf)
    for place in range(rows.shape[0]):
        v_row, sensed_row = v_driven[rows[place]], sensed[rows[place]]
        least, most = np.inf, 0.0
        for at in range(count):
            entry = v_row[cols[at]] * sensed_row[cols[at]]
            least, most = min(least, entry), max(most, entry)
            smallest[at], largest[at] = min(smallest[at], entry), max(largest[at], entry)
        if turned and least < _FLOOR * most:
            for at in range(count):
                entry = v_row[cols[at]] * sensed_row[cols[at]]
                need[at] = min(need[at], max(entry, _FLOOR * most))
        elif turned:
            for at in range(count):
                need[at] = min(need[at], v_row[cols[at]] * sensed_row[cols[at]])
    if turned:
        return need
    return np.maximum(smallest, _FLOOR * largest)


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
        now_row, before_row = now[i], before[i]
        worst = 0.0
        for j in range(now.shape[1]):
            worst = max(worst, now_row[j] - theta * before_row[j])
        if worst > 0.0:
            for j in range(now.shape[1]):
                if now_row[j] > theta * before_row[j]:
                    theta = now_row[j] / before_row[j] if before_row[j] > 0.0 else np.inf
    return theta


@_jit
def _bitline_voltages(x, g, f, z, y):  # type: ignore[no-untyped-def]
    """From wordline voltages x to bitline voltages y, walking rows from top to bottom and back."""
    n_rows, n_cols = g.shape
    for j in range(n_cols):
        y[0, j] = g[0, j] * x[0, j]
    for i in range(1, n_rows):
        y_row, y_last, x_row, g_row, f_last = y[i], y[i - 1], x[i], g[i], f[i - 1]
        for j in range(n_cols):
            y_row[j] = g_row[j] * x_row[j] + f_last[j] * y_last[j]
    for j in range(n_cols):
        y[n_rows - 1, j] *= z[n_rows - 1, j]
    for count in range(1, n_rows):
        i = n_rows - 1 - count
        y_row, y_last, f_row, z_row = y[i], y[i + 1], f[i], z[i]
        for j in range(n_cols):
            y_row[j] = z_row[j] * y_row[j] + f_row[j] * y_last[j]


@_jit
def _walk_wordlines(first, count, y, g, f, z, x):  # type: ignore[no-untyped-def]
    """From bitline voltages y to the voltages x of some wordlines, their sources at 0 V."""
    n_cols = g.shape[1]
    arriving = np.zeros(_SIDE_BY_SIDE)
    for back in range(n_cols):
        j = n_cols - 1 - back
        for k in range(count):
            i = first + k
            arriving[k] += g[i, j] * y[i, j]
            x[i, j] = arriving[k]
            arriving[k] *= f[i, j]
    arriving[:] = 0.0
    for j in range(n_cols):
        for k in range(count):
            i = first + k
            arriving[k] = z[i, j] * x[i, j] + f[i, j] * arriving[k]
            x[i, j] = arriving[k]


@_jit
def _enough(added, last, theta, need, tolerance):  # type: ignore[no-untyped-def]
    """The fewest sweeps that leave no more than the tolerance, and the bound of what they leave.

    After sweep `last` increments shrink by theta at least.
    """
    tail = _fraction(added[last], need) * theta / (1.0 - theta)
    if tail > tolerance:
        more = np.ceil(np.log(tolerance / tail) / np.log(theta))
        if not more < 1e9:
            return -1, np.inf
        return last + int(more), tail * theta**more
    rest = added[last] * (theta / (1.0 - theta))
    found = last
    while found > 0 and _fraction(rest + added[found], need) <= tolerance:
        rest = rest + added[found]
        found -= 1
    return found, _fraction(rest, need)


@_jit
def plan_sweeps(g, factors, rows, cols, turned, tolerance, most, nodes):  # type: ignore[no-untyped-def]
    """Find how many sweeps bring every wanted entry of g_eff within a tolerance.

    Args:
        g: conductances, siemens, float64 (n_rows, n_cols).
        factors: those of `line_factors`.
        rows: int64, wanted wordlines.
        cols: int64, wanted bitlines.
        turned: whether the circuit is turned: columns of the user's matrix are rows here.
        tolerance: of an entry, relative to max(entry, 1e-6 of its column's largest).
        most: more sweeps than this are not worth it.
        nodes: to work in, float64 (3, n_rows, n_cols), contiguous.

    Returns:
        The number of sweeps and the bound that they reach; (-1, inf) where they would be too many.
    """
    n_rows, n_cols = g.shape
    f_wl, z_wl, f_bl, z_bl = factors[F_WL], factors[Z_WL], factors[F_DOWN], factors[Z_DOWN]
    v_driven, sensed = factors[V_DRIVEN], factors[G_SENSED]
    need = _needed(v_driven, sensed, rows, cols, turned)
    x, x_next, y = nodes[0], nodes[1], nodes[2]
    x[:] = 0.0
    for place in range(rows.shape[0]):
        x[rows[place]] = v_driven[rows[place]]
    added = np.zeros((most + 2, cols.shape[0]))
    arrived = np.empty(n_cols)
    before = np.inf
    for sweep in range(1, most + 2):
        _bitline_voltages(x, g, f_bl, z_bl, y)
        for first in range(0, n_rows, _SIDE_BY_SIDE):
            count = min(_SIDE_BY_SIDE, n_rows - first)
            _walk_wordlines(first, count, y, g, f_wl, z_wl, x_next)
        theta = _growth(x_next, x)
        x, x_next = x_next, x
        arrived[:] = 0.0
        for i in range(n_rows):
            x_row, sensed_row = x[i], sensed[i]
            for j in range(n_cols):
                arrived[j] += sensed_row[j] * x_row[j]
        for place in range(cols.shape[0]):
            added[sweep, place] = arrived[cols[place]]
        now = _fraction(added[sweep], need)
        hoped = now / before if 0.0 < before < np.inf else 0.0
        before = now
        if theta < 1.0:
            found, bound = _enough(added, sweep, theta, need, tolerance)
            if 0 <= found <= sweep:
                return (found, bound) if found <= most else (-1, np.inf)
            # Another sweep of planning is worth it only where it may save one of the real ones.
            if found > 0 and now * hoped ** float(found - sweep) > tolerance * (1.0 - hoped):
                return (found, bound) if found <= most else (-1, np.inf)
        if sweep >= 3 and now * hoped ** float(most - sweep) > tolerance:
            break
    return -1, np.inf
