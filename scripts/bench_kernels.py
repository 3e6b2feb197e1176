"""Time the parts of relaxing a mild array, and print what each of its sweeps adds.

Usage: python scripts/bench_kernels.py [--sizes 16,64,128]

Times are of the processor, the least of a dozen turns, on one thread: the whole call from Python, an
array in a stack of 32, the factors of its lines, the plan of its sweeps, the sweeps. What a sweep adds
is the largest share of any entry, against two sweeps more than are needed.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse  # noqa: E402
import itertools  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402

import numpy as np  # noqa: E402
from bench_circuit import cases  # noqa: E402

from rxsim.circuit import solve_array, solve_arrays  # noqa: E402
from rxsim.circuit.factors import line_factors  # noqa: E402
from rxsim.circuit.lanes import LANES  # noqa: E402
from rxsim.circuit.lines import lines_of  # noqa: E402
from rxsim.circuit.relaxation import relax  # noqa: E402
from rxsim.circuit.scratch import scratch  # noqa: E402
from rxsim.circuit.solve import TOLERANCE, worthwhile_sweeps  # noqa: E402
from rxsim.circuit.sweep_count import plan_sweeps  # noqa: E402

STACK, TURNS, TURN = 32, 12, 0.004  # arrays, turns, seconds of one


def microseconds(work: Callable[[], object]) -> float:
    """The least time of a call in a dozen turns, of the processor."""
    start = time.thread_time()
    work()
    calls = max(int(TURN / max(time.thread_time() - start, 1e-6)), 1)
    least = np.inf
    for _ in range(TURNS):
        start = time.thread_time()
        for _ in range(calls):
            work()
        least = min(least, (time.thread_time() - start) / calls)
    return 1e6 * least


def of_size(n: int) -> None:
    """Print a line for the mild array of n x n."""
    g, bar = cases([n])[0].draw()
    lines, every, shape = lines_of(bar, n, n), np.arange(n), (n, n)
    stack = np.array([np.roll(g, k, axis=1) for k in range(STACK)])
    factors = line_factors(g, lines).copy()
    nodes, lanes = np.empty((3, n, n)), scratch("bench", (n * n * LANES,))
    most = worthwhile_sweeps(shape, n, n)

    def plan() -> tuple[int, float]:
        found = plan_sweeps(g, factors, every, every, False, TOLERANCE, most, False, nodes)
        return int(found[0]), float(found[1])

    sweeps, bound = plan()
    parts = {
        "call": microseconds(lambda: solve_array(g, bar)),
        "in a stack": microseconds(lambda: solve_arrays(stack, bar, rows=every, cols=every))
        / STACK,
        "factors": microseconds(lambda: line_factors(g, lines)),
        "plan": microseconds(plan),
        "sweeps": microseconds(lambda: relax(g, factors, every, every, sweeps, lanes)),
    }
    after = [relax(g, factors, every, every, k, lanes) for k in range(sweeps + 3)]
    added = [((b - a) / after[-1]).max() for a, b in itertools.pairwise(after)]
    print(f"mild {n}, {sweeps} sweeps, bound {bound:.1e}")
    print("  us: " + ", ".join(f"{name} {took:.3g}" for name, took in parts.items()))
    print("  sweeps add " + ", ".join(f"{share:.1e}" for share in added[:-1]), flush=True)


def main() -> None:
    """Print a line for each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="16,64,128")
    for size in parser.parse_args().sizes.split(","):
        of_size(int(size))


if __name__ == "__main__":
    main()
