"""Chips are added until the mean over chips is known well enough (`rxsim eval --until-ci`)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from rxsim.errors import InputError
from rxsim.metrics import all_metrics, chosen_metric
from rxsim.pipeline.chip.foundry import Foundry, MadeChip
from rxsim.pipeline.ladder.rung import Rung
from rxsim.pipeline.ladder.runner import Runner
from rxsim.run import Scores
from rxsim.stopping import half_width_of, next_trials

AT_LEAST = 10
"""Chips before the interval is asked. With fewer, a spread that is small by chance ends it too soon."""
MOST = 200
"""Chips at most, where nothing is said."""


@dataclass(frozen=True, slots=True)
class UntilCi:
    """The rule.

    Attributes:
        half_width: of the 95 % interval over chips for these images, in the unit of the metric's
            figures: points of accuracy or agreement, decibel, or the metric itself.
        most: chips at most.
    """

    half_width: float
    most: int = MOST

    def __post_init__(self) -> None:
        """Refuse impossible rules.

        Raises:
            InputError: naming the number.
        """
        if not (math.isfinite(self.half_width) and self.half_width > 0):
            raise InputError(
                f"until-ci: found {self.half_width:g}, expected a number above 0: half the width of "
                "the 95 % interval over chips, such as 0.5 (points)"
            )
        if self.most < AT_LEAST:
            raise InputError(
                f"trials: found {self.most}, expected {AT_LEAST} or more with until-ci, which asks "
                f"for the interval from {AT_LEAST} chips on; leave trials out, or until-ci"
            )


def until_ci(half_width: float | None, trials: int | None = None) -> UntilCi | None:
    """Return the rule of `until_ci` and `trials` as users give them; None for none.

    Raises:
        InputError: a number is impossible.
    """
    if half_width is None:
        return None
    return UntilCi(half_width, MOST if trials is None else trials)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipsNeeded:
    """How many chips a rule took.

    Attributes:
        rule: the rule.
        rung: whose chips; None where no chips are drawn.
        metric: name of the metric.
        half_width: of the last interval, in the unit of figures; None where it is not known.
        chips: how many were evaluated; 1 where all chips are the same.
        reached: whether the half width is small enough.
    """

    rule: UntilCi
    rung: str | None
    metric: str | None
    half_width: float | None
    chips: int
    reached: bool

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "asked": self.rule.half_width,
            "half_width": self.half_width,
            "unit": "" if self.metric is None else all_metrics()[self.metric].unit,
            "metric": self.metric,
            "rung": self.rung,
            "chips": self.chips,
            "at_least": AT_LEAST,
            "most": self.rule.most,
            "reached": self.reached,
        }


@dataclass(frozen=True, slots=True)
class _Stop:
    """A `rxsim.stopping.StopRule`."""

    half_width: float
    at_least: int = AT_LEAST


@dataclass(frozen=True, slots=True, eq=False)
class ScoredChips:
    """The chips of a scenario.

    Attributes:
        first: the first chip.
        rung: the scores of all.
    """

    first: MadeChip
    rung: Rung


def same_chip(rule: UntilCi) -> ChipsNeeded:
    """Return what a rule takes where nothing is random: one chip, whose mean is known."""
    return ChipsNeeded(rule=rule, rung=None, metric=None, half_width=0.0, chips=1, reached=True)


def score_until(
    rule: UntilCi, runner: Runner, foundry: Foundry, option: str
) -> tuple[ScoredChips, ChipsNeeded]:
    """Score chips 0, 1, .. of a foundry until a rule holds.

    Args:
        rule: the rule.
        runner: has scored the float network.
        foundry: draws its chips.
        option: what `--metric` says.

    Raises:
        RxsimError: a chip can't be used.
    """
    name = foundry.scenario.name
    first = foundry.make(0)
    runs = [runner.score(first.network, name)]
    metric = _measured(option, runs[0])
    factor = all_metrics()[metric].factor
    stop = _Stop(rule.half_width / factor)
    while trials := next_trials([run.mean(metric) for run in runs], rule.most, stop):
        runs += [runner.score(foundry.make(trial).network, name) for trial in trials]
    half = half_width_of([run.mean(metric) for run in runs])
    needed = ChipsNeeded(
        rule=rule,
        rung=name,
        metric=metric,
        half_width=None if half is None else half * factor,
        chips=len(runs),
        reached=half is not None and half <= stop.half_width,
    )
    return ScoredChips(first, Rung(name, tuple(runs))), needed


def _measured(option: str, run: Scores) -> str:
    """Name the metric whose mean is to be known: the chosen one, else agreement, else SNR."""
    names = (chosen_metric(option), "agreement", "snr_db")
    return next(name for name in names if name is not None and run.mean(name) is not None)
