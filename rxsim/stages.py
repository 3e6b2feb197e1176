"""Names, seconds and progress of the stages of a run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

ShowProgress = Callable[[str, int, int], None]


class Stages:
    """Measures how long each stage takes and passes its progress on.

    Attributes:
        seconds: wall time by stage, in the order of their first start.
    """

    def __init__(self, show: ShowProgress | None = None) -> None:
        """Start without any stage; `show` is told the stage, how much is done and of how much."""
        self.seconds: dict[str, float] = {}
        self._show = show

    @contextmanager
    def __call__(self, name: str) -> Iterator[Callable[[int, int], None]]:
        """Time a stage; the value is a function that takes what is done and the total."""
        start = time.perf_counter()
        self.seconds.setdefault(name, 0.0)
        try:
            yield lambda done, total: self._show(name, done, total) if self._show else None
        finally:
            self.seconds[name] += time.perf_counter() - start
