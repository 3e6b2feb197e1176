"""Write error and drift of a cell's current, measured at single times after programming.

I' = I + d(I) + z A (1 - exp(-(I + d(I)) / B)), I = G v_read
d(I) = d0 + d1 I + d2 I^2 + .., the mean drift

A, B and d belong to a time; what holds at one replaces what held before. Assumption: a cell keeps its
draw z over time.

Source of the form, whose numbers stand in the preset:
[1] Agrawal et al., IEDM 2022, Fig. 10 (SONOS 40 nm; CrossSim's fits for 0 to 5 days).
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from rxsim.config import Device, Preset
from rxsim.devices.law import Law
from rxsim.devices.laws.saturating import saturating_sigma
from rxsim.devices.measured_deviation import MeasuredDeviation
from rxsim.devices.timed import check_rows, row_at
from rxsim.schema import Number, Positive, Section

_NANO = 1e-9


class Numbers(Section):
    """What a preset says beside `law: timed_saturating`, a row for each of the preset's times."""

    a: Annotated[tuple[Positive, ...], Field(min_length=1)] = Field(
        description="A, the largest deviation of the current, nanoampere"
    )
    b: Annotated[tuple[Positive, ...], Field(min_length=1)] = Field(
        description="B, the current at which it is 63 % of that, nanoampere"
    )
    drift: Annotated[tuple[tuple[Number, ...], ...], Field(min_length=1)] = Field(
        description="[d0, d1, ..]: mean drift over the current, both in nanoampere; [] for none"
    )
    v_read: Positive = Field(description="volt; at which the currents were read")


class TimedSaturating(MeasuredDeviation[Numbers]):
    """A saturating deviation and a mean drift for each time of a preset."""

    numbers = Numbers
    formula = (
        "I' = I + d(I) + z A (1 - exp(-(I + d(I)) / B)), I = G v_read, d = d0 + d1 I + ..; "
        "A, B and d for each time"
    )

    def numbers_of(self, preset: Preset, where: str = "device.model") -> Numbers:
        """Return the numbers that a preset gives it; see `MeasuredLaw.numbers_of`.

        Raises:
            SettingError: a number is missing, unknown or out of range, or rows are not one a time.
        """
        numbers = super().numbers_of(preset, where)
        for name in ("a", "b", "drift"):
            check_rows(getattr(numbers, name), name, preset, f"{where}: laws.{self.step}")
        return numbers

    def sigma(self, g: np.ndarray, device: Device) -> np.ndarray:
        """Return the deviation, siemens, for conductances in siemens; of the drifted current."""
        numbers = self.numbers_of(device.preset)
        # Nanoampere over volt are nanosiemens.
        height, scale = (
            row_at(row, device) / numbers.v_read / 1e3 for row in (numbers.a, numbers.b)
        )
        drifted = np.maximum(g + self.mean(g, device), 0)
        return saturating_sigma(drifted, height, scale)

    def mean(self, g: np.ndarray, device: Device) -> np.ndarray:
        """Return the mean drift, siemens, for conductances in siemens."""
        numbers = self.numbers_of(device.preset)
        polynomial = row_at(numbers.drift, device) or (0.0,)
        current = g * numbers.v_read / _NANO
        shift = np.polynomial.polynomial.polyval(current, polynomial)
        return np.asarray(shift * _NANO / numbers.v_read)


LAW: Law = TimedSaturating()
