"""What an inference costs, in the lines that stand above all tables."""

from __future__ import annotations

from rxsim.cost.price.network import NetworkCost
from rxsim.counted import counted
from rxsim.report.cost_values import CostTold, read_cost
from rxsim.report.cost_words import (
    at_least,
    at_most,
    digital_share,
    left_out,
    on_crossbars,
    powered_throughout,
    second_hand,
    whole_levels,
)
from rxsim.report.si_units import mm2, si
from rxsim.report.work_shares import percent


def headline(model: str, cost: NetworkCost) -> str:
    """Say what an inference costs, in a few lines; the last ones say what is not in it."""
    chosen, told = cost.chosen, told_cost(cost)
    lines = [
        f"{model} in {chosen.name} ({chosen.technology.node_nm:g} nm), ADC model "
        f"{chosen.cost.adc_model}",
        _energy(cost, told),
        *powered_throughout(told),
        f"Power {si(cost.power_w, 'W')} of an inference, {si(cost.pipelined_power_w, 'W')} pipelined",
        _area(cost, told),
        f"Time of an inference {si(cost.latency_s, 's')} without digital operators and transfers; "
        f"pipelined, one every {si(cost.interval_s, 's')}",
        f"{si(cost.ops_per_j, 'OPS/W')}; {at_most(told)}{si(cost.ops_per_s_mm2, 'OPS/mm2')} pipelined "
        f"(2 operations a multiply-accumulate, {on_crossbars(told)})",
        digital_share(told),
        left_out(told),
    ]
    return "\n".join(line for line in lines if line)


def told_cost(cost: NetworkCost) -> CostTold:
    """Return a cost as its JSON tells it."""
    told = read_cost(cost.as_json())
    if told is None:
        raise ValueError("a cost without components")
    return told


def _energy(cost: NetworkCost, told: CostTold) -> str:
    error = cost.energy_error_j
    margin = f" (+- {si(error, 'J', 2)} by sampling)" if error else ""
    reconstructed = second_hand(told)
    return (
        f"Energy of an inference on crossbars {si(cost.energy_j, 'J')}{margin}"
        f"{f', {reconstructed}' if reconstructed else ''}"
    )


def _area(cost: NetworkCost, told: CostTold) -> str:
    rest = [counted(level.needed, level.name) for level in cost.filled if level.name != "array"]
    parts = [
        f"Area in use {at_least(told)}{mm2(cost.area_mm2)}",
        ", ".join([counted(cost.arrays, "array"), *rest]),
        whole_levels(told),
        f"{percent(cost.counts.hardware.utilisation)} of cells carry weights",
    ]
    return "; ".join(part for part in parts if part)
