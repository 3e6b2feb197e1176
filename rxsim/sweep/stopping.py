"""When a point of a sweep has enough trials."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rxsim.statistics import chip_interval
from rxsim.sweep.sweep_file import Stop


def next_trials(values: Sequence[float | None], most: int, stop: Stop | None) -> range:
    """Return the next trials of a point after its first trials are done.

    The result depends only on the first trials, never on the number of workers or on interruptions: a
    sweep gives the same rows however it is run.

    Args:
        values: values of the finished trials 0, 1, .. without a gap; None where nothing is measured.
        most: trials at most; 1 where all chips are the same.
        stop: the stopping rule; None: all trials are run.

    Returns:
        Numbers of the trials that may start now; empty where the point is finished.
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
