"""What a waiting user is told on standard error: stages that take long, and first-time compilation."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import click
from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from rxsim.errors import InputError
from rxsim.stages import StageWatcher

LONG_SECONDS = 1.0
"""A stage is worth a line, or a bar, once it has run for so long."""
SECONDS_BETWEEN_LINES = 60.0
"""Without a terminal: how often a long or repeated stage says how far it is."""


@contextmanager
def watched(
    *, quiet: bool = False, verbose: bool = False, solves: bool = True
) -> Iterator[StageWatcher | None]:
    """Give what watches the stages of a command: bars on a terminal, else a line for a long stage.

    Args:
        quiet: tell nothing.
        verbose: a line for every stage, on a terminal too.
        solves: whether circuits are solved, so that a first compilation may have to be told.

    Raises:
        InputError: both are asked for.
    """
    if quiet and verbose:
        raise InputError("found both --quiet and --verbose, expected one of them; leave one out")
    if quiet:
        yield None
        return
    if not sys.stderr.isatty():
        with compilation_notice() if solves else nullcontext():
            yield _Lines(every=verbose)
        return
    with _bars() as bars, compilation_notice(bars.console.print) if solves else nullcontext():
        yield _Bars(bars, every=verbose)


@contextmanager
def compilation_notice(say: Callable[[str], None] | None = None) -> Iterator[None]:
    """Say when circuit kernels have to be compiled: the first run takes longer than others."""
    from rxsim.circuit import when_compiling  # numba: commands that solve nothing need not load it

    tell = say or (lambda text: click.echo(text, err=True))
    notice = "compiling the circuit kernels (once, up to a minute; later runs load them) .."
    with when_compiling(lambda: tell(notice)):
        yield


class _Lines:
    """A line for each long stage; later stages of the same name share a line a minute."""

    def __init__(self, *, every: bool) -> None:
        self._every = every
        self._seconds: dict[str, float] = {}
        self._times: Counter[str] = Counter()
        self._said = time.monotonic()
        self._left = ""

    def begin(self, stage: str) -> None:
        """Say nothing yet."""

    def advance(self, stage: str, done: int, total: int) -> None:
        """Say how far a stage is, once in a while."""
        if time.monotonic() - self._said >= SECONDS_BETWEEN_LINES:
            self._say(f"{stage}: {done:,} of {total:,}{self._left}")

    def end(self, stage: str, seconds: float) -> None:
        """Say how long it took, if it is worth a line."""
        self._seconds[stage] = self._seconds.get(stage, 0.0) + seconds
        self._times[stage] += 1
        times = self._times[stage]
        first = times == 1 and seconds >= LONG_SECONDS
        late = time.monotonic() - self._said >= SECONDS_BETWEEN_LINES
        if self._every or first or late:
            repeated = f"{times:,} times, " if times > 1 else ""
            self._say(
                f"{stage}: {repeated}{self._seconds[stage]:.1f} s{self._left if late else ''}"
            )

    def tell(self, text: str) -> None:
        """Say it."""
        self._say(text)

    def left(self, text: str) -> None:
        """Keep it for the next line that says how far a stage is."""
        self._left = f"; {text}"

    def _say(self, text: str) -> None:
        self._said = time.monotonic()
        click.echo(text, err=True)


class _LongStages(Progress):
    """Shows the tasks that have run for a while."""

    def get_renderables(self) -> Iterable[RenderableType]:
        """Leave out stages that are over at once."""
        yield self.make_tasks_table([t for t in self.tasks if (t.elapsed or 0.0) >= LONG_SECONDS])


class _Count(MofNCompleteColumn):
    """How much is done, where it is known how much there is."""

    def render(self, task: Task) -> Any:
        """Write nothing for a stage that does not count."""
        return "" if task.total is None else super().render(task)


def _bars() -> _LongStages:
    return _LongStages(
        TextColumn("{task.description:<12}"),
        BarColumn(),
        _Count(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        get_time=lambda: time.monotonic(),
    )


class _Bars:
    """A bar for each stage that runs; it moves where the stage tells how far it is."""

    def __init__(self, bars: Progress, *, every: bool) -> None:
        self._bars = bars
        self._every = every
        self._tasks: dict[str, TaskID] = {}
        self._left: TaskID | None = None

    def begin(self, stage: str) -> None:
        """Start a bar that shows life only."""
        self._tasks[stage] = self._bars.add_task(stage, total=None)

    def advance(self, stage: str, done: int, total: int) -> None:
        """Move a stage's bar."""
        task = self._tasks.get(stage)
        if task is not None:
            self._bars.update(task, completed=done, total=total)

    def end(self, stage: str, seconds: float) -> None:
        """Take the bar away."""
        task = self._tasks.pop(stage, None)
        if task is not None:
            self._bars.remove_task(task)
        if self._every:
            self._bars.console.print(f"{stage}: {seconds:.1f} s")

    def tell(self, text: str) -> None:
        """Print it above the bars."""
        self._bars.console.print(text)

    def left(self, text: str) -> None:
        """Show it beside a bar that shows life only."""
        if self._left is None:
            self._left = self._bars.add_task(text, total=None)
        self._bars.update(self._left, description=text)
