"""From a study to the explanation of what its accuracy lost, by real runs."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from rxsim.cache import Cache
from rxsim.config import as_plain
from rxsim.deadline import Deadline, Overrun
from rxsim.errors import InputError
from rxsim.explain.advice import Advice, try_remedies
from rxsim.explain.ahead import ahead_of
from rxsim.explain.arrays import worst_arrays
from rxsim.explain.chips import Chips
from rxsim.explain.effects import explain_effects, needed_sets
from rxsim.explain.evidence import Evidence
from rxsim.explain.forecast import Forecast
from rxsim.explain.layers import explain_layers
from rxsim.explain.players import players_of
from rxsim.explain.quantity import chosen_quantity
from rxsim.explain.result import Explanation
from rxsim.explain.shapley import EXACT_UP_TO
from rxsim.explain.traps import traps_in
from rxsim.pipeline import Foundries, Runner, Study
from rxsim.scenarios import as_built
from rxsim.statistics import population_interval, within

By = Literal["effects", "layers", "both"]
BY: tuple[By, ...] = get_args(By)
WORST_ARRAYS = 4
"""So many arrays get a closer look."""
_FOR_REMEDIES, _FOR_LAYERS, _FOR_NEEDED = 1 / 3, 1 / 4, 2 / 3
"""Parts of a budget: of all for remedies, of the rest for layers, of what is left for what is needed.

