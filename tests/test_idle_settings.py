"""Settings of devices over time that change nothing are told of, and those that do are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import rxsim
from rxsim.pipeline import DataOptions, open_study

MODEL = Path(__file__).parent.parent / "models/digits_mlp.onnx"
PCM = {"device.model": "pcm-hermes"}


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
        ({}, None),
    ],
)
def test_what_changes_nothing_is_told(changes: dict[str, Any], words: str | None) -> None:
    study = open_study(MODEL, rxsim.settings(changes=changes), DataOptions(limit=4))
    told = [note for note in study.notes if "changes nothing" in note]
    assert len(told) == (words is not None)
    assert all(words is not None and words in note for note in told)
