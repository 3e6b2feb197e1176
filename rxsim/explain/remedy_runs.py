"""Runs of other settings on the same chips and images, compared with the settings as they are."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rxsim.config import Settings, settings_hash
from rxsim.deadline import Deadline
from rxsim.errors import RxsimError
from rxsim.estimate import estimate
from rxsim.explain.changes import changed
from rxsim.explain.evidence import Evidence
from rxsim.explain.forecast import Forecast
from rxsim.explain.result import Attempt
from rxsim.pipeline import Foundries, Runner, Study, totals, with_settings
from rxsim.scenarios import as_built
from rxsim.seeds import Sample, sample_generator

SPLIT_FROM = 200
"""Images from which half of them choose and the others confirm.

Assumption: a hundred tell an accuracy to about 10 % with 95 % confidence, enough to choose by.
"""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Tried:
    """Settings that were tried.

    Attributes:
        attempt: what is told of them.
        settings: these settings.
        gains: over the settings as they are, of the images that choose, float64 (chips, images).
        snr_db: of the network's outputs, mean of chips; minus infinity where unknown.
        others: gains of the images that confirm, likewise; None where there are none.
    """

    attempt: Attempt
    settings: Settings
    gains: np.ndarray
    snr_db: float
    others: np.ndarray | None = None


class RemedyRuns:
    """Tries settings, each only once.

    Attributes:
        runs: patched networks that were run.
        failures: settings that could not be run, a sentence each.
        choosing: places of the images that choose; None: all, too few to be divided.
        late: settings whose run was given up for lack of time.
    """

    def __init__(
        self,
        evidence: Evidence,
        forecast: Forecast | None = None,
        deadline: Deadline | None = None,
    ) -> None:
        """Start without any run.

        Args:
            evidence: the study, and the quantity of its chips.
            forecast: learns how long runs take; None: nobody waits.
            deadline: no further chip is run after it.
        """
        self._deadline = deadline or Deadline()
        self.late: list[str] = []
        self._evidence = evidence
        self._forecast = forecast or Forecast(None, Deadline())
        self._known = {settings_hash(evidence.study.settings)}
        self.runs = 0
        self.failures: list[str] = []
        self.choosing, self.others = _halves(evidence)

    def tried(
        self, remedies: tuple[str, ...], title: str, changes: Mapping[str, Any]
    ) -> Tried | None:
        """Try changed settings.

        Args:
            remedies: names of the remedies that they follow from.
            title: what is done, for readers.
            changes: what differs.

        Returns:
            None where they are refused, change nothing, were tried before, can't be run, or where
            there is no time for all chips.
        """
        study = self._changed(changes)
        if study is None:
            self._forecast.remedy_run(None)
            return None
        start = time.perf_counter()
        try:
            return self._run(study, remedies, title, changes)
        except RxsimError as error:
            self.failures.append(f"{title} could not be tried: {error}")
            return None
        finally:
            self._forecast.remedy_run(time.perf_counter() - start)

    def _changed(self, changes: Mapping[str, Any]) -> Study | None:
        """Return the study under changed settings; None where there is nothing to be tried."""
        before = self._evidence.study
        try:
            settings = changed(before.settings, changes, "remedy")
            study = with_settings(before, settings)
        except RxsimError:
            return None
        key = settings_hash(settings)
        if key in self._known or study.layer_settings() == before.layer_settings():
            return None
        self._known.add(key)
        return study

    def _run(
        self, study: Study, remedies: tuple[str, ...], title: str, changes: Mapping[str, Any]
    ) -> Tried | None:
        evidence = self._evidence
        runner = Runner(study)
        runner.score_float()
        foundry = Foundries(study).open(as_built(study.settings))
        values, ratios = list[np.ndarray](), list[float | None]()
        count = foundry.chips
        if evidence.most_chips is not None:
            count = min(count, evidence.most_chips)
        for trial in range(count):
            if values and self._deadline.passed:
                self.late.append(title)
                return None
            chip = foundry.make(trial)
            if trial == 0:
                counts = totals(study.plan, chip.layers)
            scores = runner.score(chip.network, "remedies")
            self.runs += 1
            values.append(evidence.quantity.values(scores, evidence.floating))
            ratios.append(scores.mean("snr_db"))
        table = np.stack(values)
        gains = evidence.quantity.sign * (table - evidence.built)
        known = [ratio for ratio in ratios if ratio is not None]
        attempt = Attempt(
            remedy=remedies[-1],
            title=title,
            changes=dict(changes),
            value=float(table.mean()),
            gain=estimate(self._choosing(gains)),
            confirmed=None,
            arrays=counts["arrays"],
            conversions=counts["conversions"],
            combined=remedies,
        )
        return Tried(
            attempt=attempt,
            settings=study.settings,
            gains=self._choosing(gains),
            snr_db=float(np.mean(known)) if known else -np.inf,
            others=None if self.others is None else gains[:, self.others],
        )

    @property
    def most_gain(self) -> float:
        """The gain of the float network's own output, on the images that choose."""
        return float(self._choosing(self._float_gains()).mean())

    @property
    def lost(self) -> float:
        """The gain of the float network's own output, on all images."""
        return float(self._float_gains().mean())

    def alike(self, first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
        """Tell whether changes come to the same settings of every layer."""
        before = self._evidence.study
        try:
            one, other = (
                with_settings(before, changed(before.settings, changes, "remedy"))
                for changes in (first, second)
            )
        except RxsimError:
            return False
        return one.layer_settings() == other.layer_settings()

    def _float_gains(self) -> np.ndarray:
        evidence = self._evidence
        floating = evidence.quantity.values(evidence.floating, evidence.floating)
        return np.asarray(evidence.quantity.sign * (floating[None, :] - evidence.built))

    def _choosing(self, table: np.ndarray) -> np.ndarray:
        return table if self.choosing is None else table[:, self.choosing]


def _halves(evidence: Evidence) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Divide the images at random into those that choose and those that confirm."""
    images = evidence.built.shape[1]
    if images < SPLIT_FROM:
        return None, None
    rng = sample_generator(evidence.study.settings.seed, Sample.CHOOSING_IMAGES)
    order = rng.permutation(images)
    return np.sort(order[: images // 2]), np.sort(order[images // 2 :])
