"""Laws whose numbers change with the time after programming: their formulas, and what they refuse."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from rxsim.config import Device, Preset, load_settings, named_preset
from rxsim.devices import check_presets
from rxsim.devices.law import check_preset
from rxsim.devices.laws.relaxation import relaxed
from rxsim.devices.laws.timed_polynomial import LAW, TimedPolynomial
from rxsim.errors import SettingError

uS = 1e-6
DAY = 86400.0


def test_relaxation_moves_the_mean_and_the_spread_with_each_e_fold_of_time() -> None:
    g, z = np.full(3, 50 * uS), np.array([-1.0, 0.0, 2.0])
    after = relaxed(g, z, math.exp(3), -0.089 * uS, (0.042 * uS, 0.4118 * uS)) / uS
    assert after == pytest.approx(50 - 3 * 0.089 + z * (3 * 0.042 + 0.4118))
    at_a_second = relaxed(g, z, 1.0, -0.089 * uS, (0.042 * uS, 0.4118 * uS)) / uS
    assert at_a_second == pytest.approx(50 + z * 0.4118)


def test_a_spread_that_would_be_negative_is_none() -> None:
    g = np.full(4, 50 * uS)
    assert (relaxed(g, np.arange(4.0), 1e-9, 0.0, (0.042 * uS, 0.4118 * uS)) == g).all()


@pytest.mark.parametrize(
    ("assignments", "words"),
    [
        (["device.model=rram-wan", "device.time=1h"], "expected 0 or 1 s or 1 d or 2 d"),
        (["device.model=rram-wan", "device.time=3d"], "expected 0 or 1 s or 1 d or 2 d"),
        (["device.model=sonos-agrawal-aged", "device.time=36h"], "1 d or 2 d or 3 d or 4 d or 5 d"),
        (["device.model=rram-falcone-2pct", "device.time=0.5"], "expected 0 or 1 s to 10 y"),
        (["device.model=rram-falcone-2pct", "device.time=11y"], "expected 0 or 1 s to 10 y"),
        (["device.model=pcm-hermes", "device.time=2y"], "expected 0 s to 1 y"),
        (["device.model=pcm-hermes", "device.read_sigma=1%"], "already holds read noise"),
        (
            ["device.model=rram-wan", "device.time=1h", "device.without=[drift]"],
            "expected 0 or 1 s or 1 d or 2 d",
        ),
        (["device.model=rram-wan-1day", "device.time=1d"], "does not say what time does"),
        (["device.model=rram-milo-iv", "device.g_off=5e-5"], "measured in"),
        (["device.model=sonos-agrawal-aged", "device.g_on=16e-6"], "measured in"),
    ],
)
def test_a_time_or_range_that_was_not_measured_is_refused(
    assignments: list[str], words: str
) -> None:
    with pytest.raises(SettingError, match=words):
        load_settings(assignments=assignments)


@pytest.mark.parametrize("seconds", ["1s", "1d", "172800", "0"])
def test_a_time_that_was_measured_is_taken(seconds: str) -> None:
    check_presets(load_settings(assignments=["device.model=rram-wan", f"device.time={seconds}"]))


def changed(name: str, times: list[float] | None, **numbers: Any) -> Preset:
    """Return a preset with other times and numbers."""
    plain = named_preset(name).model_dump(exclude_none=True)
    plain["laws"]["write_error"].update(numbers)
    plain["times"] = None if times is None else {"at": times}
    return Preset.model_validate(plain)


@pytest.mark.parametrize(
    ("name", "times", "numbers", "words"),
    [
        ("rram-wan", [1.0], {}, "coefficients: found 3 rows for 1 time of the preset's times.at"),
        ("rram-wan", [1.0, DAY], {"coefficients": [[1.0]]}, "found 1 row for 2 times"),
        ("rram-wan", None, {}, "found 3 rows for 0 times"),
        ("rram-wan", [1.0], {"coefficients": []}, "coefficients"),
        ("rram-wan", [1.0], {"coefficients": [[]]}, "coefficients"),
        ("sonos-agrawal-aged", [DAY], {}, "a: found 6 rows for 1 time"),
        ("sonos-agrawal-aged", [DAY], {"a": [1.0], "b": [-1.0]}, "found -1"),
    ],
)
def test_rows_that_are_not_one_for_each_time_are_refused(
    name: str, times: list[float] | None, numbers: dict[str, Any], words: str
) -> None:
    with pytest.raises(SettingError, match=words):
        check_preset(changed(name, times, **numbers), "preset file mine.yaml")


def test_with_a_row_more_the_first_holds_at_time_0() -> None:
    assert isinstance(LAW, TimedPolynomial)
    preset = changed("rram-wan", [1.0, DAY], coefficients=[[1.0], [2.0], [3.0]])
    sigma = [
        float(LAW.sigma(np.array(20 * uS), Device.model_validate({"model": preset, "time": time})))
        for time in (0, 1, DAY)
    ]
    assert np.array(sigma) / uS == pytest.approx([1, 2, 3])
