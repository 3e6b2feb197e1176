"""Predistortion knows that a small gain makes write errors and variation larger."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chips import found
from test_predistort import chip, study_of

from rxsim.cache import Cache
from rxsim.config import Device
from rxsim.devices import Chip, nominal_deviation, program
from rxsim.pipeline.chip.foundries import Foundries
from rxsim.scenarios import SCENARIOS

SPAN = 9e-5
RANGE = {"g_off": 1e-5, "g_on": 1e-4, "n_bits": None}
CELLS = 40_000
CHIPS = 4


@dataclass
class Middle:
    """Cells that all aim at the middle of the range."""

    target: np.ndarray
    blank: np.ndarray
    index: int = 0


def drawn(device: Device) -> float:
    """The deviation of many programmed cells at the middle of the range, siemens."""
    target = np.full((200, CELLS // 200), (device.g_off + device.g_on) / 2)
    return float(program(Middle(target, np.zeros(target.shape, bool)), 0, device, Chip(3, 0)).std())


@pytest.mark.parametrize(
    "given",
    [
        {**RANGE, "write_sigma": 0.08},
        {**RANGE, "write_sigma": 0.1, "write_unit": "relative"},
        {**RANGE, "d2d_sigma": 0.2},
        {**RANGE, "write_sigma": 0.05, "d2d_sigma": 0.1},
        {"model": "pcm-joshi"},
        {"model": "rram-wan", "without": ["drift"]},
        {**RANGE, "write_sigma": 0.08, "verify": {"tolerance": 0.01, "attempts": 100}},
        {**RANGE, "write_sigma": 0.08, "verify": {"tolerance": 0, "attempts": 100}},
    ],
    ids=str,
)
def test_the_deviation_is_that_of_drawn_cells(given: dict[str, Any]) -> None:
    """Within 5 standard errors; kurtosis of a log-normal (6.7 at 0.2) and of an exponential (6)."""
    device = Device.model_validate(given)
    error = ((6.7 - 1) / 4 / CELLS) ** 0.5
    assumed = 0.02 if "verify" in given else 0.0  # normal errors are not quite even in a tolerance
    expected = nominal_deviation(device)
    assert expected == pytest.approx(drawn(device), rel=5 * error + assumed)


def test_nothing_is_made_up() -> None:
    assert nominal_deviation(Device.model_validate(RANGE)) == 0
    assert nominal_deviation(Device.model_validate({**RANGE, "write_sigma": 0.08})) == (
        pytest.approx(0.08 * SPAN)
    )
    left_out = {"model": "pcm-joshi", "without": ["write_error"]}
    assert nominal_deviation(Device.model_validate(left_out)) == 0


def test_every_time_has_the_same_design() -> None:
    at = [Device.model_validate({"model": "rram-wan", "time": time}) for time in (0, 1, 86400)]
    assert len({nominal_deviation(device) for device in at}) == 1


def signal_to_noise(scale: str, **changes: Any) -> tuple[float, np.ndarray]:
    """The least gain, and output power over error power of each chip, dB."""
    study = study_of(compensate=[{"predistort": {"scale": scale}}], xbar="32x16", **changes)
    wanted, foundry = found(study), Foundries(study).open(SCENARIOS["compensated"])
    made = [foundry.make(number) for number in range(CHIPS)]
    errors = [np.mean((found(study, each.network.model) - wanted) ** 2) for each in made]
    gain = made[0].transfers[0].mapped.gain
    least = 1.0 if gain is None else float(gain.min())
    return least, 10 * np.log10(np.var(wanted) / np.array(errors))


@pytest.mark.parametrize(
    "errors",
    [{"device__write_sigma": 0.08}, {"device__d2d_sigma": 0.15}],
    ids=str,
)
@pytest.mark.parametrize("wire", [10, 40])
def test_large_errors_raise_the_gain_and_cost_nothing(wire: float, errors: dict[str, Any]) -> None:
    """Paired on the same chips, not worse than a gain of 1 beyond 2 standard errors."""
    wires: dict[str, Any] = {"crossbar__r_wire_wl": wire, "crossbar__r_wire_bl": wire}
    exact, _ = signal_to_noise("layer", **wires)
    gain, chosen = signal_to_noise("layer", **wires, **errors)
    _, plain = signal_to_noise("none", **wires, **errors)
    assert exact < 0.9
    assert gain > 0.97
    better = chosen - plain
    assert better.mean() > -2 * better.std(ddof=1) / CHIPS**0.5


def test_small_errors_leave_a_gain_below_1() -> None:
    wires: dict[str, Any] = {"crossbar__r_wire_wl": 40, "crossbar__r_wire_bl": 40}
    gains = [
        signal_to_noise("layer", **wires, device__write_sigma=sigma)[0]
        for sigma in (0.0, 0.02, 0.05)
    ]
    assert gains == sorted(gains)
    assert gains[0] < gains[1] < 0.9


def test_kept_arrays_of_another_design_are_not_taken(tmp_path: Path) -> None:
    """Nominal arrays, by which ADCs are calibrated, have no write error; their design had."""
    noisy: dict[str, Any] = {"device__write_sigma": 0.08, "adc__n_bits": 6}
    fresh = chip(study_of(**noisy)).network.model.SerializeToString()
    cache = Cache(tmp_path)
    chip(replace(study_of(adc__n_bits=6), cache=cache))
    assert list(tmp_path.rglob("*"))
    kept = chip(replace(study_of(**noisy), cache=cache)).network.model.SerializeToString()
    assert kept == fresh
