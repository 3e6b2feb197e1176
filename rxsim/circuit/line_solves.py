"""Kernels of the non-linear solver: what wires do to given currents, and one linear network.

All work is in resistances and sums along lines, so that a resistance of exactly 0, an open end and an
open device are ordinary values. Each line may lead to its source (or sense) at both ends. Indices run
from the left of a wordline and the top of a bitline; `left`, `right`, `top`, `bottom` are the ends of
`rxsim.circuit.lines.Lines`.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from rxsim.circuit.jit import entry, inner
from rxsim.circuit.ladder import SIDE_BY_SIDE, copy_to, fold


@inner
def _share_of_far(total, moment, near, far, r_wire, n):
    """The part of a line's current that flows through its far end (the lever rule).

    `moment` is the sum over the line's n - 1 wires of the currents that enter beyond each.
    """
    if far == np.inf:
        return 0.0
    if near == np.inf:
        return total
    whole = near + far + r_wire * (n - 1)
    if whole == 0.0:
        return 0.0  # all nodes are shorted to both ends: any share gives the same voltages
    return (near * total + r_wire * moment) / whole


@inner
def _level_of_near(total, moment, through_far, near, far, r_wire, n):
    """Voltage between a line's near end and its node there."""
    if near == np.inf:
        return far * total + r_wire * ((n - 1) * total - moment)
    return near * (total - through_far)


@inner
def _drop_along_wordline(current, left, right, r_wire, drop):
    """Voltage below the source at each node when each draws a current; all (n_cols,)."""
    n = current.shape[0]
    beyond, moment = 0.0, 0.0
    for j in range(n - 1, 0, -1):
        beyond += current[j]
        moment += beyond
        drop[j] = beyond
    total = beyond + current[0]
    through_far = _share_of_far(total, moment, left, right, r_wire, n)
    level = _level_of_near(total, moment, through_far, left, right, r_wire, n)
    drop[0] = level
    for j in range(1, n):
        level += r_wire * (drop[j] - through_far)
        drop[j] = level


@inner
def _rises_along_bitlines(current, top, bottom, r_wire, rise):
    """Voltage above the sense at each node when each takes up a current; all (n_rows, n_cols)."""
    n_rows, n_cols = current.shape
    moment, through_far = np.zeros(n_cols), np.empty(n_cols)
    copy_to(rise[0], current[0])
    for i in range(1, n_rows):
        for j in range(n_cols):
            moment[j] += rise[i - 1, j]
            rise[i, j] = rise[i - 1, j] + current[i, j]
    for j in range(n_cols):
        total = rise[n_rows - 1, j]
        far = _share_of_far(total, moment[j], bottom[j], top[j], r_wire, n_rows)
        level = _level_of_near(total, moment[j], far, bottom[j], top[j], r_wire, n_rows)
        rise[n_rows - 1, j] = level
        through_far[j] = far
    for i in range(n_rows - 2, -1, -1):
        for j in range(n_cols):
            rise[i, j] = rise[i + 1, j] + r_wire * (rise[i, j] - through_far[j])


@entry
def node_voltages_of(drawn, fed, v_in, r_wl, r_bl, left, right, top, bottom):
    """Find the voltages that given currents leave behind the wires; no device is looked at.

    Args:
        drawn: from each wordline node, ampere, float64 (n_rows, n_cols).
        fed: into each bitline node, ampere, float64 (n_rows, n_cols).
        v_in: source voltages, volt, float64 (n_rows,).
        r_wl: between neighbouring nodes of a wordline, ohm.
        r_bl: between neighbouring nodes of a bitline, ohm.
        left: ohm, (n_rows,); infinite is open.
        right: ohm, (n_rows,).
        top: ohm, (n_cols,).
        bottom: ohm, (n_cols,).

    Returns:
        Wordline and bitline node voltages, volt, both (n_rows, n_cols).
    """
    v_wl, v_bl = np.empty(drawn.shape), np.empty(drawn.shape)
    for i in range(drawn.shape[0]):
        _drop_along_wordline(drawn[i], left[i], right[i], r_wl, v_wl[i])
        for j in range(drawn.shape[1]):
            v_wl[i, j] = v_in[i] - v_wl[i, j]
    _rises_along_bitlines(fed, top, bottom, r_bl, v_bl)
    return v_wl, v_bl


