"""Make a results file of 20,000 points x 5 chips and time `rxsim results show` and `rxsim report`.

Usage: python scripts/bench_results.py

Prints wall seconds and peak memory of each command. Making the file takes most of a minute.
"""

from __future__ import annotations

import copy
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from made_results import made_point, made_trial, sha

from rxsim.store import open_results
from rxsim.store.coding import point_row, trial_row
from rxsim.store.tables import INSERT_POINT, insert_trial

ROWS, BITS = (16, 32, 64, 128, 256), (4, 5, 6, 7, 8)
WIRES, SIGMAS, CHIPS, IMAGES = np.geomspace(0.5, 20, 20), np.linspace(0, 0.2, 40), 5, 2000


def make(path: Path) -> None:
    """Write the file: accuracies fall with array size, wires and write error."""
    rng, base = np.random.default_rng(0), made_point({})
    grid = [(r, w, b, s) for r in ROWS for w in WIRES for b in BITS for s in SIGMAS]
    with open_results(path, write=True) as results:
        results.connection.execute("BEGIN IMMEDIATE")
        for number, (rows, wire, bits, sigma) in enumerate(grid):
            settings = copy.deepcopy(dict(base.settings))
            settings["crossbar"] |= {"rows": rows, "r_wire_wl": float(wire)}
            settings["adc"]["n_bits"] = bits
            settings["device"]["write_sigma"] = float(sigma)
            point = replace(base, key=sha(f"{number}"), settings=settings, details=None)
            results.connection.execute(INSERT_POINT, point_row(point, base.details))
            expected = 0.9 - 0.1 * wire * rows / 2560 - 0.5 * sigma - 0.5 * 2.0**-bits
            for chip in range(CHIPS):
                hits = rng.random(IMAGES) < expected + rng.normal(0, 0.01)
                trial = made_trial(point, chip, float(hits.mean()), hits)
                row = trial_row(trial, results.metrics)
                results.connection.execute(insert_trial(results.metrics), row)
        results.connection.execute("COMMIT")


def main() -> None:
    """Make the file and time both commands."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "big.sqlite"
        make(path)
        print(f"{len(ROWS) * len(WIRES) * len(BITS) * len(SIGMAS) * CHIPS:,} trials, ", end="")
        print(f"{path.stat().st_size / 1e6:.0f} MB")
        for arguments in (
            ["results", "show", path],
            ["report", path, "-o", path.with_suffix(".html")],
        ):
            start = time.perf_counter()
            command = [sys.executable, "-m", "rxsim", *map(str, arguments)]
            child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            _, status, usage = os.wait4(child.pid, 0)
            seconds = time.perf_counter() - start
            if status:
                raise SystemExit(f"{' '.join(command)} failed")
            print(f"rxsim {arguments[0]}: {seconds:.1f} s, {usage.ru_maxrss / 1e6:.2f} GB")


if __name__ == "__main__":
    main()
