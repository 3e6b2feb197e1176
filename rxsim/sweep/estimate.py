"""How long a sweep will take, from trials that were measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rxsim.errors import InputError
from rxsim.store import Trial
from rxsim.sweep.plan import Plan
from rxsim.sweep.pools import Pool
from rxsim.sweep.run import jobs_of


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is left to do, and how long it takes.

    Attributes:
        trials: left, at most.
        first: seconds of a point's first trial, which prepares it and looks at every layer.
        further: seconds of each other one.
        seconds: wall time of all on the given workers.
        measured: trials that the figures come from.
    """

    trials: int
    first: float
    further: float
    seconds: float
    measured: int


def estimate(
    plan: Plan, known: Sequence[Trial], pool: Pool, workers: int, cache: Path | None
) -> Estimate:
    """Estimate a sweep from the trials that its results hold, or from two that are run for it.

    Args:
        plan: the sweep.
        known: trials of its points that are there.
        pool: where to run trials if none is known; nothing is written.
        workers: that the sweep is to have.
        cache: folder of what was computed before.

    Raises:
        InputError: no trial could be measured.
    """
    done = [trial for trial in known if trial.status == "done"]
    keys = {trial.key for trial in done}
    points = {trial.point for trial in done}
    firsts = sum(planned.point.key not in points for planned in plan.points)
    left = sum(
        planned.trial_key(trial) not in keys
        for planned in plan.points
        for trial in range(plan.trials if planned.is_random else 1)
    )
    measured = done or (_measured(plan, pool, cache) if left else [])
    first = _mean([trial.seconds for trial in measured if trial.trial == 0])
    further = _mean([trial.seconds for trial in measured if trial.trial > 0])
    first, further = (
        (further if math.isnan(first) else first),
        (first if math.isnan(further) else further),
    )
    seconds = (firsts * first + (left - firsts) * further) / workers if left else 0.0
    return Estimate(left, first, further, seconds, len(measured))


def _measured(plan: Plan, pool: Pool, cache: Path | None) -> list[Trial]:
    """Run the first trials of the first point, the second one where its chips differ."""
    planned = plan.points[0]
    count = min(plan.trials, 2) if planned.is_random else 1
    found = []
    for job in jobs_of(planned, range(count), cache):
        trial = pool.submit(job).result().trial
        if trial.status == "failed":
            raise InputError(f"the first trial failed: {trial.error}")
        found.append(trial)
    return found


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan
