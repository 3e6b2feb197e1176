"""Run a plan: hand out trials, write their outcomes, and go on when single trials fail."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rxsim.cache import DEFAULT_BYTES
from rxsim.stopping import next_trials
from rxsim.store import PointCost, Results, Trial
from rxsim.sweep.job import Job, Outcome, failed, lent
from rxsim.sweep.lenders import Lenders
from rxsim.sweep.plan import Plan, PlannedPoint
from rxsim.sweep.pools import Pool

# A job that ran in so many broken pools runs alone; if its worker dies twice then, the job fails.
_STRIKES, _STRIKES_ALONE = 3, 2
_KILLED = (
    "its worker process died (killed, or out of memory); use fewer --workers or more --memory, then "
    "run the sweep again"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepProgress:
    """The progress of a sweep.

    Attributes:
        done: trials in the results, earlier ones included.
        total: all trials, at most.
        failed: trials that failed in this run.
        best: largest accuracy or agreement of a trial so far, None before the first.
        best_values: values of the axes of that trial.
        seconds_left: estimated remaining time; None before the first trial.
    """

    done: int
    total: int
    failed: int
    best: float | None
    best_values: Mapping[str, Any]
    seconds_left: float | None


@dataclass(slots=True, kw_only=True)
class SweepEnd:
    """The totals of a sweep that ended.

    Attributes:
        new: trials that this run finished.
        known: trials that the results held before.
        failed: trials that failed.
        skipped: trials that were not needed: a stopping rule held, or all chips are the same.
        lent: those of the new trials whose scores are those of a point with another `cost`.
        seconds: wall time.
        cached: hits and misses of the cache of solved layers, ranges and outputs.
        stages: seconds of all workers by stage.
    """

    new: int = 0
    known: int = 0
    failed: int = 0
    skipped: int = 0
    lent: int = 0
    seconds: float = 0.0
    cached: tuple[int, int] = (0, 0)
    stages: Counter[str] = field(default_factory=Counter)


def job_of(
    point: PlannedPoint, trial: int, cache: Path | None, cache_bytes: int = DEFAULT_BYTES
) -> Job:
    """Return the job of a trial of a point."""
    return Job(
        point=point.point.key,
        key=point.trial_key(trial),
        trial=trial,
        model=point.model,
        model_sha256=point.point.model_sha256,
        settings=point.settings,
        options=point.options,
        cache=cache,
        cache_bytes=cache_bytes,
        only_price=point.accuracy is None,
    )


def run_sweep(
    plan: Plan,
    results: Results,
    pool: Pool,
    *,
    cache: Path | None = None,
    cache_bytes: int = DEFAULT_BYTES,
    show: Callable[[SweepProgress], None] | None = None,
) -> SweepEnd:
    """Evaluate every trial of a plan that the results do not hold yet.

    Each trial is written when it comes back; trials that failed before are tried again. The rows do
    not depend on workers, their order, or interruptions.

    Args:
        plan: the sweep.
        results: open for writing.
        pool: where jobs run; left open.
        cache: folder of cached arrays; None: nothing is kept.
        cache_bytes: largest size of that folder.
        show: called with the progress after each trial.

    Raises:
        WriteError: the disk is full; earlier trials are safe.
    """
    start = time.monotonic()
    keys = [planned.point.key for planned in plan.points]
    results.add_sweep(plan.name, plan.text, keys, [planned.values for planned in plan.points])
    run = _Run(plan, results, pool, cache, cache_bytes, show)
    run.go()
    run.end.seconds = time.monotonic() - start
    return run.end


class _Run:
    """A running sweep."""

    def __init__(
        self,
        plan: Plan,
        results: Results,
        pool: Pool,
        cache: Path | None,
        cache_bytes: int,
        show: Callable[[SweepProgress], None] | None,
    ) -> None:
        self.end = SweepEnd()
        self._plan, self._results, self._pool = plan, results, pool
        self._cache, self._cache_bytes, self._show = cache, cache_bytes, show
        self._points = {planned.point.key: planned for planned in plan.points}
        self._values: dict[str, dict[int, float | None]] = {key: {} for key in self._points}
        self._handed: dict[str, set[int]] = {key: set() for key in self._points}
        self._queue: deque[Job] = deque()
        self._alone: deque[Job] = deque()
        self._at_work: dict[Future[Outcome], Job] = {}
        self._strikes: Counter[str] = Counter()
        self._narrow = False
        self._best: tuple[float, str] | None = None
        self._start = time.monotonic()
        self._lenders = Lenders(plan.points, results)
        self._open: Counter[str] = Counter()
        for trial in results.trials(list(self._points)):
            if trial.status == "done" and trial.trial < self._most(trial.point):
                self._take(trial)
                self.end.known += 1
        for key in self._points:
            if not self._lenders.waits(key):
                self._begin(key)

    def _begin(self, key: str) -> None:
        """Queue a point's first trials."""
        self._queue.extend(self._next(key))
        self._go_on(key)

    def _go_on(self, key: str) -> None:
        """Where a point has all its trials, begin those that take its scores."""
        if not self._open[key]:
            for follower in self._lenders.followers(key):
                self._begin(follower)

    def _most(self, key: str) -> int:
        return self._plan.trials if self._points[key].is_random else 1

    def _take(self, trial: Trial) -> None:
        """Note a finished trial."""
        value = trial.values.get("accuracy")
        if value is None:
            value = trial.values.get("agreement")
        self._values[trial.point][trial.trial] = value
        if value is not None and (self._best is None or value > self._best[0]):
            self._best = (value, trial.point)

    def _next(self, key: str) -> list[Job]:
        """Return the jobs of a point that can start now and are not handed out yet."""
        values = self._values[key]
        first: list[float | None] = []
        while len(first) in values:
            first.append(values[len(first)])
        trials = next_trials(first, self._most(key), self._plan.stop)
        handed = self._handed[key]
        chosen = [trial for trial in trials if trial not in values and trial not in handed]
        handed.update(chosen)
        self._open[key] += len(chosen)
        planned = self._points[key]
        return [job_of(planned, trial, self._cache, self._cache_bytes) for trial in chosen]

    def go(self) -> None:
        """Work until nothing is left."""
        self._tell()
        while self._queue or self._alone or self._at_work:
            self._hand_out()
            if not self._at_work:
                continue
            finished, _ = wait(self._at_work, timeout=1.0, return_when=FIRST_COMPLETED)
            broken = False
            for future in finished:
                if isinstance(future.exception(), BrokenExecutor):
                    broken = True
                else:
                    self._finish(self._at_work.pop(future), future)
            if broken:
                self._mend()
        given = sum(map(len, self._values.values()))
        self.end.skipped = self._plan.trials * len(self._points) - given - self.end.failed

    def _hand_out(self) -> None:
        """Start as many jobs as the pool takes; jobs that may have killed a worker run alone."""
        if self._alone and not self._at_work:
            self._pool.restart(slots=1)
            self._narrow = True
            job = self._alone.popleft()
            self._at_work[self._pool.submit(job)] = job
            return
        if self._alone or (self._narrow and self._at_work):
            return
        if self._narrow and not self._at_work:
            self._pool.restart()
            self._narrow = False
        while self._queue and len(self._at_work) < self._pool.slots:
            job = self._queue.popleft()
            if not self._known(job) and not self._borrows(job):
                job = self._lenders.price_only(job)
                try:
                    self._at_work[self._pool.submit(job)] = job
                except BrokenExecutor:
                    self._queue.appendleft(job)
                    self._mend()
                    return

    def _known(self, job: Job) -> bool:
        """Take over a trial that another sweep on the same file has finished meanwhile."""
        if self._results.status([job.key]).get(job.key) != "done":
            return False
        for trial in self._results.trials([job.point]):
            if trial.key == job.key:
                self._take(trial)
                self.end.known += 1
                self._ended(job)
        self._tell()
        return True

    def _borrows(self, job: Job) -> bool:
        """Write a trial whose scores are known from a point with another `cost`, and no more is due."""
        lender = None if job.is_priced else self._lenders.trial(job)
        if lender is None:
            return False
        self._write(job, lent(job, lender))
        self.end.lent += 1
        return True

    def _ended(self, job: Job) -> None:
        """Go on behind a trial that is done: the others of its point come next.

        Its worker still has the point prepared.
        """
        self._open[job.point] -= 1
        self._queue.extendleft(reversed(self._next(job.point)))
        self._go_on(job.point)

    def _finish(self, job: Job, future: Future[Outcome]) -> None:
        """Write the outcome of a finished job."""
        try:
            outcome = future.result()
        except (CancelledError, Exception) as error:  # a cluster gave up on it
            outcome = failed(job, f"its worker gave up: {type(error).__name__}: {error}")
        self._write(job, outcome)

    def _write(self, job: Job, outcome: Outcome) -> None:
        outcome = self._with_lent(job, outcome)
        trial, planned = outcome.trial, self._points[job.point]
        cost = None
        if outcome.prices is not None:
            cost = PointCost(accuracy=planned.accuracy, values=outcome.prices)
        self._results.add(planned.point, trial, outcome.details, cost)
        hits, misses = self.end.cached
        self.end.cached = hits + outcome.cached[0], misses + outcome.cached[1]
        self.end.stages.update(outcome.stages)
        if trial.status == "done":
            self.end.new += 1
            self._take(trial)
            self._ended(job)
        else:
            self.end.failed += 1
            self._open[job.point] -= 1
            self._go_on(job.point)
        self._tell()

    def _with_lent(self, job: Job, outcome: Outcome) -> Outcome:
        """Give a trial that only priced its point the scores that are known."""
        borrowed = self._lenders.lent_to(job)
        if borrowed is None or outcome.trial.status != "done":
            return outcome
        self.end.lent += 1
        return borrowed.with_scores(outcome)

    def _mend(self) -> None:
        """Restart the pool after a worker died: each running job may have been the reason."""
        lost = list(self._at_work.items())
        self._at_work.clear()
        for future, job in lost:
            if future.done() and future.exception() is None:
                self._finish(job, future)
                continue
            self._strikes[job.key] += 1
            if self._strikes[job.key] >= _STRIKES + _STRIKES_ALONE:
                self._write(job, failed(job, _KILLED))
            elif self._strikes[job.key] >= _STRIKES:
                self._alone.append(job)
            else:
                self._queue.appendleft(job)
        self._pool.restart()

    def _tell(self) -> None:
        if self._show is None:
            return
        total = sum(map(self._most, self._points))
        done = self.end.new + self.end.known
        finished = self.end.new + self.end.failed
        elapsed = time.monotonic() - self._start
        left = elapsed / finished * (total - done - self.end.failed) if finished else None
        best, point = self._best or (None, None)
        values = self._points[point].values if point is not None else {}
        self._show(
            SweepProgress(
                done=done,
                total=total,
                failed=self.end.failed,
                best=best,
                best_values=values,
                seconds_left=left,
            )
        )
