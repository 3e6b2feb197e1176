"""Write error measured level by level: mean and deviation between levels are interpolated linearly.

achieved = G + m(G) + z s(G), z ~ N(0, 1)

Source of the numbers: the presets that name it, such as those that `rxsim fit` writes.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Self

import numpy as np
from pydantic import Field, model_validator

from rxsim.config import Device
from rxsim.devices.law import Law
from rxsim.devices.measured_deviation import MeasuredDeviation
from rxsim.schema import NotNegative, Number, Section


class Numbers(Section):
    """What a preset says beside `law: table`, in the preset's unit of conductance."""

    conductances: Annotated[tuple[NotNegative, ...], Field(min_length=2)] = Field(
        description="levels that were measured, rising"
    )
    sigma: tuple[NotNegative, ...] = Field(description="deviation at each")
    mean: tuple[Number, ...] = Field((), description="mean deviation from each; none: no mean")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in ("sigma", "mean") if self.mean else ("sigma",):
            if len(getattr(self, name)) != len(self.conductances):
                raise ValueError(
                    f"found {len(getattr(self, name))} of {name} for {len(self.conductances)} "
                    "conductances, expected as many"
                )
        if any(b <= a for a, b in pairwise(self.conductances)):
            raise ValueError("found conductances that do not rise from level to level; sort them")
        return self


class Table(MeasuredDeviation[Numbers]):
    """A table with the numbers of a preset."""

    numbers = Numbers
    formula = "achieved = G + m(G) + z s(G), linear between the levels of a table"

    def sigma(self, g: np.ndarray, device: Device) -> np.ndarray:
        """Return the deviation, siemens, for conductances in siemens."""
        numbers, unit = self.numbers_of(device.preset), device.preset.siemens
        return np.asarray(np.interp(g / unit, numbers.conductances, numbers.sigma) * unit)

    def mean(self, g: np.ndarray, device: Device) -> np.ndarray | None:
        """Return the mean deviation, siemens; None where the preset states none."""
        numbers, unit = self.numbers_of(device.preset), device.preset.siemens
        if not numbers.mean:
            return None
        return np.asarray(np.interp(g / unit, numbers.conductances, numbers.mean) * unit)


LAW: Law = Table()
