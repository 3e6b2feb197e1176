"""Does a point meet the goal? The number, its interval, and what they say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rxsim.errors import InputError
from rxsim.gate import Drop, measure_drop, samples_needed
from rxsim.search.goal import DROP, Goal
from rxsim.statistics import LEVEL, Interval, chip_interval, population_interval, within
from rxsim.store import Trial

_SIDE = (1 - LEVEL) / 2
_MOST_CHIPS = 10_000
_MOST_IMAGES = 10**8


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A point against the goal.

    Attributes:
        value: the goal's quantity, mean over chips; infinite where outputs are those of float32.
        low: lower bound of its 95 % interval; None where it is not known: a single chip stands for
            unlike ones, or unlike chips came out alike by chance.
        high: upper bound, likewise.
        meets: whether the mean keeps the bound.
        proven: whether the whole interval is on the mean's side of the bound.
        chips: that were evaluated; 1 also where all chips are the same.
        images: evaluated inputs.
        these_images: whether the interval is for these very images; else for new ones too.
        needed: numbers of chips and images that would decide a mean like this; None where it is
            decided, or where none would.
    """

    value: float
    low: float | None
    high: float | None
    meets: bool
    proven: bool
    chips: int
    images: int
    these_images: bool
    needed: tuple[int, int] | None = None

    @property
    def verdict(self) -> str:
        """The verdict in words."""
        return ("" if self.proven else "likely ") + ("met" if self.meets else "missed")


def judge_point(
    goal: Goal,
    trials: Sequence[Trial],
    floating: np.ndarray | None,
    *,
    images: int,
    is_random: bool,
    these_images: bool,
) -> Judged:
    """Judge a point by its trials.

    Args:
        goal: the goal.
        trials: its chips.
        floating: hits of the float network, bool (images,); None without labels.
        images: evaluated inputs.
        is_random: whether chips differ.
        these_images: whether the interval is for these very images, or for new ones too. Of metrics
            that are one number a chip (agreement, snr_db) only the first is known, but for the
            agreement of a single chip that stands for all.
    """
    needed: tuple[int, int] | None = None
    if goal.quantity == DROP:
        hits, before = _hits(trials), np.asarray(floating)[None, :]
        values = before.mean() - hits.mean(axis=1)
        if not these_images:
            drop = measure_drop(before, hits, _SIDE, goal.limit)
            interval: Interval | None = _of_drop(drop)
            distance = goal.distance(drop.mean)
            needed = samples_needed(drop, _SIDE, goal.limit, distance) if distance > 0 else None
    else:
        values = _values(goal, trials)
        table = _table(goal, trials, images, is_random=is_random)
        if not these_images and table is not None:
            interval = population_interval(table)
        else:
            these_images = True
    if these_images:
        interval = _over_chips(values, is_random=is_random)
    if is_random and not _is_spread_known(values):
        interval, needed = None, None
    value = float(values.mean()) if np.isfinite(values).all() else math.inf
    return _judged(goal, value, interval, needed, (len(trials), images), these_images=these_images)


def _of_drop(drop: Drop) -> Interval:
    """Return the interval of a drop on new images; without any spread it is not of nil width.

    Where no hit changed on n images, the share that changes is at most 1 - alpha^(1/n) with the
    confidence 1 - alpha (Clopper and Pearson, Biometrika 26, 1934), and the drop is no larger. The
    same holds where each image is lost.
    """
    if drop.differing == 0 or abs(drop.mean) == 1:
        unseen: float = 1 - _SIDE ** (1 / drop.images)
        return Interval(
            drop.mean, min(drop.low, drop.mean - unseen), max(drop.high, drop.mean + unseen)
        )
    return Interval(drop.mean, drop.low, drop.high)


def _is_spread_known(values: np.ndarray) -> bool:
    """Tell whether chips that may differ show how far: those that came out alike don't."""
    return len(values) > 1 and bool(np.isfinite(values).all()) and float(np.ptp(values)) > 0


def _judged(
    goal: Goal,
    value: float,
    interval: Interval | None,
    needed: tuple[int, int] | None,
    samples: tuple[int, int],
    *,
    these_images: bool,
) -> Judged:
    meets = goal.keeps(value)
    chips, images = samples
    low, high, proven = None, None, False
    if interval is not None:
        metric = goal.described
        bounds = (-1.0, 1.0) if goal.quantity == DROP else (metric.low, metric.high)
        interval = within(interval, *bounds)
        assert interval is not None
        low, high = interval.low, interval.high
        proven = all(goal.keeps(bound) == meets for bound in (low, high))
        if needed is None and not proven:
            needed = _more_samples(interval, goal.distance(value), chips, images)
    return Judged(
        value=value,
        low=low,
        high=high,
        meets=meets,
        proven=proven,
        chips=chips,
        images=images,
        these_images=these_images,
        needed=None if proven else needed,
    )


def _hits(trials: Sequence[Trial]) -> np.ndarray:
    """Return the hits of all chips, bool (chips, images)."""
    return np.stack([np.asarray(trial.hits, dtype=bool) for trial in trials])


def _values(goal: Goal, trials: Sequence[Trial]) -> np.ndarray:
    """Return the metric of each chip; infinite where results hold none (a ratio without noise).

    Raises:
        InputError: it can't be infinite: the results are of a version that did not measure it.
    """
    if goal.metric == "accuracy":
        return np.asarray(_hits(trials).mean(axis=1))
    values = [trial.values.get(goal.metric) for trial in trials]
    if None in values and math.isfinite(goal.described.high):
        raise InputError(
            f"--goal: found results without {goal.metric}, expected those of this version; give "
            "another --results"
        )
    return np.array([math.inf if value is None else value for value in values])


def _table(
    goal: Goal, trials: Sequence[Trial], images: int, *, is_random: bool
) -> np.ndarray | None:
    """Return hits (chips, images), of each image or by their number; None where neither is known."""
    if goal.metric == "accuracy":
        return _hits(trials)
    if not goal.described.counted or is_random:
        return None
    count = round(float(_values(goal, trials)[0]) * images)
    return (np.arange(images) < count)[None, :]


def _over_chips(values: np.ndarray, *, is_random: bool) -> Interval | None:
    """Return the interval of the mean over chips, these images; the number itself if all are alike."""
    if not is_random or not np.isfinite(values).all():
        value = float(values[0]) if np.isfinite(values).all() else math.inf
        return Interval(value, value, value)
    return chip_interval(values)


def _more_samples(
    interval: Interval, distance: float, chips: int, images: int
) -> tuple[int, int] | None:
    """Return how many chips would decide, or images where all chips are the same.

    The interval narrows with the root of their number.
    """
    half = (interval.high - interval.low) / 2
    if distance <= 0:
        return None
    if chips < 2:
        count = math.ceil(images * (half / distance) ** 2)
        return (chips, count) if count <= _MOST_IMAGES else None
    count = math.ceil(chips * (half / distance) ** 2)
    return (count, images) if count <= _MOST_CHIPS else None
