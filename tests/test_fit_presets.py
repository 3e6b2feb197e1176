"""Draws of every preset that rxsim brings are fitted: it comes back, and its file draws the same."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from known import known
from measured_tables import array_of, drawn, drawn_over_time, without_noise
from scipy import special

from rxsim.config import Device, named_preset, preset_names
from rxsim.devices import Chip, program
from rxsim.devices.curve_of_g import curve_at
from rxsim.devices.law import measured_law
from rxsim.devices.measured_deviation import MeasuredDeviation
from rxsim.fitting import DeviceFit, FitOptions, fit_device, preset_text

WRITTEN = [name for name in preset_names() if "write_error" in named_preset(name).laws]
DRIFTING = [name for name in WRITTEN if "one_over_f" in str(named_preset(name).laws)]
TIMES = (1.0, 60.0, 3600.0, 86400.0, 1e7)
FAR = 4.0  # standard errors
FOLD = np.sqrt(2 / np.pi)


def device_of(name: str) -> Device:
    """A preset as programmed, or at the first of its times where it knows single ones."""
    times = named_preset(name).times
    return without_noise(name, 0.0 if times is None or times.at is None else times.at[-1])


def sigma_of(name: str, g: np.ndarray) -> np.ndarray:
    """A preset's deviation for targets, both in siemens."""
    law = measured_law("write_error", named_preset(name).laws["write_error"].law)
    assert isinstance(law, MeasuredDeviation)
    return law.sigma(g, device_of(name))


def mean_of(name: str, g: np.ndarray) -> np.ndarray:
    """A preset's mean deviation for targets, both in siemens."""
    law = measured_law("write_error", named_preset(name).laws["write_error"].law)
    assert isinstance(law, MeasuredDeviation)
    mean = law.mean(g, device_of(name))
    return np.zeros(len(g)) if mean is None else mean