Assumption: remedies are what a user acts upon; each part gets enough for its most urgent runs.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be explained.

    Attributes:
        quantity: accuracy, agreement or snr_db; None for the first that can be measured.
        by: effects, layers, or both.
        remedies: whether remedies are tried.
        budget: seconds; None for as long as it takes.
    """

    quantity: str | None = None
    by: By = "both"
    remedies: bool = True
    budget: float | None = None

    def __post_init__(self) -> None:
        """Refuse a budget that is none.

        Raises:
            InputError: it is negative, infinite or not a number.
        """
        if self.budget is not None and not 0 <= self.budget < math.inf:
            raise InputError(
                f"budget: found {self.budget!r}, expected seconds, 0 or above; leave it out for as "
                "long as it takes"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Times:
    """When parts of the work are to be done at the latest, as parts of the budget.

    Attributes:
        needed: built chips, and each effect alone, left out and added.
        effects: Shapley values.
        layers: layers taken out.
    """

    needed: float
    effects: float
    layers: float

    @classmethod
    def of(cls, asked: Asked) -> _Times:
        """Reserve time for what comes later, where it is asked for."""
        layers = 1 - _FOR_REMEDIES if asked.remedies else 1.0
        effects = layers if asked.by == "effects" else (1 - _FOR_LAYERS) * layers
        return cls(needed=_FOR_NEEDED * effects, effects=effects, layers=layers)


def explain(study: Study, asked: Asked | None = None) -> Explanation:
    """Explain what crossbars take of a network's accuracy.

    Nothing is solved or run twice: a temporary folder keeps what was solved, unless the study has a
    cache of its own.

    Args:
        study: the study.
        asked: what is to be explained.

    Raises:
        RxsimError: something in the study can't be used.
    """
    asked = asked or Asked()
    if study.cache is not None:
        return _explained(study, asked)
    with tempfile.TemporaryDirectory(prefix="rxsim-explain-") as folder:
        return _explained(replace(study, cache=Cache(Path(folder))), asked)


def _explained(study: Study, asked: Asked) -> Explanation:
    deadline = Deadline(asked.budget)
    overrun, times = Overrun(deadline), _Times.of(asked)
    runner = Runner(study)
    floating = runner.score_float()
    quantity = chosen_quantity(asked.quantity, study.metric, floating)
    forecast = Forecast(study.stages, deadline)
    chips = Chips(study, runner, floating, quantity, forecast)
    players = players_of(study)
    everything = frozenset(name for player in players for name in player.effects)
    needed = needed_sets(players) if asked.by != "layers" else []
    built = chips.build(everything, [*needed, frozenset()], deadline.until(times.needed))
    perfect = chips.value(frozenset())
    overrun.end("the float network, built chips and those without effects")
    foundry = Foundries(study).open(as_built(study.settings))
    evidence = Evidence(
        study=study,
        quantity=quantity,
        floating=floating,
        foundry=foundry,
        chip=foundry.make(0),
        built=built,
        perfect=perfect,
        effects=None,
        layers=None,
        most_chips=chips.most,
    )
    forecast.plan(
        ahead_of(
            evidence,
            chips,
            players,
            effects=asked.by != "layers",
            layers=asked.by != "effects",
            remedies=asked.remedies,
        )
    )
    if asked.by != "layers":
        effects = explain_effects(chips, players, deadline.until(times.effects))
        evidence = replace(evidence, effects=effects)
        forecast.sets_end()
        overrun.end("effects")
    if asked.by != "effects":
        arrays = worst_arrays(study, foundry, evidence.chip, WORST_ARRAYS)
        until = deadline.until(times.layers)
        layers = explain_layers(chips, players, foundry, evidence.chip, arrays, until)
        evidence = replace(evidence, layers=layers)
        forecast.layers_end()
        overrun.end("layers")
    evidence = replace(evidence, traps=traps_in(evidence))
    overrun.end("traps")
    advice = try_remedies(evidence, deadline, forecast=forecast) if asked.remedies else None
    overrun.end("remedies")
    if overrun.sentence:
        study.stages.tell(overrun.sentence)
    return _explanation(evidence, chips, advice, overrun.sentence)


def _explanation(
    evidence: Evidence, chips: Chips, advice: Advice | None, overrun: str
) -> Explanation:
    """Gather what was measured."""
    study, quantity, built = evidence.study, evidence.quantity, evidence.built
    metric = quantity.metric
    bounds = within(population_interval(built), metric.low, metric.high)
    floating = quantity.values(evidence.floating, evidence.floating)
    libraries = ("numpy", "numba", "onnx", "onnxruntime")
    return Explanation(
        quantity=quantity,
        floating=float(floating.mean()),
        none=float(evidence.perfect.mean()),
        all=float(built.mean()),
        interval=None if bounds is None else (bounds.low, bounds.high),
        chips=built.shape[0],
        images=len(study.inputs),
        effects=evidence.effects,
        layers=evidence.layers,
        attempts=None if advice is None else advice.attempts,
        traps=evidence.traps,
        left_out=_left_out(evidence, [] if advice is None else advice.left_out, overrun),
        settings=as_plain(study.settings),
        better=None if advice is None else advice.better,
        provenance=study.provenance_of_result(libraries),
        runs=chips.runs + (0 if advice is None else advice.runs),
        seconds=study.stages.seconds,
        untried=None if advice is None else advice.untried,
    )


def _left_out(evidence: Evidence, more: Collection[str], overrun: str) -> tuple[str, ...]:
    """Say what there was no time for, a sentence each."""
    said = [overrun] if overrun else []
    if evidence.most_chips is not None:
        said.append(
            f"chips were left out for lack of time: {evidence.most_chips} of "
            f"{evidence.foundry.chips} were made"
        )
    effects, layers = evidence.effects, evidence.layers
    if effects is not None and effects.method == "none":
        said.append("Shapley values of the effects were left out for lack of time")
    if effects is not None and effects.method == "sampled" and len(effects.rows) <= EXACT_UP_TO:
        said.append(
            f"exact Shapley values were left out for lack of time: {effects.orders} orders were sampled"
        )
    if layers is not None:
        without = [row.name for row in layers.rows if row.all_but is None]
        if without:
            said.append(
                f"runs with and without single layers were left out for lack of time, for "
                f"{len(without)} of {len(layers.rows)} layers"
            )
    return (*said, *more)
