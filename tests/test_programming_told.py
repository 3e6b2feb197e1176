"""What program-and-verify took: counts of a result against closed forms, also through a cache."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import rxsim
from rxsim.cache import Cache
from rxsim.cli import root
from rxsim.config import Settings
from rxsim.pipeline import DataOptions, evaluate, open_study
from rxsim.report.html.programming_table import programming_table

MODEL = Path(__file__).parents[1] / "models" / "digits_mlp.onnx"
SIGMA = 0.05


def settings(tolerance: float, attempts: int) -> Settings:
    changes = {
        "crossbar.rows": 64,
        "crossbar.cols": 64,
        "device.write_sigma": SIGMA,
        "device.g_off": 2e-6,  # far from 0 S, where a write would be cut off
        "device.g_on": 6e-6,
        "device.verify": {"tolerance": tolerance, "attempts": attempts},
        "calibration.samples": 8,
    }
    return rxsim.settings(changes=changes)


def told(tolerance: float, attempts: int) -> dict[str, Any]:
    return rxsim.evaluate(MODEL, settings(tolerance, attempts), DataOptions(limit=10)).as_json()


def test_all_or_nothing_is_accepted() -> None:
    first = told(1.0, 5)["programming"]
    assert first == {
        "cells": first["cells"],
        "pulses_per_cell": 1.0,
        "worst": 1,
        "not_accepted": 0,
    }
    last = told(0.0, 3)["programming"]
    cells = last["cells"]
    assert last == {"cells": cells, "pulses_per_cell": 3.0, "worst": 3, "not_accepted": cells}
    assert cells == first["cells"] > 0
    assert cells % (64 * 64) == 0


def test_pulses_follow_the_share_that_a_write_hits() -> None:
    """p = erf(T / (sqrt(2) sigma)); mean pulses (1 - q^n)/p, missed q^n, q = 1 - p."""
    attempts, tolerance = 4, 0.05
    result = told(tolerance, attempts)
    total = result["programming"]
    hit = math.erf(tolerance / SIGMA / math.sqrt(2))
    miss = 1 - hit
    mean = (1 - miss**attempts) / hit
    square = sum((2 * k + 1) * miss**k for k in range(attempts))
    missed = miss**attempts
    cells = total["cells"]
    # Four standard errors.
    assert abs(total["pulses_per_cell"] - mean) < 4 * math.sqrt((square - mean**2) / cells)
    share = total["not_accepted"] / cells
    assert abs(share - missed) < 4 * math.sqrt(missed * (1 - missed) / cells)
    assert total["worst"] == attempts
    layers = [row["programming"] for row in result["layers"]]
    assert sum(row["cells"] for row in layers) == cells
    assert sum(row["not_accepted"] for row in layers) == total["not_accepted"]
    pulses = sum(row["cells"] * row["pulses_per_cell"] for row in layers)
    assert pulses == pytest.approx(cells * total["pulses_per_cell"], rel=1e-12)


def test_the_cache_keeps_them(tmp_path: Path) -> None:
    found = []
    for _ in range(2):
        cache = Cache(tmp_path, 10**8)
        study = open_study(MODEL, settings(0.05, 3), DataOptions(limit=10), threads=1, cache=cache)
        found.append(evaluate(study).as_json()["programming"])
    assert cache.hits > 0
    assert found[0] == found[1]


def test_they_are_told_where_cells_are_verified_and_only_there() -> None:
    options = ["--xbar=64x64", "--limit=10", "-q", "--set=device.write_sigma=0.05"]
    words = ["eval", str(MODEL), *options]
    verified = CliRunner().invoke(root, [*words, "--set=device.verify={tolerance: 1}"]).stdout
    assert "1 pulse per cell, 1 at worst; 0 % not accepted" in verified
    plain = rxsim.evaluate(MODEL, "64x64", DataOptions(limit=10)).as_json()
    assert "programming" not in plain
    assert all("programming" not in row for row in plain["layers"])
    assert programming_table(plain, plain["layers"]) is None


def test_the_report_has_a_row_a_layer() -> None:
    taken = {"cells": 2000, "pulses_per_cell": 2.5, "worst": 7, "not_accepted": 30}
    layers: list[dict[str, Any]] = [
        {"name": "<b>", "programming": taken},
        {"name": "x", "programming": "no"},
        {},
    ]
    table = programming_table({"programming": taken}, layers)
    assert table is not None
    assert list(table.rows) == [
        ("all", "2,000", "2.5", "7", "30", "1.5"),
        ("<b>", "2,000", "2.5", "7", "30", "1.5"),
    ]
    odd = programming_table({"programming": {"cells": 0, "worst": float("nan")}}, [])
    assert odd is not None
    assert odd.rows[0] == ("all", "0", "-", "-", "-", "-")