def folded(mean: np.ndarray, sd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of |N(mean, sd)|, which is what the presets' exponents are."""
    first = sd * FOLD * np.exp(-(mean**2) / (2 * sd**2)) + mean * special.erf(mean / sd / 2**0.5)
    return first, np.sqrt(mean**2 + sd**2 - first**2)


def levels_of(name: str, number: int) -> np.ndarray:
    preset = named_preset(name)
    return np.linspace(preset.low, preset.high, number)


@cache
def programmed(name: str) -> DeviceFit:
    target, g = drawn(device_of(name), levels_of(name, 13), 800, seed=1)
    return fit_device({"target [S]": target.ravel(), "achieved [S]": g.ravel()}, FitOptions())


@cache
def over_time(name: str) -> DeviceFit:
    t_r = measured_law("read_noise", "one_over_f").numbers_of(named_preset(name)).t_r
    table = drawn_over_time(name, levels_of(name, 9)[1:], 300, 2, TIMES, reads=2)
    return fit_device(table, FitOptions(read_time=t_r))


def saved(fit: DeviceFit, folder: Path) -> str:
    path = folder / "fitted.yaml"
    path.write_text(preset_text(fit))
    return str(path)


@pytest.mark.parametrize("name", WRITTEN)
def test_the_write_error_of_a_preset_comes_back(name: str) -> None:
    fit = programmed(name)
    error = fit.write_error
    # A table says nothing between its levels; a polynomial does.
    g = fit.levels() if error.is_table else np.linspace(*fit.ends, 101)
    x = g / fit.scale
    away = np.abs(error.sigma.at(x) - sigma_of(name, g) / fit.siemens)
    # 1e-9: SONOS at 0 S has no error at all.
    assert (away <= FAR * error.sigma.error_at(x) + 1e-9).all()
    away = np.abs(error.mean.at(x) - mean_of(name, g) / fit.siemens)
    assert (away <= FAR * error.mean.error_at(x) + 1e-9).all()
    assert fit.outliers.rows == ()


@pytest.mark.parametrize("name", WRITTEN)
def test_the_file_of_a_fit_draws_what_was_fitted(name: str, tmp_path: Path) -> None:
    """Mean and deviation of 4,000 new cells a level, against the preset's own; in both one's errors."""
    fit = programmed(name)
    device = Device(model=saved(fit, tmp_path))
    preset = named_preset(name)
    assert (device.g_off, device.g_on) == pytest.approx((preset.low, preset.high), rel=1e-9)
    cells = 4000
    levels = fit.levels()[fit.levels() > 4 * sigma_of(name, fit.levels())]
    target, g = drawn(device, levels, cells, seed=3)
    sigma = sigma_of(name, levels)
    stated = fit.write_error.sigma.error_at(levels / fit.scale) * fit.siemens
    error = np.hypot(stated, sigma / np.sqrt(2 * cells))
    assert (np.abs(g.std(axis=1, ddof=1) - sigma) < FAR * error).all()
    stated = fit.write_error.mean.error_at(levels / fit.scale) * fit.siemens
    error = np.hypot(stated, sigma / np.sqrt(cells))
    assert (np.abs((g - target).mean(axis=1) - mean_of(name, levels)) < FAR * error).all()


@pytest.mark.parametrize("name", DRIFTING)
def test_drift_of_a_preset_comes_back_from_noisy_readings(name: str) -> None:
    fit = over_time(name)
    drift = known(fit.drift)
    law = measured_law("drift", "power_drift").numbers_of(named_preset(name))
    assert abs(drift.t0.seconds - law.t0) < FAR * known(drift.t0.error)
    levels = fit.levels()
    x = levels / fit.siemens / law.scale
    mean, sd = folded(curve_at(law.nu_mean, x), curve_at(law.nu_sd, x))
    at = levels / fit.scale
    assert (np.abs(drift.mean.at(at) - mean) < FAR * drift.mean.error_at(at)).all()
    assert (np.abs(drift.sd.at(at) - sd) < FAR * drift.sd.error_at(at)).all()
    assert fit.times == (TIMES[0], TIMES[-1])


@pytest.mark.parametrize("name", DRIFTING)
def test_read_noise_of_a_preset_comes_back(name: str) -> None:
    fit = over_time(name)
    noise = known(fit.read_noise)
    assert noise.law == "one_over_f"
    law = measured_law("read_noise", "one_over_f").numbers_of(named_preset(name))
    levels = fit.levels()
    q = curve_at(law.q, levels / fit.siemens / law.scale)
    at = levels / fit.scale
    assert (np.abs(noise.curve.at(at) - q) < FAR * noise.curve.error_at(at)).all()


@pytest.mark.parametrize("name", DRIFTING)
def test_the_file_of_a_fit_drifts_as_the_preset_does(name: str, tmp_path: Path) -> None:
    """After a day ln G has lost nu L: mean and deviation over cells, in the errors of fit and draws."""
    fit, cells, day = over_time(name), 2000, 86400.0
    model = saved(fit, tmp_path)
    levels = fit.levels()[fit.levels() > 5 * sigma_of(name, fit.levels())]
    target = np.repeat(levels[:, None], cells, axis=1)
    moments = []
    for device in (model, name):
        lost = []
        for time in (0.0, day):
            given = {"model": device, "time": time, "without": ["read_noise"]}
            lost.append(program(array_of(target), 0, Device.model_validate(given), Chip(4, 0)))
        ratio = np.log(lost[1] / lost[0])
        moments.append((ratio.mean(axis=1), ratio.std(axis=1)))
    drift = known(fit.drift)
    length = np.log1p(day / drift.t0.seconds)
    at, (ours, theirs) = levels / fit.scale, moments
    of_draws = theirs[1] / np.sqrt(cells)
    assert (
        np.abs(ours[0] - theirs[0]) < FAR * np.hypot(drift.mean.error_at(at) * length, of_draws)
    ).all()
    assert (
        np.abs(ours[1] - theirs[1]) < FAR * np.hypot(drift.sd.error_at(at) * length, of_draws)
    ).all()


@pytest.mark.parametrize("name", [name for name in WRITTEN if "falcone" in name])
def test_relaxation_of_a_preset_comes_back(name: str, tmp_path: Path) -> None:
    levels, cells = levels_of(name, 8), 150
    columns: dict[str, list[np.ndarray]] = {"time": [], "read [S]": []}
    target, achieved = drawn(device_of(name), levels, cells, seed=6)
    for time in TIMES:
        columns["time"].append(np.full(target.size, time))
        columns["read [S]"].append(drawn(without_noise(name, time), levels, cells, 6)[1].ravel())
    fit = fit_device(
        {
            "cell": np.tile(np.arange(target.size), len(TIMES)),
            "target [S]": np.tile(target.ravel(), len(TIMES)),
            "achieved [S]": np.tile(achieved.ravel(), len(TIMES)),
            **{key: np.concatenate(parts) for key, parts in columns.items()},
        },
        FitOptions(),
    )
    found = known(fit.relaxation)
    numbers = named_preset(name).laws["drift"].numbers
    assert abs(found.mean - numbers["mean"]) < FAR * found.mean_error
    for value, truth, error in zip(found.sd, numbers["sd"], found.sd_errors, strict=True):
        assert abs(value - truth) < FAR * error
    assert fit.drift is None
    device = Device(model=saved(fit, tmp_path), time=3600)
    lost = drawn(device, levels, 500, 7)[1] - drawn(Device(model=device.preset), levels, 500, 7)[1]
    sd = found.sd[0] * np.log(3600) + found.sd[1]
    assert abs(lost.mean() * 1e6 - found.mean * np.log(3600)) < FAR * sd / np.sqrt(4000)
    assert abs(lost.std() * 1e6 - sd) < FAR * sd / np.sqrt(8000)


@pytest.mark.parametrize("name", [name for name in preset_names() if name.startswith("stuck")])
def test_stuck_cells_of_a_preset_come_back(name: str, tmp_path: Path) -> None:
    """Shares within four binomial errors; what is left is the error that the settings state."""
    device = Device.model_validate(
        {"model": name, "g_off": 2e-6, "g_on": 2e-5, "write_sigma": 0.01}
    )
    levels, cells = np.linspace(2e-6, 2e-5, 10), 500
    target, g = drawn(device, levels, cells, seed=5)
    table = {"target [S]": target.ravel(), "achieved [S]": g.ravel()}
    fit = fit_device(table, FitOptions(outliers="drop"))
    again = Device(model=saved(fit, tmp_path))
    for share in ("stuck_lrs", "stuck_hrs"):
        truth = getattr(device, share)
        error = np.sqrt(truth * (1 - truth) / (9 * cells))
        assert abs(getattr(again, share) - truth) < FAR * error
    sigma = fit.write_error.sigma
    at = levels / fit.scale
    assert (np.abs(sigma.at(at) - 0.01 * 18) < FAR * sigma.error_at(at)).all()
