"""Estimate the time that a sweep takes, from measured trials."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rxsim.errors import InputError
from rxsim.store import Trial
from rxsim.sweep.plan import Plan, PlannedPoint
from rxsim.sweep.pools import Pool
from rxsim.sweep.run import job_of

START_SECONDS = 3.0
"""Time until a worker has loaded its libraries, on the machine of docs/evidence/speed.md."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """The remaining trials of a sweep, and their time.

    Attributes:
        trials: remaining trials, at most.
        first: seconds of a point's first trial, which also prepares the point.
        further: seconds of each further trial.
        seconds: wall time of all remaining trials on the given workers.
        measured: number of trials that the estimate is based on.
    """

    trials: int
    first: float
    further: float
    seconds: float
    measured: int


def estimate(
    plan: Plan, known: Sequence[Trial], pool: Pool, workers: int, cache: Path | None
) -> Estimate:
    """Estimate a sweep from the trials in its results; without any, a few trials are run.

    Args:
        plan: the sweep.
        known: trials of its points in the results.
        pool: where to run trials if none is known; nothing is written.
        workers: number of workers of the sweep.
        cache: folder of cached arrays.

    Raises:
        InputError: no trial could be measured.
    """
    done = [trial for trial in known if trial.status == "done" and trial.seconds > 0]
    keys = {trial.key for trial in done}
    points = {trial.point for trial in done}
    firsts = sum(planned.point.key not in points for planned in plan.points)
    left = sum(
        planned.trial_key(trial) not in keys
        for planned in plan.points
        for trial in range(plan.trials if planned.is_random else 1)
    )
    if not left:
        return Estimate(0, 0.0, 0.0, 0.0, len(done))
    measured = done or _measured(plan, pool, cache)
    models = {planned.point.key: planned.point.model_sha256 for planned in plan.points}
    shares = Counter(models.values())

    def mean(firsts_only: bool) -> float:
        """Mean over the plan's networks, each as often as it has points."""
        total, count = 0.0, 0
        for model, share in shares.items():
            seconds = [
                trial.seconds
                for trial in measured
                if models.get(trial.point) == model and (trial.trial == 0) == firsts_only
            ]
            if seconds:
                total, count = total + share * sum(seconds) / len(seconds), count + share
        return total / count if count else math.nan

    first, further = mean(True), mean(False)
    first, further = (
        (further if math.isnan(first) else first),
        (first if math.isnan(further) else further),
    )
    # The start of a worker process is part of the wall time.
    seconds = START_SECONDS + (firsts * first + (left - firsts) * further) / workers
    return Estimate(left, first, further, seconds, len(measured))


def _measured(plan: Plan, pool: Pool, cache: Path | None) -> list[Trial]:
    """Run a trial of the first and the last point of each network, two where chips differ."""
    points: dict[str, list[PlannedPoint]] = {}
    for planned in plan.points:
        points.setdefault(planned.point.model_sha256, []).append(planned)
    trials = []
    for of_model in points.values():
        for planned in {end.point.key: end for end in (of_model[0], of_model[-1])}.values():
            count = min(plan.trials, 2) if planned.is_random else 1
            for number in range(count):
                trial = pool.submit(job_of(planned, number, cache)).result().trial
                if trial.status == "failed":
                    raise InputError(f"the first trial failed: {trial.error}")
                trials.append(trial)
    return trials
