"""Input ranges that the settings state: `input.range: {x_max: 2}`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small_networks import dense

from rxsim.config import Settings, as_yaml, load_settings
from rxsim.errors import SettingError
from rxsim.pipeline import DataOptions, Study, calibrate, open_study, patched_chip
from rxsim.session import Session

EXACT = [f"crossbar.{each}=0" for each in ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense")]
EXACT += ["device.n_bits=null", "adc.n_bits=null", "dac.n_bits=3"]
WEIGHT = np.random.default_rng(0).normal(size=(5, 3))


def opened(*assignments: str, low: float = 0.0) -> Study:
    x: Any = np.random.default_rng(1).uniform(low, 3, (20, 5)).astype(np.float32)
    settings = load_settings(None, assignments=[*EXACT, *assignments])
    return open_study(dense(WEIGHT), settings, DataOptions(data=x), threads=1)


@pytest.mark.parametrize(("low", "bounds", "steps"), [(0.0, (0, 7), 7), (-3.0, (-3, 3), 3)])
def test_dacs_span_the_stated_range(low: float, bounds: tuple[int, int], steps: int) -> None:
    """Three bits of [0, 2], or of [-2, 2] where inputs have both signs; numpy computes the rest."""
    study = opened("input.range={x_max: 2}", low=low)
    feeds = study.inputs.feeds(0, 20)
    (scores,) = Session(patched_chip(study).model, "chip").run([study.output], feeds)
    (x,) = feeds.values()
    codes = np.rint(np.clip(x * (steps / 2), *bounds))
    np.testing.assert_allclose(scores, (codes * (2 / steps)) @ WEIGHT, atol=1e-5)


def test_a_calibration_and_settings_that_are_read_again_hold_it() -> None:
    study = opened("layers.*.input.range={x_max: 2}")
    (name,) = (layer.name for layer in study.network.layers)
    assert calibrate(study).input_ranges[name].x_max == 2
    again = Settings.model_validate(load_yaml(as_yaml(study.settings)))
    assert again == study.settings


def load_yaml(text: str) -> Any:
    import yaml

    return yaml.safe_load(text)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("{x_max: 0}", "x_max"),
        ("{x_max: -1}", "x_max"),
        ("{x_max: .inf}", "x_max"),
        ("{top: 1}", "top"),
        ("4", "input.range: found 4, expected calibrated, model or {x_max: 4}"),
        ("[1, 2]", "expected calibrated, model or {x_max: 4}"),
    ],
)
def test_what_is_no_range_is_refused(given: str, words: str) -> None:
    with pytest.raises(SettingError, match=words.replace("{", r"\{")):
        load_settings(None, assignments=[f"input.range={given}"])
