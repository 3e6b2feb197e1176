"""Shapley values: their axioms on made-up games, and sampled orders against all coalitions."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rxsim.explain.shapley import (
    Coalition,
    all_coalitions,
    coalitions_of,
    drawn_orders,
    exact,
    sampled,
)

PLAYERS = ("a", "b", "c", "d")


def game(values: list[float]) -> dict[Coalition, np.ndarray]:
    return {
        members: np.array([[value]])
        for members, value in zip(all_coalitions(PLAYERS), values, strict=True)
    }


GAMES = st.lists(st.floats(-1, 1), min_size=16, max_size=16).map(game)


def by_definition(known: dict[Coalition, np.ndarray]) -> dict[str, float]:
    """The mean over every order of joining, written out."""
    sums = dict.fromkeys(PLAYERS, 0.0)
    orders = list(permutations(PLAYERS))
    for order in orders:
        for at, player in enumerate(order):
            before, after = frozenset(order[:at]), frozenset(order[: at + 1])
            sums[player] += known[after].item() - known[before].item()
    return {player: total / len(orders) for player, total in sums.items()}


@given(GAMES)
def test_they_are_the_mean_over_all_orders_of_joining(known: dict[Coalition, np.ndarray]) -> None:
    values = exact(PLAYERS, known.__getitem__)
    wanted = by_definition(known)
    for player in PLAYERS:
        assert values[player].item() == pytest.approx(wanted[player], abs=1e-12)


@given(GAMES)
def test_efficiency_they_add_up_to_what_all_do(known: dict[Coalition, np.ndarray]) -> None:
    values = exact(PLAYERS, known.__getitem__)
    everything = known[frozenset(PLAYERS)] - known[frozenset()]
    assert sum(value.item() for value in values.values()) == pytest.approx(
        everything.item(), abs=1e-12
    )


@given(GAMES)
def test_symmetry_interchangeable_players_get_the_same(known: dict[Coalition, np.ndarray]) -> None:
    swap = {"a": "b", "b": "a"}
    alike = {
        members: (known[members] + known[frozenset(swap.get(p, p) for p in members)]) / 2
        for members in known
    }
    values = exact(PLAYERS, alike.__getitem__)
    assert values["a"].item() == pytest.approx(values["b"].item(), abs=1e-12)


@given(GAMES)
def test_a_null_player_gets_nothing(known: dict[Coalition, np.ndarray]) -> None:
    null = {members: known[members - {"d"}] for members in known}
    assert exact(PLAYERS, null.__getitem__)["d"].item() == pytest.approx(0.0, abs=1e-12)


@given(GAMES, GAMES)
def test_additivity_values_of_a_sum_of_games_add(
    one: dict[Coalition, np.ndarray], two: dict[Coalition, np.ndarray]
) -> None:
    both = {members: one[members] + two[members] for members in one}
    values = [exact(PLAYERS, known.__getitem__) for known in (one, two, both)]
    for player in PLAYERS:
        assert values[2][player].item() == pytest.approx(
            values[0][player].item() + values[1][player].item(), abs=1e-12
        )


@given(GAMES, st.integers(0, 1000))
@settings(max_examples=30)
def test_sampled_values_add_up_too(known: dict[Coalition, np.ndarray], seed: int) -> None:
    means, _ = sampled(drawn_orders(PLAYERS, 3, seed), known)
    everything = known[frozenset(PLAYERS)] - known[frozenset()]
    assert sum(mean.item() for mean in means.values()) == pytest.approx(
        everything.item(), abs=1e-12
    )


def test_sampled_values_lie_within_their_errors_of_the_exact_ones() -> None:
    """Z-scores over 300 draws of a game of 8 players: a spread near 1, and hardly any above 4."""
    players = tuple("abcdefgh")
    rng = np.random.default_rng(0)
    weight = {player: rng.normal() for player in players}
    known = {
        members: np.array([[sum(weight[p] for p in members) ** 3 / 20 + rng.normal() * 0.1]])
        for members in all_coalitions(players)
    }
    wanted = exact(players, known.__getitem__)
    scores = []
    for seed in range(300):
        means, errors = sampled(drawn_orders(players, 12, seed), known)
        scores += [
            (means[player].item() - wanted[player].item()) / errors[player] for player in players
        ]
    # Twelve pairs give Student's t of 11 degrees of freedom: a spread of sqrt(11/9) = 1.11.
    assert 0.95 < np.std(scores) < 1.3
    assert np.mean(np.abs(scores) > 4) < 0.01
    assert abs(np.mean(scores)) < 0.1


def test_an_order_and_its_reverse_follow_each_other() -> None:
    orders = drawn_orders(PLAYERS, 4, 7)
    assert [order[::-1] for order in orders[::2]] == orders[1::2]
    assert all(sorted(order) == sorted(PLAYERS) for order in orders)
    assert orders == drawn_orders(PLAYERS, 4, 7)
    assert orders != drawn_orders(PLAYERS, 4, 8)


def test_an_order_passes_the_coalitions_from_none_to_all() -> None:
    assert coalitions_of("ab") == [frozenset(), frozenset("a"), frozenset("ab")]


def test_tables_of_one_row_stand_for_all_chips() -> None:
    """Hardware without random effects is run once: its row is broadcast against those of the chips."""
    rng = np.random.default_rng(1)
    known = {
        members: rng.random((5 if "a" in members else 1, 7)) for members in all_coalitions(PLAYERS)
    }
    full = {members: np.broadcast_to(table, (5, 7)) for members, table in known.items()}
    values, wanted = exact(PLAYERS, known.__getitem__), exact(PLAYERS, full.__getitem__)
    for player in PLAYERS:
        np.testing.assert_allclose(
            np.broadcast_to(values[player], (5, 7)), wanted[player], atol=1e-15
        )
