"""Numbers that a source prints for single times: which of them hold when a device is read.

A preset names the times (`times: {at: [..]}`), and its law gives a row of numbers for each. With one
row more, the first holds at time 0; else the first time's row holds there too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from rxsim.config import Device, Preset
from rxsim.counted import counted
from rxsim.errors import SettingError

RowT = TypeVar("RowT")


def check_rows(rows: Sequence[object], name: str, preset: Preset, where: str) -> None:
    """Refuse rows that are not one for each time.

    Args:
        rows: the rows.
        name: what the law calls them.
        preset: whose times they are for.
        where: what messages call the rows' place.

    Raises:
        SettingError: there is a row too few or too many, or the preset names no times.
    """
    at = () if preset.times is None else preset.times.at or ()
    if not at or len(rows) - len(at) not in (0, 1):
        raise SettingError(
            f"{where}: {name}: found {counted(len(rows), 'row')} for {counted(len(at), 'time')} of the "
            "preset's times.at, expected a row for each, or one more with time 0 first; correct either"
        )


def row_at(rows: Sequence[RowT], device: Device) -> RowT:
    """Return the row that holds at the time of the reading.

    Args:
        rows: as `check_rows` accepts them.
        device: whose preset has these times.
    """
    times = device.preset.times
    at = () if times is None else times.at or ()
    if device.age == 0:
        return rows[0]
    nearest = int(np.argmin(np.abs(np.subtract(at, device.age))))
    return rows[nearest + len(rows) - len(at)]
