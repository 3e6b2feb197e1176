"""The same sweep on Dask clusters of 1, 2 and 4 processes on this machine: what each gains.

Usage: python scripts/bench_dask.py [--trials 4] [--limit 200]

Every cluster runs the sweep after its workers are warm: kernels are compiled, modules loaded. Beside
each wall time stands how much more spinning processes do than one, just before: on a busy or small
machine no cluster gains more. Rows of all clusters must be the same.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml
from distributed import LocalCluster

from rxsim.store import open_results

MODEL = Path(__file__).resolve().parents[1] / "models" / "digits_resnet.onnx"
WORKERS = (1, 2, 4)
BITS = [4, 5, 6, 7]
SPIN = "sum(i * i for i in range(5_000_000))"


def spinning(count: int) -> float:
    """Return the seconds of so many spinning processes side by side."""
    start = time.perf_counter()
    processes = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(count)]
    for process in processes:
        process.wait()
    return time.perf_counter() - start


def gain_of_spinning(count: int) -> float:
    """Return how much more so many spinning processes do than one."""
    return count * spinning(1) / spinning(count)


def swept(folder: Path, address: str, bits: list[int], trials: int, limit: int) -> float:
    """Run a sweep on a cluster; return its seconds."""
    folder.mkdir()
    plan = folder / "sweep.yaml"
    settings = {"device": {"write_sigma": 0.1}}
    values = {"model": str(MODEL), "limit": limit, "trials": trials, "settings": settings}
    plan.write_text(yaml.safe_dump({**values, "axes": {"adc.n_bits": bits}}))
    words = ["-m", "rxsim", "sweep", str(plan), "-o", str(folder / "r.sqlite"), "--dask", address]
    start = time.perf_counter()
    subprocess.run([sys.executable, *words, "--quiet"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def rows(folder: Path) -> list[tuple[object, ...]]:
    """Return what a sweep found."""
    with open_results(folder / "r.sqlite") as results:
        return sorted((t.key, t.trial, str(t.values)) for t in results.trials())


def main() -> None:
    """Run the sweep on each cluster and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=4)
    parser.add_argument("--limit", type=int, default=200)
    given = parser.parse_args()
    print("| processes | sweep, s | gain | gain of as many spinning processes |\n|---|---|---|---|")
    first: tuple[float, list[tuple[object, ...]]] | None = None
    with tempfile.TemporaryDirectory() as name:
        for count in WORKERS:
            with LocalCluster(
                n_workers=count, threads_per_worker=1, processes=True, dashboard_address=None
            ) as cluster:
                address, at = cluster.scheduler_address, Path(name)
                swept(at / f"warm{count}", address, BITS[:1], max(4, count), 20)
                spin = gain_of_spinning(count)
                seconds = swept(at / f"{count}", address, BITS, given.trials, given.limit)
            found = rows(at / f"{count}")
            first = first or (seconds, found)
            if found != first[1]:
                raise SystemExit(
                    f"bench_dask: {count} processes gave other rows than 1, expected the same"
                )
            print(
                f"| {count} | {seconds:.1f} | {first[0] / seconds:.2f} | {spin:.2f} |", flush=True
            )


if __name__ == "__main__":
    main()
