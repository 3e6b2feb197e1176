"""Draws of the shipped presets against the formulas of their sources, over conductance and over time.

10,000 cells a level are programmed by `rxsim.devices.program`. Means and standard deviations must be
those of the formulas, typed anew here from docs/concepts/model.md section 10, not read from presets'
files. What the draws of a formula have as mean and deviation is found by integrating over its normal
numbers (the limit at 0 S makes them skewed). The bound is 4.5 standard errors: with about 1,900
comparisons a right implementation fails at one with a chance of 1.3 %, and the seeds are fixed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from scipy.stats import norm

from rxsim.config import Device, Preset, named_preset, preset_names
from rxsim.devices import Chip, program
from rxsim.mapping import PhysicalArray

CELLS = 10_000
BOUND = 4.5
uS = 1e-6
DECADES = (1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e7)
"""Seconds after programming."""
YEAR = 365 * 86400.0
Function = Callable[[np.ndarray], np.ndarray]


def drawn(
    device: Device, levels: np.ndarray, seed: int = 1, chip: Chip | None = None
) -> np.ndarray:
    """Program an array with a row for each level (uS); return its conductances in uS."""
    target = np.repeat(levels[:, None] * uS, CELLS, axis=1)
    array = PhysicalArray(
        index=0,
        conversion=0,
        target=target,
        blank=np.zeros(target.shape, dtype=bool),
        rows=np.arange(len(levels)),
        row_signs=np.ones(len(levels)),
        cols=np.arange(CELLS),
        col_signs=np.ones(CELLS),
        references=np.full(CELLS, -1),
    )
    return program(array, 0, device, chip or Chip(seed, 0)) / uS


def read_at(model: str | Preset, seconds: float, *, noise: bool = False) -> Device:
    """Cells of a preset at a time; without read noise they are as they would be without reading."""
    without = () if noise else ("read_noise",)
    return Device.model_validate({"model": model, "time": seconds, "without": without})


@dataclass(frozen=True)
class Moments:
    """Mean and standard deviation of a distribution, and the standard errors of a sample's."""

    mean: float
    sd: float
    error_of_mean: float
    error_of_sd: float


_Z = np.linspace(-8.5, 8.5, 1701)
_WEIGHT = np.exp(-(_Z**2) / 2) / np.exp(-(_Z**2) / 2).sum()


def of_values(values: np.ndarray, weights: np.ndarray) -> Moments:
    mean = float((weights * values).sum())
    second, fourth = (float((weights * (values - mean) ** k).sum()) for k in (2, 4))
    error = np.sqrt(max(fourth - second**2, 0) / CELLS) / (2 * np.sqrt(second))
    return Moments(mean, np.sqrt(second), np.sqrt(second / CELLS), error)


def of_one_normal(value: Function) -> Moments:
    """Integrate a value over one standard normal number."""
    return of_values(value(_Z), _WEIGHT)


