"""Device laws: their formulas, units and limits, and what lets them stand side by side."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rxsim.config import STEPS, Device, named_preset, preset_names
from rxsim.devices import Cells, Chip, Draws, MeasuredLaw, acting_laws, has_random_effects
from rxsim.devices.law import LAWS
from rxsim.devices.laws.generic_write import with_write_error
from rxsim.devices.laws.lognormal import with_lognormal_factor
from rxsim.devices.laws.polynomial import polynomial_sigma
from rxsim.devices.laws.saturating import saturating_sigma
from rxsim.devices.laws.stuck import with_stuck_cells
from rxsim.devices.measured_deviation import MeasuredDeviation
from rxsim.errors import SettingError
from rxsim.schema import validated
from rxsim.seeds import Effect

uS = 1e-6
NOT_LAWS = {Effect.DAC, Effect.ADC, Effect.PULSES}
numbers = st.floats(-100, 100).map(lambda value: round(value, 6))
# No microsiemens so small that siemens underflow.
conductances = st.lists(st.just(0.0) | st.floats(1e-30, 300), min_size=1, max_size=20).map(np.array)
shares = st.floats(0, 0.5)


@given(conductances, st.lists(numbers, min_size=1, max_size=5), st.floats(0.1, 50))
@settings(max_examples=100, deadline=None)
def test_a_polynomial_is_that_of_exact_arithmetic_and_never_below_0(
    g: np.ndarray, coefficients: list[float], scale: float
) -> None:
    sigma = polynomial_sigma(g * uS, coefficients, scale, uS) / uS
    x = [Fraction(value) / Fraction(scale) for value in g.tolist()]
    terms = [[Fraction(c) * at**k for k, c in enumerate(coefficients)] for at in x]
    size = np.array([float(sum(map(abs, row))) for row in terms])
    exact = np.array([float(max(sum(row), Fraction(0))) for row in terms])
    assert (np.abs(sigma - exact) <= 1e-13 * size).all()
    assert (sigma >= 0).all()


@given(conductances, st.lists(numbers, min_size=1, max_size=5), st.floats(0.1, 50))
@settings(max_examples=50, deadline=None)
def test_a_polynomial_in_another_unit_is_the_same(
    g: np.ndarray, coefficients: list[float], scale: float
) -> None:
    one = polynomial_sigma(g * uS, coefficients, scale, uS)
    other = polynomial_sigma(g * uS, [1e3 * c for c in coefficients], 1e3 * scale, 1e-9)
    assert other == pytest.approx(one, rel=1e-9, abs=1e-12 * uS * 5 * 100 * 3000**4)


@given(st.floats(0.01, 100), st.floats(0.01, 100))
@settings(max_examples=50, deadline=None)
def test_a_saturating_deviation_rises_from_0_to_its_height(height: float, scale: float) -> None:
    g = np.linspace(0, 60 * scale, 400) * uS
    sigma = saturating_sigma(g, height, scale) / uS
    assert sigma[0] == 0
    assert (np.diff(sigma) >= 0).all()
    assert sigma[-1] == pytest.approx(height, rel=1e-12)
    at_scale = saturating_sigma(np.array([scale * uS]), height, scale)[0] / uS
    assert at_scale == pytest.approx(height * (1 - np.exp(-1.0)), rel=1e-12)


def test_a_saturating_deviation_is_one_of_currents() -> None:
    """At half the voltage the same currents are twice the conductances."""
    preset = named_preset("sonos-agrawal")
    law = LAWS["saturating"]
    assert isinstance(law, MeasuredDeviation)
    g = np.linspace(0, 16, 30) * uS
    choice = preset.laws["write_error"]
    low = choice.model_validate({**choice.model_dump(), "v_read": 0.05})
    half = Device(model=preset.model_copy(update={"laws": {"write_error": low}}))
    device = Device(model="sonos-agrawal")
    assert law.sigma(2 * g, half) == pytest.approx(2 * law.sigma(g, device), rel=1e-12)


@given(conductances, st.floats(0, 2), st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_a_lognormal_factor_does_not_depend_on_the_conductance(
    g: np.ndarray, sigma: float, seed: int
) -> None:
    z = np.random.default_rng(seed).standard_normal(g.shape)
    changed = with_lognormal_factor(g * uS, sigma, z)
    assert changed == pytest.approx(g * uS * np.exp(sigma) ** z, rel=1e-12)
    # As likely up by a factor as down by it: the median is kept.
    assert changed * with_lognormal_factor(g * uS, sigma, -z) == pytest.approx((g * uS) ** 2)


@given(conductances, st.floats(0, 1), st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_a_write_error_is_the_same_up_and_down(g: np.ndarray, sigma: float, seed: int) -> None:
    z = np.random.default_rng(seed).standard_normal(g.shape)
    up, down = (with_write_error(g * uS, sigma * uS, sign * z) for sign in (1, -1))
    assert (up + down) / 2 == pytest.approx(g * uS, abs=1e-12 * uS)
    assert (up - down) / 2 == pytest.approx(sigma * uS * z, abs=1e-12 * uS)


@given(shares, shares, st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_a_cell_is_stuck_at_one_end_or_left_alone(
    at_g_on: float, at_g_off: float, seed: int
) -> None:
    u = np.random.default_rng(seed).random(500)
    g = with_stuck_cells(np.full(500, 5.0), u, at_g_on, at_g_off, 9.0, 1.0)
    expected = [9 if x < at_g_on else 1 if x < at_g_on + at_g_off else 5 for x in u]
    assert g.tolist() == expected


def test_every_law_says_when_it_acts_and_no_two_that_act_together_draw_alike() -> None:
    """Laws may share a number as alternatives only: of one step, all but one named by presets."""
    laws = LAWS.all()
    assert {law.step for law in laws.values()} <= {*STEPS}
    streams: dict[int, list[str]] = {}
    for name, law in laws.items():
        assert law.stream not in NOT_LAWS
        streams.setdefault(int(law.stream), []).append(name)
    assert streams == {
        Effect.WRITE: [
            *("generic_write", "polynomial", "saturating", "table"),
            *("timed_polynomial", "timed_saturating"),
        ],
        Effect.VARIATION: ["lognormal"],
        Effect.STUCK: ["stuck"],
        Effect.DRIFT: ["power_drift", "relaxation"],
        Effect.READ_NOISE: ["generic_read", "one_over_f", "saturating_noise", "white"],
        Effect.ARRAY: ["array_factor"],
        Effect.CHIP: ["chip_factor"],
        Effect.GRADIENT: ["gradient"],
        Effect.FAULT_MAP: ["fault_map"],
        Effect.DEAD_ROWS: ["dead_rows"],
        Effect.DEAD_COLS: ["dead_cols"],
    }
    for names in streams.values():
        assert len({laws[name].step for name in names}) == 1
        assert sum(not isinstance(laws[name], MeasuredLaw) for name in names) <= 1
    folder = Path(__file__).parents[1] / "rxsim" / "devices" / "laws"
    assert {*laws} == {path.stem for path in folder.glob("[!_]*.py")}


@pytest.mark.parametrize("name", preset_names())
def test_laws_that_act_are_in_the_order_of_their_steps_and_draw_from_streams_of_their_own(
    name: str,
) -> None:
    preset = named_preset(name)
    keys = ("write_sigma", "d2d_sigma", "read_sigma")
    more = {key: 0.1 for key in keys if key not in preset.held()}
    laws = acting_laws(Device(model=name, stuck_lrs=0.1, **more))
    by_preset = [step for step in preset.laws if step != "drift"]  # at time 0 nothing has drifted
    assert [STEPS.index(law.step) for law in laws] == sorted(STEPS.index(law.step) for law in laws)
    assert len({law.stream for law in laws}) == len(laws) == 1 + len(more) + len(by_preset)


def test_without_a_law_two_chips_are_alike() -> None:
    assert not has_random_effects(Device())
    assert has_random_effects(Device(model="pcm-joshi"))


def test_a_draw_that_a_chip_shares_is_not_one_of_an_arrays() -> None:
    first, second = (Draws(Chip(3, 1), 2, array, stream=50) for array in (0, 1))
    shared = first.of_chip().random(4).tolist()
    assert shared == second.of_chip().random(4).tolist()
    arrays = [draws.of_array().random(4).tolist() for draws in (first, second)]
    others = [
        Draws(chip, 2, 0, stream).of_chip().random(4).tolist()
        for chip, stream in ((Chip(3, 1), 51), (Chip(3, 2), 50), (Chip(4, 1), 50))
    ]
    assert len({tuple(draw) for draw in (shared, *arrays, *others)}) == 6


def test_a_law_does_not_write_to_what_it_is_given() -> None:
    device = Device(write_sigma=0.1, d2d_sigma=0.1, stuck_lrs=0.2, n_bits=None)
    g = np.full((8, 6), 3e-6)
    g.flags.writeable = False
    cells = Cells(device, g, g, g)
    for law in acting_laws(device):
        assert law.change(g, cells, Draws(Chip(0, 0), 0, 0, law.stream)).shape == g.shape


@pytest.mark.parametrize(
    ("name", "given_numbers", "words"),
    [
        ("polynomial", {}, "coefficients is missing"),
        ("polynomial", {"coefficients": []}, "coefficients"),
        (
            "polynomial",
            {"coefficients": [1], "scale": 0},
            "scale: found 0, expected a number above 0",
        ),
        ("polynomial", {"coefficients": [1], "scal": 2}, "did you mean scale"),
        ("saturating", {"a": 1, "b": 1}, "v_read is missing"),
    ],
)
def test_numbers_that_a_law_does_not_take_are_refused_in_one_sentence(
    name: str, given_numbers: dict[Any, Any], words: str
) -> None:
    law = LAWS[name]
    assert isinstance(law, MeasuredLaw)
    with pytest.raises(SettingError, match=words):
        validated(law.numbers, given_numbers, "preset")
