"""The job of a trial, its outcome, and the function of a worker that turns one into the other."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from rxsim.cache import Cache
from rxsim.config import Settings
from rxsim.errors import RxsimError
from rxsim.pipeline import (
    DataOptions,
    Prepared,
    Study,
    open_study,
    prepare,
    price_numbers,
    run_trial,
    study_cost,
)
from rxsim.stages import Stages
from rxsim.store import Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A trial to evaluate: plain values, for a worker on any machine.

    Attributes:
        point: key of its point.
        key: key of the trial.
        trial: number of the chip.
        model: the ONNX file.
        model_sha256: expected hash of that file.
        settings: settings of the point.
        options: where the inputs come from.
        cache: folder of cached arrays; None: nothing is kept.
        cache_bytes: largest size of that folder.
        only_price: the point is priced, nothing is evaluated.
    """

    point: str
    key: str
    trial: int
    model: Path
    model_sha256: str
    settings: Settings
    options: DataOptions
    cache: Path | None
    cache_bytes: int
    only_price: bool = False

    @property
    def is_priced(self) -> bool:
        """Whether the point's price is computed with this trial: with its first."""
        return self.trial == 0 and (self.settings.cost is not None or self.only_price)


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """The outcome of a job.

    Attributes:
        trial: the row for the results.
        details: details of its point; from the first trial only.
        stages: seconds by stage.
        cached: hits and misses of the cache.
        prices: what its point costs; from the first trial only, where the settings have a `cost`.
    """

    trial: Trial
    details: Mapping[str, Any] | None = None
    stages: Mapping[str, float] = field(default_factory=dict)
    cached: tuple[int, int] = (0, 0)
    prices: Mapping[str, float | None] | None = None


# The prepared point of the last job of this process: the trials of a point share it.
_prepared: dict[str, tuple[Prepared, Cache | None]] = {}


def run_job(job: Job) -> Outcome:
    """Evaluate a trial; any error makes it a failed trial."""
    start = time.perf_counter()
    try:
        return _price_alone(job, start) if job.only_price else _evaluate(job, start)
    except RxsimError as error:
        return failed(job, str(error), time.perf_counter() - start)
    except MemoryError:
        _prepared.clear()
        return failed(job, OUT_OF_MEMORY, time.perf_counter() - start)
    except Exception as error:  # a worker has no user to tell: the row does
        _prepared.clear()
        sentence = f"internal error: {type(error).__name__}: {error}"
        return failed(
            job,
            f"{sentence}; this is a bug in rxsim, please report it",
            time.perf_counter() - start,
        )


def _evaluate(job: Job, start: float) -> Outcome:
    """Evaluate a trial; with the first its point is priced.

    Args:
        job: the trial.
        start: reading of the clock when the job came.
    """
    prepared, cache = _prepare(job)
    result = run_trial(prepared, job.trial)
    scores = result.scores
    trial = Trial(
        key=job.key,
        point=job.point,
        trial=job.trial,
        status="done",
        values={name: _finite(scores.mean(name)) for name in scores.values},
        hits=scores.each("accuracy"),
        seconds=time.perf_counter() - start,
        finished=now(),
    )
    stages = dict(prepared.study.stages.seconds)
    prepared.study.stages.seconds.clear()
    counts = (0, 0)
    if cache is not None:
        counts = (cache.hits, cache.misses)
        cache.hits = cache.misses = 0
    prices = None if result.cost is None else price_numbers(result.cost)
    return Outcome(trial, result.details, stages, counts, prices)


def _price_alone(job: Job, start: float) -> Outcome:
    """Price a point; its trial has no scores."""
    study, cache = _open(job)
    cost = study_cost(study)
    trial = Trial(
        key=job.key,
        point=job.point,
        trial=job.trial,
        status="done",
        seconds=time.perf_counter() - start,
        finished=now(),
    )
    return Outcome(
        trial,
        {"cost": cost.as_json()},
        dict(study.stages.seconds),
        (0, 0) if cache is None else (cache.hits, cache.misses),
        price_numbers(cost),
    )


def lent(job: Job, lender: Trial) -> Outcome:
    """Return the outcome of a trial whose point differs in nothing but its price from another."""
    trial = Trial(
        key=job.key,
        point=job.point,
        trial=job.trial,
        status="done",
        values=lender.values,
        hits=lender.hits,
        finished=now(),
    )
    return Outcome(trial)


OUT_OF_MEMORY = (
    "out of memory; use fewer --workers, more --memory for each, fewer images or smaller arrays"
)


def failed(job: Job, sentence: str, seconds: float = 0.0) -> Outcome:
    """Return the outcome of a job that failed."""
    text = " ".join(sentence.split())
    return Outcome(
        Trial(
            key=job.key,
            point=job.point,
            trial=job.trial,
            status="failed",
            error=text,
            seconds=seconds,
            finished=now(),
        )
    )


def now() -> str:
    """Return the time as results hold it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _prepare(job: Job) -> tuple[Prepared, Cache | None]:
    if job.point not in _prepared:
        _prepared.clear()  # first: two points may not fit into memory side by side
        study, cache = _open(job)
        _prepared[job.point] = prepare(study), cache
    return _prepared[job.point]


def _open(job: Job) -> tuple[Study, Cache | None]:
    cache = None if job.cache is None else Cache(job.cache, job.cache_bytes)
    study = open_study(
        job.model, job.settings, job.options, threads=1, stages=Stages(), cache=cache
    )
    if study.network.identity != job.model_sha256:
        raise RxsimError(
            f"model {job.model.name} was changed while the sweep ran, expected the file that it "
            "began with; run the sweep again"
        )
    return study, cache


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and np.isfinite(value) else None
