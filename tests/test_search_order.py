"""The order of a search: its winner is that of brute force, and a chain is bisected."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rxsim.search.order import Order, make_order


def run(order: Order, meets: np.ndarray, fails: frozenset[int] = frozenset()) -> list[list[int]]:
    """Search; return the points that met the goal, that missed it, and that failed, in order."""
    met: list[int] = []
    missed: list[int] = []
    failed: list[int] = []
    while (place := order.next_point(met, missed, failed)) is not None:
        assert place not in (*met, *missed, *failed)
        (failed if place in fails else met if meets[place] else missed).append(place)
    return [met, missed, failed]


@st.composite
def lattices(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Costs, qualities, classes and values: a lattice whose value never falls along its good sides."""
    shape = draw(st.lists(st.integers(1, 5), min_size=1, max_size=3))
    kinds = draw(st.integers(1, 3))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(kinds, *shape))
    for axis in range(1, values.ndim):
        values = np.maximum.accumulate(values, axis=axis)
    qualities = np.array(list(itertools.product(*map(range, shape))), float)
    count = kinds * len(qualities)
    # Costs of any kind, with many that are equal.
    costs = rng.integers(0, draw(st.integers(1, 20)), (count, 2)).astype(float)
    if draw(st.booleans()):
        costs[:, 0] = np.tile(qualities.sum(axis=1), kinds)
    classes = np.repeat(np.arange(kinds), len(qualities))
    shuffled = rng.permutation(count)
    return (
        costs[shuffled],
        np.tile(qualities, (kinds, 1))[shuffled],
        classes[shuffled],
        values.reshape(-1)[shuffled],
    )


@given(lattices(), st.floats(0, 1))
@settings(max_examples=200, deadline=None)
def test_the_winner_is_that_of_brute_force(
    lattice: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray], share: float
) -> None:
    costs, qualities, classes, values = lattice
    order = make_order(costs, qualities, classes)
    assert sorted(order.rank) == list(range(len(values)))
    meets = values >= np.quantile(values, share)
    met, missed, _ = run(order, meets)
    assert len(met) + len(missed) <= len(values)
    best = order.cheapest(met)
    assert best is not None  # the largest value always meets it
    least = min((tuple(costs[place]) for place in np.flatnonzero(meets)), default=None)
    assert tuple(costs[best]) == least
    # None of equal cost that meets the goal is nowhere better: what is worse is less hardware.
    for place in np.flatnonzero(meets):
        same = tuple(costs[place]) == least and classes[place] == classes[best]
        assert not (same and place != best and (qualities[place] <= qualities[best]).all())


@given(lattices())
@settings(max_examples=50, deadline=None)
def test_that_no_point_meets_is_found_from_the_best_points_alone(
    lattice: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
) -> None:
    costs, qualities, classes, values = lattice
    order = make_order(costs, qualities, classes)
    met, missed, _ = run(order, np.zeros(len(values), bool))
    assert not met
    tops = {int(np.flatnonzero(classes == kind)[0]) for kind in classes}
    for kind in {int(classes[top]) for top in tops}:
        here = np.flatnonzero(classes == kind)
        assert here[np.argmax(qualities[here].sum(axis=1))] in missed


@pytest.mark.parametrize("count", [1, 2, 7, 8, 100, 1000])
def test_a_chain_is_bisected(count: int) -> None:
    line = np.arange(count, dtype=float)
    order = make_order(line[:, None], line[:, None], np.zeros(count, int))
    for first in {0, 1, count // 3, count - 1, count}:
        met, missed, _ = run(order, line >= first)
        assert len(met) + len(missed) <= math.floor(math.log2(count)) + 1
        assert order.cheapest(met) == (first if first < count else None)


def test_values_without_a_good_side_are_tried_by_cost() -> None:
    costs = np.array([[3.0], [1.0], [2.0], [4.0]])
    order = make_order(costs, np.zeros((4, 1)), np.arange(4))
    assert run(order, np.array([True, False, False, True])) == [[0], [1, 2], []]


def test_what_is_implied_to_meet_is_tried_at_its_cheapest() -> None:
    # Better is cheaper here: once a point meets, the cheapest that is better has to meet, too.
    line = np.arange(50, dtype=float)
    order = make_order(-line[:, None], line[:, None], np.zeros(50, int))
    met, missed, _ = run(order, line >= 10)
    assert order.cheapest(met) == 49
    assert len(met) + len(missed) <= 2


def test_a_point_that_fails_is_passed_over() -> None:
    line = np.arange(8, dtype=float)
    order = make_order(line[:, None], line[:, None], np.zeros(8, int))
    met, _, failed = run(order, line >= 3, frozenset({3}))
    assert (order.cheapest(met), failed) == (4, [3])


def test_contradictions_are_pairs_in_the_wrong_order() -> None:
    line = np.arange(4, dtype=float)
    order = make_order(line[:, None], line[:, None], np.array([0, 0, 0, 1]))
    assert order.contradictions([0, 3], [1, 2]) == [(0, 1), (0, 2)]
    assert order.contradictions([1, 2], [0, 3]) == []
