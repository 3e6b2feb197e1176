"""Layers with the converter ranges that the steps of compensation choose."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace

from rxsim.calibrate import InputRange
from rxsim.compensate import ChosenStep, RangeFactors, chosen_steps, entries_at, sees_float_inputs
from rxsim.config import as_plain
from rxsim.pipeline.chip.mapped import Mapped
from rxsim.pipeline.chip.range_bench import NominalBench, scaled_ranges
from rxsim.pipeline.chip.solved import SolvedArrays
from rxsim.pipeline.study.study import Study
from rxsim.scenarios import Scenario, nominal


def with_chosen_ranges(
    study: Study,
    scenario: Scenario,
    mapped: Mapped,
    solved: SolvedArrays,
    map_again: Callable[[Mapping[str, InputRange]], Mapped],
    known: dict[str, Mapping[str, RangeFactors]],
) -> Mapped:
    """Take the steps on ranges; layers without such a step are returned as they are.

    Args:
        study: the study.
        scenario: which effects are on.
        mapped: its layers.
        solved: gives nominal arrays.
        map_again: maps the layers with other input ranges, which move the operating points of cells
            that are not linear.
        known: what was chosen before, on the same nominal hardware; extended.

    Raises:
        RxsimError: something in the study can't be used.
    """
    settings = next(iter(mapped.settings.values()), None)
    for chosen in chosen_steps(settings, "ranges") if settings is not None else ():
        key = _key(chosen, mapped)
        if key not in known:
            bench = NominalBench(study, scenario, mapped, solved)
            known[key] = chosen.step.choose(bench, chosen.options)
        factors = known[key]
        dac = {name: each.dac for name, each in factors.items()}
        told = {name: dict(each) for name, each in mapped.design_residuals.items()}
        for name, each in factors.items():
            if each.residual is not None:
                told.setdefault(name, {})[chosen.name] = each.residual
        adc = {name: each.adc for name, each in factors.items() if each.adc != 1}
        before = mapped.adc_factors
        if any(factor != 1 for factor in dac.values()):
            mapped = map_again(scaled_ranges(mapped.input_ranges, dac))
        mapped = replace(
            mapped,
            design_residuals=told,
            adc_factors={
                **before,
                **{name: factor * before.get(name, 1.0) for name, factor in adc.items()},
            },
        )
    return mapped


def _key(chosen: ChosenStep, mapped: Mapped) -> str:
    """Tell apart what a choice follows from: nominal hardware, and the ranges before it."""
    plain = {}
    for name, settings in mapped.under(nominal).settings.items():
        before = entries_at(settings, "design", "ranges")
        plain[name] = as_plain(settings.model_copy(update={"compensate": before}))
    ranges = {name: known.x_max for name, known in mapped.input_ranges.items()}
    factors = sorted(mapped.adc_factors.items())
    on_float = any(map(sees_float_inputs, mapped.settings.values()))  # what ADCs are calibrated on
    options = chosen.options.model_dump(mode="json")
    return json.dumps([chosen.name, options, plain, ranges, factors, on_float])
