"""Points that differ in nothing but `cost`: one is evaluated, the others take its scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rxsim.store import Results, Trial
from rxsim.sweep.job import Job, Outcome
from rxsim.sweep.plan import PlannedPoint


@dataclass(frozen=True, slots=True, eq=False)
class Lent:
    """A trial of another point, and what is known of that point.

    Attributes:
        trial: with hits.
        details: of its point, with its own cost.
    """

    trial: Trial
    details: Mapping[str, Any]

    def with_scores(self, priced: Outcome) -> Outcome:
        """Put these scores beside a price."""
        trial = replace(priced.trial, values=self.trial.values, hits=self.trial.hits)
        return replace(priced, trial=trial, details={**self.details, **(priced.details or {})})


class Lenders:
    """Finds who has the scores of a trial already: points of the plan, or earlier ones in the file."""

    def __init__(self, points: Sequence[PlannedPoint], results: Results) -> None:
        self._results = results
        self._accuracy = {
            planned.point.key: planned.accuracy
            for planned in points
            if planned.accuracy is not None and planned.settings.cost is not None
        }
        self._followers: dict[str, list[str]] = {}
        self._waiting: set[str] = set()
        first: dict[str, str] = {}
        for planned in points:
            key = planned.point.key
            if planned.accuracy is None:
                continue
            leader = first.setdefault(planned.accuracy, key)
            if leader != key:
                self._followers.setdefault(leader, []).append(key)
                self._waiting.add(key)
        self._lent: dict[str, Lent] = {}

    def waits(self, key: str) -> bool:
        """Tell whether a point begins behind another one."""
        return key in self._waiting

    def followers(self, key: str) -> list[str]:
        """Return the points that begin now that a point is at its end; each once."""
        return self._followers.pop(key, [])

    def trial(self, job: Job) -> Trial | None:
        """Return a finished trial with the scores of a job; None where there is none."""
        accuracy = self._accuracy.get(job.point)
        if accuracy is None:
            return None
        for key in dict.fromkeys((accuracy, *self._results.same_accuracy(accuracy))):
            for trial in self._results.trials([key], hits=True) if key != job.point else ():
                if trial.trial == job.trial and trial.status == "done":
                    return trial
        return None

    def price_only(self, job: Job) -> Job:
        """Return a job that leaves out what is known: only the price is due."""
        if job.only_price or not job.is_priced:
            return job
        trial = self.trial(job)
        if trial is None:
            return job
        (lender,) = self._results.points([trial.point], details=True)
        self._lent[job.key] = Lent(trial, lender.details or {})
        return replace(job, only_price=True)

    def lent_to(self, job: Job) -> Lent | None:
        """Return what `price_only` took for a job."""
        return self._lent.get(job.key) if job.only_price else None
