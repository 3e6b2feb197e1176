"""The ladder: float32 -> weights -> ideal -> nonideal (-> compensated), and numbers layer by layer."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rxsim.config import as_plain, not_aged_note, settings_over
from rxsim.cost.price.network import NetworkCost
from rxsim.errors import InputError
from rxsim.load.providers import CPU, chosen_providers
from rxsim.onnx_graph import is_heavy
from rxsim.pipeline.chip.foundries import Foundries
from rxsim.pipeline.chip.foundry import Foundry, MadeChip
from rxsim.pipeline.chip.mapped import Mapped
from rxsim.pipeline.inspect.cost import check_cost, study_cost
from rxsim.pipeline.inspect.transformation import Transformation, measure_transformation
from rxsim.pipeline.ladder.compensation import Compensation, compensation_of
from rxsim.pipeline.ladder.enough_chips import (
    ChipsNeeded,
    ScoredChips,
    UntilCi,
    same_chip,
    score_until,
)
from rxsim.pipeline.ladder.inventory import Inventory, inventory_of
from rxsim.pipeline.ladder.noise_remark import noise_remark
from rxsim.pipeline.ladder.over_time import mean_factors, rungs_over_time
from rxsim.pipeline.ladder.result import ArrayLoss, AtTime, Evaluation, LayerReport
from rxsim.pipeline.ladder.rung import Rung
from rxsim.pipeline.ladder.runner import Runner
from rxsim.pipeline.ladder.totals import totals
from rxsim.pipeline.study.memory_need import has_heavy_arrays
from rxsim.pipeline.study.study import Study
from rxsim.run import LayerHealth, Scores
from rxsim.scenarios import Scenario, as_built, chosen, step_by_step
from rxsim.tiles import LayerTransfer, has_circuit

WORST_ARRAYS = 20
"""So many of the arrays that lose most current to their wires are named."""


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """What all chips of a study share.

    Attributes:
        study: the study.
        runner: has scored the float network.
        floating: these scores.
        foundries: make the chips of its scenarios.
    """

    study: Study
    runner: Runner
    floating: Scores
    foundries: Foundries

    def built(self, trial: int) -> Scores:
        """Make a chip with all effects, and with compensation where settings have steps, and score it.

        Raises:
            RxsimError: its arrays can't be solved, or it yields NaN.
        """
        scenario = as_built(self.study.settings)
        foundry = self.foundries.open(scenario)
        return self.runner.score(foundry.make(trial).network, scenario.name)


def prepare(study: Study) -> Prepared:
    """Run the float network, map the layers, and calibrate what every chip reuses.

    A heavy network's layers wait: their arrays would lie in memory beside those of the rungs before.

    Raises:
        RxsimError: something in the study can't be used.
    """
    foundries = Foundries(study)  # refuses what there is no room for, before anything runs
    runner = Runner(study)
    floating = runner.score_float()
    if not _is_heavy(study):
        foundries.open(as_built(study.settings))
    return Prepared(study, runner, floating, foundries)


def rungs_of(
    study: Study, more: Sequence[str] = (), *, each_step: bool = True
) -> tuple[Scenario, ...]:
    """Return the scenarios of a study's ladder, in their order.

    Args:
        study: the study.
        more: names of further ones; they come before `nonideal`.
        each_step: with a rung after each step of compensation; else only after the last.
    """
    rungs = chosen(("weights", "ideal", *more, "nonideal"))
    steps = step_by_step(study.settings)
    return (*rungs, *(steps if each_step else steps[-1:]))


def evaluate(
    study: Study,
    scenarios: Sequence[str | Scenario] | None = None,
    times: Sequence[float] = (),
    until: UntilCi | None = None,
) -> Evaluation:
    """Climb the ladder (docs/concepts/model.md, section 7), or other scenarios.

    Settings with a section `cost` are priced too, before the ladder is climbed.

    Args:
        study: the study; with times, its settings are those of the first.
        scenarios: the rungs after `float32`, by name or as they are; the ladder's where left out. The
            numbers by layer are those of the last one.
        times: seconds after programming at which the built chips are evaluated besides.
        until: the rule that says how many chips are evaluated; the settings' trials where left out.

    Raises:
        RxsimError: something in the study can't be used, or a scenario is unknown.
    """
    check_cost(study)
    if scenarios is None:
        return climb_priced(prepare(study), rungs_of(study), times, until)
    wanted = chosen(scenarios)
    names = [scenario.name for scenario in wanted]
    if not names or "float32" in names:
        raise InputError(
            f"scenarios: found {', '.join(names) or 'none'}, expected at least one, and float32 not "
            "among them: it is always the first rung; correct the list"
        )
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(
            f"scenarios: found {twice} {names.count(twice)} times, expected each scenario once; leave "
            "the others out, or give another name"
        )
    foundries, runner = Foundries(study), Runner(study)
    return climb_priced(
        Prepared(study, runner, runner.score_float(), foundries), wanted, times, until
    )


def climb_priced(
    prepared: Prepared,
    scenarios: Sequence[Scenario],
    times: Sequence[float],
    until: UntilCi | None,
) -> Evaluation:
    """Climb the ladder of a prepared study, and price its network before where settings ask for it.

    Raises:
        RxsimError: something in the study can't be used.
    """
    cost = _cost_of(prepared, scenarios)
    return replace(climb(prepared, scenarios, times, until), cost=cost)


def _cost_of(prepared: Prepared, scenarios: Sequence[Scenario]) -> NetworkCost | None:
    """Price the study's network where its settings ask for it, on what the ladder measures anyway."""
    study, foundries = prepared.study, prepared.foundries
    built = as_built(study.settings)
    if study.settings.cost is None:
        return None
    wanted = built in scenarios
    mapped = foundries.open(built).mapped if wanted else foundries.map(built)
    return study_cost(study, mapped=mapped)