@inner
def wordline_factors(d, r_wire, first, last, factor, at_first):
    """Attenuation from each wordline node to the one on its left, and the first node's resistance."""
    n_rows, n_cols = d.shape
    load = np.empty(SIDE_BY_SIDE)
    for start in range(0, n_rows, SIDE_BY_SIDE):
        strip = min(SIDE_BY_SIDE, n_rows - start)
        for k in range(strip):
            load[k] = 1.0 / last[start + k]
        for j in range(n_cols - 1, 0, -1):
            for k in range(strip):
                factor[start + k, j], _, load[k] = fold(load[k] + d[start + k, j], r_wire)
        for k in range(strip):
            at_first[start + k] = 1.0 / (1.0 / first[start + k] + load[k] + d[start + k, 0])


@inner
def bitline_factors(d, r_wire, top, bottom, factor, at_last):
    """Attenuation from each bitline node to the one below, and the last node's resistance."""
    n_rows, n_cols = d.shape
    load = np.empty(n_cols)
    for j in range(n_cols):
        load[j] = 1.0 / top[j]
    for i in range(n_rows - 1):
        for j in range(n_cols):
            factor[i, j], _, load[j] = fold(load[j] + d[i, j], r_wire)
    for j in range(n_cols):
        at_last[j] = 1.0 / (1.0 / bottom[j] + load[j] + d[n_rows - 1, j])


@inner
def solve_wordline(x, factor, at_first, r_wire):
    """From the current fed into each node to the node voltages, source at 0 V; (n_cols,) in place."""
    n = x.shape[0]
    flow = x[n - 1]
    for j in range(n - 2, -1, -1):
        flow = x[j] + factor[j + 1] * flow
        x[j] = flow
    level = at_first * flow
    x[0] = level
    for j in range(1, n):
        level = factor[j] * (r_wire * x[j]) + factor[j] * level
        x[j] = level


@inner
def solve_every_bitline(rest, factor, at_last, r_wire, z):
    """Solve all bitlines, wordlines held at 0 V: z = C^-1 rest; returns rest . z."""
    n_rows, n_cols = rest.shape
    copy_to(z[0], rest[0])
    for i in range(1, n_rows):
        for j in range(n_cols):
            z[i, j] = rest[i, j] + factor[i - 1, j] * z[i - 1, j]
    energy = 0.0
    for j in range(n_cols):
        z[n_rows - 1, j] *= at_last[j]
        energy += rest[n_rows - 1, j] * z[n_rows - 1, j]
    for i in range(n_rows - 2, -1, -1):
        for j in range(n_cols):
            z[i, j] = factor[i, j] * (r_wire * z[i, j] + z[i + 1, j])
            energy += rest[i, j] * z[i, j]
    return energy


@inner
def _apply_schur(z, p, c_p, rest, beta, d, factor, at_first, r_wire, s_p):
    """The next direction p = z + beta p, and s_p = (C - D R^-1 D) p; returns p . s_p."""
    n_rows, n_cols = d.shape
    curvature = 0.0
    for i in range(n_rows):
        for j in range(n_cols):
            p[i, j] = z[i, j] + beta * p[i, j]
            # C p from the recurrence: C itself is infinite where a wire has 0 ohm.
            c_p[i, j] = rest[i, j] + beta * c_p[i, j]
            s_p[i, j] = d[i, j] * p[i, j]
        solve_wordline(s_p[i], factor[i], at_first[i], r_wire)
        for j in range(n_cols):
            s_p[i, j] = c_p[i, j] - d[i, j] * s_p[i, j]
            curvature += p[i, j] * s_p[i, j]
    return curvature


