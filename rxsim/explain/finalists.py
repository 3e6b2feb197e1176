"""The few attempts that are confirmed: on images, and on random chips, without a part in the choice."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rxsim.config import Settings
from rxsim.deadline import Deadline
from rxsim.errors import RxsimError
from rxsim.estimate import estimate
from rxsim.explain.evidence import Evidence
from rxsim.explain.forecast import Forecast
from rxsim.explain.remedy_proof import advised
from rxsim.explain.remedy_runs import Tried
from rxsim.pipeline import Foundries, Runner, with_settings
from rxsim.scenarios import as_built

MOST_FINALISTS = 3
"""Attempts that are confirmed, beside those that traps advise.

Assumption: each more is another chance to be lucky; three leave a second and a third best.
"""


def finalists_of(tried: Sequence[Tried]) -> list[Tried]:
    """Choose what is confirmed, by the images that choose, in the order of choice.

    First comes what they advise, if they prove anything, then the largest gains; what traps
    advise comes last where it is not among these.

    Args:
        tried: all attempts.
    """
    best = advised(tried)
    gains = [each for each in tried if each.attempt.gain.mean > 0 and each is not best]
    by_gain = sorted(gains, key=lambda each: -each.attempt.gain.mean)
    chosen = [*([] if best is None else [best]), *by_gain][:MOST_FINALISTS]
    return [*chosen, *(each for each in tried if each.attempt.trap and each not in chosen)]


class Confirmation:
    """Confirms finalists on images, and on chips, that had no part in their choice.

    Where devices are random the chips come behind all those of the settings: trials N to 2 N - 1.

    Attributes:
        runs: patched networks that were run.
    """

    def __init__(
        self,
        evidence: Evidence,
        images: np.ndarray,
        deadline: Deadline,
        forecast: Forecast | None = None,
    ) -> None:
        """Start without any run.

        Args:
            evidence: the study, and how many of its chips are made.
            images: places of the images that confirm.
            deadline: no fresh chip is run after it.
            forecast: learns how long runs take; None: nobody waits.
        """
        self._evidence, self._images = evidence, images
        self._deadline, self._forecast = deadline, forecast or Forecast(None, Deadline())
        self._before: np.ndarray | None = None
        self.runs = 0

    def confirmed(self, finalists: Sequence[Tried]) -> list[Tried]:
        """Return finalists with their confirmed gains: of fresh chips where there is time for them."""
        return [self._confirmed(each) for each in finalists]

    def _confirmed(self, tried: Tried) -> Tried:
        assert tried.others is not None
        fresh, chips = None, None
        if self._evidence.foundry.random:
            fresh = self._gains_on_fresh_chips(tried.settings)
            chips = 0 if fresh is None else len(fresh)
        gain = estimate(tried.others if fresh is None else fresh)
        return replace(tried, attempt=replace(tried.attempt, confirmed=gain, fresh_chips=chips))

    def _gains_on_fresh_chips(self, settings: Settings) -> np.ndarray | None:
        """Return gains of fresh chips, float64 (chips, images); None where there is no time."""
        evidence = self._evidence
        if self._before is None:
            self._before = self._values(evidence.study.settings)
        after = None if self._before is None else self._values(settings)
        if self._before is None or after is None:
            return None
        return np.asarray(evidence.quantity.sign * (after - self._before))

    def _values(self, settings: Settings) -> np.ndarray | None:
        """Run fresh chips over the images that confirm, float64 (chips, images)."""
        evidence, start, values = self._evidence, time.perf_counter(), list[np.ndarray]()
        study = with_settings(evidence.study, settings)
        labels = None if study.labels is None else study.labels[self._images]
        runner = Runner(
            replace(study, inputs=study.inputs.subset(self._images), labels=labels, cache=None)
        )
        if self._deadline.passed:
            return None
        try:
            floating = runner.score_float()
            foundry = Foundries(study).open(as_built(settings))
            trials = evidence.foundry.study.settings.trials
            for trial in range(trials, trials + len(evidence.built)):
                if self._deadline.passed:
                    return None
                scores = runner.score(foundry.make(trial).network, "remedies")
                self.runs += 1
                values.append(evidence.quantity.values(scores, floating))
        except RxsimError:  # a draw that can't be solved: the chips that chose stand in
            return None
        finally:
            self._forecast.remedy_run(time.perf_counter() - start)
        return np.stack(values)
