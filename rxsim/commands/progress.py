"""What a waiting user is told on standard error: progress on a terminal, and first-time compilation."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from rxsim.circuit import when_compiling
from rxsim.stages import ShowProgress

_QUIET_SECONDS = 1.0


@contextmanager
def progress_bars() -> Iterator[ShowProgress | None]:
    """Give a function that shows a stage's progress; None where there is no terminal."""
    if not sys.stderr.isatty():
        with compilation_notice():
            yield None
        return
    columns = (TextColumn("{task.description:<12}"), BarColumn(), TimeRemainingColumn())
    with (
        Progress(*columns, console=Console(stderr=True), transient=True) as bars,
        compilation_notice(bars.console.print),
    ):
        yield _Bars(bars).show


@contextmanager
def compilation_notice(say: Callable[[str], None] | None = None) -> Iterator[None]:
    """Say so when the circuit kernels have to be compiled: the first run takes longer than others."""
    tell = say or (lambda text: click.echo(text, err=True))
    notice = "compiling the circuit kernels (once, up to a minute; later runs load them) .."
    with when_compiling(lambda: tell(notice)):
        yield


class _Bars:
    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._started: dict[str, float] = {}
        self._tasks: dict[str, TaskID] = {}

    def show(self, stage: str, done: int, total: int) -> None:
        """Update a stage's bar; it appears once the stage has run for a second."""
        now = time.monotonic()
        started = self._started.setdefault(stage, now)
        if stage not in self._tasks:
            if now - started < _QUIET_SECONDS or done >= total:
                return
            self._tasks[stage] = self._bars.add_task(stage, total=total)
        self._bars.update(self._tasks[stage], completed=done, total=total)
        if done >= total:
            self._bars.remove_task(self._tasks.pop(stage))
            del self._started[stage]