def of_two_normals(value: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Moments:
    """Integrate a value over two."""
    one, other = _Z[::4], _Z[::4]
    weights = np.exp(-(one[:, None] ** 2 + other**2) / 2)
    return of_values(value(one[:, None], other[None, :]), weights / weights.sum())


def scores(sample: np.ndarray, expected: Moments) -> tuple[float, float]:
    """Return by how many standard errors a sample's mean and deviation are off."""
    return (
        (sample.mean() - expected.mean) / expected.error_of_mean,
        (sample.std() - expected.sd) / expected.error_of_sd,
    )


def assert_drawn(samples: np.ndarray, expected: list[Moments]) -> None:
    found = [scores(sample, one) for sample, one in zip(samples, expected, strict=True)]
    assert np.abs(found).max() < BOUND, found


# ---- write errors --------------------------------------------------------------------


def powers(g: np.ndarray | float, *coefficients: float) -> np.ndarray:
    return sum((c * np.asarray(g) ** k for k, c in enumerate(coefficients)), np.zeros(np.shape(g)))


WAN = {
    1.0: lambda x: powers(x, 0.348, 16.03, -43.853, 45.393, -16.815),
    86400.0: lambda x: powers(x, 0.701, 22.086, -50.773, 47.095, -16.458),
    172800.0: lambda x: powers(x, 0.782, 20.274, -43.507, 37.062, -11.934),
}
"""Seconds -> sigma in uS over G/40 uS."""


def sonos_sigma(g: np.ndarray, a: float = 19.887, b: float = 176.31) -> np.ndarray:
    """sigma_I = A (1 - exp(-I/B)) in nA at 0.1 V, as a conductance in uS."""
    current = g * 0.1 * 1e3
    return np.asarray(a * (1 - np.exp(-current / b)) / 0.1 / 1e3)


WRITE: dict[str, tuple[float, float, Function]] = {
    "pcm-nandakumar": (0, 25, lambda g: powers(g / 25, 0.26348, 1.9650, -1.1731)),
    "pcm-joshi": (0.25, 25, lambda g: powers(g, 0.28638599, 0.07585724, -0.00178767)),
    "pcm-hermes": (
        0,
        20.7,
        lambda g: powers(g / 20.7, 0.16603222, 4.71806468, -8.48101252, 4.68961419),
    ),
    "pcm-hermes-1device": (
        0,
        10.35,
        lambda g: powers(g / 10.35, 0.15781817, 2.32443916, -2.16310839, 0.68841818),
    ),
    "rram-wan": (0, 40, lambda g: WAN[1.0](g / 40)),
    "rram-wan-1s": (0, 40, lambda g: WAN[1.0](g / 40)),
    "rram-wan-1day": (0, 40, lambda g: WAN[86400.0](g / 40)),
    "rram-wan-2days": (0, 40, lambda g: WAN[172800.0](g / 40)),
    "rram-wan-crosssim": (0, 39.26, lambda g: powers(g, 1.053, 0.2374, -1.167e-2, 1.536e-4)),
    "rram-milo": (50, 225, lambda g: powers(g, 4.7823, -0.009107)),
    "rram-falcone-2pct": (9, 88.2, lambda g: powers(g, 0.01122, 0.01129)),
    "rram-falcone-0.2pct": (9, 88.2, lambda g: powers(g, 0.000811, 0.001069)),
    "sonos-agrawal": (0, 16, sonos_sigma),
    "sonos-agrawal-aged": (0, 14, lambda g: sonos_sigma(g, 19.88665, 176.3115)),
}
"""Preset -> smallest and largest conductance, sigma over conductance; all in uS."""


def written(g: float, sigma: Function) -> Moments | None:
    """Return what a normal write error makes of a target; None where there is none."""
    deviation = float(np.maximum(sigma(np.array(g)), 0))
    return written_around(g, deviation) if deviation else None


def written_around(g: float, deviation: float) -> Moments:
    return of_one_normal(lambda z: np.maximum(g + z * deviation, 0))


@pytest.mark.parametrize("name", WRITE)
def test_programming_scatters_as_the_source_says(name: str) -> None:
    low, high, sigma = WRITE[name]
    levels = np.linspace(low, high, 17)
    device = read_at(name, 0)
    assert (device.g_off / uS, device.g_on / uS) == pytest.approx((low, high))
    achieved = drawn(device, levels)
    for g, sample in zip(levels, achieved, strict=True):
        expected = written(g, sigma)
        if expected is None:
            assert (sample == g).all()
        else:
            assert np.abs(scores(sample, expected)).max() < BOUND


@pytest.mark.parametrize("seconds", WAN)
def test_wans_cells_scatter_as_at_their_time_and_keep_their_rank(seconds: float) -> None:
    levels = np.linspace(0, 40, 17)
    achieved = drawn(read_at("rram-wan", seconds), levels)
    sigmas = [written(g, lambda x: WAN[seconds](x / 40)) for g in levels]
    assert_drawn(achieved, [one for one in sigmas if one is not None])
    first = drawn(read_at("rram-wan", 0), levels)
    # The same draws at each time: where nothing is cut off at 0 S, errors are in a fixed ratio.
    ratio = (achieved[8] - levels[8]) / (first[8] - levels[8])
    assert ratio == pytest.approx(float(WAN[seconds](0.5) / WAN[1.0](0.5)), rel=1e-6)
    named = {1.0: "1s", 86400.0: "1day", 172800.0: "2days"}[seconds]
    assert (achieved == drawn(read_at(f"rram-wan-{named}", 0), levels)).all()


# Source: Agrawal et al., IEDM 2022, Fig. 10, in CrossSim's fit: day -> A, B in nA, mean drift over the
# current in nA, c0 first.
SONOS = {
    1: (
        (25.59102, 186.85544),
        "0.68365 6.5125e-3 -4.03163e-4 3.37944e-6 -1.87435e-8 5.88902e-11 -1.07685e-13 1.17751e-16 "
        "-7.60016e-20 2.67255e-23 -3.94954e-27",
    ),
    2: (
        (28.72753, 193.56834),
        "0.660925 8.60627e-3 -1.72936e-4 7.44096e-7 -5.94866e-9 2.36734e-11 -4.8374e-14 5.56072e-17 "
        "-3.65397e-20 1.28405e-23 -1.8745e-27",
    ),
    3: (
        (31.04318, 198.90332),
        "1.15821 1.96116e-2 -4.70807e-4 3.6751e-6 -2.08786e-8 6.59752e-11 -1.19499e-13 1.28435e-16 "
        "-8.11574e-20 2.78802e-23 -4.02057e-27",
    ),
    4: (
        (33.76214, 204.77023),
        "0.872216 1.70926e-2 -2.2337e-4 1.57526e-6 -1.32779e-8 5.08256e-11 -1.01251e-13 1.14633e-16 "
        "-7.46124e-20 2.60559e-23 -3.78724e-27",
    ),
    5: (
        (34.57909, 207.34309),
        "1.15294 1.03149e-2 -6.05199e-5 1.76086e-8 -6.4669e-9 3.39044e-11 -7.53872e-14 8.98185e-17 "
        "-6.00346e-20 2.12615e-23 -3.11099e-27",
    ),
}


@pytest.mark.parametrize("day", SONOS)
def test_sonos_ages_as_the_source_says(day: int) -> None:
    (a, b), text = SONOS[day]
    drift = [float(word) for word in text.split()]
    levels = np.linspace(0, 14, 15)
    mean = levels + powers(levels * 100, *drift) / 100  # 100 nA are 1 uS at 0.1 V
    expected = [written_around(m, float(sonos_sigma(m, a, b))) for m in mean]
    assert_drawn(drawn(read_at("sonos-agrawal-aged", day * 86400), levels), expected)


# ---- drift and relaxation ------------------------------------------------------------


def clipped_log(
    x: np.ndarray, slope: float, constant: float, low: float, high: float
) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.asarray(np.clip(slope * np.log(x) + constant, low, high))


@dataclass(frozen=True)
class Drift:
    """t0 and t_r in seconds, G_max in uS; exponents and Q over G/G_max."""

    t0: float
    g_max: float
    t_r: float
    nu_mean: Function
    nu_sd: Function
    q: Function


def hermes_mean(x: np.ndarray) -> np.ndarray:
    high = -0.0436 * x**2 - 0.0126 * x + 0.0736
    return np.where(x < 0.0945, clipped_log(x, -0.0387, -0.0182, 0.072, 0.13), high)


PCM = {
    "pcm-nandakumar": Drift(
        t0=20,
        g_max=25,
        t_r=250e-9,
        nu_mean=lambda x: clipped_log(x, -0.0155, 0.0244, 0.049, 0.1),
        nu_sd=lambda x: clipped_log(x, -0.0125, -0.0059, 0.008, 0.045),
        q=lambda x: np.minimum(0.0088 / np.maximum(x**0.65, 1e-3), 0.2),
    ),
    "pcm-hermes": Drift(
        t0=300,
        g_max=20.7,
        t_r=512e-9,
        nu_mean=hermes_mean,
        nu_sd=lambda x: np.where(
            x < 0.3055,
            clipped_log(x, -0.0117, -0.0057, 0.0091, 0.04),
            -0.0118 * x**2 + 0.0093 * x + 0.0073,
        ),
        q=lambda x: np.where(
            x < 0.16,
            clipped_log(x, -0.0117, -0.0069, 0.015, 0.04),
            0.0069 * x**3 - 0.0280 * x**2 + 0.0211 * x + 0.0123,
        ),
    ),
    "pcm-hermes-1device": Drift(
        t0=200,
        g_max=10.35,
        t_r=512e-9,
        nu_mean=hermes_mean,
        nu_sd=lambda x: np.where(
            x < 0.3039,
            clipped_log(x, -0.0120, -0.0023, 0.0124, 0.04),
            -0.0165 * x**2 + 0.0116 * x + 0.0104,
        ),
        q=lambda x: np.where(
            x < 0.1591,
            clipped_log(x, -0.0078, 0.0038, 0.0179, 0.04),
            0.0664 * x**3 - 0.1352 * x**2 + 0.0768 * x + 0.0088,
        ),
    ),
}
SHARES = np.array([0, 0.01, 0.05, 0.1, 0.3, 0.5, 0.8, 1.0])
"""Levels over G_max, in every piece of every curve."""


def drifted(name: str, share: float, seconds: float) -> Moments:
    """Integrate G_p ((t + t0)/t0)^-|nu| over the write error and the exponent."""
    law = PCM[name]
    x = np.array(share)
    sigma = float(WRITE[name][2](x * law.g_max))
    mean, sd = float(law.nu_mean(x)), float(law.nu_sd(x))
    fall = (seconds + law.t0) / law.t0
    return of_two_normals(
        lambda z, other: (
            np.maximum(share * law.g_max + z * sigma, 0) * fall ** -np.abs(mean + other * sd)
        )
    )


@pytest.mark.parametrize("name", PCM)
def test_conductances_drift_as_the_source_says_over_seven_decades(name: str) -> None:
    levels = SHARES * PCM[name].g_max
    for seconds in (*DECADES, YEAR):
        achieved = drawn(read_at(name, seconds), levels)
        assert_drawn(achieved, [drifted(name, share, seconds) for share in SHARES])


@pytest.mark.parametrize("name", PCM)
def test_a_cells_exponent_is_the_same_at_every_time(name: str) -> None:
    """-ln(G_t/G_0) / ln((t + t0)/t0) is |N(mean, sd)| of the target, once per cell and chip."""
    law = PCM[name]
    levels = SHARES[1:] * law.g_max
    start = drawn(read_at(name, 0), levels)
    start[start == 0] = np.nan
    exponents = []
    for seconds in (100.0, 1e5, YEAR):
        later = drawn(read_at(name, seconds), levels)
        exponents.append(-np.log(later / start) / np.log((seconds + law.t0) / law.t0))
    for later in exponents[1:]:
        np.testing.assert_allclose(later, exponents[0], rtol=1e-6, atol=1e-9)
    for x, row in zip(SHARES[1:], exponents[0], strict=True):
        mean, sd = float(law.nu_mean(np.array(x))), float(law.nu_sd(np.array(x)))
        sample = row[~np.isnan(row)]
        assert np.abs(scores(sample, magnitude(mean, sd))).max() < BOUND


def magnitude(mean: float, sd: float) -> Moments:
    return of_one_normal(lambda z: np.abs(mean + z * sd))


RELAXATION = {"rram-falcone-2pct": (0.01129, 0.01122), "rram-falcone-0.2pct": (0.001069, 0.000811)}


@pytest.mark.parametrize("name", RELAXATION)
def test_falcones_cells_relax_as_the_source_says(name: str) -> None:
    """Shift -0.0890 ln t and spread 0.0420 ln t + 0.4118, which adds to that of programming."""
    slope, constant = RELAXATION[name]
    levels = np.linspace(9, 88.2, 9)
    for seconds in (*DECADES, 10 * YEAR):
        expected = [relaxed(g, slope * g + constant, np.log(seconds)) for g in levels]
        assert_drawn(drawn(read_at(name, seconds), levels), expected)


def relaxed(g: float, sigma: float, folds: float) -> Moments:
    shift, spread = -0.0890 * folds, 0.0420 * folds + 0.4118
    return of_two_normals(
        lambda z, other: np.maximum(np.maximum(g + z * sigma, 0) + shift + other * spread, 0)
    )


# ---- read noise ----------------------------------------------------------------------


@pytest.mark.parametrize("name", PCM)
def test_read_noise_grows_with_time_as_the_source_says(name: str) -> None:
    """(G_read/G_drifted - 1) / (Q(G_programmed) sqrt(ln((t + t0 + t_r)/(2 t_r)))) is standard normal.

    Programming and drift are the same with and without read noise, so each cell gives one number z.
    Noise that would carry a cell below 0 S leaves it there: z then is cut off at -1/deviation.
    """
    law = PCM[name]
    levels = SHARES[1:] * law.g_max
    programmed = drawn(read_at(name, 0), levels)
    for seconds in (0.0, *DECADES, YEAR):
        still = drawn(read_at(name, seconds), levels)
        read = drawn(read_at(name, seconds, noise=True), levels)
        t = seconds + law.t0
        for before, g, after in zip(programmed, still, read, strict=True):
            some = g > 0
            part = law.q(before[some] / law.g_max) * np.sqrt(np.log((t + law.t_r) / (2 * law.t_r)))
            z = (after[some] / g[some] - 1) / part
            assert np.abs(scores_of_censored(z, 1 / part)).max() < BOUND


def scores_of_censored(z: np.ndarray, most: np.ndarray) -> tuple[float, float]:
    """Return by how many standard errors max(z, -most) is off what a standard normal z gives."""
    beyond, density = norm.sf(most), norm.pdf(most)
    mean = density - most * beyond
    square = most**2 * beyond + norm.cdf(most) - most * density
    standard = (z - mean) / np.sqrt(square - mean**2)  # mean 0, deviation 1
    squares = standard**2
    error = squares.std() / np.sqrt(z.size)
    return float(standard.mean() * np.sqrt(z.size)), float((squares.mean() - 1) / error)


@pytest.mark.parametrize("name", PCM)
@pytest.mark.parametrize("run_time", [1e-6, 1e-3, 1.0, 1e3])
def test_the_part_of_read_noise_that_is_frozen_follows_the_time_of_a_run(
    name: str, run_time: float
) -> None:
    """Of the variance ln((T + t_r)/(2 t_r)) is fresh in a run of T; the rest is frozen."""
    law, seconds = PCM[name], 3600.0
    levels = np.array([0.8 * law.g_max])
    device = Device.model_validate(
        {"model": name, "time": seconds, "read_noise": "fresh", "run_time": run_time}
    )
    programmed = drawn(read_at(name, 0), levels)
    read, still = drawn(device, levels), drawn(read_at(name, seconds), levels)
    whole, fresh = (
        max(np.log((t + law.t_r) / (2 * law.t_r)), 0) for t in (seconds + law.t0, run_time)
    )
    z = (read / still - 1) / (law.q(programmed / law.g_max) * np.sqrt(whole - fresh))
    assert np.abs(scores(z[0], of_one_normal(lambda z: z))).max() < BOUND


def test_sonos_read_noise_saturates_as_the_source_says() -> None:
    levels = np.linspace(2, 14, 8)
    still = drawn(read_at("sonos-agrawal-aged", 0), levels)
    read = drawn(read_at("sonos-agrawal-aged", 0, noise=True), levels)
    z = (read - still) / sonos_sigma(still, 12.58037, 215.36557)
    assert_drawn(z, [of_one_normal(lambda z: z)] * len(levels))


# ---- the tests themselves ------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "key", "wrong"),
    [
        ("write_error", "coefficients", (0.26348, 2.3, -1.1731)),
        ("drift", "nu_mean", [{"logarithm": (-0.0155, 0.0244), "low": 0.0495, "high": 0.1}]),
        ("drift", "nu_sd", [{"logarithm": (-0.0125, -0.0072), "low": 0.008, "high": 0.045}]),
        ("drift", "t0", 23),
        ("read_noise", "q", [{"power": (0.0091, -0.65), "high": 0.2}]),
        ("read_noise", "t_r", 2500e-9),
    ],
)
def test_a_wrong_number_is_seen(step: str, key: str, wrong: object) -> None:
    """The comparisons above, on a preset with one number slightly wrong, go beyond the bound."""
    preset = named_preset("pcm-nandakumar")
    choice = preset.laws[step]  # type: ignore[index]
    changed = choice.model_validate({**choice.model_dump(), key: wrong})
    spoiled = preset.model_copy(update={"laws": {**preset.laws, step: changed}})
    law, seconds = PCM["pcm-nandakumar"], 1e5
    levels = SHARES[1:] * law.g_max

    def at(time: float, *, noise: bool = False) -> np.ndarray:
        return drawn(read_at(spoiled, time, noise=noise), levels)

    if step == "read_noise":
        t = seconds + law.t0
        part = law.q(at(0)[3:] / 25) * np.sqrt(np.log((t + law.t_r) / (2 * law.t_r)))
        z = (at(seconds, noise=True)[3:] / at(seconds)[3:] - 1) / part
        found = [scores(row, of_one_normal(lambda z: z)) for row in z]
    else:
        found = [
            scores(row, drifted("pcm-nandakumar", x, seconds))
            for row, x in zip(at(seconds), SHARES[1:], strict=True)
        ]
    assert np.abs(found).max() > BOUND


def test_every_published_deviation_is_compared() -> None:
    with_error = {name for name in preset_names() if "write_error" in named_preset(name).laws}
    assert with_error == {*WRITE}
    with_drift = {name for name in preset_names() if "drift" in named_preset(name).laws}
    assert with_drift == {*PCM, *RELAXATION}
