"""Predistortion knows that a small gain makes write errors and variation larger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chips import found
from circuits import Circuit
from test_predistort import chip, study_of

import rxsim
from rxsim.cache import Cache
from rxsim.cli import main
from rxsim.config import Crossbar, Device
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


MATRIX = np.random.default_rng(4).uniform(2e-5, 9e-5, (24, 16))
WIRES = {"r_wire_wl": 10, "r_wire_bl": 10, "r_driver": 100, "r_sense": 100}
ENDS = {"r_wire_wl": 0, "r_wire_bl": 0, "r_driver": 0, "r_sense": 0}


def of_one_matrix(crossbar: Mapping[str, float], **device: Any) -> Any:
    settings = {"device": {**RANGE, **device}}
    return rxsim.predistorted(MATRIX, crossbar, settings=settings, headroom=None)


def test_a_programmed_matrix_without_wires_is_off_by_the_write_error() -> None:
    """Targets stay; the rms of n values is known to 1/sqrt(2 n): within 5 standard errors."""
    made = of_one_matrix(ENDS, write_sigma=0.02)
    assert made.after == pytest.approx(0, abs=1e-12)
    for value, chips in ((made.after_on_chip, 1), (made.after_expected, 4)):
        assert value == pytest.approx(0.02, rel=5 / (2 * chips * MATRIX.size) ** 0.5)


def test_the_error_of_a_programmed_matrix_is_that_of_the_exact_circuit() -> None:
    made = of_one_matrix(WIRES, write_sigma=0.02)
    device = Device.model_validate({**RANGE, "write_sigma": 0.02})
    g = program(Middle(made.g, np.zeros(made.g.shape, bool)), 0, device, Chip(0, 0))
    held = Circuit(g, Crossbar.model_validate(WIRES)).reference()
    error = ((held - made.shift) / made.gain - MATRIX) / SPAN
    assert made.after_on_chip == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-6)
    assert made.after_on_chip > 2 * made.after


def test_a_single_matrix_counts_write_errors_as_a_layer_does() -> None:
    gains = [of_one_matrix(WIRES, write_sigma=sigma).gain[0] for sigma in (0.0, 0.02, 0.2)]
    assert gains[0] < gains[1] < gains[2]
    assert of_one_matrix(WIRES).after_on_chip is None


def test_the_command_tells_the_error_of_a_programmed_chip(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "g.npy", MATRIX)
    ranges = ("--set", "device.g_off=1e-5", "--set", "device.g_on=1e-4")
    said = []
    for more in ((), ("--set", "device.write_sigma=0.02")):
        with pytest.raises(SystemExit) as stop:
            main(["solve", str(tmp_path / "g.npy"), "--predistort", *ranges, *more])
        assert not stop.value.code
        said.append(capsys.readouterr().out)
    assert len(said[0].splitlines()) == 1
    settings = {"device": {"g_off": 1e-5, "g_on": 1e-4, "write_sigma": 0.02}}
    made = rxsim.predistorted(MATRIX, settings=settings)
    assert f"{made.after_on_chip:.2e} on a programmed chip" in said[1]
    assert f"{made.after_expected:.2e} expected" in said[1]
