"""Programming: levels, write error, variation and stuck cells, against their own definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rxsim.config import Device, Settings
from rxsim.devices import Chip, program, to_levels
from rxsim.mapping import PhysicalArray
from rxsim.scenarios import nominal

SHAPE = (120, 100)


def array_of(g: np.ndarray, index: int = 0, blank: np.ndarray | None = None) -> PhysicalArray:
    n_rows, n_cols = g.shape
    blank = np.zeros(g.shape, dtype=bool) if blank is None else blank
    return PhysicalArray(
        index=index,
        conversion=0,
        target=g,
        blank=blank,
        rows=np.arange(n_rows),
        row_signs=np.ones(n_rows),
        cols=np.arange(n_cols),
        col_signs=np.ones(n_cols),
        references=np.full(n_cols, -1),
    )


def ramp(device: Device) -> np.ndarray:
    return np.linspace(device.g_off, device.g_on, SHAPE[0] * SHAPE[1]).reshape(SHAPE)


@given(st.integers(2, 300), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_a_level_is_the_nearest_of_evenly_spaced_ones(n_levels: int, seed: int) -> None:
    device = Device(g_on=1e-4, g_off=3e-6, n_levels=n_levels)
    g = np.random.default_rng(seed).uniform(3e-6, 1e-4, 200)
    levels = np.linspace(3e-6, 1e-4, n_levels)
    reached = to_levels(g, device)
    nearest = np.abs(g[:, None] - levels[None, :]).min(axis=1)
    assert np.abs(reached - g) == pytest.approx(nearest, abs=1e-18)
    assert np.abs(reached[:, None] - levels[None, :]).min(axis=1).max() < 1e-18


def test_a_tie_between_levels_goes_to_the_even_one() -> None:
    device = Device(g_on=4.0, g_off=0.0, n_levels=5)  # levels 0 1 2 3 4
    assert to_levels(np.array([0.5, 1.5, 2.5, 3.5]), device).tolist() == [0, 2, 2, 4]


def test_the_outermost_levels_are_g_off_and_g_on_exactly() -> None:
    device = Device(n_bits=6)
    assert to_levels(np.array([device.g_off, device.g_on]), device).tolist() == [
        device.g_off,
        device.g_on,
    ]


def test_a_continuous_device_keeps_its_target() -> None:
    device = Device(n_bits=None)
    g = ramp(device)
    assert (program(array_of(g), 0, device, Chip(0, 0)) == g).all()


def test_nominal_devices_have_levels_only() -> None:
    settings = Settings(device=Device(write_sigma=0.1, d2d_sigma=0.2, stuck_lrs=0.1))
    device = nominal(settings).device
    g = ramp(device)
    assert (program(array_of(g), 0, device, Chip(3, 7)) == to_levels(g, device)).all()


def test_the_write_error_is_normal_with_the_stated_deviation_of_the_range() -> None:
    device = Device(n_bits=None, write_sigma=0.02)
    g = np.full(SHAPE, (device.g_on + device.g_off) / 2)
    z = (program(array_of(g), 0, device, Chip(1, 0)) - g) / (device.g_on - device.g_off)
    assert z.std() == pytest.approx(0.02, rel=0.03)  # 12,000 draws: 0.65 % standard error
    assert abs(z.mean()) < 4 * 0.02 / np.sqrt(z.size)
    assert (np.abs(z / 0.02) < 1.96).mean() == pytest.approx(0.95, abs=0.008)


def test_a_relative_write_error_is_a_share_of_the_cells_own_conductance() -> None:
    device = Device(n_bits=None, write_sigma=0.02, write_unit="relative")
    g = ramp(device)
    z = program(array_of(g), 0, device, Chip(1, 0)) / g - 1
    for part in (z[:30], z[-30:]):
        assert part.std() == pytest.approx(0.02, rel=0.06)


def test_variation_is_log_normal_and_keeps_the_median() -> None:
    device = Device(n_bits=None, d2d_sigma=0.3)
    g = ramp(device)
    log = np.log(program(array_of(g), 0, device, Chip(1, 0)) / g)
    assert log.std() == pytest.approx(0.3, rel=0.03)
    assert abs(np.median(log)) < 0.015


def test_conductances_never_fall_below_zero_but_may_exceed_g_on() -> None:
    device = Device(n_bits=None, write_sigma=0.8)
    g = program(array_of(ramp(device)), 0, device, Chip(1, 0))
    assert g.min() == 0
    assert g.max() > device.g_on


def test_stuck_cells_override_everything_at_the_stated_rates() -> None:
    device = Device(write_sigma=0.05, d2d_sigma=0.1, stuck_lrs=0.04, stuck_hrs=0.1)
    g = program(array_of(np.full(SHAPE, 2.2e-6)), 0, device, Chip(1, 0))
    n = g.size
    for value, rate in ((device.g_on, 0.04), (device.g_off, 0.1)):
        share = (g == value).mean()
        assert share == pytest.approx(rate, abs=4 * np.sqrt(rate * (1 - rate) / n))


def test_effects_follow_one_another_in_the_stated_order() -> None:
    """Level, then write error, then variation, then stuck: rebuilt here from the draws themselves."""
    device = Device(write_sigma=0.1, d2d_sigma=0.2, stuck_lrs=0.1, stuck_hrs=0.2)
    target = ramp(device)

    def draws(effect: int) -> np.random.Generator:
        key = (2, 7, effect, 3)  # trial, layer, effect, array
        return np.random.default_rng(np.random.SeedSequence(5, spawn_key=key))

    span = device.g_on - device.g_off
    g = device.g_off + np.rint((target - device.g_off) / span * 63) / 63 * span
    g = np.maximum(g + 0.1 * span * draws(0).standard_normal(SHAPE), 0)
    g = g * np.exp(0.2 * draws(1).standard_normal(SHAPE))
    u = draws(2).random(SHAPE)
    g = np.where(u < 0.1, device.g_on, np.where(u < 0.3, device.g_off, g))
    assert program(array_of(target, 3), 7, device, Chip(5, 2)) == pytest.approx(g, rel=1e-14)


def test_draws_do_not_depend_on_other_effects() -> None:
    target = ramp(Device())
    alone = program(array_of(target), 0, Device(d2d_sigma=0.2), Chip(1, 0))
    both = program(array_of(target), 0, Device(d2d_sigma=0.2, stuck_hrs=0.1), Chip(1, 0))
    not_stuck = both != Device().g_off
    assert (alone[not_stuck] == both[not_stuck]).all()


def test_chips_layers_arrays_and_seeds_have_draws_of_their_own() -> None:
    device = Device(write_sigma=0.05)
    target = ramp(device)
    results = [
        program(array_of(target, array), layer, device, Chip(seed, trial))
        for seed, trial, layer, array in (
            (0, 0, 0, 0),
            (1, 0, 0, 0),
            (0, 1, 0, 0),
            (0, 0, 1, 0),
            (0, 0, 0, 1),
        )
    ]
    for i, a in enumerate(results):
        for b in results[:i]:
            assert abs(np.corrcoef((a - target).ravel(), (b - target).ravel())[0, 1]) < 0.05


def test_open_cells_are_never_programmed() -> None:
    device = Device(write_sigma=0.5, stuck_lrs=0.5)
    blank = np.zeros(SHAPE, dtype=bool)
    blank[:, 50:] = True
    g = program(array_of(np.where(blank, 0.0, 2e-6), blank=blank), 0, device, Chip(1, 0))
    assert (g[blank] == 0).all()
    assert (g[~blank] != 0).mean() > 0.5
