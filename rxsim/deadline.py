"""A budget of seconds: what is less urgent is left out when it is spent."""

from __future__ import annotations

import math
import time


class Deadline:
    """Tells whether there is time left.

    Args:
        seconds: the budget, from now on; None for as long as it takes.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self._end = math.inf if seconds is None else time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds that are left, at least 0; infinite without a budget."""
        return max(self._end - time.monotonic(), 0.0)

    @property
    def passed(self) -> bool:
        """Whether the budget is spent."""
        return self.left <= 0

    @property
    def is_set(self) -> bool:
        """Whether there is a budget at all."""
        return math.isfinite(self._end)

    def share(self, part: float) -> Deadline:
        """Return an earlier deadline: after a part of the time that is left."""
        return Deadline(part * self.left if self.is_set else None)
