"""One trial of a study by itself, as sweeps run them: the first tells all that is common too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from rxsim.pipeline.ladder.ladder import Prepared, climb
from rxsim.pipeline.ladder.result import Evaluation
from rxsim.run import Scores


@dataclass(frozen=True, slots=True, eq=False)
class TrialResult:
    """What one chip is worth.

    Attributes:
        scores: of the last rung: nonideal, or compensated.
        details: ladder, layers, totals and provenance of its point, plain; of the first chip only.
    """

    scores: Scores
    details: Mapping[str, Any] | None


def run_trial(prepared: Prepared, trial: int) -> TrialResult:
    """Evaluate one chip; what it gives is what `evaluate` gives for it.

    Raises:
        RxsimError: something can't be used.
    """
    if trial > 0:
        return TrialResult(prepared.built(trial), None)
    settings = prepared.study.settings.model_copy(update={"trials": 1})
    evaluation = climb(replace(prepared, study=replace(prepared.study, settings=settings)))
    return TrialResult(evaluation.ladder[-1].trials[0], details_of(evaluation))


def details_of(evaluation: Evaluation) -> dict[str, Any]:
    """Return what an evaluation tells of a point, without what belongs to single chips and images."""
    values = evaluation.as_json()
    values["images"] = len(values["images"]["predictions"]["float32"][0])
    del values["ladder"]["nonideal"], values["settings"], values["timing"], values["statistics"]
    return values
