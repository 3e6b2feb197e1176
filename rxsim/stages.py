"""Names, seconds and progress of the stages of a run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol


class StageWatcher(Protocol):
    """Is told how the stages of a run go on."""

    def begin(self, stage: str) -> None:
        """A stage begins; what it has to do is not known yet."""

    def advance(self, stage: str, done: int, total: int) -> None:
        """So much of a stage is done, of so much."""

    def end(self, stage: str, seconds: float) -> None:
        """A stage ends, after so many seconds of wall time."""

    def tell(self, text: str) -> None:
        """Something that a waiting user should know, a line."""

    def left(self, text: str) -> None:
        """How much of the whole is left now; it stands for what was said of it before."""


class Stages:
    """Measures how long each stage takes and passes its progress on.

    Attributes:
        seconds: wall time by stage, in the order of their first start.
    """

    def __init__(self, watcher: StageWatcher | None = None) -> None:
        """Start without any stage; the watcher, if there is one, is told of all of them."""
        self.seconds: dict[str, float] = {}
        self._watcher = watcher

    def tell(self, text: str) -> None:
        """Pass on what a waiting user should know."""
        if self._watcher is not None:
            self._watcher.tell(text)

    def left(self, text: str) -> None:
        """Pass on how much of the whole is left now."""
        if self._watcher is not None:
            self._watcher.left(text)

    @contextmanager
    def __call__(self, name: str) -> Iterator[Callable[[int, int], None]]:
        """Time a stage; the value is a function that takes what is done and the total."""
        watcher = self._watcher
        start = time.perf_counter()
        self.seconds.setdefault(name, 0.0)
        if watcher is not None:
            watcher.begin(name)
        try:
            yield lambda done, total: watcher.advance(name, done, total) if watcher else None
        finally:
            seconds = time.perf_counter() - start
            self.seconds[name] += seconds
            if watcher is not None:
                watcher.end(name, seconds)
