"""Drift, refresh and read noise against their closed forms, and the order in which cells change."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from cell_arrays import generator, read
from hypothesis import given, settings
from hypothesis import strategies as st
from known import known
from scipy.stats import norm
from twin.presets import PRESETS

import rxsim
from rxsim import effects
from rxsim.config import Device

HOUR, DAY = 3600.0, 86400.0
MONTH, YEAR = 30 * DAY, 365 * DAY
TIMES = (10.0, HOUR, DAY, MONTH, YEAR)
# G_max in S, t0 and t_r in s. Source: docs/concepts/model.md section 10.
PCM = {"pcm-nandakumar": (25e-6, 20.0, 250e-9), "pcm-hermes": (20.7e-6, 300.0, 512e-9)}
DRIFT, READ_NOISE, WRITE = 6, 7, 0
times = st.floats(1e-3, YEAR)
quick = settings(max_examples=40, deadline=None)


def pcm(name: str = "pcm-nandakumar", **keys: Any) -> Device:
    return Device(model=name, **keys)


def only_drift(name: str, time: float, **keys: Any) -> Device:
    return pcm(name, time=time, without=("write_error", "read_noise"), **keys)


def spread_targets(g_max: float, shape: tuple[int, int] = (12, 9)) -> np.ndarray:
    return np.random.default_rng(1).uniform(0.02, 1, shape) * g_max


@pytest.mark.parametrize("name", PCM)
def test_exponents_have_the_mean_and_the_spread_of_their_source_at_all_times(name: str) -> None:
    """ln(g(t)/g(0)) over -ln((t + t0)/t0) is the magnitude of a normal number: a folded normal."""
    g_max, t0, _ = PCM[name]
    drift, folded = known(PRESETS[name].drift), []
    for share in (0.02, 0.1, 0.4, 1.0):
        target = np.full((100, 100), share * g_max)
        m, s = (float(curve(target[:1, :1])[0, 0]) for curve in (drift.mean, drift.sd))
        mean = s * math.sqrt(2 / math.pi) * math.exp(-(m**2) / (2 * s**2))
        mean += m * (1 - 2 * float(norm.cdf(-m / s)))
        sd = math.sqrt(m**2 + s**2 - mean**2)
        at_first = None
        for time in TIMES:
            g = read(only_drift(name, time), target).g
            nu = -np.log(g / target) / math.log((time + t0) / t0)
            # 10,000 cells: four standard errors of a mean, and of a deviation (1/sqrt(2 n)).
            assert abs(nu.mean() - mean) < 4 * sd / 100
            assert abs(nu.std() / sd - 1) < 4 / math.sqrt(2e4)
            at_first = nu if at_first is None else at_first
            np.testing.assert_allclose(nu, at_first, rtol=1e-9)  # the same cells at all times
            # The median is that of the exponent m: hardly any exponent is folded. Its error is
            # sqrt(pi/2) standard errors.
            if m > 3 * s:
                folded.append(share)
                error = math.sqrt(math.pi / 2) * s / 100 * math.log((time + t0) / t0)
                median = math.log(np.median(g) / target[0, 0])
                assert abs(median + m * math.log((time + t0) / t0)) < 4 * error
    assert folded


@given(times, times, st.integers(0, 3))
@quick
def test_a_chip_loses_conductance_as_time_goes_on(first: float, second: float, trial: int) -> None:
    target = spread_targets(25e-6)
    early, late = sorted((first, second))
    before, after = (
        read(pcm(time=t, without=("read_noise",)), target, trial=trial).g for t in (early, late)
    )
    assert (after <= before).all()
    assert (before <= read(pcm(without=("read_noise",)), target, trial=trial).g).all()


@given(times, times)
@quick
def test_a_chip_at_two_times_has_the_same_write_errors_and_exponents(a: float, b: float) -> None:
    target = spread_targets(25e-6)
    written = read(pcm(without=("read_noise", "drift")), target).g
    alive = written > 0
    exponents = [
        -np.log(read(pcm(time=time, without=("read_noise",)), target).g[alive] / written[alive])
        / math.log((time + 20) / 20)
        for time in (a, b)
    ]
    assert exponents[0] == pytest.approx(exponents[1], rel=1e-6, abs=1e-9)


def test_at_time_0_the_state_is_the_one_at_t0() -> None:
    target = spread_targets(25e-6)
    steps: Any = ("read_noise", "drift")
    assert (read(pcm(without=steps[:1]), target).g == read(pcm(without=steps), target).g).all()


@given(st.floats(1, 1e6), st.integers(0, 50), st.floats(0.01, 0.99))
@quick
def test_with_refresh_time_counts_from_the_last_programming(r: float, k: int, part: float) -> None:
    target, rest = spread_targets(25e-6), part * r
    anew = only_drift("pcm-nandakumar", k * r + rest, refresh=r)
    assert anew.refreshes == k
    assert anew.age == pytest.approx(rest, rel=1e-9)
    expected = read(only_drift("pcm-nandakumar", rest), target).g
    assert read(anew, target).g == pytest.approx(expected, rel=1e-9)


def test_each_refresh_draws_write_errors_anew_and_nothing_else() -> None:
    """Exponents belong to a cell: they survive being programmed anew, and so does slow noise."""
    target, key = np.full((20, 30), 12e-6), (2, 1)
    drifts = []
    for number in range(4):
        device = pcm(time=1000.0 * number + 400, refresh=1000.0, without=("read_noise",))
        g = read(device, target, trial=key[0], layer=key[1], array=3).g
        again = (number,) if number else ()
        z = generator(*key, WRITE, 3, *again).standard_normal(target.shape)
        x = 12 / 25
        written = target + z * (0.26348 + 1.9650 * x - 1.1731 * x**2) * 1e-6
        drifts.append(g / written)
    for drift in drifts[1:]:
        assert drift == pytest.approx(drifts[0], rel=1e-9)
    plain = read(pcm(time=400.0, without=("read_noise",)), target, trial=2, layer=1, array=3).g
    first = pcm(time=400.0, refresh=1000.0, without=("read_noise",))
    assert (read(first, target, trial=2, layer=1, array=3).g == plain).all()


def test_slow_noise_is_drawn_at_no_refresh_again() -> None:
    target = np.full((20, 30), 12e-6)
    steps: Any = ("write_error", "drift")
    first = read(pcm(without=steps, time=10.0), target).g
    later = read(pcm(without=steps, time=110.0, refresh=100.0), target).g
    assert (first != target).all()
    assert (later == first).all()


@given(st.floats(1e-3, 1e7), st.integers(1, 2000))
@settings(max_examples=200, deadline=None)
def test_at_a_multiple_of_refresh_cells_are_read_right_after_programming(r: float, k: int) -> None:
    """However the product was rounded: 3 times 0.1 is not 0.3."""
    for time in (k * r, float(f"{k * r:.15g}")):
        device = Device(time=time, refresh=r)  # a model that knows no time but 0
        assert (device.refreshes, device.age) == (k, 0)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1mo", 2592000), ("1y", 31536000), ("2 months", 5184000), ("1d", 86400), ("36h", 129600)],
)
def test_a_month_has_30_days_and_a_year_365(text: str, seconds: float) -> None:
    assert pcm(time=text).time == seconds
    assert Device(model="pcm-joshi", refresh=text, time=text).refreshes == 1


@given(st.sampled_from(sorted(PCM)), st.floats(0, YEAR), st.floats(1e-6, 10 * YEAR))
@quick
def test_frozen_noise_is_slow_and_fresh_noise_together(name: str, time: float, run: float) -> None:
    g_max, t0, t_r = PCM[name]
    target = spread_targets(g_max)
    keys: dict[str, Any] = {"time": time, "without": ("write_error",)}
    quiet = read(pcm(name, time=time, without=("write_error", "read_noise")), target).g
    frozen = read(pcm(name, **keys), target)
    split = read(pcm(name, **keys, read_noise="fresh", run_time=run), target)
    z = generator(0, 0, READ_NOISE, 0).standard_normal(target.shape)
    assert frozen.fresh is None
    fresh = np.zeros(target.shape) if split.fresh is None else split.fresh
    unclamped = (frozen.g > 0) & (split.g > 0)
    whole, slow = ((one.g - quiet) / z for one in (frozen, split))
    assert whole[unclamped] ** 2 == pytest.approx((slow**2 + fresh**2)[unclamped], rel=1e-6)
    share = max(math.log((run + t_r) / (2 * t_r)), 0) / math.log((time + t0 + t_r) / (2 * t_r))
    share = min(share, 1.0)
    assert (fresh / whole)[unclamped] ** 2 == pytest.approx(share, rel=1e-6, abs=1e-12)
    if run >= time + t0:
        assert (split.g == quiet).all()  # a run that is longer than all before sees nothing slow
    noise = known(PRESETS[name].noise)
    expected = noise.sigma(quiet, target, time)
    assert whole[unclamped] == pytest.approx(expected[unclamped], rel=1e-6)


def test_read_noise_at_time_0_is_that_at_t0() -> None:
    """The programmed state was read at t0: its noise is that of a reading then."""
    target = np.full((5, 4), 10e-6)
    fresh = read(pcm(without=("write_error",), read_noise="fresh", run_time=1e9), target).fresh
    sigma = 10e-6 * 0.0088 * 0.4**-0.65 * math.sqrt(math.log((20 + 250e-9) / 500e-9))
    assert fresh == pytest.approx(np.full((5, 4), sigma), rel=1e-12)


@pytest.mark.parametrize("noise", ["frozen", "fresh"])
@pytest.mark.parametrize("model", ["pcm-nandakumar", "ideal"])
def test_stuck_and_open_cells_neither_vary_nor_drift_nor_have_noise(model: str, noise: str) -> None:
    more: dict[str, Any] = {"time": DAY} if model != "ideal" else {"read_sigma": 0.1}
    device = Device(
        model=model, **more, read_noise=noise, stuck_lrs=0.3, stuck_hrs=0.3, array_sigma=0.2,
        dead_rows=0.2, dead_cols=0.2,
    )  # fmt: skip
    # A cell that is stuck where it should be is stuck all the same.
    target = np.where(np.arange(40) % 2, device.g_on, device.g_off) * np.ones((50, 1))
    blank = np.random.default_rng(0).random(target.shape) < 0.1
    cells = read(device, target, blank=blank)
    u = generator(0, 0, 2, 0).random(target.shape)
    dead = generator(0, 0, 13, 0).random((50, 1)) < 0.2
    dead = dead | (generator(0, 0, 14, 0).random(40) < 0.2)
    fixed = np.where(u < 0.3, device.g_on, device.g_off)
    fixed = np.where(dead | blank, 0, fixed)
    still = (u < 0.6) | dead | blank
    assert (cells.g[still] == fixed[still]).all()
    if noise == "frozen":
        assert cells.fresh is None
        return
    fresh = known(cells.fresh)
    assert (fresh[still] == 0).all()
    assert (fresh[~still & (cells.g > 0)] > 0).all()


def test_steps_come_in_their_order_and_none_leaves_less_than_nothing() -> None:
    """Written, varied, read, stuck: by hand, with errors so large that many are cut off at 0."""
    keys: dict[str, Any] = {"g_on": 1e-4, "g_off": 1e-6, "n_bits": None, "write_sigma": 0.8}
    keys |= {"d2d_sigma": 0.5, "read_sigma": 0.4, "read_unit": "relative", "stuck_lrs": 0.1}
    target = np.random.default_rng(3).uniform(1e-6, 1e-4, (60, 50))
    draws = [generator(0, 0, effect, 0) for effect in (WRITE, 1, READ_NOISE)]
    write, vary, noise = (rng.standard_normal(target.shape) for rng in draws)
    written = np.maximum(target + 0.8 * (1e-4 - 1e-6) * write, 0)
    assert 0.1 < (written == 0).mean() < 0.6
    varied = written * np.exp(0.5 * vary)
    reading = np.maximum(varied + 0.4 * varied * noise, 0)
    expected = np.where(generator(0, 0, 2, 0).random(target.shape) < 0.1, 1e-4, reading)
    assert read(Device(**keys), target).g == pytest.approx(expected, rel=1e-12, abs=1e-20)


def test_a_law_without_a_value_at_some_level_is_refused_in_one_sentence() -> None:
    """ln 0 bounds nothing: at 0 S such an exponent is no number."""
    unbounded = [{"logarithm": [-0.01, 0.02]}]
    drift = {"law": "power_drift", "t0": 20, "scale": 25, "nu_mean": unbounded, "nu_sd": unbounded}
    preset: dict[str, Any] = {"schema_version": 1, "about": "a", "source": "-", "status": "fit"}
    preset |= {"range": {"low": 0, "high": 25}, "laws": {"drift": drift}}
    chosen = rxsim.settings(changes={"device.model": preset, "device.time": "1h"}).device
    assert read(chosen, np.full((9, 9), 5e-6)).g.min() > 0
    with pytest.raises(rxsim.RxsimError, match=r"laws\.drift: found cells .* bound its curves"):
        read(chosen, np.zeros((9, 9)))


@pytest.mark.filterwarnings("error")
def test_cells_that_are_left_open_are_no_matter_to_a_law() -> None:
    target, blank = np.full((9, 9), 2e-5), np.zeros((9, 9), bool)
    target[:5], blank[:5] = 0, True  # far below g_off: no level there
    device = pcm(g_off=8e-6, n_levels=9, time=DAY, read_noise="fresh")
    open_cells = read(device, target, blank=blank)
    whole = read(device, np.full((9, 9), 2e-5))
    assert (open_cells.g == np.where(blank, 0, whole.g)).all()
    assert (known(open_cells.fresh) == np.where(blank, 0, known(whole.fresh))).all()


def test_each_step_of_a_preset_is_switched_off_alone() -> None:
    """What is left draws as before; without drift a cell is read at once, noise included."""
    target = spread_targets(25e-6)
    whole = rxsim.settings(changes={"device.model": "pcm-nandakumar", "device.time": "1d"})
    off = {
        name: read(effects.without(whole, [name]).device, target).g
        for name in ("write_error", "drift", "read_noise")
    }
    steps: Any = ("write_error", "drift", "read_noise")
    assert (off["read_noise"] == read(pcm(time=DAY, without=steps[2:]), target).g).all()
    assert (off["write_error"] == read(pcm(time=DAY, without=steps[:1]), target).g).all()
    assert (off["drift"] == read(pcm(), target).g).all()
    bare = effects.without(whole, steps).device
    assert (read(bare, target).g == target).all()
    verified = rxsim.settings(changes={"device.write_sigma": 0.1, "device.verify.tolerance": 0.01})
    assert effects.without(verified, ["write_error"]) == rxsim.settings()


def test_the_target_of_drift_is_the_level_and_of_noise_what_was_programmed() -> None:
    """A cell aims at its level: its exponent follows from that, whatever the error."""
    target = np.full((30, 40), 3e-6)  # levels of 0, 12.5 and 25 uS: the nearest is 0
    device = pcm(n_levels=3, time=DAY, without=("read_noise",))
    z = generator(0, 0, DRIFT, 0).standard_normal(target.shape)
    nu = np.abs(0.1 + 0.045 * z)  # the ends of both curves at g = 0
    written = np.maximum(0.26348e-6 * generator(0, 0, WRITE, 0).standard_normal(target.shape), 0)
    expected = written * ((DAY + 20) / 20) ** -nu
    assert read(device, target).g == pytest.approx(expected, rel=1e-9, abs=1e-20)
    noisy = pcm(n_levels=3, time=DAY, read_noise="fresh", run_time=1e9)
    q = np.minimum(0.0088 * np.maximum(written / 25e-6, 1e-30) ** -0.65, 0.2)
    sigma = expected * q * math.sqrt(math.log((DAY + 20 + 250e-9) / 500e-9))
    assert known(read(noisy, target).fresh) == pytest.approx(sigma, rel=1e-9, abs=1e-20)
