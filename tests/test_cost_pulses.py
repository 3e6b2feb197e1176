"""Pulses that write a network: those of an evaluation, closed forms, and their price by hand."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import rxsim
from rxsim.cli import root
from rxsim.config import Cost, Settings
from rxsim.errors import InputError
from rxsim.pipeline import DataOptions, evaluate, open_study, study_cost
from rxsim.pipeline.chip.foundries import Foundries
from rxsim.pipeline.inspect.write_pulses import of_layer, write_pulses
from rxsim.pipeline.study.study import Study
from rxsim.scenarios import as_built

MODEL = Path(__file__).parents[1] / "models" / "digits_mlp.onnx"
SIGMA, TOLERANCE, ATTEMPTS = 0.05, 0.05, 4


def study_of(more: dict[str, Any] | None = None, size: int = 64) -> Study:
    changes = {
        "crossbar.rows": size,
        "crossbar.cols": size,
        "device.write_sigma": SIGMA,
        "device.g_off": 2e-6,  # far from 0 S, where a write would be cut off
        "device.g_on": 6e-6,
        "device.verify": {"tolerance": TOLERANCE, "attempts": ATTEMPTS},
        "calibration.samples": 8,
    }
    settings: Settings = rxsim.settings(changes=changes | (more or {}))
    return open_study(MODEL, settings, DataOptions(limit=10), threads=1)


def cost_of(technology: Path | str = "puma", **more: Any) -> Cost:
    return Cost(technology=str(technology), array_energy="technology", **more)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"device.stuck_hrs": 0.02, "compensate": ["pairs"]},
        {
            **{"device.stuck_lrs": 0.02, "mapping.spare_cols": 4, "mapping.unused_cells": "open"},
            "compensate": ["spares"],
        },
    ],
    ids=["plain", "pairs", "spares"],
)
def test_pulses_are_those_of_the_chip_that_an_evaluation_builds(more: dict[str, Any]) -> None:
    study = study_of(more)
    told, cost = evaluate(study).as_json(), study_cost(study, cost_of())
    arrays = told["totals"]["arrays"]
    assert cost.writing.programmed == cost.writing.programmed_of == arrays
    assert cost.writing.pulses_error == 0
    assert cost.writing.cells == told["programming"]["cells"]
    for layer, row in zip(cost.as_json()["layers"], told["layers"], strict=True):
        taken = row["programming"]
        assert layer["cells_written"] == taken["cells"]
        pulses = taken["cells"] * taken["pulses_per_cell"]
        assert layer["write_pulses"] == pytest.approx(pulses, rel=1e-12)
    assert cost.writing.pulses_per_cell == pytest.approx(
        told["programming"]["pulses_per_cell"], rel=1e-12
    )
    assert told["programming"]["pulses_per_cell"] > 1.1


def test_sampled_arrays_speak_for_the_others() -> None:
    """Mean pulses (1 - q^n)/p with p = erf(T / (sqrt(2) sigma)), q = 1 - p; four standard errors."""
    study = study_of(size=8)
    mapped = Foundries(study).map(as_built(study.settings))
    hit = math.erf(TOLERANCE / SIGMA / math.sqrt(2))
    miss = 1 - hit
    mean = (1 - miss**ATTEMPTS) / hit
    square = sum((2 * k + 1) * miss**k for k in range(ATTEMPTS))
    for told in write_pulses(study, mapped, arrays=10).values():
        assert told.arrays == min(10, told.of)
        variance = (square - mean**2) / (told.arrays * 64)
        assert abs(told.per_cell - mean) < 4 * math.sqrt(variance)
    alone = write_pulses(study, mapped, arrays=1)["fc1"]
    assert (alone.arrays, alone.error) == (1, None)


def test_the_error_is_that_of_means_over_all_samples() -> None:
    """Three of six arrays of 10 cells: the mean of error^2 over all 20 samples is their variance."""
    pulses = [10, 13, 17, 22, 12, 30]
    samples = [of_layer([(10, n) for n in s], 6) for s in itertools.combinations(pulses, 3)]
    variance = np.var([each.per_cell for each in samples])
    squares = [each.error**2 for each in samples if each.error is not None]
    assert np.mean(squares) == pytest.approx(variance, rel=1e-12)
    assert of_layer([(10, n) for n in pulses], 6).error == 0


def test_a_pulse_is_priced_by_hand(tmp_path: Path) -> None:
    """Three layers of two arrays of 4,096 cells; a pulse of 2 pJ and 50 ns on 100 cells at once."""
    file = tmp_path / "own.yaml"
    file.write_text(
        "base: isaac\n"
        "write: {energy_j: 2.0e-12, time_s: 5.0e-8, cells_at_once: 100, source: test, status: P}\n"
    )
    study = study_of({"device.verify": None})
    writing = study_cost(study, cost_of(file)).writing
    assert (writing.cells, writing.pulses, writing.programmed) == (24576, 24576, 0)
    assert writing.energy_j == pytest.approx(24576 * 2e-12, rel=1e-12)
    assert writing.seconds == pytest.approx(41 * 50e-9, rel=1e-12)  # ceil(4096 / 100)
    verified = study_of()
    writing = study_cost(verified, cost_of(file)).writing
    told = evaluate(verified).as_json()
    each = [row["programming"]["pulses_per_cell"] for row in told["layers"]]
    energy = sum(2 * 4096 * mean for mean in each) * 2e-12
    assert writing.energy_j == pytest.approx(energy, rel=1e-12)
    assert writing.seconds == pytest.approx(41 * max(each) * 50e-9, rel=1e-12)


def test_without_a_run_a_note_tells_of_the_pulses() -> None:
    words = ["cost", str(MODEL), "--xbar=64x64", "--array-energy=technology", "-q"]
    words += ["--set=device.write_sigma=0.05"]
    verify = "--set=device.verify={tolerance: 0.05}"
    for more, is_told in (([], False), ([verify], True)):
        shown = CliRunner().invoke(root, [*words, *more])
        assert shown.exit_code == 0, shown.output
        assert ("3 of 3 layers are programmed and verified" in shown.output) == is_told


def test_arguments_out_of_range_are_refused() -> None:
    study = study_of()
    mapped = Foundries(study).map(as_built(study.settings))
    with pytest.raises(InputError, match="arrays: found 0"):
        write_pulses(study, mapped, arrays=0)
