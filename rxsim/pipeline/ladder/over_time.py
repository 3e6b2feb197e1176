"""The built chips of a study at several times after programming: the same chips, read again and again.

Nominal hardware has no age (docs/concepts/model.md, section 6), so the float run, the mapping, input
ranges and converters serve all times; only arrays are programmed and solved for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rxsim.config import Settings, settings_over
from rxsim.pipeline.chip.foundries import Foundries
from rxsim.pipeline.chip.foundry import Foundry, MadeChip
from rxsim.pipeline.chip.mapped import for_each
from rxsim.pipeline.ladder.result import AtTime
from rxsim.pipeline.ladder.rung import Rung
from rxsim.pipeline.ladder.runner import Runner
from rxsim.pipeline.study.study import Study
from rxsim.run import Scores
from rxsim.scenarios import as_built


def rungs_over_time(
    study: Study,
    runner: Runner,
    foundries: Foundries,
    times: Sequence[float],
    known: AtTime | None = None,
) -> tuple[AtTime, ...]:
    """Score the built chips at several times.

    One chip at one time is in memory: chips are made again for each time.

    Args:
        study: the study, whose settings are those of the first time.
        runner: has scored the float network.
        foundries: make the chips of the study's scenarios.
        times: seconds after programming.
        known: the built chips at the first time, where they are scored already.

    Raises:
        RxsimError: something can't be used at one of the times.
    """
    scenario = as_built(study.settings)
    first = foundries.open(scenario)
    rungs = []
    for seconds, settings in zip(times, settings_over(study.settings, times), strict=True):
        if known is not None and seconds == known.seconds:
            rungs.append(known)
            continue
        trials, factors = _scores(runner, foundry_at(first, settings), study.settings.trials)
        rungs.append(AtTime(seconds, Rung(scenario.name, trials), factors))
    return tuple(rungs)


def mean_factors(chip: MadeChip) -> dict[str, float]:
    """Return the factors of a chip that compensate drift, by layer name, with several their mean."""
    return {name: float(factors.mean()) for name, factors in chip.drift_factors.items()}


def foundry_at(foundry: Foundry, settings: Settings) -> Foundry:
    """Return a foundry whose chips are read at another time; it shares all that has no age.

    Args:
        foundry: of the same study at some time.
        settings: the study's at the other time.
    """
    study = replace(foundry.study, settings=settings)
    by_layer = for_each(study.layer_settings(), foundry.scenario.settings)
    return replace(foundry, study=study, mapped=replace(foundry.mapped, settings=by_layer))


def _scores(
    runner: Runner, foundry: Foundry, trials: int
) -> tuple[tuple[Scores, ...], dict[str, float]]:
    """Score all chips of a foundry, a single one where nothing is drawn; and the first's factors."""
    name = foundry.scenario.name
    scores: list[Scores] = []
    factors: dict[str, float] = {}
    for trial in range(trials if foundry.random else 1):
        chip = foundry.make(trial)
        factors = mean_factors(chip) if trial == 0 else factors
        scores.append(runner.score(chip.network, name))
    return tuple(scores * (trials // len(scores))), factors
