"""Drift and read noise of made-up cells: exponents, t0, laws of noise, with cells known and unknown."""

from __future__ import annotations

import numpy as np
import pytest
from known import known
from measured_tables import drifting_table

from rxsim.errors import DataError
from rxsim.fitting import DeviceFit, FitOptions, fit_device, preset_text

LEVELS = np.linspace(4, 20, 5)
TIMES = [10.0, 300.0, 9000.0, 3e5]
NU = (0.05, 0.012)


def fitted(table: dict[str, np.ndarray], **options: object) -> DeviceFit:
    return fit_device(table, FitOptions(**options))  # type: ignore[arg-type]


def made(seed: int, cells: int = 200, **more: object) -> dict[str, np.ndarray]:
    given: dict[str, object] = {"nu": NU, "times": TIMES, "t0": 30.0, **more}
    return drifting_table(seed, LEVELS, cells, **given)  # type: ignore[arg-type]


def distances(fit: DeviceFit, truth: tuple[float, float] = NU) -> np.ndarray:
    """How far the curves are from the truth at all levels, in their errors."""
    drift = known(fit.drift)
    x = fit.levels() / fit.scale
    return np.array(
        [
            (curve.at(x) - value) / curve.error_at(x)
            for curve, value in zip((drift.mean, drift.sd), truth, strict=True)
        ]
    )


def test_exact_readings_give_each_cells_exponent_and_t0() -> None:
    """The programmed state is read without noise as well: the lines are exact."""
    fit = fitted(made(1))
    drift = known(fit.drift)
    assert drift.t0.seconds == pytest.approx(30, rel=1e-4)
    assert drift.r2 == pytest.approx(1, abs=1e-8)
    exponents = np.random.default_rng(1).normal(*NU, 1000)  # as the table draws them
    assert drift.nu[np.argsort(fit.cells.line)] == pytest.approx(exponents, abs=1e-5)
    assert (np.abs(distances(fit)) < 4).all()
    assert fit.times == (10, 3e5)


@pytest.mark.parametrize("seed", range(3))
def test_noisy_readings_give_t0_and_exponents_within_their_errors(seed: int) -> None:
    fit = fitted(made(seed, noise=0.03, reads=2))
    start = known(fit.drift).t0
    assert abs(start.seconds - 30) < 4 * known(start.error)
    assert known(start.error) < 5
    assert (np.abs(distances(fit)) < 4).all()


def test_the_noise_of_readings_is_not_taken_for_a_spread_of_exponents() -> None:
    """All cells have the same exponent: what their lines differ by is noise."""
    fit = fitted(made(2, nu=(0.05, 0.0), noise=0.03))
    drift = known(fit.drift)
    x = fit.levels() / fit.scale
    assert (drift.sd.at(x) < np.maximum(4 * drift.sd.error_at(x), 1e-3)).all()
    assert drift.nu.std() > 2e-3


def test_cells_of_one_reading_each_tell_the_same() -> None:
    table = made(3, cells=2000, noise=0.01)
    pick = np.random.default_rng(3).integers(0, len(TIMES), 10000) * 10000 + np.arange(10000)
    single = {name: column[pick] for name, column in table.items() if name != "cell"}
    fit = fitted(single)
    assert abs(known(fit.drift).t0.seconds - 30) < 4 * known(known(fit.drift).t0.error)
    assert (np.abs(distances(fit)) < 4).all()


def test_without_read_the_first_reading_is_the_programmed_state() -> None:
    """achieved at several times, rows in any order: t0 is the first time."""
    table = made(4, times=[0.0, *TIMES], noise=0.005)
    order = np.random.default_rng(4).permutation(len(table["cell"]))
    rows = {
        "cell": table["cell"],
        "target_uS": table["target_uS"],
        "achieved_uS": table["read_uS"],
        "time": table["time_s"] + 30,
    }
    fit = fitted({name: column[order] for name, column in rows.items()})
    drift = known(fit.drift)
    assert (drift.t0.seconds, drift.t0.error) == (30, None)
    assert fit.times == pytest.approx((10, 3e5))
    assert (np.abs(distances(fit)) < 4).all()


def rows_without_cells(seed: int, cells: int, **more: object) -> dict[str, np.ndarray]:
    table = made(seed, cells, times=[0.0, *TIMES], **more)
    return {
        "target_uS": table["target_uS"],
        "achieved_uS": table["read_uS"],
        "time": table["time_s"] + 30,
    }


def test_without_cells_means_and_spreads_tell_the_exponents() -> None:
    fit = fitted(rows_without_cells(5, cells=2000, nu=(0.06, 0.02)))
    assert known(fit.drift).cells == 0
    assert (np.abs(distances(fit, (0.06, 0.02))) < 4).all()
    assert "cells are not known" in " ".join(fit.notes)


def test_a_spread_that_cannot_be_told_is_refused() -> None:
    with pytest.raises(DataError, match=r"spread of ln G grows with time .* add a column cell"):
        fitted(rows_without_cells(6, cells=20, nu=(0.05, 0.001)))


