"""Time one full g_eff (all wordlines, all bitlines) against its peers, and print ratios.

Usage: python scripts/bench_circuit.py [--repeats N] [--sizes 16,64,128] [--ngspice] [--floors]

Every thread pool is pinned to one thread; all take turns within a repeat, and medians are printed (of
one turn for what takes longer than 5 s). Seconds are of the processor, so that other work on the
machine counts less.
- SuperLU factors the network's nodal matrix (symmetric mode, MMD_AT_PLUS_A), solves for all drivers.
- badcrossbar 1.1.0 (Joksas and Mehonic, SoftwareX 2020) solves the same array with its own ends, one
  wire resistance each; "-" where it is not installed. It needs Cairo's headers and stays out of the
  project's environment and lock:
      apt-get install -y libcairo2-dev pkg-config
      python3.11 -m venv /tmp/bench_env
      /tmp/bench_env/bin/pip install badcrossbar==1.1.0
      /tmp/bench_env/bin/pip install -r requirements.lock
      /tmp/bench_env/bin/pip install --no-deps --no-build-isolation -e .
      /tmp/bench_env/bin/python scripts/bench_circuit.py
- ngspice sweeps over the drivers (.dc), in one process: at size 16, and with --ngspice at the mild 64
  too (half a minute or more). `apt-get install -y ngspice`.
"In a stack" is the time of an array where `solve_arrays` solves as many at once as fit 2^17 cells,
which is what `rxsim eval` does: the work of Python and of the call is shared.
The last columns hold how far each result lies from rxsim's for the same circuit, counted as in
docs/concepts/model.md.
A last line times two threads on many arrays, two processes on the same arrays, and a pair of spinning
processes: where the pair does not scale, neither can anything else, and the run says nothing; where two
processes do not, caches and memory are what the two share.

With --floors it prints instead what each array takes beside what its multiply-adds alone would take at
the rate of a matrix product, and its bytes at the rate of a copy, both measured in the same run.
Relaxation: 8 multiply-adds for each node, driven wordline and sweep (four recurrences of two terms);
for each node, 16 driven wordlines and sweep the bitline currents read and written (2 x 128 bytes) and
eight factors read. Elimination of n x n: n^4 multiply-adds.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse  # noqa: E402
import multiprocessing  # noqa: E402
import resource  # noqa: E402
import statistics  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from dataclasses import dataclass  # noqa: E402

import numpy as np  # noqa: E402
from bench_peers import machine, of_badcrossbar, of_ngspice, of_superlu, versions  # noqa: E402
from script_options import whole_number, whole_numbers  # noqa: E402

from rxsim.circuit import solve_array, solve_arrays  # noqa: E402
from rxsim.config import Crossbar  # noqa: E402
from rxsim.parallel import ordered  # noqa: E402

PEERS = {"SuperLU": of_superlu, "badcrossbar": of_badcrossbar, "ngspice": of_ngspice}
SLOW = 5.0  # seconds: what takes longer is timed once
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


def of_processor() -> float:
    """Seconds that this process and the ones it started have worked."""
    started = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + started.ru_utime + started.ru_stime


def timed(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds of one call; of many where one is quick, as arrays come by the thousand."""
    start = clock()
    work()
    once = clock() - start
    calls = min(int(0.03 / max(once, 1e-6)), 200)
    if calls < 2:
        return once
    start = clock()
    for _ in range(calls):
        work()
    return (clock() - start) / calls


def difference(found: np.ndarray, wanted: np.ndarray) -> float:
    """The largest difference of an entry, as docs/concepts/model.md counts it."""
    scale = np.maximum(np.abs(wanted), FLOOR * np.abs(wanted).max(axis=0))
    return float((np.abs(found - wanted) / scale).max())


