"""scripts/interval_coverage.py measures what docs/concepts/statistics.md states."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy.stats import binomtest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "interval_coverage", ROOT / "scripts/interval_coverage.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["interval_coverage"] = module
    spec.loader.exec_module(module)
    return module


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
