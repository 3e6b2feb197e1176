"""Write error whose deviation was measured at single times after programming: a polynomial for each.

sigma(G) = max(0, c0 + c1 x + c2 x^2 + ..), x = G / scale, with the coefficients of the time

Each polynomial replaces the others: it holds what was measured at its time, the write error included.
Assumption: a cell keeps its draw z, so that one that is high after a second is high after a day.

Source of the form, whose coefficients stand in the preset:
[1] Wan et al., Nature 608, 2022, Extended Data Fig. 3 (RRAM; aihwkit's fit for 1 s, 1 day and 2 days).
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from rxsim.config import Device, Preset
from rxsim.devices.law import Law
from rxsim.devices.laws.polynomial import polynomial_sigma
from rxsim.devices.measured_deviation import MeasuredDeviation
from rxsim.devices.timed import check_rows, row_at
from rxsim.schema import Number, Positive, Section

Coefficients = Annotated[tuple[Number, ...], Field(min_length=1)]


class Numbers(Section):
    """What a preset says beside `law: timed_polynomial`, in the preset's unit of conductance."""

    coefficients: Annotated[tuple[Coefficients, ...], Field(min_length=1)] = Field(
        description="[c0, c1, ..] for each of the preset's times; the value is in the preset's unit"
    )
    scale: Positive = Field(1.0, description="conductance that stands for x = 1 (G_max, or 1)")


class TimedPolynomial(MeasuredDeviation[Numbers]):
    """A polynomial for each time of a preset."""

    numbers = Numbers
    formula = (
        "sigma = c0 + c1 x + c2 x^2 + .., x = G / scale, not below 0; coefficients for each time"
    )

    def numbers_of(self, preset: Preset, where: str = "device.model") -> Numbers:
        """Return the numbers that a preset gives it; see `MeasuredLaw.numbers_of`.

        Raises:
            SettingError: a number is missing, unknown or out of range, or rows are not one a time.
        """
        numbers = super().numbers_of(preset, where)
        check_rows(numbers.coefficients, "coefficients", preset, f"{where}: laws.{self.step}")
        return numbers

    def sigma(self, g: np.ndarray, device: Device) -> np.ndarray:
        """Return the deviation, siemens, for conductances in siemens."""
        numbers = self.numbers_of(device.preset)
        coefficients = row_at(numbers.coefficients, device)
        return polynomial_sigma(g, coefficients, numbers.scale, device.preset.siemens)


LAW: Law = TimedPolynomial()
