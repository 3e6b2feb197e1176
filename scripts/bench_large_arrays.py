"""Time large mild arrays, and print how time and memory grow with their cells.

Usage: python scripts/bench_large_arrays.py [--sizes 512,1024,2048] [--full]

Arrays are those of scripts/bench_circuit.py's mild cases (200 kohm to 1.4 Mohm, 2.5 ohm wires, 100 ohm
ends). Each figure comes from a process of its own, on one thread, with that process's peak memory:
- `currents`: the sense currents and node voltages for one input vector;
- `16 rows`: g_eff between 16 wordlines and all bitlines, which is one block of what the full matrix
  repeats for every 16 of its wordlines, and its plan, which is made once;
- `full` (with --full): g_eff between all wordlines and all bitlines.
Seconds are of the processor, so that other work on the machine counts less. The last columns are peak
memory beyond that of a process which solves an array of 16x16, for each cell.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse  # noqa: E402
import resource  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402

import numpy as np  # noqa: E402
from script_options import whole_numbers  # noqa: E402

from rxsim.circuit import solve_array, solve_cells  # noqa: E402
from rxsim.config import IV, Crossbar  # noqa: E402

WHAT = ("currents", "16 rows", "full")


def solved(what: str, n: int) -> str:
    """Solve one array; return how it was solved."""
    rng = np.random.default_rng(n)
    g = rng.uniform(1 / 1.4e6, 1 / 200e3, (n, n))
    bar = Crossbar(r_wire_wl=2.5, r_wire_bl=2.5, r_driver=100.0, r_sense=100.0)
    if what == "currents":
        solve_cells(g, bar, IV(), 0.2, rng.uniform(0, 0.2, n))
        return "conjugate gradients"
    solution = solve_array(g, bar, rows=np.arange(16) if what == "16 rows" else None)
    return f"{solution.method}, {solution.sweeps} sweeps, bound {solution.bound:.0e}"


def in_this_process(what: str, n: int) -> None:
    """Print seconds of the processor, peak memory in bytes, and how one array was solved."""
    solved(what, 16)  # compiles the kernels
    before = time.process_time()
    how = solved(what, n)
    seconds = time.process_time() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"{seconds}|{peak}|{how}")


def measured(what: str, n: int) -> tuple[float, float, str]:
    """Measure one array in a process of its own: seconds, bytes, and how it was solved."""
    command = [sys.executable, __file__, "--one", what, "--sizes", str(n)]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, peak, how = run.stdout.strip().split("|")
    return float(seconds), float(peak), how


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=whole_numbers, default=[512, 1024, 2048])
    parser.add_argument("--full", action="store_true", help="solve for full matrices too")
    parser.add_argument("--one", choices=WHAT, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        in_this_process(given.one, given.sizes[0])
        return
    print("| array | what | processor, s | ns a cell | peak, MB | bytes a cell | how |")
    print("|---" * 7 + "|")
    for what in WHAT if given.full else WHAT[:2]:
        _, least, _ = measured(what, 16)
        for n in given.sizes:
            seconds, peak, how = measured(what, n)
            figures = f"{seconds:.3g} | {1e9 * seconds / n**2:.3g} | {peak / 1e6:.0f}"
            bytes_a_cell = f"{(peak - least) / n**2:.0f}"
            print(f"| {n}x{n} | {what} | {figures} | {bytes_a_cell} | {how} |", flush=True)


if __name__ == "__main__":
    main()
