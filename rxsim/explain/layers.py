"""What each layer does: alone on arrays, alone digital, and the noise at its own output, by effect.

A chip stays as it is, converters too: layers are taken from it and others are left digital.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rxsim.deadline import Deadline
from rxsim.estimate import Estimate, estimate
from rxsim.explain.chips import Chips
from rxsim.explain.layer_noise import clean_noise
from rxsim.explain.players import Player
from rxsim.explain.quantity import noise_of
from rxsim.explain.result import ArrayMap, LayerRow, LayersTable
from rxsim.metrics.snr_db import decibel
from rxsim.patch import LayerHardware
from rxsim.pipeline import Foundries, Foundry, MadeChip, patch_study
from rxsim.run import LayerHealth
from rxsim.scenarios import Scenario

MOST_CHIPS = 10
"""Layers are taken out of at most so many chips: all of them are in memory."""
NOISE_INPUTS = 100
"""Inputs on which layers are looked at: many values each, so 0.2 dB are sure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _TakenOut:
    """What a layer does to the network's output.

    Attributes:
        only: see `LayerRow`.
        all_but: see `LayerRow`.
        output_noise: see `LayerRow`.
    """

    only: Estimate
    all_but: Estimate
    output_noise: float


def explain_layers(
    chips: Chips,
    players: Sequence[Player],
    foundry: Foundry,
    first: MadeChip,
    arrays: Sequence[ArrayMap],
    deadline: Deadline,
) -> LayersTable:
    """Attribute the quantity to layers.

    Args:
        chips: scores networks.
        players: the active effects.
        foundry: of the built chips.
        first: the first of them.
        arrays: a closer look at the worst arrays.
        deadline: bounds the runs that take layers out, worst layers first.

    Raises:
        RxsimError: arrays can't be solved.
    """
    count = min(chips.count(foundry), MOST_CHIPS)
    made = [first, *(foundry.make(trial) for trial in range(1, count))]
    noise = _noise_by_effect(chips, players, made[0])
    clean = noise[_BUILT]
    health = chips.runner.diagnose(made[0].network)
    names = [layer.layer.name for layer in made[0].converted]
    order = sorted(names, key=lambda name: -(clean[name] or 0.0))
    taken = _take_out(chips, made, order, deadline)
    by_name = {layer.name: layer for layer in chips.study.network.layers}
    rows = tuple(
        _row(name, by_name[name].op, clean[name], health[name], taken.get(name), noise, players)
        for name in names
    )
    return LayersTable(
        rows=rows,
        worst_first=worst_first(rows, order, chips.quantity.sign),
        arrays=tuple(arrays),
        inputs=min(NOISE_INPUTS, len(chips.study.inputs)),
    )


_BUILT = "all effects"
_Noise = Mapping[str, Mapping[str, float | None]]
"""By scenario and layer."""


def _noise_by_effect(chips: Chips, players: Sequence[Player], built: MadeChip) -> _Noise:
    """Measure the noise of each layer with clean inputs under each effect alone, and left out."""
    study = chips.study
    inputs = study.inputs.subset(chips.runner.diagnosed[:NOISE_INPUTS])
    foundries = Foundries(study)
    exact = foundries.open(Scenario("without any effect", frozenset())).make(0).converted
    everything = frozenset(name for player in players for name in player.effects)
    noise = {_BUILT: clean_noise(study, built.converted, exact, inputs)}
    for player in players:
        on = frozenset(player.effects)
        for scenario in (
            Scenario(f"only {player.name}", on),
            Scenario(f"without {player.name}", everything - on),
        ):
            layers = foundries.open(scenario).make(0).converted
            noise[scenario.name] = clean_noise(study, layers, exact, inputs)
    return noise


