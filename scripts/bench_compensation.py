"""Time the compensation steps of a network beside the plain solution of its arrays.

Usage: RXSIM_ASSETS=FOLDER python scripts/bench_compensation.py [NETWORK] [--xbar RxC] [--set K=V ..]

Each list of steps makes a chip, in a process that has compiled everything by making another before. A
figure is the processor time that the list adds to making a chip, over that of solving the plain arrays.
Run it while nothing else does.
"""

from __future__ import annotations

import argparse
import time

from evidence_networks import NETWORKS, enter_project, study_of

from rxsim.pipeline import Foundries, Study
from rxsim.scenarios import as_built

ALL = ("order", "predistort", "ranges", "columns", "statistics")


def seconds(study: Study) -> tuple[float, float]:
    """Return the processor time of a chip from mapping to its patched network, and the wall time."""
    Foundries(study).open(as_built(study.settings)).make(0)  # compiles
    cpu, wall = time.process_time(), time.perf_counter()
    Foundries(study).open(as_built(study.settings)).make(0)
    return time.process_time() - cpu, time.perf_counter() - wall


def solving(study: Study) -> float:
    """Return the processor time of solving the plain arrays of a chip."""
    foundries = Foundries(study)
    mapped = foundries.map(as_built(study.settings))
    start = time.process_time()
    foundries.solved.nominal(mapped)
    return time.process_time() - start


def main() -> None:
    """Time the steps, each alone and all together."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", nargs="?", default="resnet20", choices=list(NETWORKS))
    parser.add_argument("--xbar")
    parser.add_argument("--set", action="append", default=[], dest="assignments")
    given = parser.parse_args()
    enter_project()

    def chip_of(steps: tuple[str, ...]) -> Study:
        assignments = [*given.assignments, f"compensate=[{','.join(steps)}]"]
        return study_of(given.network, 20, assignments, given.xbar, threads=1)

    plain = chip_of(())
    base, _ = seconds(plain)
    solve = solving(plain)
    print(
        f"{given.network}: solving the plain arrays {solve:.2f} s; a chip without steps {base:.2f} s\n"
    )
    print("| steps | processor time | over solving |\n|---|---|---|")
    for steps in (*((step,) for step in ALL), ALL):
        took = seconds(chip_of(steps))[0] - base
        print(f"| {', '.join(steps)} | {took:.2f} s | {took / solve:.1f} x |", flush=True)


if __name__ == "__main__":
    main()
