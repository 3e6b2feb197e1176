"""When a mean over chips is known well enough: the rule of sweeps and of `rxsim eval --until-ci`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from rxsim.statistics import chip_interval


class StopRule(Protocol):
    """Chips are enough once half the 95 % interval of their mean is small."""

    @property
    def half_width(self) -> float:
        """Half width that is small enough, in the unit of the values."""

    @property
    def at_least(self) -> int:
        """Chips before it is asked."""


def half_width_of(values: Sequence[float | None]) -> float | None:
    """Return half the 95 % interval of the mean over chips; None where it is not known.

    Drawn chips that all came out alike have a spread that is unknown, not nil.
    """
    known = np.array([value for value in values if value is not None], dtype=np.float64)
    if len(known) < len(values) or not np.isfinite(known).all():
        return None
    if len(known) < 2 or float(np.ptp(known)) == 0:
        return None
    interval = chip_interval(known)
    return None if interval is None else (interval.high - interval.low) / 2


def next_trials(values: Sequence[float | None], most: int, stop: StopRule | None) -> range:
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
    half = half_width_of(values)
    if half is not None and half <= stop.half_width:
        return range(0)
    return range(done, done + 1)
