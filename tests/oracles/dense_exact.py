"""Exact solution of tiny crossbars in rational numbers.

Modified nodal analysis: the unknowns are all the node voltages and the currents of all wires,
drivers and sense resistors, with ``v_a - v_b - r * i = 0`` for each of those. A resistance of 0
needs no special case, so this shares neither code nor method with the other oracles. An infinite
resistance is an open branch.
"""

import math
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

_Row = dict[int, Fraction]


def g_eff(
    g: ArrayLike, r_wire_wl: float, r_wire_bl: float, r_driver: float, r_sense: float
) -> NDArray[np.float64]:
    """Return the effective conductance matrix, each entry exact before its rounding to float.

    Args:
        g: Device conductances in S, shape (n_rows, n_cols), n_rows * n_cols up to about 16.
        r_wire_wl: Resistance between neighbouring wordline nodes in ohm.
        r_wire_bl: Resistance between neighbouring bitline nodes in ohm.
        r_driver: Resistance between each source and its wordline in ohm.
        r_sense: Resistance between each bitline and ground in ohm.

    Returns:
        Effective conductances in S, shape (n_rows, n_cols).
    """
    g = np.asarray(g, dtype=np.float64)
    n_rows, n_cols = g.shape
    rows, sense, n_unknowns = _equations(g, r_wire_wl, r_wire_bl, r_driver, r_sense)
    solution = _eliminate(rows, n_unknowns)
    result = np.zeros((n_rows, n_cols))
    for j, unknown in enumerate(sense):
        row = solution.get(unknown, {})
        for i in range(n_rows):
            # An equation reads: unknown + coefficient * v_in[i] = 0.
            result[i, j] = float(-row.get(n_unknowns + i, Fraction(0)))
    return result


def _equations(
    g: NDArray[np.float64], r_wire_wl: float, r_wire_bl: float, r_driver: float, r_sense: float
) -> tuple[list[_Row], list[int], int]:
    """Set up the equations, each a sum of coefficient times unknown that is 0.

    Args:
        g: Device conductances in S, shape (n_rows, n_cols).
        r_wire_wl: Resistance between neighbouring wordline nodes in ohm.
        r_wire_bl: Resistance between neighbouring bitline nodes in ohm.
        r_driver: Resistance between each source and its wordline in ohm.
        r_sense: Resistance between each bitline and ground in ohm.

    Returns:
        rows: Coefficients by unknown; unknown ``n_unknowns + i`` stands for v_in[i].
        sense: Unknowns which are the sensed currents, n_cols of them.
        n_unknowns: Number of unknowns.
    """
    n_rows, n_cols = g.shape
    cells = n_rows * n_cols
    n_wires = n_rows * (n_cols - 1) + (n_rows - 1) * n_cols
    n_unknowns = 2 * cells + n_wires + n_rows + n_cols
    node: list[_Row] = [{} for _ in range(2 * cells)]
    branch: list[_Row] = []
    one = Fraction(1)

    def resistor(a: int, b: int | None, r: float) -> int:
        """Add a resistor from unknown voltage a to b (None: ground); return its current."""
        current: int = 2 * cells + len(branch)
        if math.isinf(r):
            branch.append({current: one})
        else:
            row = {a: one, current: -Fraction(r)}
            if b is not None:
                row[b] = -one
            branch.append({k: value for k, value in row.items() if value})
        if a < 2 * cells:
            node[a][current] = one
        if b is not None:
            node[b][current] = -one
        return current

    sense = []
    for i, j in np.ndindex(n_rows, n_cols):
        wl, bl = i * n_cols + j, cells + i * n_cols + j
        if j == 0:
            resistor(n_unknowns + i, wl, r_driver)
        else:
            resistor(wl - 1, wl, r_wire_wl)
        if i < n_rows - 1:
            resistor(bl, bl + n_cols, r_wire_bl)
        else:
            sense.append(resistor(bl, None, r_sense))
        if g[i, j]:
            device = Fraction(float(g[i, j]))
            node[wl].update({wl: device, bl: -device})
            node[bl].update({bl: device, wl: -device})
    return node + branch, sense, n_unknowns


def _eliminate(rows: list[_Row], n_unknowns: int) -> dict[int, _Row]:
    """Solve the equations by exact Gauss-Jordan elimination, shortest equation first.

    Args:
        rows: Coefficients by unknown; those from ``n_unknowns`` on are given quantities.
        n_unknowns: Number of unknowns.

    Returns:
        For each determined unknown its equation, with coefficient 1 at the unknown. An unknown
        left free (a floating voltage) is 0.
    """
    pending = [dict(row) for row in rows]
    solved: dict[int, _Row] = {}
    while pending:
        shortest = min(range(len(pending)), key=lambda k: len(pending[k]))
        row = pending.pop(shortest)
        candidates = [k for k in row if k < n_unknowns]
        if not candidates:
            if row:
                raise ArithmeticError("the circuit contradicts itself")
            continue
        pivot = min(candidates, key=lambda k: sum(k in other for other in pending))
        scale = row[pivot]
        row = {k: value / scale for k, value in row.items()}
        for other in (*pending, *solved.values()):
            factor = other.get(pivot)
            if factor is None:
                continue
            for k, value in row.items():
                changed = other.get(k, 0) - factor * value
                if changed:
                    other[k] = changed
                else:
                    del other[k]
        solved[pivot] = row
    return solved
