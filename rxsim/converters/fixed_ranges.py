"""ADC ranges that follow from the settings: full scale, one LSB a step, and a number of amperes.

See docs/concepts/model.md section 6.
"""

from __future__ import annotations

import numpy as np

from rxsim.config import FixedRange, Settings
from rxsim.converters.adc import adc_codes
from rxsim.converters.input_plan import InputPlan


def fixed_ranges(
    settings: Settings,
    plan: InputPlan,
    shape: tuple[int, int, int],
    n_row_tiles: int,
    step: float,
    is_difference: bool,
) -> np.ndarray:
    """Find the range of every conversion.

    Args:
        settings: the layer's settings, with an ADC whose range is not calibrated.
        plan: its inputs.
        shape: conversions, groups, readouts.
        n_row_tiles: row tiles of the layer.
        step: siemens of the smallest difference of two weights' cells.
        is_difference: whether what is converted is a difference of two currents.

    Returns:
        Ampere (a side, where both occur), float64 (conversions, groups, readouts).
    """
    if isinstance(settings.adc.range, FixedRange):
        return np.full(shape, settings.adc.range.amperes)
    both_sides = np.array([is_difference or each.signed for each in plan.passes])
    if settings.adc.range == "unit_lsb":
        volts = np.array([each.volt / each.steps for each in plan.passes])
        by_pass = adc_codes(settings.adc.n_bits or 1, both_sides)[1] * volts * step
        return _of_conversions(by_pass, shape)
    return full_scale(settings, plan, shape, n_row_tiles, is_difference)


def full_scale(
    settings: Settings,
    plan: InputPlan,
    shape: tuple[int, int, int],
    n_row_tiles: int,
    is_difference: bool,
) -> np.ndarray:
    """Find the current of every conversion where all cells are at g_on and all inputs at v_read.

    The arguments and what is returned are those of `fixed_ranges`, for any `adc.range`.
    """
    device, v_read = settings.device, settings.input.v_read
    largest = device.g_on - device.g_off if is_difference else device.g_on
    tiles = n_row_tiles if settings.adc.where == "per_layer" else 1
    counts = np.array([each.span for each in plan.passes])
    by_pass = settings.crossbar.rows * v_read * largest * tiles * counts
    return _of_conversions(by_pass, shape)


def _of_conversions(by_pass: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Give every conversion, group and readout what belongs to its pass."""
    conversions = np.repeat(by_pass, shape[0] // len(by_pass))
    return np.broadcast_to(conversions[:, None, None], shape).copy()
