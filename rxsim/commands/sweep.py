"""`rxsim sweep`."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from rxsim.cache import default_folder
from rxsim.commands.arguments import FILE, progress_options
from rxsim.commands.progress import SECONDS_BETWEEN_LINES, watched
from rxsim.counted import counted
from rxsim.errors import InputError, PointsFailedError
from rxsim.files import check_destination
from rxsim.report.sweep_terminal import left_in_words, print_plan, print_sweep
from rxsim.session import default_threads
from rxsim.stages import Stages, StageWatcher
from rxsim.store import Results, open_results
from rxsim.sweep import (
    DaskPool,
    LocalPool,
    Plan,
    Pool,
    SweepProgress,
    ending,
    estimate,
    memory_for,
    read_plan,
    run_sweep,
)


@click.command("sweep")
@click.argument("sweep_file", type=FILE, metavar="SWEEP.yaml")
@click.option(
    "-o", "--output", type=FILE, metavar="FILE", help="Results; default: SWEEP.sqlite here."
)
@click.option(
    "--workers", type=click.IntRange(min=1), metavar="N", help="Processes, one thread each."
)
@click.option(
    "--memory", type=click.FloatRange(min=0.25), metavar="GB", help="Of each worker, at most."
)
@click.option(
    "--dask", metavar="ADDRESS", help="Run on a Dask cluster, such as tcp://scheduler:8786."
)
@click.option("--cache", metavar="FOLDER|none", help="Where solved arrays and ranges are kept.")
@click.option(
    "--cache-size",
    type=click.FloatRange(min=0.01),
    default=4.0,
    metavar="GB",
    help="Of that, at most.",
)
@click.option(
    "--resume/--no-resume", default=True, help="Go on with earlier results (the default)."
)
@click.option("--dry-run", is_flag=True, help="List the points and estimate the time.")
@progress_options
def command(sweep_file: Path, **given: Any) -> None:
    """Evaluate a network at every point of SWEEP.yaml; what is done already is not done again.

    Results are an SQLite file: look at them with 'rxsim results', 'rxsim report' and 'rxsim plot'.
    """
    with _watched(given) as watcher, Stages(watcher)("plan"):
        plan = read_plan(sweep_file)
    path: Path = given["output"] or Path(f"{sweep_file.stem}.sqlite")
    check_destination(path, [sweep_file, *(planned.model for planned in plan.points)])
    if path.exists() and not given["resume"]:
        raise InputError(
            f"--no-resume: found earlier results in {path}, expected none; choose another --output, or "
            "delete the file"
        )
    cache = _cache(given["cache"])
    if given["dry_run"]:
        _dry_run(plan, path, cache, given)
        return
    if not given["quiet"]:
        _tell_of_others(plan, path)
    with (
        _interruptible(path),
        ending(_pool(given)) as pool,
        open_results(path, write=True) as results,
        _progress(plan, quiet=given["quiet"], verbose=given["verbose"]) as show,
    ):
        end = run_sweep(
            plan,
            results,
            pool,
            cache=cache,
            cache_bytes=int(given["cache_size"] * 2**30),
            show=show,
        )
    with open_results(path) as results:
        print_sweep(plan, end, results, path)
    if end.failed:
        raise PointsFailedError(
            f"{end.failed:,} of {counted(len(plan.points) * plan.trials, 'trial')} failed; see "
            "'rxsim results show "
            f"{path}', and run the same command again to try them again"
        )


def _tell_of_others(plan: Plan, path: Path) -> None:
    """Warn where a stored sweep of the same name has points that this sweep has not."""
    if not path.exists() or not path.stat().st_size:
        return
    with open_results(path) as results:
        before = [sweep for sweep in results.sweeps() if sweep.name == plan.name]
    gone = {key for sweep in before for key in sweep.points}
    gone -= {planned.point.key for planned in plan.points}
    if gone:
        click.echo(
            f"{path} holds another sweep {plan.name}: {counted(len(gone), 'point')} of it "
            f"{'is' if len(gone) == 1 else 'are'} not among this "
            "one's; the file keeps all it holds, but the name now stands for this one (name: renames)",
            err=True,
        )


def _cache(given: str | None) -> Path | None:
    if given == "none":
        return None
    folder = default_folder() if given is None else Path(given).absolute()
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--cache: found the file {folder}, expected a folder; choose another")
    return folder


def _pool(given: dict[str, Any]) -> Pool:
    """Open the place where jobs run."""
    if given["dask"] is not None:
        if given["workers"] or given["memory"]:
            raise InputError(
                "--dask: found --workers or --memory beside it, expected it alone; the cluster decides"
            )
        return DaskPool(given["dask"])
    workers = given["workers"] or default_threads()
    memory = given["memory"]
    return LocalPool(workers, memory_for(workers) if memory is None else int(memory * 2**30))


@contextmanager
def _interruptible(path: Path) -> Iterator[None]:
    """On Ctrl-C, or when a batch system ends the job, say how to go on."""

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        click.echo(
            f"\nfinished trials are in {path}; the same command goes on with the rest", err=True
        )
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _progress(plan: Plan, *, quiet: bool, verbose: bool) -> Iterator[Any]:
    """Show progress: a bar on a terminal, else a line a minute, or a line for every trial."""
    if quiet:
        yield None
        return
    if sys.stderr.isatty():
        columns = (BarColumn(), TextColumn("{task.description}"))
        with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
            task = bars.add_task("starting", total=None)

            def show_bar(now: SweepProgress) -> None:
                bars.update(
                    task, description=left_in_words(now), completed=now.done, total=now.total
                )

            yield show_bar
        return
    last = time.monotonic()

    def show_line(now: SweepProgress) -> None:
        nonlocal last
        if verbose or time.monotonic() - last >= SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            click.echo(f"{plan.name}: {left_in_words(now)}", err=True)

    yield show_line


def _dry_run(plan: Plan, path: Path, cache: Path | None, given: dict[str, Any]) -> None:
    known = []
    if path.exists():
        results: Results
        with open_results(path) as results:
            known = results.trials([planned.point.key for planned in plan.points])
    workers = given["workers"] or default_threads()
    with ending(_pool(given)) as pool:
        workers = workers if given["dask"] is None else max(pool.slots // 2, 1)
        with _watched(given) as watcher, Stages(watcher)("estimate"):
            cost = estimate(plan, known, pool, workers, cache)
    print_plan(plan, cost, workers)


def _watched(given: dict[str, Any]) -> AbstractContextManager[StageWatcher | None]:
    return watched(quiet=given["quiet"], verbose=given["verbose"], solves=False)
