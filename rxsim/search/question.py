"""What a search is asked, and all that is known before anything is evaluated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rxsim.cache import Cache
from rxsim.calibrate import INPUT_RANGES, InputRange
from rxsim.config import Cost, Settings, layer_settings
from rxsim.converters import layer_input_plan
from rxsim.errors import InputError, SettingError
from rxsim.mapping import COUNTS, plan_network
from rxsim.metrics import all_metrics
from rxsim.pipeline import (
    DataOptions,
    Study,
    check_chosen,
    open_study,
    price_numbers,
    study_cost,
    unstated,
)
from rxsim.pipeline.chip.mapped import input_ranges
from rxsim.pipeline.ladder.runner import Runner
from rxsim.schema import in_yaml
from rxsim.search.directions import quality
from rxsim.search.goal import Goal
from rxsim.search.minimised import Hardware, all_minimised, minimised_names
from rxsim.search.order import Order, make_order
from rxsim.stages import Stages
from rxsim.sweep import Axis, PlannedPoint, assignments, describe, planned_point, told_values

MOST_POINTS = 4096
"""The order of points is a table of all pairs."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Question:
    """What a search is asked.

    Attributes:
        model: the ONNX file.
        options: where the inputs come from.
        settings_of: resolves the settings with values at dotted names laid over them.
        axes: what is varied.
        goal: what a point has to keep.
        minimise: what is to be least, see `rxsim.search.minimised`.
        these_images: intervals hold for these images only, not for new ones.
        strict: only a point whose whole interval keeps the bound meets the goal.
        exhaustive: every point is evaluated, whatever the order says.
    """

    model: Path
    options: DataOptions
    settings_of: Callable[[Mapping[str, Any]], Settings]
    axes: Sequence[Axis]
    goal: Goal
    minimise: str
    these_images: bool = False
    strict: bool = False
    exhaustive: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A point of a search.

    Attributes:
        planned: it, as a point of a sweep.
        change: what the axes set, by dotted name.
        costs: what its hardware costs, by quantity; None where it can't be known.
        priced_in: its technology and what that leaves out, in words; None where nothing is priced.
    """

    planned: PlannedPoint
    change: Mapping[str, Any]
    costs: Mapping[str, float | None]
    priced_in: str | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Prepared:
    """A search that can start.

    Attributes:
        question: what is asked.
        candidates: the points, without duplicates.
        order: what is known of them.
        trials: chips of a point whose chips differ.
        floating: hits of the float network, bool (images,); None without labels.
        images: evaluated inputs.
        notes: what a user should be told of the inputs, a line each.
        warning: what to warn of before all else; None where nothing stands out.
        priced_in: technologies with their ADC models, where a price is minimised.
    """

    question: Question
    candidates: tuple[Candidate, ...]
    order: Order
    trials: int
    floating: np.ndarray | None
    images: int
    notes: tuple[str, ...] = ()
    warning: str | None = None
    priced_in: tuple[str, ...] = ()


def prepare_search(
    question: Question,
    *,
    threads: int | None = None,
    stages: Stages | None = None,
    cache: Cache | None = None,
) -> Prepared:
    """Open the network and its data, run the float network, and price every point.

    Raises:
        RxsimError: something in the question can't be used.
    """
    if question.minimise not in minimised_names():
        raise InputError(
            f"--minimise: found {question.minimise!r}, expected one of "
            f"{', '.join(minimised_names())}; choose one of them"
        )
    changes = assignments(question.axes, "grid", None, 0)
    if len(changes) > MOST_POINTS:
        raise SettingError(
            f"--over: found {len(changes):,} combinations, expected at most {MOST_POINTS:,}; shorten "
            "an axis"
        )
    resolved = [_settings(question, change) for change in changes]
    for settings in resolved:
        check_chosen(settings)
    study = open_study(
        question.model.absolute(),
        resolved[0].model_copy(update={"trials": 1}),
        question.options,
        threads=threads,
        stages=stages,
        cache=cache,
    )
    floating = Runner(study).score_float()
    if floating.values[question.goal.metric] is None:
        measured = [name for name in all_metrics() if floating.values[name] is not None]
        raise InputError(
            f"--goal: found {question.goal.quantity}, which is not measured here (metric "
            f"{study.metric}), expected one of {', '.join(measured)}; choose one, or give labelled data"
        )
    points: dict[str, PlannedPoint] = {}
    kept: dict[str, Mapping[str, Any]] = {}
    for change, settings in zip(changes, resolved, strict=True):
        single = settings.model_copy(update={"trials": 1})
        values = told_values(question.axes, change, settings)
        planned = planned_point(study, single, question.options, values)
        points.setdefault(planned.point.key, planned)
        kept.setdefault(planned.point.key, change)
    costs = _costs(question, study, [(points[key], change) for key, change in kept.items()])
    candidates = tuple(map(Candidate, points.values(), kept.values(), *zip(*costs, strict=True)))
    return Prepared(
        question=question,
        candidates=candidates,
        order=_order(question, candidates),
        trials=resolved[0].trials,
        floating=floating.each("accuracy"),
        images=len(study.inputs),
        notes=study.notes,
        warning=study.warning,
        priced_in=_distinct(candidate.priced_in for candidate in candidates),
    )


def _settings(question: Question, change: Mapping[str, Any]) -> Settings:
    try:
        return question.settings_of(change)
    except SettingError as error:
        told = ", ".join(f"{name}={in_yaml(value)}" for name, value in change.items())
        raise SettingError(f"--over, point {told}: {error}") from None


def _costs(
    question: Question,
    study: Study,
    points: Sequence[tuple[PlannedPoint, Mapping[str, Any]]],
) -> list[tuple[Mapping[str, float | None], str | None]]:
    """Return what each point's hardware costs, and how it was priced.

    Points that differ in nothing else share the count.
    """
    ranges: dict[str, Mapping[str, InputRange]] = {}
    known: dict[str, tuple[Mapping[str, float | None], str | None, int]] = {}
    costs, without = [], []
    names, is_priced = _counted_names(question), _is_priced(question)
    for planned, change in points:
        counted = _key({name: change[name] for name in change if is_priced or _counts(name)})
        if counted not in known:
            ranged = _key({name: change[name] for name in change if INPUT_RANGES.covers(name)})
            if ranged not in ranges:
                ranges[ranged] = input_ranges(replace(study, settings=planned.settings))
            hardware = _hardware(study, planned, ranges[ranged])
            told = None
            if is_priced:
                prices, told = _prices(question, study, planned)
                hardware = replace(hardware, prices=prices)
            layers = hardware.plan.layers.values()
            known[counted] = (
                {name: all_minimised()[name].count(hardware) for name in names},
                told,
                sum(layer.settings.adc.n_bits is None for layer in layers),
            )
        costs.append(known[counted][:2])
        without.append(known[counted][2])
    _check_costs(question.minimise, [cost for cost, _ in costs], without)
    return costs


def _is_priced(question: Question) -> bool:
    return all_minimised()[question.minimise].price is not None


def _counted_names(question: Question) -> list[str]:
    """Name the quantities that are computed, what is minimised first."""
    minimised = all_minimised()
    others = [name for name in minimised if name != question.minimise]
    if not _is_priced(question):
        others = [name for name in others if minimised[name].price is None]
    return [question.minimise, *others]


def _prices(
    question: Question, study: Study, planned: PlannedPoint
) -> tuple[Mapping[str, float | None], str]:
    """Price a point with the technology's number for the energy of its arrays: nothing is solved.

    Returns:
        The prices, and the technology with what it does not state of the minimised price.

    Raises:
        SettingError: its technology, or an ADC in it, is out of range.
    """
    cost = (planned.settings.cost or Cost()).model_copy(update={"array_energy": "technology"})
    try:
        price = study_cost(replace(study, settings=planned.settings), cost)
    except InputError as error:
        raise SettingError(f"--over, point {describe(planned.values)}: {error}") from None
    left_out = unstated(price, all_minimised()[question.minimise].price or "")
    note = f"; {question.minimise} not stated: {', '.join(left_out)}" if left_out else ""
    return price_numbers(price), f"{cost.technology} (ADC model {cost.adc_model}{note})"


def _distinct(texts: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text is not None))


def _counts(name: str) -> bool:
    """Tell whether a setting may change arrays, passes or bits."""
    return COUNTS.covers(name) or INPUT_RANGES.covers(name) or name.startswith("input.")


def _key(values: Mapping[str, Any]) -> str:
    return repr(sorted(values.items()))


def _hardware(study: Study, planned: PlannedPoint, ranges: Mapping[str, InputRange]) -> Hardware:
    """Plan a point's hardware.

    Raises:
        SettingError: the network does not fit on it.
    """
    resolved = {
        layer.name: layer_settings(planned.settings, layer.name) for layer in study.network.layers
    }
    mapped = {name: settings for name, settings in resolved.items() if settings is not None}
    try:
        plan = plan_network(study.network, mapped, study.plan.work)
        passes = {
            name: len(layer_input_plan(name, ranges[name], settings).passes)
            for name, settings in mapped.items()
        }
    except SettingError as error:
        raise SettingError(f"--over, point {describe(planned.values)}: {error}") from None
    return Hardware(plan, passes)


def _check_costs(
    minimise: str, costs: Sequence[Mapping[str, float | None]], without: Sequence[int]
) -> None:
    """Refuse points whose costs can't be compared."""
    if any(cost[minimise] is None for cost in costs):
        raise InputError(
            f"--minimise: found {minimise}, which can't be counted for this network (a shape is "
            "unknown), expected a quantity that can; state shapes with --input-shape, or choose arrays"
        )
    if all_minimised()[minimise].counts_adcs and len(set(without)) > 1:
        raise SettingError(
            f"--minimise: found {minimise} with points whose layers have no ADC (adc.n_bits: null), "
            "expected ADCs at the same layers of every point: without one nothing is counted; leave "
            "null out of --over"
        )


def _order(question: Question, candidates: Sequence[Candidate]) -> Order:
    names = [name for axis in question.axes for name in axis.names]
    minimised = _counted_names(question)
    costs = np.array(
        [[candidate.costs[name] or 0.0 for name in minimised] for candidate in candidates]
    )
    qualities = np.zeros((len(candidates), len(names)))
    classes: dict[tuple[str, ...], int] = {}
    numbers = np.empty(len(candidates), np.int64)
    for place, candidate in enumerate(candidates):
        settings = candidate.planned.settings
        found = [quality(name, settings) for name in names]
        qualities[place] = [0.0 if value is None else value for value in found]
        # Values whose good side is unknown are compared with their like only.
        like = tuple(
            repr(candidate.change[name]) if value is None else ""
            for name, value in zip(names, found, strict=True)
        )
        numbers[place] = classes.setdefault(like, len(classes))
    return make_order(costs, qualities, numbers)