def climb(
    prepared: Prepared,
    scenarios: Sequence[Scenario] | None = None,
    times: Sequence[float] = (),
    until: UntilCi | None = None,
) -> Evaluation:
    """Climb the ladder of a prepared study and look at every layer; see `evaluate`.

    Raises:
        RxsimError: something in the study can't be used.
    """
    chosen_scenarios = rungs_of(prepared.study) if scenarios is None else scenarios
    study, scored, needed = _as_needed(prepared, chosen_scenarios, until)
    runner = prepared.runner
    ladder, first = [Rung("float32", (prepared.floating,))], None
    healthy: Mapping[str, LayerHealth] = {}
    built, known = as_built(study.settings), None
    compensated: tuple[Foundry, MadeChip] | None = None
    for place, scenario in enumerate(chosen_scenarios):
        first = None  # the rung before is done with, and its chip's matrices are
        _forget_levels(prepared, chosen_scenarios[place:])
        foundry = prepared.foundries.open(scenario)
        chips = scored.get(scenario) or _scored(runner, foundry, study.settings.trials)
        first = chips.first
        ladder.append(chips.rung)
        if times and scenario == built:
            known = AtTime(times[0], chips.rung, mean_factors(first))
        if study.settings.compensate and scenario == built:
            compensated = foundry, first
        if scenario.name == "ideal":
            healthy = runner.diagnose(first.network)
        del chips
    assert first is not None
    health = runner.diagnose(first.network)
    inventory = inventory_of(study.network, study.plan)
    return Evaluation(
        ladder=tuple(ladder),
        layers=_layer_reports(
            inventory, foundry.mapped, first, healthy, health, measure_transformation(foundry)
        ),
        inventory=inventory,
        settings=as_plain(study.settings),
        provenance=_provenance(study),
        labels=study.labels,
        indices=study.indices,
        diagnosed=len(runner.diagnosed),
        metric=study.metric,
        deterministic=not foundry.random,
        seconds=study.stages.seconds,
        first_chip=first.network,
        totals=totals(study.plan, first.layers),
        worst_arrays=_worst_arrays(first.transfers),
        remarks={
            **runner.remarks,
            **noise_remark(first.transfers),
            **_not_aged_remark(study, times),
        },
        over_time=rungs_over_time(study, runner, prepared.foundries, times, known) if times else (),
        chips_needed=needed,
        compensation=_told_of(compensated, ladder, study.metric),
    )


def _forget_levels(prepared: Prepared, scenarios: Sequence[Scenario]) -> None:
    """Let go of a heavy network's arrays without wires, where the scenarios to come all have some."""
    study = prepared.study
    if not _is_heavy(study):
        return
    if all(has_circuit(each.settings(study.settings), None) for each in scenarios):
        prepared.foundries.solved.forget_levels()


