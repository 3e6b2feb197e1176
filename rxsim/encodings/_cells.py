"""Passes on cells that are not linear: what units count as on an array that was made linear."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from rxsim.encodings._codes import InputCodes
from rxsim.encodings._pass import Pass, UnitCurve
from rxsim.errors import SettingError

Cells = Callable[[np.ndarray], np.ndarray]
"""Volt -> the volt that it counts as on an array that was made linear."""

_MOST_UNITS = 2**16
_SAME = 1e-9  # relative: a curve is odd but for rounding


def gains(cells: Cells, v_read: float) -> tuple[float, float]:
    """Return what a volt of a pulse counts as: of v_read, and of -v_read."""
    ahead, back = (float(cells(np.array(volt))) / volt for volt in (v_read, -v_read))
    return ahead, back


def bent_by_size(converted: Pass, cells: Cells, codes: InputCodes, *, counted: bool) -> Pass | None:
    """Bend a pass whose voltages are 0 or of one size: the curve is a factor.

    Args:
        converted: the pass.
        cells: what a voltage counts as.
        codes: what the pass drives.
        counted: whether several such pulses are counted in one conversion.

    Returns:
        None where the two signs count differently.

    Raises:
        SettingError: the two signs count differently, and pulses of both are counted together.
    """
    ahead, back = gains(cells, codes.v_read)
    if not converted.signed or abs(back - ahead) <= _SAME * ahead:
        return replace(converted, gain=ahead)
    if counted:
        raise SettingError(
            "device.iv: found a table that treats the two signs of a voltage differently with inputs "
            "of both signs, expected one for positive voltages, or signed_input: two_phase"
        )
    return None


def bent_by_width(converted: Pass, cells: Cells, codes: InputCodes) -> Pass:
    """Bend pulses whose length carries the value: those of each sign by its own factor.

    Raises:
        SettingError: there are too many units for a table.
    """
    ahead, back = gains(cells, codes.v_read)
    units = _units(converted, codes)
    return replace(
        converted, curve=UnitCurve(int(units[0]), units * np.where(units < 0, back, ahead))
    )


def bent_by_voltage(converted: Pass, cells: Cells, codes: InputCodes) -> Pass:
    """Bend voltages in proportion to units: a table of what each counts as.

    Raises:
        SettingError: there are too many units for a table.
    """
    units = _units(converted, codes)
    values = np.asarray(cells(units * converted.volt) / converted.volt)
    return replace(converted, curve=UnitCurve(int(units[0]), values))


def _units(converted: Pass, codes: InputCodes) -> np.ndarray:
    """List the units of a pass, int64."""
    high = converted.units.largest(codes.high)
    if high is None or high > _MOST_UNITS:
        raise SettingError(
            f"dac.n_bits: found {'null' if high is None else codes.n_bits} with cells that are "
            "not linear, expected at most 16 bits: the inputs' curve is a table of their codes"
        )
    return np.arange(-high if converted.signed else 0, high + 1)
