"""The same sweep on Dask clusters of 1, 2 and 4 processes on this machine: what each gains.

Usage: python scripts/bench_dask.py [--trials 4] [--limit 200] [--workers 1 2 4]

Every cluster runs the sweep after its workers are warm: kernels are compiled, modules loaded. Beside
each wall time stands how much more spinning processes do than one, just before: on a busy or small
machine no cluster gains more. Rows of all clusters must be the same.

Then come the seconds until the first job begins, and the share of the time from there to the end of the
last job in which workers have a job. Behind them stands where processor time went: the command; the
scheduler, with this script, in whose process it lives; and all workers: in trials, in opening points
(once in each worker that has a trial of it), and between jobs, in what Dask does there.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from distributed import Client, LocalCluster

from rxsim.store import open_results

MODEL = Path(__file__).resolve().parents[1] / "models" / "digits_resnet.onnx"
WORKERS = (1, 2, 4)
BITS = [4, 5, 6, 7]
SPIN = "sum(i * i for i in range(5_000_000))"


@dataclass(frozen=True, kw_only=True)
class Spent:
    """Seconds of a sweep.

    Attributes:
        wall: from the command's start to its end.
        first: from the command's start to the begin of the first job.
        busy: share of the workers' time, from that begin to the end of the last job, with a job.
        command: processor, of the process of the command.
        scheduler: processor, of this process.
        trials: processor, of all workers while they had a job, opening points left out.
        opening: processor, of all workers where a job found its point not opened.
        beside: processor, of all workers between jobs.
    """

    wall: float
    first: float
    busy: float
    command: float
    scheduler: float
    trials: float
    opening: float
    beside: float


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


def swept(folder: Path, cluster: Any, bits: list[int], trials: int, limit: int) -> Spent:
    """Run a sweep on a cluster."""
    folder.mkdir(exist_ok=True)
    plan = folder / "sweep.yaml"
    settings = {"device": {"write_sigma": 0.1}}
    values = {"model": str(MODEL), "limit": limit, "trials": trials, "settings": settings}
    plan.write_text(yaml.safe_dump({**values, "axes": {"adc.n_bits": bits}}))
    words = ["-m", "rxsim", "sweep", str(plan), "-o", str(folder / "r.sqlite"), "--quiet"]
    words += ["--dask", cluster.scheduler_address]
    before, start = processor(cluster), time.time()
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
    wall = time.time() - start
    spent = {who: now - before[who] for who, now in processor(cluster).items()}
    with Client(cluster) as client:
        told = client.run(told_by_worker).values()
    spans = [span for each in told for span in each["spans"] if span[0] >= start] or [
        (start, start)
    ]
    begin, end = min(span[0] for span in spans), max(span[1] for span in spans)
    in_jobs = sum(until - since for since, until in spans)
    busy = in_jobs / len(told) / max(end - begin, 1e-9)
    return Spent(wall=wall, first=begin - start, busy=busy, **spent)


def processor(cluster: Any) -> dict[str, float]:
    """Return the processor seconds so far: ended commands, this process, and all workers."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    with Client(cluster) as client:
        told = client.run(told_by_worker).values()
    in_jobs, opening, together = (
        sum(each[name] for each in told) for name in ("run_job", "_prepare", "together")
    )
    return {
        "command": ended.ru_utime + ended.ru_stime,
        "scheduler": time.process_time(),
        "trials": in_jobs - opening,
        "opening": opening,
        "beside": together - in_jobs,
    }


def watch_jobs() -> None:
    """Let a worker note when it has a job, and what its jobs and the opening of points take."""
    import time
    from functools import wraps

    import rxsim.sweep.job as module

    spent = module.__dict__.setdefault("spent", {"run_job": 0.0, "_prepare": 0.0, "spans": []})

    def watched(name: str) -> None:
        function = getattr(module, name)

        @wraps(function)
        def call(job: Any) -> Any:
            begin, start = time.time(), time.process_time()
            try:
                return function(job)
            finally:
                spent[name] += time.process_time() - start
                if name == "run_job":
                    spent["spans"].append((begin, time.time()))

        setattr(module, name, call)

    for name in ("run_job", "_prepare"):
        watched(name)


def told_by_worker() -> dict[str, Any]:
    """Return what a worker noted so far, and its processor seconds together."""
    import time

    import rxsim.sweep.job as module

    return {**module.__dict__["spent"], "together": time.process_time()}


def rows(folder: Path) -> list[tuple[object, ...]]:
    """Return what a sweep found."""
    with open_results(folder / "r.sqlite") as results:
        return sorted((t.key, t.trial, str(t.values)) for t in results.trials())


def main() -> None:
    """Run the sweep on each cluster and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=4)
    parser.add_argument("--limit", type=int, default=200)
    parser.add_argument("--workers", type=int, nargs="+", default=WORKERS, help="processes")
    given = parser.parse_args()
    print(
        "| processes | sweep, s | gain | gain of as many spinning processes | first job after, s | "
        "workers busy | processor, s: command | scheduler | trials | opening points | between jobs |\n"
        f"{'|---' * 11}|"
    )
    first: tuple[float, list[tuple[object, ...]]] | None = None
    with tempfile.TemporaryDirectory() as name:
        for count in given.workers:
            with LocalCluster(
                n_workers=count, threads_per_worker=1, processes=True, dashboard_address=None
            ) as cluster:
                at = Path(name)
                with Client(cluster) as client:
                    client.run(watch_jobs)
                swept(at / f"warm{count}", cluster, BITS[:1], max(4, count), 20)
                spin = gain_of_spinning(count)
                spent = swept(at / f"{count}", cluster, BITS, given.trials, given.limit)
                nothing = swept(at / f"{count}", cluster, BITS, given.trials, given.limit)
            found = rows(at / f"{count}")
            first = first or (spent.wall, found)
            if found != first[1]:
                raise SystemExit(
                    f"bench_dask: {count} processes gave other rows than 1, expected the same"
                )
            print(
                f"| {count} | {spent.wall:.1f} | {first[0] / spent.wall:.2f} | {spin:.2f} | "
                f"{spent.first:.1f} | {spent.busy:.0%} | {spent.command:.1f} | "
                f"{spent.scheduler:.1f} | {spent.trials:.1f} | {spent.opening:.1f} | "
                f"{spent.beside:.1f} |",
                flush=True,
            )
    print(f"\nThe command of the same sweep, with nothing left to do: {nothing.command:.1f} s.")


if __name__ == "__main__":
    main()
