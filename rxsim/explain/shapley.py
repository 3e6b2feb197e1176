"""Shapley values: what each player adds to a coalition, averaged over all orders of joining.

phi_i = sum over S without i of |S|! (n - |S| - 1)! / n! (v(S + i) - v(S))

They add up to v(all) - v(none) (efficiency), are equal for players that are interchangeable (symmetry)
and 0 for one that changes nothing (null player).
Source: Shapley, A value for n-person games, 1953; sampled orders: Castro et al., Computers & Operations
Research 36, 2009; each order with its reverse: Mitchell et al., JMLR 23, 2022.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from math import factorial

import numpy as np

from rxsim.seeds import Sample, sample_generator

Coalition = frozenset[str]
Value = Callable[[Coalition], np.ndarray]
"""Returns a coalition's value: an array, whose shapes broadcast."""

EXACT_UP_TO = 6
"""Players up to which all coalitions are evaluated. Source: docs/concepts/model.md, section 13."""


def all_coalitions(players: Sequence[str]) -> list[Coalition]:
    """List every subset of the players, small ones first."""
    return [
        frozenset(members)
        for size in range(len(players) + 1)
        for members in combinations(players, size)
    ]


def exact(players: Sequence[str], value: Value) -> dict[str, np.ndarray]:
    """Return the exact Shapley value of each player.

    Args:
        players: their names.
        value: of a coalition; asked once for each of the 2^n.
    """
    known = {members: value(members) for members in all_coalitions(players)}
    count = len(players)
    weight = [
        factorial(size) * factorial(count - size - 1) / factorial(count) for size in range(count)
    ]
    return {
        player: np.asarray(
            sum(
                weight[len(members)] * (known[members | {player}] - known[members])
                for members in known
                if player not in members
            )
        )
        for player in players
    }


def drawn_orders(players: Sequence[str], pairs: int, seed: int) -> list[tuple[str, ...]]:
    """Draw orders of joining; each is followed by its reverse, whose errors partly cancel.

    Args:
        players: their names.
        pairs: orders without the reversed ones.
        seed: of the draw.
    """
    rng = sample_generator(seed, Sample.ORDERS_OF_EFFECTS)
    orders = []
    for _ in range(pairs):
        order = tuple(players[at] for at in rng.permutation(len(players)))
        orders += [order, order[::-1]]
    return orders


def coalitions_of(order: Sequence[str]) -> list[Coalition]:
    """List the coalitions that an order of joining passes, from none to all."""
    return [frozenset(order[:size]) for size in range(len(order) + 1)]


def sampled(
    orders: Sequence[Sequence[str]], values: Mapping[Coalition, np.ndarray]
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Estimate Shapley values from orders of joining.

    Args:
        orders: pairs of an order and its reverse, at least two pairs.
        values: of every coalition on their ways.

    Returns:
        The values, and by player the standard error that comes from sampling orders: of the mean over
        pairs. The values add up to v(all) - v(none) exactly, as each order's do.
    """
    steps: dict[str, list[np.ndarray]] = {player: [] for player in orders[0]}
    for order in orders:
        way = coalitions_of(order)
        for at, player in enumerate(order):
            steps[player].append(values[way[at + 1]] - values[way[at]])
    means = {player: np.asarray(sum(added) / len(added)) for player, added in steps.items()}
    pairs = means_of_pairs(orders, values)
    return means, {player: error_of_orders(each) for player, each in pairs.items()}


def means_of_pairs(
    orders: Sequence[Sequence[str]], values: Mapping[Coalition, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return what each player adds on average in a pair of orders, float64 (pairs,) by player.

    Args:
        orders: pairs of an order and its reverse.
        values: of every coalition on their ways.
    """
    added: dict[str, list[float]] = {player: [] for player in orders[0]}
    for order in orders:
        way = coalitions_of(order)
        for at, player in enumerate(order):
            added[player].append(float((values[way[at + 1]] - values[way[at]]).mean()))
    return {player: np.reshape(each, (-1, 2)).mean(axis=1) for player, each in added.items()}


def error_of_orders(pairs: np.ndarray) -> float:
    """Return the standard error of the mean over pairs of orders, of at least two."""
    return float(np.std(pairs, ddof=1) / np.sqrt(len(pairs)))
