"""Passes on cells that are not linear: which voltage a linear cell would need for the same current."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from rxsim.encodings._codes import InputCodes
from rxsim.encodings._pass import Pass, UnitCurve
from rxsim.errors import SettingError

Cells = Callable[[np.ndarray], np.ndarray]
"""Volt on the wordline -> volt that gives the same current on the linearised array."""

_MOST_UNITS = 2**16
_SAME = 1e-9  # relative: a curve is odd but for rounding


def gains(cells: Cells, v_read: float) -> tuple[float, float]:
    """Return the volt that a volt counts as, for pulses at v_read and at -v_read."""
    ahead, back = (float(cells(np.array(volt))) / volt for volt in (v_read, -v_read))
    return ahead, back


def bent_by_size(converted: Pass, cells: Cells, codes: InputCodes, *, counted: bool) -> Pass | None:
    """Put the cells' curve into a pass whose voltages are 0 or of one size: a factor.

    Args:
        converted: the pass.
        cells: volt -> volt that it counts as.
        codes: the codes that the pass drives.
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
    """Put the cells' curve into pulses whose length carries the value: a factor for each sign.

    Raises:
        SettingError: there are too many units for a table.
    """
    ahead, back = gains(cells, codes.v_read)
    units = _units(converted, codes)
    return replace(
        converted, curve=UnitCurve(int(units[0]), units * np.where(units < 0, back, ahead))
    )


def bent_by_voltage(converted: Pass, cells: Cells, codes: InputCodes) -> Pass:
    """Put the cells' curve into voltages in proportion to units: a table, unit by unit.

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
