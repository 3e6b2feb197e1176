"""How near predistortion brings g_eff to wanted conductances: mild and harsh arrays, and its cost.

Usage: python scripts/predistort_residuals.py

Errors are rms over all cells, of the conductance range: of g_eff as it is, of g_eff times the best
single factor (found by least squares, apart), and after predistortion. `by levels` rounds the targets
to the nearest of 64 levels and solves once more; `levels alone` is the same without any wires.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import numpy as np

from rxsim.circuit import solve_array
from rxsim.compensate.predistortion import predistorted
from rxsim.config import Crossbar

# name, lines, largest resistance, smallest, wire a cell, driver and sense (ohm)
ARRAYS = (
    ("mild", 64, 1.4e6, 2e5, 2.5, 100.0),
    ("mild", 128, 1.4e6, 2e5, 2.5, 100.0),
    ("mild", 256, 1.4e6, 2e5, 2.5, 100.0),
    ("harsh", 32, 1e5, 1e4, 10.0, 100.0),
    ("harsh", 64, 1e5, 1e4, 10.0, 100.0),
    ("harsh", 128, 1e5, 1e4, 10.0, 100.0),
)
LEVELS = 64


def wanted(kind: str, n: int, low: float, high: float) -> np.ndarray:
    """Return conductances: uniform, or those of the positive half of normal weights."""
    rng = np.random.default_rng(0)
    if kind == "uniform":
        return np.asarray(rng.uniform(low, high, (n, n)))
    weights = np.maximum(rng.standard_normal((n, n)), 0)
    return np.asarray(low + (high - low) * weights / weights.max())


def rounded(g: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return the nearest of evenly spaced levels."""
    step = (high - low) / (LEVELS - 1)
    return np.asarray(low + np.rint((g - low) / step) * step)


def best_of(work: Callable[[], object], times: int = 3) -> float:
    """Return the seconds of the quickest of some runs."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken)


def main() -> None:
    """Print the table."""
    print(
        "| array | targets | plain | best factor | search | after | by levels | gain | shift | solves "
        "| time / solve |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for name, n, r_off, r_on, wire, end in ARRAYS:
        bar = Crossbar(r_wire_wl=wire, r_wire_bl=wire, r_driver=end, r_sense=end)
        low, high = 1 / r_off, 1 / r_on
        for kind in ("uniform", "half-normal"):
            g = wanted(kind, n, low, high)

            def rms(error: np.ndarray, span: float = high - low) -> float:
                return float(np.sqrt(np.mean(np.square(error)))) / span

            plain = solve_array(g, bar).g_eff
            one_solve = best_of(partial(solve_array, g, bar))
            factor = (plain * g).sum() / (plain * plain).sum()
            for search, step, headroom in (
                ("gain", 0.0, 0.0),
                ("gain, shift", 0.0, None),
                ("gain, shift; 6 bits", (high - low) / (LEVELS - 1), None),
            ):
                search_all = partial(
                    predistorted, g, (low, high), bar, headroom=headroom, step=step
                )
                found, seconds = search_all(), best_of(search_all)
                levels = solve_array(rounded(found.g, low, high), bar).g_eff
                print(
                    f"| {name} {n}x{n} | {kind} | {rms(plain - g):.1e} | {rms(factor * plain - g):.1e} "
                    f"| {search} | {found.after:.1e} "
                    f"| {rms((levels - found.shift) / found.gain - g):.1e} | {found.gain[0]:.3f} "
                    f"| {found.shift[0] / (high - low):.3f} | {found.solves} "
                    f"| {seconds / one_solve:.1f} |"
                )
    g = wanted("uniform", 256, low, high)
    print(
        f"\nlevels alone: {np.sqrt(np.mean((rounded(g, low, high) - g) ** 2)) / (high - low):.1e}"
    )


if __name__ == "__main__":
    predistorted(wanted("uniform", 8, 1e-6, 1e-5), (1e-6, 1e-5), Crossbar())  # compiles the kernels
    main()
