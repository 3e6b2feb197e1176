"""How many sweeps of relaxation are enough, with a bound on the error that they leave.

Both are known before any of the work is done. A single iteration with all wanted wordlines driven at
once costs next to nothing, and each of its sweeps adds exactly the sum over those wordlines of what
the real sweeps add. So what is left of the sum bounds what is left of each entry. What is left of the
sum is bounded by a geometric series: increments are positive, and where no node's increment exceeds
theta times the one before, none ever will (Collatz 1942).
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from rxsim.circuit.factors import F_DOWN, F_WL, G_SENSED, V_DRIVEN, Z_DOWN, Z_WL
from rxsim.circuit.jit import entry, inner
from rxsim.circuit.ladder import SIDE_BY_SIDE, copy_to

_FLOOR = 1e-6  # entries are judged against at least this share of their column's largest


@inner
def _least_scale(v_driven, sensed, rows, cols, turned):
    """The smallest value that an entry of each wanted bitline is judged against, from below.

    Entries are judged against max(entry, 1e-6 of their column's largest); in a turned circuit what
    stands in a row here is a column of the user's matrix.
    """
    count = cols.shape[0]
    smallest, largest, scale = np.empty(count), np.empty(count), np.empty(count)
    smallest[:], largest[:], scale[:] = np.inf, 0.0, np.inf
    for place in range(rows.shape[0]):
        v_row, sensed_row = v_driven[rows[place]], sensed[rows[place]]
        least, most = np.inf, 0.0
        for at in range(count):
            entry = v_row[cols[at]] * sensed_row[cols[at]]
            least, most = min(least, entry), max(most, entry)
            smallest[at], largest[at] = min(smallest[at], entry), max(largest[at], entry)
        if turned:
            floor = _FLOOR * most if least < _FLOOR * most else 0.0
            for at in range(count):
                entry = v_row[cols[at]] * sensed_row[cols[at]]
                scale[at] = min(scale[at], max(entry, floor))
    if not turned:
        for at in range(count):
            scale[at] = max(smallest[at], _FLOOR * largest[at])
    return scale


@inner
def _fraction(rest, scale):
    """The largest rest relative to what it is judged against; 0 where both are 0."""
    worst = 0.0
    for place in range(rest.shape[0]):
        if rest[place] > worst * scale[place]:
            worst = rest[place] / scale[place] if scale[place] > 0.0 else np.inf
    return worst


@inner
def _growth(now, before):
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


@inner
def _bitline_voltages(x, g, f, z, y):
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


@inner
def _walk_wordlines(first, count, y, g, f, z, x):
    """From bitline voltages y to the voltages x of some wordlines, their sources at 0 V."""
    n_cols = g.shape[1]
    arriving = np.zeros(SIDE_BY_SIDE)
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


@inner
def _enough(added, last, theta, scale, tolerance):
    """The fewest sweeps that leave no more than the tolerance, and the bound of what they leave.

    After sweep `last` increments shrink by theta at least.
    """
    tail = _fraction(added[last], scale) * theta / (1.0 - theta)
    if tail > tolerance:
        more = np.ceil(np.log(tolerance / tail) / np.log(theta))
        if not more < 1e9:
            return -1, np.inf
        return last + int(more), tail * theta**more
    rest = added[last] * (theta / (1.0 - theta))
    sweep = last
    while sweep > 0 and _fraction(rest + added[sweep], scale) <= tolerance:
        rest = rest + added[sweep]
        sweep -= 1
    return sweep, _fraction(rest, scale)


@inner
def _sum_sensed(x, sensed, cols, arrived, added):
    """Sensed currents that wordline voltages x add, summed over wordlines, for the wanted bitlines."""
    arrived[:] = 0.0
    for i in range(x.shape[0]):
        x_row, sensed_row = x[i], sensed[i]
        for j in range(arrived.shape[0]):
            arrived[j] += sensed_row[j] * x_row[j]
    for place in range(cols.shape[0]):
        added[place] = arrived[cols[place]]


@entry
def plan_sweeps(g, factors, rows, cols, turned, tolerance, most, patient, nodes):
    """Tell how many sweeps bring every wanted entry of g_eff within a tolerance.

    Args:
        g: conductances, siemens, float64 (n_rows, n_cols).
        factors: those of `line_factors`.
        rows: int64, wanted wordlines.
        cols: int64, wanted bitlines.
        turned: whether the circuit is turned: columns of the user's matrix are rows here.
        tolerance: of an entry, relative to max(entry, 1e-6 of its column's largest).
        most: more sweeps than this are not worth it.
        patient: whether to go on where increments do not shrink at once, as in long lines they don't.
        nodes: to work in, float64 (3, n_rows, n_cols), contiguous.

    Returns:
        The number of sweeps and the bound that they reach; (-1, inf) where they would be too many.
    """
    n_rows, n_cols = g.shape
    f_wl, z_wl, f_bl, z_bl = factors[F_WL], factors[Z_WL], factors[F_DOWN], factors[Z_DOWN]
    v_driven, sensed = factors[V_DRIVEN], factors[G_SENSED]
    scale = _least_scale(v_driven, sensed, rows, cols, turned)
    x, x_next, y = nodes[0], nodes[1], nodes[2]
    x[:] = 0.0
    for place in range(rows.shape[0]):
        copy_to(x[rows[place]], v_driven[rows[place]])
    added, arrived = np.zeros((most + 2, cols.shape[0])), np.empty(n_cols)
    before = np.inf
    for sweep in range(1, most + 2):
        _bitline_voltages(x, g, f_bl, z_bl, y)
        for first in range(0, n_rows, SIDE_BY_SIDE):
            count = min(SIDE_BY_SIDE, n_rows - first)
            _walk_wordlines(first, count, y, g, f_wl, z_wl, x_next)
        theta = _growth(x_next, x)
        x, x_next = x_next, x
        _sum_sensed(x, sensed, cols, arrived, added[sweep])
        now = _fraction(added[sweep], scale)
        hoped = now / before if 0.0 < before < np.inf else 0.0
        before = now
        if theta < 1.0:
            sweeps, bound = _enough(added, sweep, theta, scale, tolerance)
            # More planning is worth it only where it may save one of the real sweeps.
            known = 0 <= sweeps <= sweep
            if known or (
                sweeps > 0 and now * hoped ** float(sweeps - sweep) > tolerance * (1.0 - hoped)
            ):
                return (sweeps, bound) if sweeps <= most else (-1, np.inf)
        if not patient and sweep >= 3 and now * hoped ** float(most - sweep) > tolerance:
            break
    return -1, np.inf
