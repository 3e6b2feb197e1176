"""Time one full g_eff (all wordlines, all bitlines) against scipy's SuperLU, and print ratios.

Usage: python scripts/bench_circuit.py [--repeats N] [--sizes 16,64,128]

Every thread pool is pinned to one thread; peers take turns within a repeat, and medians are printed.
SuperLU factors the network's nodal matrix (symmetric mode, MMD_AT_PLUS_A) and solves for all drivers.
A second table times two threads on many arrays beside a pair of spinning processes: where the pair
does not scale, neither can anything else, and the run says nothing.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse  # noqa: E402
import multiprocessing  # noqa: E402
import statistics  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from dataclasses import dataclass  # noqa: E402

import numpy as np  # noqa: E402
import scipy.sparse as sp  # noqa: E402
from scipy.sparse.linalg import splu  # noqa: E402

from rxsim.circuit import solve_array  # noqa: E402
from rxsim.config import Crossbar  # noqa: E402
from rxsim.parallel import ordered  # noqa: E402

FLOOR = 1e-6  # an entry is judged against max(entry, 1e-6 of its column's largest)


@dataclass(frozen=True)
class Case:
    """An array: its name, size, range of conductances and resistances."""

    name: str
    rows: int
    cols: int
    low: float
    high: float
    wire: float
    end: float

    def draw(self) -> tuple[np.ndarray, Crossbar]:
        """Return conductances spread evenly over the range (in decades if it spans more than 100)."""
        rng = np.random.default_rng(self.rows)
        if self.high / self.low > 100:
            g = np.exp(rng.uniform(np.log(self.low), np.log(self.high), (self.rows, self.cols)))
        else:
            g = rng.uniform(self.low, self.high, (self.rows, self.cols))
        ends = {"r_driver": self.end, "r_sense": self.end}
        return g, Crossbar(r_wire_wl=self.wire, r_wire_bl=self.wire, **ends)


def cases(sizes: list[int]) -> list[Case]:
    """Mild and harsh squares, and extremes."""
    mild = [Case(f"mild {n}", n, n, 1 / 1.4e6, 1 / 200e3, 2.5, 100.0) for n in sizes]
    harsh = [Case(f"harsh {n}", n, n, 1e-5, 1e-4, 10.0, 100.0) for n in sizes if n >= 64]
    extreme = [
        Case("on/off 1e7, 1 kohm wires", 64, 64, 1e-10, 1e-3, 1000.0, 100.0),
        Case("all on at 1 kohm", 64, 64, 1e-3, 1.0001e-3, 10.0, 100.0),
        Case("1 ohm ends", 128, 64, 1e-6, 1e-4, 1.0, 1.0),
    ]
    return mild + harsh + extreme


def superlu(g: np.ndarray, bar: Crossbar) -> np.ndarray:
    """g_eff by nodal analysis: wordline nodes first, then bitline nodes; all resistances above 0."""
    n_rows, n_cols = g.shape
    wl = np.arange(g.size).reshape(g.shape)
    bl = wl + g.size
    pairs = [
        (wl, bl, g),
        (wl[:, :-1], wl[:, 1:], np.full((n_rows, n_cols - 1), 1 / bar.r_wire_wl)),
        (bl[:-1], bl[1:], np.full((n_rows - 1, n_cols), 1 / bar.r_wire_bl)),
    ]
    a, b, c = (np.concatenate([part[k].ravel() for part in pairs]) for k in range(3))
    ends = np.concatenate([wl[:, 0], bl[-1]])
    to_fixed = np.repeat([1 / bar.r_driver, 1 / bar.r_sense], [n_rows, n_cols])
    row = np.concatenate([a, b, a, b, ends])
    col = np.concatenate([a, b, b, a, ends])
    matrix = sp.csc_matrix((np.concatenate([c, c, -c, -c, to_fixed]), (row, col)))
    factor = splu(
        matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
    )
    drive = np.zeros((2 * g.size, n_rows))
    drive[wl[:, 0], np.arange(n_rows)] = 1 / bar.r_driver
    return np.asarray(factor.solve(drive)[bl[-1]].T / bar.r_sense)


def timed(work: Callable[[], object]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def difference(found: np.ndarray, wanted: np.ndarray) -> float:
    """The largest difference of an entry, as MODEL counts it."""
    scale = np.maximum(np.abs(wanted), FLOOR * np.abs(wanted).max(axis=0))
    return float((np.abs(found - wanted) / scale).max())


def one_thread(sizes: list[int], repeats: int) -> None:
    """Print the table of one full g_eff on one thread."""
    print("| array | SuperLU | rxsim | times faster | method | bound | difference |")
    print("|---|---|---|---|---|---|---|")
    for case in cases(sizes):
        g, bar = case.draw()
        solution, reference = solve_array(g, bar), superlu(g, bar)
        turns = [(timed(lambda: superlu(g, bar)), timed(lambda: solve_array(g, bar)))  # noqa: B023
                 for _ in range(repeats)]  # fmt: skip
        slow, fast = (statistics.median(column) for column in zip(*turns, strict=True))
        sweeps = f" ({solution.sweeps} sweeps)" if solution.sweeps else ""
        print(
            f"| {case.name} | {slow * 1e3:.1f} ms | {fast * 1e3:.2f} ms | {slow / fast:.1f} | "
            f"{solution.method}{sweeps} | {solution.bound:.0e} | "
            f"{difference(solution.g_eff, reference):.0e} |",
            flush=True,
        )


def spin(seconds: float) -> int:
    """Count as far as possible in a time: what a process gets of its processor."""
    end, count = time.perf_counter() + seconds, 0
    while time.perf_counter() < end:
        count += 1
    return count


def two_threads() -> None:
    """Print how two threads over many arrays scale, and how a pair of processes does beside them."""
    with multiprocessing.Pool(2) as pool:
        alone = pool.apply(spin, (1.0,))
        pair = sum(pool.map(spin, (1.0, 1.0)))
    g, bar = Case("mild 64", 64, 64, 1 / 1.4e6, 1 / 200e3, 2.5, 100.0).draw()

    def many(threads: int) -> None:
        for _ in ordered(lambda _: solve_array(g, bar), range(400), threads):
            pass

    turns = [(timed(lambda: many(1)), timed(lambda: many(2))) for _ in range(5)]
    one, two = (statistics.median(column) for column in zip(*turns, strict=True))
    print(
        f"\nTwo threads on 400 mild 64x64 arrays: {one / two:.2f} times one thread; "
        f"a pair of spinning processes: {pair / alone:.2f} times one."
    )


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--sizes", default="16,64,128,256")
    given = parser.parse_args()
    one_thread([int(size) for size in given.sizes.split(",")], given.repeats)
    two_threads()


if __name__ == "__main__":
    main()