def medians(works: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Seconds of each work: the median of a number of turns, in which all take part."""
    turns: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            if not turns[name] or turns[name][0] < SLOW:
                turns[name].append(timed(work, of_processor))
    return {name: statistics.median(seconds) for name, seconds in turns.items()}


def milliseconds(seconds: float | None) -> str:
    """Three significant digits of a time; "-" for none."""
    return "-" if seconds is None else f"{1e3 * seconds:.3g}"


def one_thread(sizes: list[int], repeats: int, long_ngspice: bool) -> None:
    """Print the table of one full g_eff on one thread."""
    header = ["array", "rxsim, ms", "in a stack, ms", *(f"{peer}, ms" for peer in PEERS)]
    header += [f"times faster than {peer}" for peer in PEERS]
    header += ["times faster than SuperLU in a stack"]
    header += ["method (sweeps)", "bound", *(f"{peer} differs" for peer in PEERS)]
    print(f"| {' | '.join(header)} |")
    print("|---" * len(header) + "|")
    for case in cases(sizes):
        g, bar = case.draw()
        solution = solve_array(g, bar)
        works: dict[str, Callable[[], object]] = {"rxsim": lambda: solve_array(g, bar)}  # noqa: B023
        count, works["stack"] = stacked(g, bar)
        differs = dict.fromkeys(PEERS, "-")
        for peer, make in PEERS.items():
            if (
                peer == "ngspice"
                and case.rows > 16
                and not (long_ngspice and case.name == "mild 64")
            ):
                continue
            made = make(g, bar)
            if made is None:
                continue
            works[peer], same = made
            if peer != "ngspice" or case.rows <= 16:
                differs[peer] = f"{difference(works[peer](), solve_array(g, same).g_eff):.0e}"
        took = medians(works, repeats)
        took["stack"] /= count
        cells = [case.name, milliseconds(took["rxsim"]), milliseconds(took["stack"])]
        cells += [milliseconds(took.get(peer)) for peer in PEERS]
        cells += [f"{took[peer] / took['rxsim']:.3g}" if peer in took else "-" for peer in PEERS]
        cells.append(f"{took['SuperLU'] / took['stack']:.3g}" if "SuperLU" in took else "-")
        cells.append(solution.method + (f" ({solution.sweeps})" if solution.sweeps else ""))
        print(f"| {' | '.join([*cells, f'{solution.bound:.0e}', *differs.values()])} |", flush=True)


def stacked(g: np.ndarray, bar: Crossbar) -> tuple[int, Callable[[], object]]:
    """Return how many arrays make a stack, and what solves one: the array with its columns moved on."""
    count = max(2**17 // g.size, 1)
    stack = np.array([np.roll(g, k, axis=1) for k in range(count)])
    rows, cols = (np.arange(length) for length in g.shape)
    return count, lambda: solve_arrays(stack, bar, rows=rows, cols=cols)


def processor(work: Callable[[], object]) -> float:
    """Seconds of the processor of one call: the least of five turns."""
    return min(timed(work, of_processor) for _ in range(5))


def rates() -> tuple[float, float]:
    """Multiply-adds a second of a matrix product, and bytes read and written a second by a copy."""
    a, b, out = np.ones((768, 768)), np.ones((768, 768)), np.empty((768, 768))
    here, there = np.ones(2**23), np.empty(2**23)
    product = processor(lambda: np.matmul(a, b, out=out))
    return 768**3 / product, 2 * here.nbytes / processor(lambda: np.copyto(there, here))


def floors(sizes: list[int]) -> None:
    """Print what arrays take beside what their arithmetic and their memory alone would take."""
    multiply_adds, copied = rates()
    print(
        f"Matrix product {multiply_adds / 1e9:.1f} G multiply-adds/s, copy {copied / 1e9:.1f} GB/s\n"
    )
    print("| array | method | ms | multiply-adds | at that rate, ms | bytes | at that rate, ms |")
    print("|---" * 7 + "|")
    for case in cases(sizes)[:-3]:
        g, bar = case.draw()
        solution, n = solve_array(g, bar), case.rows
        work, moved = n**4, 0
        if solution.method == "relaxation":
            blocks = -(-n // 16)
            work = 8 * 16 * blocks * n * n * solution.sweeps
            moved = (2 * 128 + 64) * blocks * n * n * solution.sweeps
        took = processor(lambda: solve_array(g, bar))  # noqa: B023
        how = solution.method + (f" ({solution.sweeps})" if solution.sweeps else "")
        least = f"{work:.3g} | {1e3 * work / multiply_adds:.3g}"
        bytes_of = f"{moved:.3g} | {1e3 * moved / copied:.3g}" if moved else "- | -"
        print(f"| {case.name} | {how} | {1e3 * took:.3g} | {least} | {bytes_of} |", flush=True)


def spin(seconds: float) -> int:
    """Count as far as possible in a time: what a process gets of its processor."""
    end, count = time.perf_counter() + seconds, 0
    while time.perf_counter() < end:
        count += 1
    return count


MILD_64 = Case("mild 64", 64, 64, 1 / 1.4e6, 1 / 200e3, 2.5, 100.0)


def solve_many(count: int) -> None:
    """Solve the same array again and again: what a process gets of the machine's memory too."""
    g, bar = MILD_64.draw()
    for _ in range(count):
        solve_array(g, bar)


def two_threads() -> None:
    """Print how two threads over many arrays scale, and how a pair of processes does beside them."""
    g, bar = MILD_64.draw()

    def many(threads: int) -> None:
        for _ in ordered(lambda _: solve_array(g, bar), range(400), threads, 8):
            pass

    with multiprocessing.Pool(2) as pool:
        turns = []
        for _ in range(15):
            threads = timed(lambda: many(1)) / timed(lambda: many(2))
            alone = timed(lambda: pool.apply(solve_many, (400,)))
            both = timed(lambda: pool.map(solve_many, (200, 200), 1))
            pair = sum(pool.map(spin, (0.3, 0.3))) / pool.apply(spin, (0.3,))
            turns.append((threads, alone / both, pair))
    threads, processes, pair = (statistics.median(column) for column in zip(*turns, strict=True))
    print(
        f"\nTwo threads on 400 mild 64x64 arrays: {threads:.2f} times one thread; two processes on "
        f"200 each: {processes:.2f} times one; a pair of spinning processes: {pair:.2f} times one "
        f"(medians of {len(turns)} turns)."
    )


def main() -> None:
    """Print the table and the line about two threads."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=whole_number, default=7)
    parser.add_argument("--sizes", type=whole_numbers, default=[16, 64, 128, 256])
    parser.add_argument("--ngspice", action="store_true", help="time ngspice on mild 64 too")
    parser.add_argument("--floors", action="store_true", help="print floors instead of peers")
    given = parser.parse_args()
    print(f"{machine()}; {versions()}\n")
    if given.floors:
        floors(given.sizes)
        return
    one_thread(given.sizes, given.repeats, given.ngspice)
    two_threads()


if __name__ == "__main__":
    main()
