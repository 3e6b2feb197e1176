"""Settings of devices over time that change nothing are told of, and those that do are not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import rxsim
from rxsim.cli import root
from rxsim.pipeline import DataOptions, open_study

MODEL = Path(__file__).parent.parent / "models/digits_mlp.onnx"
FEW = DataOptions(limit=4)
PCM = {"device.model": "pcm-hermes"}
DAY = {**PCM, "device.time": "1d"}
VERIFY = {"device.verify": {"tolerance": 0.02}}
FIXED = {"adc.range": {"amperes": 1e-5}}


def run(*arguments: object) -> Result:
    return CliRunner().invoke(root, [str(argument) for argument in arguments])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"drift_compensation": "layer"}, "drift_compensation: layer changes nothing"),
        ({**PCM, "drift_compensation": "column"}, "drift_compensation: column changes nothing"),
        ({**PCM, "device.time": "1h", "drift_compensation": "layer"}, None),
        ({"device.read_noise": "fresh"}, "device.read_noise: fresh changes nothing"),
        (
            {**PCM, "device.read_noise": "fresh", "device.without": ["read_noise"]},
            "device.read_noise: fresh changes nothing",
        ),
        ({**PCM, "device.read_noise": "fresh"}, None),
        ({"device.read_noise": "fresh", "device.read_sigma": 0.01}, None),
        (
            {**DAY, "device.refresh": "1d", "drift_compensation": "layer"},
            "drift_compensation: layer changes nothing: with device.refresh: 1 d the cells have just "
            "been programmed anew at 1 d",
        ),
        ({"device.refresh": "1d"}, "device.refresh: 1 d changes nothing right after programming"),
        (
            {**DAY, "device.refresh": "1w"},
            "device.refresh: 7 d changes nothing: cells are read before",
        ),
        ({**DAY, "device.refresh": "1h"}, None),
        (VERIFY, "device.verify changes nothing: writing is exact"),
        ({**VERIFY, "device.write_sigma": 0.05}, None),
        ({"device.verify": {"tolerance": 0.02, "read_sigma": 0.01}}, None),
        ({**PCM, **VERIFY}, None),
        (
            {"device.model": "pcm-joshi", "device.without": ["drift"]},
            "device.without: [drift] changes nothing: the device.model has no such law",
        ),
        ({**PCM, "device.without": ["drift"]}, None),
        (
            {**PCM, "device.run_time": 2},
            "device.run_time: 2 s changes nothing with read_noise: frozen",
        ),
        ({**PCM, "device.run_time": 2, "device.read_noise": "fresh"}, None),
        ({**FIXED, "adc.n_bits": None}, "adc.range changes nothing: with adc.n_bits: null"),
        ({**FIXED, "adc.percentile": 99}, "adc.percentile changes nothing"),
        (
            {**FIXED, "adc.scope": "column", "adc.criterion": "mse"},
            "adc.criterion and adc.scope change nothing",
        ),
        (
            {"adc.percentile": 99, "layers": {"fc1": {"adc": {"range": {"amperes": 1e-5}}}}},
            None,
        ),
        (FIXED, None),
        ({}, None),
    ],
)
def test_what_changes_nothing_is_told(changes: dict[str, Any], words: str | None) -> None:
    study = open_study(MODEL, rxsim.settings(changes=changes), FEW)
    told = [note for note in study.notes if re.search("changes? nothing", note)]
    assert len(told) == (words is not None)
    assert all(words is not None and words in note for note in told)


def test_all_times_that_are_asked_for_count() -> None:
    settings = rxsim.settings(changes={**PCM, "drift_compensation": "layer"})
    told = [open_study(MODEL, settings, FEW, times=times).notes for times in ((0, 86400), (0,), ())]
    assert ["changes nothing" in " ".join(notes) for notes in told] == [False, True, True]


def test_a_refresh_of_cells_without_drift_is_told() -> None:
    changes = {"device.time": "1d", "device.refresh": "1h", "device.without": ["drift"]}
    study = open_study(MODEL, rxsim.settings(changes=changes), FEW)
    assert any("device.refresh: 1 h undoes nothing" in note for note in study.notes)


def test_without_compensation_says_how_drift_compensation_is_left_out() -> None:
    options = ["--limit=4", "--set=device.model=pcm-hermes", "--without=compensation", "--trials=1"]
    for kind, told in (("layer", True), ("none", False)):
        done = run("eval", MODEL, *options, "--time=0,1d", f"--set=drift_compensation={kind}")
        assert done.exit_code == 0, done.output
        assert "compensation: nothing in the settings switches this effect on" in done.output
        assert ("set drift_compensation: none" in done.output) == told
        assert "changes nothing" not in done.output