@inner
def _solve_bitlines(rest, x, z, d, f_wl, at_first, r_wl, f_bl, at_last, r_bl, tolerance, most):
    """Conjugate gradients for S x = rest, all (n_rows, n_cols) and in place; returns the iterations.

    `rest` ends as what is left of it and z as C^-1 rest.
    """
    s_p, p, c_p = np.empty(d.shape), np.zeros(d.shape), np.zeros(d.shape)
    energy = solve_every_bitline(rest, f_bl, at_last, r_bl, z)
    goal, beta, done = tolerance * tolerance * energy, 0.0, 0
    while energy > goal and done < most:
        curvature = _apply_schur(z, p, c_p, rest, beta, d, f_wl, at_first, r_wl, s_p)
        if not curvature > 0.0:
            break
        alpha = energy / curvature
        for i in range(d.shape[0]):
            for j in range(d.shape[1]):
                x[i, j] += alpha * p[i, j]
                rest[i, j] -= alpha * s_p[i, j]
        before = energy
        energy = solve_every_bitline(rest, f_bl, at_last, r_bl, z)
        beta = energy / before
        done += 1
    return done


@inner
def _drop_harmless(left_over, d, top, bottom, r_bl, rise):
    """Forget the left-over currents of bitlines where they move the cells' currents by even less.

    That is where wires are good: along 0 ohm only the sum of left-over currents means anything.
    """
    _rises_along_bitlines(left_over, top, bottom, r_bl, rise)
    for j in range(d.shape[1]):
        kept, dropped = 0.0, 0.0
        for i in range(d.shape[0]):
            kept += abs(left_over[i, j])
            dropped += d[i, j] * abs(rise[i, j])
        if dropped <= kept:
            left_over[:, j] = 0.0


@entry
def linear_step(d, source, missing, r_wl, r_bl, left, right, top, bottom, tolerance, most):
    """Solve the linearised array with a current source beside every cell and all ends at 0 V.

    Conjugate gradients on the bitlines' Schur complement S = C - D R^-1 D, preconditioned by C, where R
    and C are the ladders of the wordlines and bitlines with the devices D.

    Args:
        d: conductance of each cell, siemens, float64 (n_rows, n_cols).
        source: its current at no voltage, ampere, float64 (n_rows, n_cols).
        missing: current to feed into each bitline node besides, ampere, float64 (n_rows, n_cols).
        r_wl: as in `node_voltages_of`, whose arguments the next ones are.
        r_bl: ohm.
        left: ohm, (n_rows,).
        right: ohm, (n_rows,).
        top: ohm, (n_cols,).
        bottom: ohm, (n_cols,).
        tolerance: of the bitlines' error, in the norm of C, relative to that of 0 V.
        most: conjugate-gradient iterations.

    Returns:
        The current through every cell; what of `missing` and of the cells' currents does not yet leave
        the bitlines, both ampere (n_rows, n_cols); and the iterations done.
    """
    f_wl, f_bl = np.empty(d.shape), np.empty(d.shape)
    at_first, at_last = np.empty(d.shape[0]), np.empty(d.shape[1])
    wordline_factors(d, r_wl, left, right, f_wl, at_first)
    bitline_factors(d, r_bl, top, bottom, f_bl, at_last)
    rest, z, x = source.copy(), np.empty(d.shape), np.zeros(d.shape)
    for i in range(d.shape[0]):
        solve_wordline(rest[i], f_wl[i], at_first[i], r_wl)
        for j in range(d.shape[1]):
            rest[i, j] = missing[i, j] + source[i, j] - d[i, j] * rest[i, j]
    done = _solve_bitlines(
        rest, x, z, d, f_wl, at_first, r_wl, f_bl, at_last, r_bl, tolerance, most
    )
    # One more bitline sweep is free: z = C^-1 rest is known, it brings x closer, leaving D R^-1 D z.
    for i in range(d.shape[0]):
        for j in range(d.shape[1]):
            x[i, j] += z[i, j]
            rest[i, j] = d[i, j] * z[i, j]
            z[i, j] = d[i, j] * x[i, j] - source[i, j]
        solve_wordline(rest[i], f_wl[i], at_first[i], r_wl)
        solve_wordline(z[i], f_wl[i], at_first[i], r_wl)
        for j in range(d.shape[1]):
            rest[i, j] *= d[i, j]
            z[i, j] = source[i, j] + d[i, j] * (z[i, j] - x[i, j])
    _drop_harmless(rest, d, top, bottom, r_bl, x)
    return z, rest, done
