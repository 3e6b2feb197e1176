"""A budget of seconds: what is less urgent is left out when it is spent."""

from __future__ import annotations

import math
import time

_WORTH_TELLING = 1.0  # seconds over the budget


class Deadline:
    """Tells whether there is time left.

    Args:
        seconds: the budget, from now on; None for as long as it takes.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self._start = time.monotonic()
        self._seconds = math.inf if seconds is None else seconds

    @property
    def seconds(self) -> float:
        """The whole budget; infinite without one."""
        return self._seconds

    @property
    def left(self) -> float:
        """Seconds that are left, at least 0; infinite without a budget."""
        return max(self._start + self._seconds - time.monotonic(), 0.0)

    @property
    def over(self) -> float:
        """Seconds that were spent beyond the budget, at least 0."""
        return max(time.monotonic() - self._start - self._seconds, 0.0)

    @property
    def passed(self) -> bool:
        """Whether the budget is spent."""
        return self.left <= 0

    @property
    def is_set(self) -> bool:
        """Whether there is a budget at all."""
        return math.isfinite(self._seconds)

    def share(self, part: float) -> Deadline:
        """Return an earlier deadline: after a part of the time that is left."""
        return Deadline(part * self.left if self.is_set else None)

    def until(self, part: float) -> Deadline:
        """Return an earlier deadline: where a part of the whole budget is spent."""
        earlier = Deadline(part * self._seconds if self.is_set else None)
        earlier._start = self._start
        return earlier


class Overrun:
    """Keeps what a budget was overrun by.

    Args:
        deadline: the budget.
    """

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._parts: dict[str, float] = {}

    def end(self, part: str) -> None:
        """Learn that a part of the work, such as "layers", has ended."""
        more = self._deadline.over - sum(self._parts.values())
        if more > 0:
            self._parts[part] = more

    @property
    def sentence(self) -> str:
        """Say by how much the budget was overrun, and by what; empty where it was kept."""
        over = sum(self._parts.values())
        if not self._deadline.is_set or over < _WORTH_TELLING:
            return ""
        by = ", ".join(
            f"{part} {seconds:.0f} s" for part, seconds in self._parts.items() if seconds >= 0.5
        )
        return (
            f"the budget of {self._deadline.seconds:g} s was overrun by {over:.0f} s "
            f"({by or 'in all'}): what is measured whatever the budget takes "
            "longer, and what has begun is finished"
        )
