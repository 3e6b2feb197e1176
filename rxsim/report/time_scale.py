"""Scales of lengths of time: decades apart as a rule, and with a place for the moment 0."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from rxsim.durations import SECONDS

_SPAN_OF_A_LOG = 3.9  # two doublings, within rounding
_SHARE_OF_ZERO = 0.12
"""Assumption: the part of the axis from 0 to the smallest time that a reader sees as a break."""
_ONLY_STEP = 10.0
_MOST_TICKS = 6
_ROUND = tuple(
    sorted(
        count * SECONDS[unit]
        for unit, counts in (
            *(("ns", (1, 10, 100)), ("us", (1, 10, 100)), ("ms", (1, 10, 100))),
            *(("s", (1, 10)), ("min", (1, 10)), ("h", (1,)), ("d", (1,)), ("mo", (1,))),
            ("y", (1, 10, 100, 1000)),
        )
        for count in counts
    )
)
"""Lengths of time that people count in, seconds."""


def time_scale(seconds: Sequence[float], log: bool | None) -> tuple[bool, float | None]:
    """Choose the scale of an axis of times.

    Args:
        seconds: the times, rising, each once, 0 or above.
        log: force a logarithmic or a linear scale; None: as the values lie.

    Returns:
        Whether it is logarithmic, and then the place of 0, one step below the smallest time above 0;
        None where 0 is not among the times.
    """
    later = np.array([time for time in seconds if time > 0])
    if not len(later):
        return False, None
    if not (_suits_log(np.array(seconds), later) if log is None else log):
        return False, None
    if len(later) == len(seconds):
        return True, None
    if len(later) == 1:
        return True, float(later[0] / _ONLY_STEP)
    span = float(np.log(later[-1] / later[0]))
    step = max(span / (len(later) - 1), _SHARE_OF_ZERO * span)
    return True, float(later[0] / np.exp(step))


def _suits_log(seconds: np.ndarray, later: np.ndarray) -> bool:
    if len(later) < 2 or later[-1] / later[0] < _SPAN_OF_A_LOG:
        return False
    return _unevenness(np.log(later)) < _unevenness(seconds) or len(seconds) == 2


def _unevenness(values: np.ndarray) -> float:
    gaps = np.diff(values)
    return float(gaps.std() / gaps.mean())


def round_times(first: float, last: float, *, log: bool) -> tuple[float, ...]:
    """Return a few round lengths of time from a first to a last one, seconds."""
    if not log:
        return _multiples(first, last)
    inside = [time for time in _ROUND if first * (1 - 1e-9) <= time <= last * (1 + 1e-9)]
    if len(inside) < 2:
        return (first, last)
    return tuple(inside[:: -(-len(inside) // (_MOST_TICKS + 2))])


def _multiples(first: float, last: float) -> tuple[float, ...]:
    """Return multiples of a round length of time, at most so many that they can be read."""
    steps = sorted(time * count for time, count in product(_ROUND, (1, 2, 5)))
    step = next((step for step in steps if (last - first) / step <= _MOST_TICKS), last - first)
    count = np.arange(np.ceil(first / step - 1e-9), last / step + 1e-9)
    return tuple(float(time) for time in count * step)
