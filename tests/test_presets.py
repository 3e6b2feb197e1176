"""Published devices: the numbers of their sources, and what a preset does to the settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rxsim.config import Device, load_settings, named_preset
from rxsim.devices import Chip, measured_law, program
from rxsim.devices.measured_deviation import MeasuredDeviation
from rxsim.errors import SettingError
from rxsim.mapping import PhysicalArray

CONFIGS = Path(__file__).parents[1] / "configs"
uS = 1e-6


def pcm_nandakumar(g: np.ndarray) -> np.ndarray:  # G_max 25; sigma(g) times G_max/25
    return 0.26348 + 1.9650 * g / 25 - 1.1731 * (g / 25) ** 2


def pcm_joshi(g: float | np.ndarray) -> float | np.ndarray:
    return -0.00178767 * g**2 + 0.07585724 * g + 0.28638599


def pcm_hermes(g: np.ndarray) -> np.ndarray:
    x = g / 20.7
    return 0.16603222 + 4.71806468 * x - 8.48101252 * x**2 + 4.68961419 * x**3


def rram_wan_1day(g: float | np.ndarray) -> float | np.ndarray:
    x = g / 40
    return 0.701 + 22.086 * x - 50.773 * x**2 + 47.095 * x**3 - 16.458 * x**4


def sonos(g: float | np.ndarray) -> float | np.ndarray:  # nanoampere at 0.1 V
    current = g * 0.1 * 1e3
    return 19.887 * (1 - np.exp(-current / 176.31)) / (0.1 * 1e3)


PUBLISHED = {
    "pcm-nandakumar": (0, 25, pcm_nandakumar),
    "pcm-joshi": (0.25, 25, pcm_joshi),
    "pcm-hermes": (0, 20.7, pcm_hermes),
    "rram-wan-1s": (
        0,
        40,
        lambda g: (
            0.348
            + 16.03 * (g / 40)
            - 43.853 * (g / 40) ** 2
            + 45.393 * (g / 40) ** 3
            - 16.815 * (g / 40) ** 4
        ),
    ),
    "rram-wan-1day": (0, 40, rram_wan_1day),
    "rram-wan-crosssim": (
        0,
        39.26,
        lambda g: 1.053 + 0.2374 * g - 1.167e-2 * g**2 + 1.536e-4 * g**3,
    ),
    "rram-milo": (50, 225, lambda g: -0.009107 * g + 4.7823),
    "rram-falcone-2pct": (9, 88.2, lambda g: 0.01129 * g + 0.01122),
    "rram-falcone-0.2pct": (9, 88.2, lambda g: 0.001069 * g + 0.000811),
    "sonos-agrawal": (0, 16, sonos),
}


def deviation(name: str, g: np.ndarray) -> np.ndarray:
    """Return a preset's deviation in uS for targets in uS."""
    law = measured_law("write_error", named_preset(name).laws["write_error"].law)
    assert isinstance(law, MeasuredDeviation)
    return np.asarray(law.sigma(g * uS, Device(model=name)) / uS)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_preset_has_the_range_and_deviation_of_its_source(name: str) -> None:
    low, high, sigma = PUBLISHED[name]
    device = Device(model=name)
    assert (device.g_off / uS, device.g_on / uS) == pytest.approx((low, high))
    assert device.levels is None
    g = np.linspace(low, high, 50)
    assert deviation(name, g) == pytest.approx(np.maximum(sigma(g), 0), rel=1e-6)


def test_two_fits_of_joshi_and_nandakumar_agree_as_they_are_known_to() -> None:
    """They describe the same measurements: to 0.023 uS (so one does not confirm the other)."""
    g = np.linspace(0.25, 25, 200)
    joshi, nandakumar = (deviation(f"pcm-{name}", g) for name in ("joshi", "nandakumar"))
    assert 0.02 < np.abs(joshi - nandakumar).max() < 0.0235


@pytest.mark.parametrize("name", ["pcm-joshi", "rram-wan-1day", "sonos-agrawal"])
def test_a_programmed_array_scatters_as_published(name: str) -> None:
    low, high, sigma = PUBLISHED[name]
    device = Device(model=name)
    target = (low + high) / 2
    g = np.full((150, 100), target * uS)
    array = PhysicalArray(
        index=0,
        conversion=0,
        target=g,
        blank=np.zeros(g.shape, dtype=bool),
        rows=np.arange(150),
        row_signs=np.ones(150),
        cols=np.arange(100),
        col_signs=np.ones(100),
        references=np.full(100, -1),
    )
    scatter = (program(array, 0, device, Chip(0, 0)) - g) / uS
    assert scatter.std() == pytest.approx(sigma(target), rel=0.03)
    assert abs(scatter.mean()) < 4 * sigma(target) / np.sqrt(g.size)


def test_a_users_key_wins_over_the_presets() -> None:
    device = Device(model="pcm-joshi", g_on=20e-6, n_bits=4)
    assert (device.g_on, device.levels) == (20e-6, 16)
    assert Device.model_validate({"model": "pcm-joshi", "r_on": 50e3}).g_on == pytest.approx(20e-6)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"g_on": 30e-6}, "measured in"),
        ({"g_off": 1e-9}, "measured in"),
        ({"write_sigma": 0.01}, "already holds"),
        ({"d2d_sigma": 0.01}, "already holds"),
        (
            {"time": 100},
            "found time 100 s with model: pcm-joshi, which does not say what time does",
        ),
        ({"model": "pcm-josh"}, "did you mean pcm-joshi"),
        ({"model": "flash"}, "see 'rxsim presets'"),
    ],
)
def test_what_a_preset_does_not_cover_is_refused(more: dict[str, Any], expected: str) -> None:
    assignments = [f"device.{key}={value}" for key, value in {"model": "pcm-joshi", **more}.items()]
    with pytest.raises(SettingError, match=expected):
        load_settings(None, assignments=assignments)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_configuration_loads_and_says_where_its_numbers_are_from(path: Path) -> None:
    load_settings(path)
    comments = [line for line in path.read_text().splitlines() if line.startswith("#")]
    assert len(comments) >= 2
