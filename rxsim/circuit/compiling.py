"""Tell when a kernel has to be compiled, which is once for each machine and version."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from numba.core import event


class _Once(event.Listener):
    """Calls a function when the first kernel is compiled; one from the cache is not."""

    def __init__(self, say: Callable[[], None]) -> None:
        self._say = say
        self._said = False

    def on_start(self, _event: Any) -> None:
        """Say it, once."""
        if not self._said:
            self._said = True
            self._say()

    def on_end(self, _event: Any) -> None:
        """Nothing is said at the end."""


@contextmanager
def when_compiling(say: Callable[[], None]) -> Iterator[None]:
    """Call a function before the first kernel that is compiled in here, if any is."""
    listener = _Once(say)
    event.register("numba:compile", listener)  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        event.unregister("numba:compile", listener)  # type: ignore[no-untyped-call]
