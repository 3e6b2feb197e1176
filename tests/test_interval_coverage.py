"""Two scripts measure the coverage that docs/concepts/statistics.md states."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from rxsim.pipeline.ladder.enough_chips import AT_LEAST, MOST
from rxsim.stopping import next_trials

ROOT = Path(__file__).resolve().parents[1]


def module_of(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return module_of("interval_coverage")


@pytest.fixture(scope="module")
def more() -> ModuleType:
    return module_of("interval_coverage_more")


def short_of(share: float, tables: int) -> float:
    """Four standard errors of a measured coverage below a true one."""
    return share - 4 * float(np.sqrt(share * (1 - share) / tables))


def test_the_accuracy_is_that_of_many_draws(script: ModuleType) -> None:
    case = script.CASES[0]
    rng = np.random.default_rng(1)
    hits = np.array([script.Case(1, 2000).table(rng).mean() for _ in range(400)])
    assert case.accuracy() == pytest.approx(hits.mean(), abs=5 * hits.std() / 20)


def test_the_wilson_interval_is_scipys(script: ModuleType) -> None:
    table = np.random.default_rng(2).random((7, 90)) < 0.8
    wanted = binomtest(int(table.sum()), table.size).proportion_ci(0.95, "wilson")
    assert script.pooled(table) == pytest.approx((wanted.low, wanted.high), rel=1e-12)


def test_new_images_are_covered_and_a_heap_is_not(script: ModuleType) -> None:
    new, these, heap = script.coverage(script.CASES[0], 300)
    assert new > 0.89  # five standard errors of 300 tables below 95 %
    assert max(these, heap) < 0.75


def test_the_simulated_stop_is_that_of_the_rule(more: ModuleType) -> None:
    values = np.random.default_rng(3).standard_normal((20, more.MOST))
    stop = SimpleNamespace(half_width=0.4, at_least=AT_LEAST)
    assert (more.AT_LEAST, more.MOST) == (AT_LEAST, MOST)
    for row, count in zip(values, more.stops(values, 0.4), strict=True):
        chips = 0
        while trials := next_trials(row[:chips].tolist(), MOST, stop):
            chips = trials[-1] + 1
        assert chips == count


@pytest.mark.slow
@pytest.mark.parametrize("chips", [2, 5, 10])
def test_the_mean_over_chips_is_covered(more: ModuleType, chips: int) -> None:
    assert short_of(0.95, 1500) < more.chips(1500, chips) < 2 * 0.95 - short_of(0.95, 1500)


@pytest.mark.slow
@pytest.mark.parametrize(("share", "images"), [(0.9, 1000), (0.9, 100), (0.99, 100), (0.5, 30)])
def test_a_single_chips_share_is_covered_as_exact_sums_say(
    more: ModuleType, share: float, images: int
) -> None:
    counts = np.arange(images + 1)
    held = [
        binomtest(int(k), images).proportion_ci(0.95, "wilson").low
        <= share
        <= binomtest(int(k), images).proportion_ci(0.95, "wilson").high
        for k in counts
    ]
    exact = float(binom.pmf(counts, images, share) @ held)
    assert exact > 0.91
    error = np.sqrt(exact * (1 - exact) / 3000)
    assert more.single_chip(3000, share, images) == pytest.approx(exact, abs=4 * error)


@pytest.mark.slow
@pytest.mark.parametrize(("share", "chips"), [(0.9, 10), (0.95, 59), (0.5, 10), (0.2, 7)])
def test_a_yield_is_covered_at_least_as_stated(more: ModuleType, share: float, chips: int) -> None:
    both, lower = more.yield_share(4000, share, chips)
    assert min(both, lower) > short_of(0.95, 4000)


@pytest.mark.slow
@pytest.mark.parametrize("chips", [59, 93, 200])
def test_the_bound_on_losses_holds_as_stated(more: ModuleType, chips: int) -> None:
    assert more.yield_bound(4000, 0.95, chips) > short_of(0.95, 4000)


@pytest.mark.slow
@pytest.mark.parametrize(("chips", "images"), [(1, 360), (5, 360), (10, 360)])
def test_a_paired_difference_is_covered(more: ModuleType, chips: int, images: int) -> None:
    # Satterthwaite's degrees of freedom are an approximation: half a point is left to it.
    assert more.differences(2000, chips, images) > short_of(0.945, 2000)


@pytest.mark.slow
@pytest.mark.parametrize("wanted", [5, 10, 15, 20, 30, 50])
def test_stopping_when_the_interval_is_narrow_costs_what_the_page_states(
    more: ModuleType, wanted: float
) -> None:
    held, mean = more.sequential(20_000, wanted)
    assert held > short_of(0.934, 20_000)  # the page: 93.4 % at worst
    assert mean >= AT_LEAST
