"""What commands share that run many trials: workers, the cache, progress, and a way out."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from rxsim.cache import default_folder
from rxsim.commands.arguments import with_options
from rxsim.commands.progress import SECONDS_BETWEEN_LINES
from rxsim.errors import InputError
from rxsim.memory import read_size
from rxsim.report.sweep_terminal import left_in_words
from rxsim.session import default_threads
from rxsim.sweep import DaskPool, LocalPool, Pool, SweepProgress, memory_for

F = TypeVar("F", bound=Callable[..., Any])


def workers_options(function: F) -> F:
    """Add --workers, --memory, --dask, --cache and --cache-size."""
    return with_options(function, _options())


def _options() -> list[Callable[[Any], Any]]:
    return [
        click.option(
            "--workers", type=click.IntRange(min=1), metavar="N", help="Processes, one thread each."
        ),
        click.option(
            "--memory",
            metavar="SIZE",
            help="Of each worker at most, such as 3GB (a bare number is GiB): a trial that needs more "
            "fails; default: its share of what is free.",
        ),
        click.option(
            "--dask",
            metavar="ADDRESS",
            help="Run on a Dask cluster, such as tcp://scheduler:8786.",
        ),
        click.option(
            "--cache", metavar="FOLDER|none", help="Where solved arrays and ranges are kept."
        ),
        click.option(
            "--cache-size",
            type=click.FloatRange(min=0.01),
            default=4.0,
            metavar="GB",
            help="Of that, at most.",
        ),
    ]


def cache_folder(given: str | None) -> Path | None:
    """Return the folder that --cache means; None: nothing is kept."""
    if given == "none":
        return None
    folder = default_folder() if given is None else Path(given).absolute()
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--cache: found the file {folder}, expected a folder; choose another")
    return folder


def cache_bytes(given: dict[str, Any]) -> int:
    """Return the bytes that --cache-size means."""
    return int(given["cache_size"] * 2**30)


def pool_of(given: dict[str, Any]) -> Pool:
    """Open the place where jobs run."""
    if given["dask"] is not None:
        if given["workers"] or given["memory"]:
            raise InputError(
                "--dask: found --workers or --memory beside it, expected it alone; the cluster decides"
            )
        return DaskPool(given["dask"])
    workers = given["workers"] or default_threads()
    memory = given["memory"]
    return LocalPool(workers, memory_for(workers) if memory is None else worker_bytes(memory))


def worker_bytes(text: str) -> int:
    """Return the bytes that --memory means: a size with its unit, or a number of GiB."""
    try:
        return read_size(f"{float(text)}GiB", "--memory")
    except ValueError:
        return read_size(text, "--memory")


@contextmanager
def interruptible(path: Path) -> Iterator[None]:
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
def sweep_progress(name: str, *, quiet: bool, verbose: bool) -> Iterator[Any]:
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
            click.echo(f"{name}: {left_in_words(now)}", err=True)

    yield show_line
