"""When a point of a sweep has trials enough."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rxsim.statistics import chip_interval
from rxsim.sweep.sweep_file import Stop


def next_trials(values: Sequence[float | None], most: int, stop: Stop | None) -> range:
    """Tell which trials are to come once the first ones are done.

    The answer depends on the first trials alone, never on how many workers there are or what was
    interrupted: a sweep gives the same rows however it is run.

    Args:
        values: of the trials done, without a gap from the first one; None where nothing is measured.
        most: trials at most; 1 where all chips are the same.
        stop: when fewer are enough.

    Returns:
        Numbers of the trials that may start now; none where the point is finished.
    """
    done = len(values)
    if done == 0:
        return range(0, 1)
    if done >= most:
        return range(0)
    if stop is None:
        return range(done, most)
    if done < stop.at_least:
        return range(done, min(stop.at_least, most))
    known = [value for value in values if value is not None]
    interval = chip_interval(np.array(known)) if len(known) == done else None
    if interval is not None and (interval.high - interval.low) / 2 <= stop.half_width:
        return range(0)
    return range(done, done + 1)
