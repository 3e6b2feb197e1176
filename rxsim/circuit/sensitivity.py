"""Which change of an array's cells brings its g_eff nearest to a wanted one, to first order.

With all other lines at 0 V an entry of g_eff is v g s: the voltage v that its wordline brings to the
cell, the cell g, and the share s of the cell's current that its bitline brings to the sense. A cell
loads its wordline, which changes v all along it, and its bitline, which changes s all along it. What
reaches an entry over further lines is left out; the product is scaled so that it holds exactly at the
conductances given. Such a model costs a walk along all lines, no solve of the circuit.

The nearest g_eff within the cells' range is found by active sets: cells at an end of the range that
would leave it are held, the others take a few steps of conjugate gradients for least squares (CGLS,
Paige and Saunders, ACM TOMS 8, 1982), and what leaves the range is clipped.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from rxsim.circuit.factors import G_SENSED, V_DRIVEN, cells_in_series, line_factors
from rxsim.circuit.jit import entry, inner
from rxsim.circuit.line_solves import (
    bitline_factors,
    solve_every_bitline,
    solve_wordline,
    wordline_factors,
)
from rxsim.circuit.lines import lines_of
from rxsim.config import Crossbar

# Numbers of the search, chosen by counting solves and seconds on arrays of 8x8 to 256x256: they decide
# how much of an error one solve of the circuit takes away, not where the error ends.
_ROUNDS, _ITERATIONS, _TOLERANCE = 3, 6, 0.1
_LEAST_GAIN = 1e-3
"""A round that shortens the error by a smaller share is the last."""
_OPEN = 1e-12
"""An open cell counts as this share of the largest conductance: v and s are then as at any other."""


@inner
def _along_lines(wl, bl, ladders, z):
    """From currents fed into every node, other lines at 0 V, to node voltages: wl in place, bl in z."""
    f_wl, at_first, f_bl, at_last, r_wl, r_bl = ladders
    for i in range(wl.shape[0]):
        solve_wordline(wl[i], f_wl[i], at_first[i], r_wl)
    solve_every_bitline(bl, f_bl, at_last, r_bl, z)


@inner
def _forward(d, v, s, g, scale, ladders, wl, bl, z, out):
    """Change of g_eff for a change d of the cells; returns its sum of squares."""
    n_rows, n_cols = d.shape
    for i in range(n_rows):
        for j in range(n_cols):
            wl[i, j], bl[i, j] = v[i, j] * d[i, j], s[i, j] * d[i, j]
    _along_lines(wl, bl, ladders, z)
    total = 0.0
    for i in range(n_rows):
        for j in range(n_cols):
            lost = g[i, j] * (s[i, j] * wl[i, j] + v[i, j] * z[i, j])
            moved = scale[i, j] * (v[i, j] * s[i, j] * d[i, j] - lost)
            out[i, j] = moved
            total += moved * moved
    return total


@inner
def _backward(r, v, s, g, scale, ladders, wl, bl, z, out):
    """Slope of half the sum of squares of r by each cell: the transpose of `_forward`."""
    n_rows, n_cols = r.shape
    for i in range(n_rows):
        for j in range(n_cols):
            at_cell = g[i, j] * (scale[i, j] * r[i, j])
            wl[i, j], bl[i, j] = s[i, j] * at_cell, v[i, j] * at_cell
    _along_lines(wl, bl, ladders, z)
    for i in range(n_rows):
        for j in range(n_cols):
            lost = v[i, j] * wl[i, j] + s[i, j] * z[i, j]
            out[i, j] = v[i, j] * s[i, j] * scale[i, j] * r[i, j] - lost


@inner
def _free_cells(x, low, high, v, s, scale, slope, step):
    """Write how far a cell moves for one siemens of error; 0: held at an end of its range."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            by_itself = v[i, j] * s[i, j] * scale[i, j]
            held = (x[i, j] <= low and slope[i, j] > 0) or (x[i, j] >= high and slope[i, j] < 0)
            step[i, j] = 0.0 if held or not by_itself > 0.0 else 1.0 / by_itself


