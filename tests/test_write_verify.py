"""Program and verify against the statistics of repeated trials, and against a plain loop."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from cell_arrays import generator, read
from hypothesis import given, settings
from hypothesis import strategies as st
from known import known
from scipy.stats import kstest, truncnorm

import rxsim
from rxsim.config import Device

SHAPE = (100, 100)
RANGE: dict[str, Any] = {"g_on": 1e-4, "g_off": 0, "n_bits": None}
MIDDLE = np.full(SHAPE, 5e-5)  # far from 0, where errors would be cut off
WRITE, VERIFY = 0, 8


def device(sigma: float, tolerance: float, attempts: int, read_sigma: float = 0.0) -> Device:
    verify = {"tolerance": tolerance, "attempts": attempts, "read_sigma": read_sigma}
    return Device(**RANGE, write_sigma=sigma, verify=verify)


@pytest.mark.parametrize("attempts", [1, 3, 20])
@pytest.mark.parametrize("tolerance", [0.01, 0.03, 0.12])
def test_pulses_and_errors_are_those_of_repeated_trials(tolerance: float, attempts: int) -> None:
    """Each write is accepted with p = erf(tol / (sigma sqrt 2)), independently of all others."""
    sigma, n = 0.05, MIDDLE.size
    p = math.erf(tolerance / sigma / math.sqrt(2))
    cells = read(device(sigma, tolerance, attempts), MIDDLE)
    pulses = known(cells.pulses)
    assert pulses.cells == n
    number = np.arange(1, attempts + 1)
    chance = p * (1 - p) ** (number - 1)
    chance[-1] = (1 - p) ** (attempts - 1)
    mean = (1 - (1 - p) ** attempts) / p
    assert mean == pytest.approx(chance @ number, rel=1e-12)
    spread = math.sqrt(max(float(chance @ number**2) - mean**2, 0.0))
    # Four standard errors of 10,000 cells, each, and of a binomial share.
    assert abs(pulses.total / n - mean) <= 4 * spread / math.sqrt(n)
    share = (1 - p) ** attempts
    assert abs(pulses.not_accepted - n * share) <= 4 * math.sqrt(n * share * (1 - share)) + 1e-9
    assert pulses.worst <= attempts
    error = (cells.g - MIDDLE).ravel() / 1e-4 / sigma
    edge = tolerance / sigma
    accepted = error[np.abs(error) <= edge]
    assert accepted.size == n - pulses.not_accepted
    # Kolmogorov's distance of n numbers is above 1.95 / sqrt(n) once in a thousand times.
    distance = kstest(accepted, truncnorm(-edge, edge).cdf).statistic
    assert distance < 1.95 / math.sqrt(accepted.size)


def by_hand(given: Device, level: np.ndarray, span: float) -> tuple[np.ndarray, list[list[int]]]:
    """Write each cell by itself; return what it keeps, its pulses, and 1 where none was accepted."""
    verify = known(given.verify)
    shape = (verify.attempts, *level.shape)
    errors = generator(3, 2, WRITE, 1).standard_normal(shape) * given.write_sigma * span
    noise = generator(3, 2, VERIFY, 1).standard_normal(shape) * verify.read_sigma * span
    kept, told = level.copy(), [[0, 0] for _ in range(level.size)]
    for place, cell in enumerate(np.ndindex(level.shape)):
        nearest = math.inf
        for attempt in range(verify.attempts):
            written = max(level[cell] + errors[(attempt, *cell)], 0.0)
            distance = abs(written + noise[(attempt, *cell)] - level[cell])
            told[place][0] += 1
            if distance < nearest:
                nearest, kept[cell] = distance, written
            if distance <= verify.tolerance * span:
                break
        else:
            told[place][1] = 1
    return kept, told


@given(
    sigma=st.floats(0.01, 0.5),
    tolerance=st.floats(0, 0.2),
    attempts=st.integers(1, 12),
    noise=st.sampled_from([0.0, 0.01, 0.1]),
)
@settings(max_examples=40, deadline=None)
def test_noisy_readings_accept_what_a_plain_loop_accepts(
    sigma: float, tolerance: float, attempts: int, noise: float
) -> None:
    level = np.linspace(0, 1e-4, 12 * 7).reshape(12, 7)
    chosen = device(sigma, tolerance, attempts, noise)
    cells = read(chosen, level, trial=3, layer=2, array=1)
    kept, told = by_hand(chosen, level, 1e-4)
    assert cells.g == pytest.approx(kept, rel=1e-12, abs=1e-20)
    pulses, taken = known(cells.pulses), [pulse for pulse, _ in told]
    assert (pulses.total, pulses.worst) == (sum(taken), max(taken))
    assert pulses.not_accepted == sum(not_accepted for _, not_accepted in told)


@pytest.mark.parametrize("model", ["ideal", "pcm-hermes", "sonos-agrawal"])
def test_a_single_attempt_is_no_verify(model: str) -> None:
    own: dict[str, Any] = {"write_sigma": 0.1} if model == "ideal" else {}
    plain = Device(model=model, **own)
    once = Device(model=model, **own, verify={"tolerance": 0.01, "attempts": 1})
    target = np.linspace(plain.g_off, plain.g_on, 20 * 30).reshape(20, 30)
    assert (read(once, target).g == read(plain, target).g).all()


@given(st.integers(1, 20), st.integers(0, 20))
@settings(max_examples=30, deadline=None)
def test_the_best_reading_is_kept(attempts: int, more: int) -> None:
    """With exact readings more attempts make no cell worse; tolerance 0 takes them all."""
    fewer, longer = (read(device(0.1, 0, n), MIDDLE[:9]) for n in (attempts, attempts + more))
    assert (abs(longer.g - MIDDLE[:9]) <= abs(fewer.g - MIDDLE[:9])).all()
    assert known(fewer.pulses).total == attempts * MIDDLE[:9].size
    assert known(fewer.pulses).not_accepted == MIDDLE[:9].size


@pytest.mark.parametrize(
    ("model", "sigma"),  # of the middle of the range, uS, by the formulas of the contract
    [
        ("pcm-nandakumar", 0.26348 + 1.9650 / 2 - 1.1731 / 4),
        ("rram-milo", -0.009107 * 137.5 + 4.7823),
    ],
)
def test_verify_writes_with_the_error_of_a_preset(model: str, sigma: float) -> None:
    """What a preset measured is the error of each write, drawn anew for each attempt."""
    left_out: Any = ("read_noise",) if model.startswith("pcm") else ()
    verify = {"tolerance": 0.01, "attempts": 100}
    chosen = Device(model=model, without=left_out, verify=verify)
    span = chosen.g_on - chosen.g_off
    target = np.full(SHAPE, chosen.g_off + span / 2)
    cells = read(chosen, target)
    assert np.abs(cells.g - target).max() <= 0.01 * span
    p = math.erf(0.01 * span / (sigma * 1e-6) / math.sqrt(2))
    pulses = known(cells.pulses)
    assert pulses.not_accepted == 0  # (1 - p)^100 of 10,000 cells is below 1e-5
    # Four standard errors of a geometric number's mean over 10,000 cells.
    assert abs(pulses.total / MIDDLE.size - 1 / p) < 4 * math.sqrt(1 - p) / p / 100


def test_open_cells_are_not_written_and_exact_writing_takes_one_pulse() -> None:
    blank = np.zeros(SHAPE, bool)
    blank[:30] = True
    cells = read(device(0, 0, 9), MIDDLE, blank=blank)
    pulses = known(cells.pulses)
    assert (pulses.cells, pulses.total, pulses.worst, pulses.not_accepted) == (7000, 7000, 1, 0)
    assert (cells.g == np.where(blank, 0, MIDDLE)).all()
    nothing = known(read(device(0.1, 0, 9), MIDDLE, blank=~np.zeros(SHAPE, bool)).pulses)
    assert (nothing.cells, nothing.total, nothing.worst, nothing.not_accepted) == (0, 0, 0, 0)


def test_a_cells_draws_depend_on_no_other_cell() -> None:
    chosen = device(0.2, 0.02, 6, 0.01)
    alone = read(chosen, MIDDLE).g
    others = MIDDLE.copy()
    others[:, 1:] = np.random.default_rng(0).uniform(0, 1e-4, (100, 99))
    assert (read(chosen, others).g[:, 0] == alone[:, 0]).all()
    blank = np.ones(SHAPE, bool)
    blank[:, 0] = False
    assert (read(chosen, MIDDLE, blank=blank).g[:, 0] == alone[:, 0]).all()


def test_a_refresh_verifies_with_draws_of_its_own() -> None:
    verify = {"tolerance": 0.02, "attempts": 6, "read_sigma": 0.01}
    chosen = [
        Device(**RANGE, write_sigma=0.2, verify=verify, time=time, refresh=10)
        for time in (0, 10, 20)
    ]
    seen = [read(one, MIDDLE).g for one in chosen]
    assert (seen[0] == read(device(0.2, 0.02, 6, 0.01), MIDDLE).g).all()
    assert all((a != b).mean() > 0.99 for a, b in ((seen[0], seen[1]), (seen[1], seen[2])))


@pytest.mark.parametrize(
    ("verify", "words"),
    [
        ({}, "tolerance is missing"),
        ({"tolerance": -0.1}, "0 or above"),
        ({"tolerance": 5}, "it is a share of g_on - g_off"),
        ({"tolerance": 0.1, "attempts": 0}, "1 or above"),
        ({"tolerance": 0.1, "attempts": 2.5}, "a whole number"),
        ({"tolerance": 0.1, "read_sigma": float("nan")}, "a finite number"),
        ({"tolerance": 0.1, "tries": 3}, "verify.tries is not a setting"),
    ],
    ids=str,
)
def test_what_verify_does_not_take_is_refused(verify: dict[str, Any], words: str) -> None:
    with pytest.raises(rxsim.RxsimError, match=words):
        rxsim.settings(changes={"device.verify": verify})
