"""One trial of a study by itself, as sweeps run them: the first tells all that is common too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from rxsim.cost.price.network import NetworkCost
from rxsim.pipeline.ladder.compensation import Compensation
from rxsim.pipeline.ladder.ladder import Prepared, climb_priced, rungs_of
from rxsim.pipeline.ladder.result import Evaluation
from rxsim.run import Scores


@dataclass(frozen=True, slots=True, eq=False)
class TrialResult:
    """What one chip is worth.

    Attributes:
        scores: of the built chip: nonideal, or compensated.
        details: ladder, layers, totals and provenance of its point, plain; of the first chip only.
        cost: what its network costs; of the first chip only, where the settings ask for it.
    """

    scores: Scores
    details: Mapping[str, Any] | None
    cost: NetworkCost | None = None


def run_trial(prepared: Prepared, trial: int) -> TrialResult:
    """Evaluate one chip; what it gives is what `evaluate` gives for it.

    The rungs between steps of compensation are left out: they belong to a look at one point.

    Raises:
        RxsimError: something can't be used.
    """
    if trial > 0:
        return TrialResult(prepared.built(trial), None)
    settings = prepared.study.settings.model_copy(update={"trials": 1})
    one_chip = replace(prepared, study=replace(prepared.study, settings=settings))
    evaluation = climb_priced(one_chip, rungs_of(one_chip.study, each_step=False), (), None)
    return TrialResult(evaluation.ladder[-1].trials[0], details_of(evaluation), evaluation.cost)


def details_of(evaluation: Evaluation) -> dict[str, Any]:
    """Return what an evaluation tells of a point, without what belongs to single chips and images."""
    values = evaluation.as_json()
    values["images"] = len(values["images"]["predictions"]["float32"][0])
    del values["ladder"][evaluation.ladder[-1].name]  # its chips are the trials
    del values["settings"], values["timing"], values["statistics"]
    if evaluation.compensation is not None:
        values["compensation"] = _of_every_chip(evaluation.compensation)
    return values


def _of_every_chip(compensation: Compensation) -> dict[str, Any]:
    """Return what the steps did without gains, which are those of the first chip alone here."""
    steps = tuple(replace(step, gain=None) for step in compensation.steps)
    return replace(compensation, steps=steps, taken=None, gain=None, returned=None).as_json()
