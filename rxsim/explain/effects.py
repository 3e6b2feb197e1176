"""What each effect of the hardware does: alone, left out, added in order, and by Shapley values.

Source: docs/concepts/model.md, section 13.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from rxsim.effects import effects
from rxsim.explain.chips import Chips
from rxsim.explain.deadline import Deadline
from rxsim.explain.estimate import Estimate, estimate
from rxsim.explain.result import EffectRow, EffectsTable
from rxsim.explain.shapley import (
    EXACT_UP_TO,
    Coalition,
    all_coalitions,
    coalitions_of,
    drawn_orders,
    exact,
    sampled,
)
from rxsim.pipeline import Study

PAIRS = 12
"""Pairs of orders that are drawn where effects are too many for all coalitions."""


def active_effects(study: Study) -> tuple[str, ...]:
    """Name the effects that are on in any layer, in the order of the table."""
    layers = list(study.layer_settings().values())
    return tuple(name for name, effect in effects().items() if any(map(effect.is_active, layers)))


def explain_effects(chips: Chips, players: Sequence[str], deadline: Deadline) -> EffectsTable:
    """Attribute the quantity to effects.

    Alone, left out and added are measured whatever the budget: without them nothing is known.

    Args:
        chips: scores sets of effects.
        players: the effects.
        deadline: bounds the rest.

    Raises:
        RxsimError: arrays can't be solved.
    """
    everything = frozenset(players)
    way = coalitions_of(players)
    needed = [
        *(frozenset([name]) for name in players),
        *(everything - {name} for name in players),
        *way,
    ]
    chips.measure(needed)
    values, method, orders, errors = _shapley(chips, players, deadline)
    known = effects()
    rows = tuple(
        EffectRow(
            name=name,
            title=known[name].title,
            alone=_difference(chips, frozenset([name]), frozenset()),
            left_out=_difference(chips, everything, everything - {name}),
            added=_difference(chips, way[at + 1], way[at]),
            shapley=estimate(values[name]) if values else None,
            sampling_error=errors.get(name, 0.0),
        )
        for at, name in enumerate(players)
    )
    return EffectsTable(
        rows=rows,
        method=method,
        orders=orders,
        coalitions=len(chips.known(players)),
        notes={name: known[name].note for name in players if known[name].note},
    )


def _difference(chips: Chips, more: Coalition, less: Coalition) -> Estimate:
    return estimate(chips.value(more) - chips.value(less))


def _shapley(
    chips: Chips, players: Sequence[str], deadline: Deadline
) -> tuple[Mapping[str, np.ndarray], str, int, Mapping[str, float]]:
    """Return Shapley values, how they were had, the number of orders, and errors of sampling.

    With a budget, orders are evaluated pair by pair as long as it lasts.
    """
    every = all_coalitions(players) if len(players) <= EXACT_UP_TO else []
    if every and not deadline.is_set:
        chips.measure(every)
    orders = drawn_orders(players, PAIRS, chips.study.settings.seed)
    done: list[tuple[str, ...]] = []
    if not every or deadline.is_set:
        for at in range(0, len(orders), 2):
            pair = orders[at : at + 2]
            if not chips.measure(
                [step for order in pair for step in coalitions_of(order)], deadline
            ):
                break
            done += pair
    if every and chips.measure(every, deadline):
        return exact(players, chips.value), "exact", 0, {}
    if len(done) < 4:  # two pairs, or nothing is known of the error
        return {}, "none", 0, {}
    values = {step: chips.value(step) for order in done for step in coalitions_of(order)}
    means, errors = sampled(done, values)
    return means, "sampled", len(done), errors