def _is_heavy(study: Study) -> bool:
    """Tell whether the arrays of two rungs should not be held side by side."""
    return is_heavy(study.network.model) or has_heavy_arrays(study.plan)


def _told_of(
    compensated: tuple[Foundry, MadeChip] | None, ladder: Sequence[Rung], metric: str
) -> Compensation | None:
    """Tell what compensation did, where the built chips have any and were run."""
    if compensated is None:
        return None
    foundry, first = compensated
    return compensation_of(foundry, first, ladder, metric)


def _not_aged_remark(study: Study, times: Sequence[float]) -> dict[str, str]:
    """Return a sentence, by its name, on layers whose cells do not age; empty for none."""
    at_times = settings_over(study.settings, times) if times else (study.settings,)
    text = not_aged_note(at_times, [layer.name for layer in study.network.layers])
    return {"not_aged": text} if text else {}


def _as_needed(
    prepared: Prepared, scenarios: Sequence[Scenario], until: UntilCi | None
) -> tuple[Study, Mapping[Scenario, ScoredChips], ChipsNeeded | None]:
    """Let a rule say how many chips a study has; it looks at the last scenario whose chips differ.

    Returns:
        The study with as many trials, the chips that were scored for it, and what it took.
    """
    study = prepared.study
    if until is None:
        return study, {}, None
    scored: dict[Scenario, ScoredChips] = {}
    needed = same_chip(until)
    for scenario in reversed(scenarios):
        foundry = prepared.foundries.open(scenario)
        if scenario.per_chip and foundry.random:
            chips, needed = score_until(until, prepared.runner, foundry, study.metric)
            scored[scenario] = chips
            break
    settings = study.settings.model_copy(update={"trials": needed.chips})
    return replace(study, settings=settings), scored, needed


def _scored(runner: Runner, foundry: Foundry, trials: int) -> ScoredChips:
    """Score a scenario: each chip where chips are drawn under it, else the only hardware there is."""
    scenario, first = foundry.scenario, foundry.make(0)
    # The outputs of perfect hardware are wanted again by other points of a sweep.
    runs = [runner.score(first.network, scenario.name, keep=not scenario.per_chip)]
    for trial in range(1, trials if scenario.per_chip else 1):
        if foundry.random:
            runs.append(runner.score(foundry.make(trial).network, scenario.name))
        else:
            runs.append(runs[0])
    return ScoredChips(first, Rung(scenario.name, tuple(runs)))


def _worst_arrays(transfers: Sequence[LayerTransfer]) -> tuple[ArrayLoss, ...]:
    """List the arrays that lose most of their current to their wires, worst first."""
    losses = [
        ArrayLoss(transfer.mapped.layer.name, int(index), float(transfer.losses[index]))
        for transfer in transfers
        for index in np.argsort(-transfer.losses, kind="stable")[:WORST_ARRAYS]
    ]
    return tuple(sorted(losses, key=lambda array: -array.loss)[:WORST_ARRAYS])


def _layer_reports(
    inventory: Inventory,
    mapped: Mapped,
    first: MadeChip,
    healthy: Mapping[str, LayerHealth],
    health: Mapping[str, LayerHealth],
    transformations: Mapping[str, Transformation],
) -> tuple[LayerReport, ...]:
    factors = mean_factors(first)
    pulses = {transfer.mapped.layer.name: transfer.pulses for transfer in first.transfers}
    return tuple(
        LayerReport(
            place=place,
            input_max=mapped.input_ranges[place.name].x_max,
            signed_input=mapped.input_ranges[place.name].signed,
            snr_db_ideal=healthy[place.name].snr_db if healthy else None,
            snr_db=health[place.name].snr_db,
            dac_clipping=health[place.name].dac_clipping,
            adc_clipping=health[place.name].adc_clipping,
            transformation=transformations.get(place.name),
            drift_factor=factors.get(place.name),
            pulses=pulses[place.name],
        )
        for place in inventory.layers
    )


def _provenance(study: Study) -> dict[str, Any]:
    libraries = ("numpy", "numba", "onnx", "onnxruntime")
    machine: dict[str, Any] = {"processor": platform.machine(), "system": platform.system()}
    if chosen_providers() != CPU:
        machine["providers"] = list(chosen_providers())
    return {**study.provenance_of_result(libraries), "machine": machine}
