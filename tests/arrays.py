"""Random arrays with ends of every kind, and their exact currents by a method of their own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from rxsim.circuit.lines import Lines


@dataclass(frozen=True)
class Case:
    """One array with its input vectors."""

    g: np.ndarray
    lines: Lines
    v_in: np.ndarray
    r_access: float

    @property
    def solved(self) -> tuple[np.ndarray, Lines, np.ndarray, float]:
        return self.g, self.lines, self.v_in, self.r_access


def one_sided(shape: tuple[int, int], wl: float, bl: float, driver: float, sense: float) -> Lines:
    """The default ends: driven left, sensed at the bottom."""
    n_rows, n_cols = shape
    far = [np.full(n, np.inf) for n in shape]
    return Lines(
        r_wire_wl=wl,
        r_wire_bl=bl,
        left=np.full(n_rows, driver),
        right=far[0],
        top=far[1],
        bottom=np.full(n_cols, sense),
    )


def random_case(seed: int, largest: int = 6) -> Case:
    """Ends that are open, 0 or not, on either side; wires that are 0 or not; open devices."""
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, largest + 1, 2))
    g = np.exp(rng.uniform(np.log(1e-6), np.log(1e-3), shape)) * (rng.random(shape) > 0.3)

    def ends(n: int) -> np.ndarray:
        kind = rng.random(n)
        return np.where(kind < 0.4, np.inf, np.where(kind < 0.6, 0.0, rng.uniform(1, 500, n)))

    wires = (0.0 if rng.random() < 0.3 else float(rng.uniform(0.1, 20)) for _ in range(2))
    lines = Lines(
        r_wire_wl=next(wires),
        r_wire_bl=next(wires),
        left=ends(shape[0]),
        right=ends(shape[0]),
        top=ends(shape[1]),
        bottom=ends(shape[1]),
    )
    v_in = rng.uniform(-0.2, 0.2, (int(rng.integers(1, 4)), shape[0]))
    return Case(g, lines, v_in, 0.0 if rng.random() < 0.5 else 2000.0)


def exact_currents(case: Case) -> np.ndarray:
    """Modified nodal analysis in plain numpy: voltages and branch currents, nothing merged.

    A branch is v_a - v_b - r i = 0, an open one i = 0. Floating voltages, and currents round a loop
    of 0 ohm, are free; the least-squares solution of smallest norm settles them without touching the
    rest: what leaves a bitline through both its ends is their sum.
    """
    n_rows, n_cols = case.g.shape
    lines, count = case.lines, 2 * case.g.size
    wl: Any = np.arange(case.g.size).reshape(case.g.shape)
    bl = wl + case.g.size
    branches: list[tuple[int | None, int | None, float, int]] = []
    for i in range(n_rows):
        branches += [(-1 - i, wl[i, 0], lines.left[i], -1), (-1 - i, wl[i, -1], lines.right[i], -1)]
        branches += [(wl[i, j], wl[i, j + 1], lines.r_wire_wl, -1) for j in range(n_cols - 1)]
    for j in range(n_cols):
        branches += [(bl[0, j], None, lines.top[j], j), (bl[-1, j], None, lines.bottom[j], j)]
        branches += [(bl[i, j], bl[i + 1, j], lines.r_wire_bl, -1) for i in range(n_rows - 1)]
    for i, j in np.ndindex(n_rows, n_cols):
        ohm = math.inf if case.g[i, j] == 0 else float(1 / case.g[i, j] + case.r_access)
        branches.append((wl[i, j], bl[i, j], ohm, -1))
    # Currents are counted in microampere: voltages and currents are then of one size.
    matrix = np.zeros((count + len(branches), count + len(branches)))
    right = np.zeros((len(matrix), len(case.v_in)))
    for k, (a, b, ohm, _) in enumerate(branches):
        current = count + k
        row = matrix[current]
        if math.isinf(ohm):
            row[current] = 1.0
            continue
        row[current] = -ohm * 1e-6
        for node, sign in ((a, 1), (b, -1)):
            if node is None:
                continue
            if node < 0:
                right[current] -= sign * case.v_in[:, -1 - node]
            else:
                row[node] += sign
                matrix[node, current] += sign
    found = np.linalg.lstsq(matrix, right, rcond=1e-13)[0]
    i_out = np.zeros((len(case.v_in), n_cols))
    for k, (_, _, _, column) in enumerate(branches):
        if column >= 0:
            i_out[:, column] += found[count + k] * 1e-6
    return i_out