def _take_out(
    chips: Chips, made: Sequence[MadeChip], order: Sequence[str], deadline: Deadline
) -> dict[str, _TakenOut]:
    """Run the network with only a layer analog, and with all but it, on every chip."""
    if not order:
        return {}
    whole = [_scored(chips, chip.converted) for chip in made]
    built = np.stack([values for values, _ in whole])
    floating = chips.quantity.values(chips.floating, chips.floating)[None]
    taken = {}
    for name in order:
        if deadline.passed:
            break
        start = time.perf_counter()
        only, others = [], []
        for chip in made:
            if deadline.passed and only:
                break
            alone = [layer for layer in chip.converted if layer.layer.name == name]
            rest = [layer for layer in chip.converted if layer.layer.name != name]
            only.append(_scored(chips, alone))
            others.append(_scored(chips, rest))
        if len(only) < len(made):
            break  # half a layer is none
        shares = [
            (made + noise - left) / (2 * noise) if noise > 0 else 0.0
            for (_, made), (_, left), (_, noise) in zip(only, others, whole, strict=True)
        ]
        taken[name] = _TakenOut(
            only=estimate(np.stack([values for values, _ in only]) - floating),
            all_but=estimate(built - np.stack([values for values, _ in others])),
            output_noise=float(np.mean(shares)),
        )
        chips.forecast.layer_run(time.perf_counter() - start)
    return taken


def _scored(chips: Chips, layers: Sequence[LayerHardware]) -> tuple[np.ndarray, float]:
    """Return the quantity of a network with some analog layers, and the noise of its output."""
    network = patch_study(chips.study, layers)
    scores = chips.runner.score(network, "layers", keep=True)
    chips.runs += 1
    return chips.quantity.values(scores, chips.floating), noise_of(scores)


def _row(
    name: str,
    op: str,
    clean: float | None,
    health: LayerHealth,
    taken: _TakenOut | None,
    noise: _Noise,
    players: Sequence[Player],
) -> LayerRow:
    names = [player.name for player in players]
    alone = {each: noise[f"only {each}"][name] or 0.0 for each in names}
    left_out = {each: noise[f"without {each}"][name] or 0.0 for each in names}
    return LayerRow(
        name=name,
        op=op,
        only=None if taken is None else taken.only,
        all_but=None if taken is None else taken.all_but,
        output_noise=None if taken is None else taken.output_noise,
        snr_clean_db=None if clean is None else decibel(1.0, clean),
        snr_db=health.snr_db,
        dac_clipping=health.dac_clipping,
        adc_clipping=health.adc_clipping,
        noise_alone=alone,
        noise_left_out=left_out,
        dominant=dominant_effect(clean or 0.0, alone, left_out),
    )


def dominant_effect(noise: float, alone: Mapping[str, float], left_out: Mapping[str, float]) -> str:
    """Name the effect that makes most of a layer's noise; empty where none makes any.

    It is the largest mean of the noise that an effect makes alone, and of what goes without it: the
    Shapley value of two players, the effect and all others.

    Args:
        noise: with all effects.
        alone: with only this effect, by its name.
        left_out: without it, by its name.
    """
    made = {name: (alone[name] + noise - left_out[name]) / 2 for name in alone}
    name = max(made, key=lambda each: made[each], default="")
    return name if name and made[name] > 0 else ""


def worst_first(rows: Sequence[LayerRow], order: Sequence[str], sign: float) -> tuple[str, ...]:
    """Sort layers by what they cost.

    That is what comes back where a layer is digital, if any layer's is proven; otherwise the share of
    the output's noise that goes with it. Layers that were not taken out follow by their own noise.

    Args:
        rows: of all layers.
        order: their names by their own noise, most first.
        sign: 1 where more of the quantity is better, -1 where less is.
    """
    measured = [row for row in rows if row.all_but is not None]
    costs = {row.name: -sign * row.all_but.mean for row in measured if row.all_but is not None}
    shares = {row.name: row.output_noise or 0.0 for row in measured}
    proven = any(
        row.all_but is not None and row.all_but.is_proven and costs[row.name] > 0
        for row in measured
    )
    if proven:
        first = sorted(costs, key=lambda name: (-costs[name], -shares[name]))
    else:
        first = sorted(shares, key=lambda name: -shares[name])
    return (*first, *(name for name in order if name not in costs))
