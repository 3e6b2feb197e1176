"""What each effect of the hardware does: alone, left out, added in order, and by Shapley values.

Source: docs/concepts/model.md, section 13.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from rxsim.deadline import Deadline
from rxsim.estimate import Estimate, estimate, widened
from rxsim.explain.chips import Chips
from rxsim.explain.players import Player, effects_on
from rxsim.explain.result import EffectRow, EffectsTable
from rxsim.explain.shapley import (
    EXACT_UP_TO,
    Coalition,
    Value,
    all_coalitions,
    coalitions_of,
    drawn_orders,
    error_of_orders,
    exact,
    means_of_pairs,
    sampled,
)

PAIRS = 12
"""Pairs of orders that are drawn where effects are too many for all coalitions."""


def explain_effects(chips: Chips, players: Sequence[Player], deadline: Deadline) -> EffectsTable:
    """Attribute the quantity to effects.

    Alone, left out and added are measured whatever the budget: without them nothing is known.

    Args:
        chips: scores sets of effects.
        players: the effects.
        deadline: bounds the rest.

    Raises:
        RxsimError: arrays can't be solved.
    """
    names = [player.name for player in players]
    everything, way = frozenset(names), coalitions_of(names)
    chips.measure(needed_sets(players))

    def value(on: Coalition) -> np.ndarray:
        return chips.value(effects_on(players, on))

    alone = {name: value(frozenset([name])) - value(frozenset()) for name in names}
    left_out = {name: value(everything) - value(everything - {name}) for name in names}
    method, orders = _orders(chips, players, deadline)
    values, errors = _shapley(method, orders, names, value)
    costs = values or {name: (alone[name] + left_out[name]) / 2 for name in names}
    behind = _behind(costs, chips.quantity.sign, _pairs(method, orders, value))
    noise, _ = _shapley(method, orders, names, lambda on: chips.noise(effects_on(players, on)))
    shares = _shares({name: float(part.mean()) for name, part in noise.items()})
    rows = tuple(
        EffectRow(
            name=player.name,
            title=player.title,
            alone=estimate(alone[player.name]),
            left_out=estimate(left_out[player.name]),
            added=estimate(value(way[at + 1]) - value(way[at])),
            shapley=estimate(values[player.name]) if values else None,
            sampling_error=errors.get(player.name, 0.0),
            noise_share=shares.get(player.name),
            behind=behind.get(player.name),
        )
        for at, player in enumerate(players)
    )
    return EffectsTable(
        rows=rows,
        method=method,
        orders=len(orders),
        coalitions=len(chips.known()),
        notes={player.name: player.note for player in players if player.note},
        sets={
            tuple(player.name for player in players if on.issuperset(player.effects)): float(
                chips.value(on).mean()
            )
            for on in sorted(chips.known(), key=len)
        },
    )


def _behind(
    costs: Mapping[str, np.ndarray], sign: float, pairs: Mapping[str, np.ndarray]
) -> dict[str, Estimate]:
    """Compare the effect that costs most with each other one, chip by chip and image by image.

    Args:
        costs: what each effect changes, float64 (chips, images) by name.
        sign: 1 where more of the quantity is better, -1 where less is.
        pairs: what each effect adds in each pair of sampled orders; none where values are exact.
    """
    if not costs:
        return {}
    first = min(costs, key=lambda name: sign * float(costs[name].mean()))
    behind = {}
    for name in costs:
        if name != first:
            more = estimate(costs[first] - costs[name])
            if pairs:
                apart = pairs[first] - pairs[name]
                more = widened(more, error_of_orders(apart), len(apart) - 1)
            behind[name] = more
    return behind


def _pairs(
    method: str, orders: Sequence[tuple[str, ...]], value: Value
) -> Mapping[str, np.ndarray]:
    """Return what each effect adds in each pair of orders; none where values are not sampled."""
    if method != "sampled":
        return {}
    return means_of_pairs(orders, _on_the_way(orders, value))


def _on_the_way(orders: Sequence[tuple[str, ...]], value: Value) -> dict[Coalition, np.ndarray]:
    return {step: value(step) for way in orders for step in coalitions_of(way)}


def needed_sets(players: Sequence[Player]) -> list[Coalition]:
    """List the sets of effects that are measured whatever the budget."""
    names = [player.name for player in players]
    everything = frozenset(names)
    needed = [
        *(frozenset([name]) for name in names),
        *(everything - {name} for name in names),
        *coalitions_of(names),
    ]
    return [effects_on(players, on) for on in needed]


def shapley_sets(players: Sequence[Player], seed: int) -> list[Coalition]:
    """List the sets of effects that Shapley values take where there is time."""
    names = [player.name for player in players]
    if len(names) <= EXACT_UP_TO:
        sets = all_coalitions(names)
    else:
        sets = [step for order in drawn_orders(names, PAIRS, seed) for step in coalitions_of(order)]
    return [effects_on(players, on) for on in sets]


def _orders(
    chips: Chips, players: Sequence[Player], deadline: Deadline
) -> tuple[str, list[tuple[str, ...]]]:
    """Measure what Shapley values need; return how they can be had, and the sampled orders.

    With a budget, orders are evaluated pair by pair as long as it lasts.
    """
    names = [player.name for player in players]
    every = all_coalitions(names) if len(names) <= EXACT_UP_TO else []

    def measured(sets: Iterable[Coalition]) -> bool:
        return chips.measure((effects_on(players, on) for on in sets), deadline)

    if every and not deadline.is_set:
        measured(every)
    orders = drawn_orders(names, PAIRS, chips.study.settings.seed)
    done: list[tuple[str, ...]] = []
    if not every or deadline.is_set:
        for at in range(0, len(orders), 2):
            pair = orders[at : at + 2]
            if not measured(step for order in pair for step in coalitions_of(order)):
                break
            done += pair
    if every and measured(every):
        return "exact", []
    # Of less than two pairs nothing is known of the error.
    return ("sampled", done) if len(done) >= 4 else ("none", [])


def _shapley(
    method: str, orders: Sequence[tuple[str, ...]], names: Sequence[str], value: Value
) -> tuple[Mapping[str, np.ndarray], Mapping[str, float]]:
    """Return the Shapley values of players and their errors of sampling; none where not measured."""
    if method == "exact":
        return exact(names, value), {}
    if method == "none":
        return {}, {}
    return sampled(orders, _on_the_way(orders, value))


def _shares(parts: Mapping[str, float]) -> dict[str, float]:
    """Return parts over their sum; none where that is 0."""
    whole = sum(parts.values())
    return {name: part / whole for name, part in parts.items()} if whole > 0 else {}