@inner
def _least_squares(error, v, s, g, scale, ladders, step, spare, d):
    """Change d of the free cells that takes away most of an error, by CGLS scaled by `step`."""
    wl, bl, z, slope, along, moved, left = spare
    n_rows, n_cols = d.shape
    gamma = 0.0
    for i in range(n_rows):
        for j in range(n_cols):
            d[i, j], left[i, j] = 0.0, -error[i, j]
    _backward(left, v, s, g, scale, ladders, wl, bl, z, slope)
    for i in range(n_rows):
        for j in range(n_cols):
            scaled = step[i, j] * slope[i, j]
            gamma += scaled * scaled
            along[i, j] = step[i, j] * scaled
    first = gamma
    for _ in range(_ITERATIONS):
        curvature = _forward(along, v, s, g, scale, ladders, wl, bl, z, moved)
        if not curvature > 0.0:
            break
        length = gamma / curvature
        for i in range(n_rows):
            for j in range(n_cols):
                d[i, j] += length * along[i, j]
                left[i, j] -= length * moved[i, j]
        _backward(left, v, s, g, scale, ladders, wl, bl, z, slope)
        before, gamma = gamma, 0.0
        for i in range(n_rows):
            for j in range(n_cols):
                scaled = step[i, j] * slope[i, j]
                gamma += scaled * scaled
        if gamma < _TOLERANCE * _TOLERANCE * first:
            break
        for i in range(n_rows):
            for j in range(n_cols):
                kept = gamma / before * along[i, j]
                along[i, j] = step[i, j] * (step[i, j] * slope[i, j]) + kept


@entry
def _nearest(x, error, low, high, v, s, g, scale, r_wl, r_bl, left, right, top, bottom):
    """Move the cells x within their range, as `nearest_within` describes; x and error in place."""
    shape = x.shape
    f_wl, f_bl = np.empty(shape), np.empty(shape)
    at_first, at_last = np.empty(shape[0]), np.empty(shape[1])
    wordline_factors(g, r_wl, left, right, f_wl, at_first)
    bitline_factors(g, r_bl, top, bottom, f_bl, at_last)
    ladders = (f_wl, at_first, f_bl, at_last, r_wl, r_bl)
    spare = (
        np.empty(shape),
        np.empty(shape),
        np.empty(shape),
        np.empty(shape),
        np.empty(shape),
        np.empty(shape),
        np.empty(shape),
    )
    wl, bl, z, slope = spare[0], spare[1], spare[2], spare[3]
    step, d, moved = np.empty(shape), np.empty(shape), np.empty(shape)
    total = 0.0
    for i in range(shape[0]):
        for j in range(shape[1]):
            total += error[i, j] * error[i, j]
    for _ in range(_ROUNDS):
        _backward(error, v, s, g, scale, ladders, wl, bl, z, slope)
        _free_cells(x, low, high, v, s, scale, slope, step)
        _least_squares(error, v, s, g, scale, ladders, step, spare, d)
        for i in range(shape[0]):
            for j in range(shape[1]):
                if step[i, j] > 0.0:
                    d[i, j] = min(max(x[i, j] + d[i, j], low), high) - x[i, j]
                else:
                    d[i, j] = 0.0
        _forward(d, v, s, g, scale, ladders, wl, bl, z, moved)
        after = 0.0
        for i in range(shape[0]):
            for j in range(shape[1]):
                rest = error[i, j] + moved[i, j]
                after += rest * rest
        if not after < total:
            break
        for i in range(shape[0]):
            for j in range(shape[1]):
                x[i, j] += d[i, j]
                error[i, j] += moved[i, j]
        if after > total * (1.0 - _LEAST_GAIN):
            break
        total = after


def nearest_within(
    g: np.ndarray,
    g_eff: np.ndarray,
    error: np.ndarray,
    used: np.ndarray,
    limits: tuple[float, float],
    crossbar: Crossbar,
) -> np.ndarray:
    """Return cells whose g_eff has the least sum of squared errors, to first order.

    Args:
        g: conductances, siemens, float64 (n_rows, n_cols).
        g_eff: of these, siemens, float64 (n_rows, n_cols); looked at in used cells only.
        error: what of g_eff is too much, siemens, float64 (n_rows, n_cols), 0 in cells not used.
        used: bool (n_rows, n_cols), cells that may move.
        limits: least and largest conductance of a used cell, siemens.
        crossbar: the resistances and ends.

    Returns:
        Siemens, float64 (n_rows, n_cols).
    """
    lines, access = lines_of(crossbar, *g.shape), crossbar.r_access
    low, high = (limit / (1 + limit * access) for limit in limits)
    present = np.maximum(g, _OPEN * g.max())
    loaded, _ = cells_in_series(np.ascontiguousarray(present), access)
    factors = line_factors(loaded, lines)
    v, s = factors[V_DRIVEN].copy(), factors[G_SENSED] / loaded
    alone = v * s * loaded
    # An open cell has no g_eff that could tell of further lines.
    scale = np.where(g > 0, g_eff / np.where(alone > 0, alone, 1.0), 1.0)
    scale = np.where(used & (alone > 0), scale, 0.0)
    moved, rest = np.clip(loaded, low, high), error.copy()
    before = moved.copy()
    ends = (lines.left, lines.right, lines.top, lines.bottom)
    wires = (lines.r_wire_wl, lines.r_wire_bl)
    _nearest(moved, rest, low, high, v, s, loaded, scale, *wires, *ends)
    outside = np.clip(moved / (1 - moved * access), *limits)
    return np.where(used & (moved != before), outside, g)
