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

from .ends import Ends, chosen

_Row = dict[int, Fraction]


def g_eff(
    g: ArrayLike,
    r_wire_wl: float,
    r_wire_bl: float,
    r_driver: float = 0.0,
    r_sense: float = 0.0,
    *,
    ends: Ends | None = None,
) -> NDArray[np.float64]:
    """Return the effective conductance matrix, each entry exact before its rounding to float.

    Args:
        g: Device conductances in S, shape (n_rows, n_cols), n_rows * n_cols up to about 16.
        r_wire_wl: Resistance between neighbouring wordline nodes in ohm.
        r_wire_bl: Resistance between neighbouring bitline nodes in ohm.
        r_driver: Resistance between each source and its wordline in ohm.
        r_sense: Resistance between each bitline and ground in ohm.
        ends: What all lines have at both ends, in place of r_driver and r_sense.

    Returns:
        Effective conductances in S, shape (n_rows, n_cols).
    """
    g = np.asarray(g, dtype=np.float64)
    n_rows, n_cols = g.shape
    both = chosen(ends, g.shape, r_driver, r_sense)
    rows, sense, n_unknowns = _equations(g, r_wire_wl, r_wire_bl, both)
    solution = _eliminate(rows, n_unknowns)
    result = np.zeros((n_rows, n_cols))
    for i, j in np.ndindex(n_rows, n_cols):
        # An equation reads: unknown + coefficient * v_in[i] = 0. A current that is left free (it goes
        # round a loop of 0 ohm) cancels in the sum over the two ends.
        total = Fraction(0)
        for unknown in sense[j]:
            total -= solution.get(unknown, {}).get(n_unknowns + i, Fraction(0))
        result[i, j] = float(total)
    return result


def _equations(
    g: NDArray[np.float64], r_wire_wl: float, r_wire_bl: float, ends: Ends
) -> tuple[list[_Row], list[list[int]], int]:
    """Set up the equations, each a sum of coefficient times unknown that is 0.

    Args:
        g: Device conductances in S, shape (n_rows, n_cols).
        r_wire_wl: Resistance between neighbouring wordline nodes in ohm.
        r_wire_bl: Resistance between neighbouring bitline nodes in ohm.
        ends: What all lines have at both ends.

    Returns:
        rows: Coefficients by unknown; unknown ``n_unknowns + i`` stands for v_in[i].
        sense: For each of n_cols bitlines the unknowns which are the currents at its two ends.
        n_unknowns: Number of unknowns.
    """
    n_rows, n_cols = g.shape
    cells = n_rows * n_cols
    n_wires = n_rows * (n_cols - 1) + (n_rows - 1) * n_cols
    n_unknowns = 2 * cells + n_wires + 2 * n_rows + 2 * n_cols
    node: list[_Row] = [{} for _ in range(2 * cells)]
    branch: list[_Row] = []
    one = Fraction(1)

    def resistor(a: int, b: int | None, r: float) -> int:
        """Add a resistor from unknown voltage a to b (None: ground); return its current."""
        current: int = 2 * cells + len(branch)
        if math.isinf(r):
            branch.append({current: one})
        else:
            row = {a: one, current: -Fraction(float(r))}
            if b is not None:
                row[b] = -one
            branch.append({k: value for k, value in row.items() if value})
        if a < 2 * cells:
            node[a][current] = one
        if b is not None:
            node[b][current] = -one
        return current

    for i in range(n_rows):
        first = i * n_cols
        resistor(n_unknowns + i, first, ends.left[i])
        for wl in range(first, first + n_cols - 1):
            resistor(wl, wl + 1, r_wire_wl)
        resistor(n_unknowns + i, first + n_cols - 1, ends.right[i])
    sense = []
    for j in range(n_cols):
        first, last = cells + j, 2 * cells - n_cols + j
        for bl in range(first, last, n_cols):
            resistor(bl, bl + n_cols, r_wire_bl)
        sense.append([resistor(first, None, ends.top[j]), resistor(last, None, ends.bottom[j])])
    for wl, device in enumerate(Fraction(float(value)) for value in g.ravel()):
        if device:
            node[wl].update({wl: device, cells + wl: -device})
            node[cells + wl].update({cells + wl: device, wl: -device})
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
