"""The static curve of a drive: what a voltage counts as on an array that was made linear."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from rxsim.config import Settings
from rxsim.converters.curve import DriveCurve
from rxsim.converters.passes import Drive, Pass
from rxsim.errors import SettingError

_MOST_UNITS = 2**16
_SAME = 1e-9  # relative: a curve is odd but for rounding


def curved(
    drive: Drive, counts_as: Callable[[np.ndarray], np.ndarray], settings: Settings
) -> Drive:
    """Put a static curve into a layer's drive.

    Where all voltages of a pass are 0 or one size, the curve is a factor (unless it treats the two
    signs differently).

    Args:
        drive: the layer's passes.
        counts_as: volt -> what it counts as, volt.
        settings: the layer's.

    Raises:
        SettingError: the curve can't be put into this drive.
    """
    passes = tuple(_curved(one, counts_as, drive, settings) for one in drive.passes)
    # A code that is a pulse's length is not bent: errors of its DAC count as they are.
    cells = None if settings.input.encoding == "pulse_width" else counts_as
    return replace(drive, passes=passes, cells=cells)


def _curved(
    one: Pass, counts_as: Callable[[np.ndarray], np.ndarray], drive: Drive, settings: Settings
) -> Pass:
    encoding, v_read = settings.input.encoding, settings.input.v_read
    ahead, back = (float(counts_as(np.array(v))) / v for v in (v_read, -v_read))
    one_bit = settings.input.bits_per_pulse == 1
    one_size = encoding in ("pulse_width", "stochastic") or (encoding == "bit_serial" and one_bit)
    if one_size and (not one.signed or abs(back - ahead) <= _SAME * ahead):
        return replace(one, gain=ahead)
    if one_size and (encoding == "stochastic" or not settings.input.adc_per_pass):
        raise SettingError(
            "device.iv: found a table that treats the two signs of a voltage differently with inputs "
            "of both signs, expected one for positive voltages, or signed_input: two_phase"
        )
    if encoding == "bit_serial" and not settings.input.adc_per_pass:
        raise SettingError(
            f"input.adc_per_pass: found false with bits_per_pulse: {settings.input.bits_per_pulse} and "
            "cells that are not linear, expected true, or one bit a pulse"
        )
    high = _largest_unit(one, drive)
    if high is None or high > _MOST_UNITS:
        raise SettingError(
            f"dac.n_bits: found {'null' if high is None else settings.dac.n_bits} with cells that are "
            "not linear, expected at most 16 bits: the drive's curve is a table of its codes"
        )
    lowest = -high if one.signed else 0
    units = np.arange(lowest, high + 1)
    if encoding == "pulse_width":
        return replace(one, curve=DriveCurve(lowest, units * np.where(units < 0, back, ahead)))
    return replace(
        one, curve=DriveCurve(lowest, np.asarray(counts_as(units * one.volt) / one.volt))
    )


def _largest_unit(one: Pass, drive: Drive) -> int | None:
    if one.part == "sign":
        return 1
    if one.digit is not None:
        return int(2 ** one.digit[1] - 1)
    if one.part == "shifted":
        return 2 * one.offset - 1
    return drive.dac.high
