"""How far the deviation of fresh read noise in the graph is from the exact one: mild and lossy arrays.

Usage: python scripts/fresh_noise_error.py

The graph takes sigma(g)^2 (g_eff/g)^2 v^2 for each cell of a bitline. Exact is the derivative of each
output by every cell of the array, found by the adjoint network (a source at the sense of that output),
from a sparse nodal analysis that shares no code with rxsim. Cells are the plus array of random normal
weights, sigma is a share of each cell's conductance, half of the inputs are 0.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as sla

# name, lines, largest resistance, smallest, wire a cell, driver and sense (ohm)
ARRAYS = (
    ("mild", 64, 1.4e6, 2e5, 2.5, 100.0),
    ("mild", 128, 1.4e6, 2e5, 2.5, 100.0),
    ("mild", 256, 1.4e6, 2e5, 2.5, 100.0),
    ("pcm", 64, 1e7, 4e4, 0.35, 100.0),
    ("pcm", 256, 1e7, 4e4, 0.35, 50.0),
    ("harsh", 32, 1e5, 1e4, 10.0, 100.0),
    ("harsh", 64, 1e5, 1e4, 10.0, 100.0),
    ("harsh", 128, 1e5, 1e4, 10.0, 100.0),
)


def network(g: np.ndarray, wire: float, end: float) -> tuple[sp.csc_matrix, np.ndarray, np.ndarray]:
    """Return the nodal matrix (siemens) and the numbers of the wordline and the bitline nodes."""
    n, m = g.shape
    row = np.arange(n * m).reshape(n, m)
    col = row + n * m
    pairs = [
        (row, col, g),
        (row[:, :-1], row[:, 1:], np.full((n, m - 1), 1 / wire)),
        (col[:-1], col[1:], np.full((n - 1, m), 1 / wire)),
    ]
    to_ground = [(row[:, 0], np.full(n, 1 / end)), (col[-1], np.full(m, 1 / end))]
    entries = [(k, k, c) for k, c in to_ground]
    for a, b, c in ((a.ravel(), b.ravel(), c.ravel()) for a, b, c in pairs):
        entries += [(a, a, c), (b, b, c), (a, b, -c), (b, a, -c)]
    places = [np.concatenate([entry[k] for entry in entries]) for k in range(3)]
    matrix = sp.csc_matrix((places[2], (places[0], places[1])), shape=(2 * n * m,) * 2)
    return matrix, row, col


def errors(
    lines: int, r_off: float, r_on: float, wire: float, end: float
) -> tuple[float, float, float]:
    """Return the loss of an array's current, and mean and worst error of the deviation over outputs."""
    rng = np.random.default_rng(0)
    weights = np.maximum(rng.standard_normal((lines, lines)), 0)
    g = 1 / r_off + weights / weights.max() * (1 / r_on - 1 / r_off)
    matrix, row, col = network(g, wire, end)
    solver = sla.splu(matrix, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
    senses = np.zeros((matrix.shape[0], lines))
    senses[col[-1], np.arange(lines)] = 1 / end
    adjoint = solver.solve(senses)
    g_eff = adjoint[row[:, 0]] / end  # by reciprocity
    v = rng.uniform(0, 1, lines) * (rng.random(lines) < 0.5)
    driven = np.zeros(matrix.shape[0])
    driven[row[:, 0]] = v / end
    volts = solver.solve(driven)
    across = volts[row] - volts[col]
    shares = adjoint[row] - adjoint[col]  # (rows, columns, outputs)
    exact = np.sqrt(np.einsum("ij,ijk->k", np.square(g * across), np.square(shares)))
    in_graph = np.sqrt(np.square(g_eff * v[:, None]).sum(axis=0))
    ratio = in_graph / exact - 1
    return 1 - g_eff.sum() / g.sum(), float(ratio.mean()), float(np.abs(ratio).max())


def main() -> None:
    """Print a table."""
    print("| array | loss of current | mean error of the deviation | worst output |")
    print("|---|---|---|---|")
    for name, lines, *numbers in ARRAYS:
        loss, mean, worst = errors(lines, *numbers)
        print(f"| {name}, {lines}x{lines} | {loss:.1%} | {mean:+.1%} | {worst:.1%} |", flush=True)


if __name__ == "__main__":
    main()