def test_one_time_needs_t0() -> None:
    table = made(7, times=[1e5])
    with pytest.raises(DataError, match=r"readings at one time .* give --t0 SECONDS"):
        fitted(table)
    fit = fitted(table, t0=30.0)
    assert (np.abs(distances(fit)) < 4).all()
    with pytest.raises(DataError, match="found --t0 with readings that are not later"):
        fitted({key: table[key] for key in ("target_uS", "achieved_uS")}, t0=30.0)


def test_a_column_of_readings_that_was_not_named_is_missed() -> None:
    table = made(12)
    table["G at the time"] = table.pop("read_uS")
    with pytest.raises(DataError, match=r"same conductance of each cell at every time.* --read"):
        fitted(table)
    named = fitted({**table, "note": table["cell"]}, columns={"read": "G at the time"}, unit="uS")
    assert known(named.drift).t0.seconds == pytest.approx(30, rel=1e-4)
    assert "columns left alone: note" in named.notes


def test_achieved_at_a_single_time_is_a_write_error_of_that_time() -> None:
    table = made(8, times=[86400.0])
    rows = {
        "target_uS": table["target_uS"],
        "achieved_uS": table["read_uS"],
        "time": table["time_s"],
    }
    fit = fitted(rows)
    assert fit.drift is None
    assert "all rows are of 1 d after programming" in " ".join(fit.notes)
    assert known(fit.write_error.mean.at(np.ones(1)))[0] < -5  # most of 20 uS drifted away


# Bad readings

SPOILED = [17, 2603, 4444]  # rows of times 1, 3 and 5 of six; cells 17, 603, 444


def with_bad_readings(seed: int, factor: float) -> dict[str, np.ndarray]:
    table = made(seed, times=[10.0, 100.0, 1e3, 1e4, 1e5, 1e6], noise=0.003)
    table["read_uS"][SPOILED] *= factor
    return table


@pytest.mark.parametrize("factor", [0.1, 0.9, 3.0])
def test_single_bad_readings_are_told_and_left_out_where_outliers_are(factor: float) -> None:
    """0.9 lies within the spread of the cells, and far from the cell's own line."""
    table = with_bad_readings(20, factor)
    kept, dropped = fitted(table), fitted(table, outliers="drop")
    for fit in (kept, dropped):
        assert sorted(fit.bad_readings.line - 1) == SPOILED
    assert (kept.dropped_readings, dropped.dropped_readings) == (0, 3)
    assert "3 later readings far from the others" in " ".join(kept.warnings)
    assert not dropped.warnings
    start = known(dropped.drift).t0
    assert abs(start.seconds - 30) < 4 * known(start.error)
    assert (np.abs(distances(dropped)) < 4).all()
    clean = fitted(with_bad_readings(20, 1.0), outliers="drop")
    assert known(dropped.drift).t0.seconds == pytest.approx(
        known(clean.drift).t0.seconds, abs=known(start.error)
    )


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.003, 0.2])
def test_good_readings_are_hardly_ever_bad(noise: float) -> None:
    """Of 24,000 normal readings 0.014 lie beyond 5 deviations; medians of 200 are not exact."""
    found = [len(fitted(made(seed, noise=noise, reads=2)).bad_readings) for seed in range(30, 33)]
    assert sum(found) <= 1


def test_lines_through_all_readings_have_no_r2() -> None:
    fit = fitted(made(21, times=[1e4], noise=0.01), t0=30.0)
    assert known(fit.drift).r2 is None
    assert "R2" not in preset_text(fit)


# Read noise


def test_repeated_readings_give_white_noise() -> None:
    """A noise of 2 % of the conductance, the same at all times."""
    fit = fitted(made(9, noise=0.02, reads=3))
    noise = known(fit.read_noise)
    assert noise.law == "white"
    assert known(noise.gained) < 0
    x = np.linspace(0.3, 1, 8)
    truth = 0.02 * x * 20
    assert (np.abs(noise.curve.at(x) - truth) < 4 * noise.curve.error_at(x)).all()
    assert noise.groups == 4 * 1000


def test_noise_that_grows_with_time_is_1_over_f() -> None:
    q, t_r, t0 = 0.01, 1e-3, 30.0
    table = made(10)
    rng = np.random.default_rng(10)
    sigma = q * np.sqrt(np.log((table["time_s"] + t0 + t_r) / (2 * t_r)))
    columns: dict[str, list[np.ndarray]] = {name: [] for name in table}
    for _ in range(3):
        for name, column in table.items():
            columns[name].append(column)
        noise = 1 + sigma * rng.standard_normal(len(sigma))
        columns["read_uS"][-1] = table["read_uS"] * noise
    whole = {name: np.concatenate(parts) for name, parts in columns.items()}
    fit = fitted(whole, read_time=t_r)
    found = known(fit.read_noise)
    assert (found.law, found.t_r) == ("one_over_f", t_r)
    assert known(found.gained) > 10
    x = np.linspace(0.3, 1, 8)
    assert (np.abs(found.curve.at(x) - q) < 4 * found.curve.error_at(x)).all()


def test_readings_of_one_cell_repeated_without_time_are_noise_alone() -> None:
    table = made(11, times=[0.0], noise=0.02, reads=4)
    fit = fitted({name: column for name, column in table.items() if name != "time_s"})
    assert fit.drift is None
    assert known(fit.read_noise).law == "white"
    assert known(fit.read_noise).curve.at(np.ones(1))[0] == pytest.approx(0.4, rel=0.1)
