"""`rxsim sweep`."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import click

from rxsim.commands.arguments import FILE, progress_options
from rxsim.commands.progress import watched
from rxsim.commands.workers import (
    cache_bytes,
    cache_folder,
    interruptible,
    pool_of,
    sweep_progress,
    workers_options,
)
from rxsim.counted import counted
from rxsim.errors import InputError, PointsFailedError
from rxsim.files import check_destination
from rxsim.report.sweep_terminal import print_plan, print_sweep
from rxsim.session import default_threads
from rxsim.stages import Stages, StageWatcher
from rxsim.store import Results, open_results
from rxsim.sweep import Plan, ending, estimate, read_plan, run_sweep


@click.command("sweep")
@click.argument("sweep_file", type=FILE, metavar="SWEEP.yaml")
@click.option(
    "-o", "--output", type=FILE, metavar="FILE", help="Results; default: SWEEP.sqlite here."
)
@workers_options
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
    cache = cache_folder(given["cache"])
    if given["dry_run"]:
        _dry_run(plan, path, cache, given)
        return
    if not given["quiet"]:
        _tell_of_others(plan, path)
    with (
        interruptible(path),
        ending(pool_of(given)) as pool,
        open_results(path, write=True) as results,
        sweep_progress(plan.name, quiet=given["quiet"], verbose=given["verbose"]) as show,
    ):
        end = run_sweep(
            plan,
            results,
            pool,
            cache=cache,
            cache_bytes=cache_bytes(given),
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


def _dry_run(plan: Plan, path: Path, cache: Path | None, given: dict[str, Any]) -> None:
    known = []
    if path.exists():
        results: Results
        with open_results(path) as results:
            known = results.trials([planned.point.key for planned in plan.points])
    workers = given["workers"] or default_threads()
    with ending(pool_of(given)) as pool:
        workers = workers if given["dask"] is None else max(pool.slots // 2, 1)
        with _watched(given) as watcher, Stages(watcher)("estimate"):
            cost = estimate(plan, known, pool, workers, cache)
    print_plan(plan, cost, workers)


def _watched(given: dict[str, Any]) -> AbstractContextManager[StageWatcher | None]:
    return watched(quiet=given["quiet"], verbose=given["verbose"], solves=False)
