"""Read noise whose spectrum falls with frequency (1/f): its variance grows with time.

sigma = G_d Q(x) sqrt(ln((t + t0 + t_r) / (2 t_r))), x = G_p / scale
G_p: as programmed, G_d: drifted
t: time after programming, which was read at t0; t_r: length of a read
Of this variance ln((T + t_r) / (2 t_r)) is quicker than a run of T (docs/concepts/model.md section 4).

Sources of the form, whose numbers stand in the presets:
[1] Nandakumar et al., ICECS 2019 (PCM; t_r = 250 ns).
[2] Le Gallo et al., 2023 (HERMES; t_r = 512 ns).
"""

from __future__ import annotations

import math

import numpy as np
from pydantic import Field

from rxsim.devices.curve_of_g import Curve, curve_at
from rxsim.devices.law import Cells, Law, MeasuredLaw
from rxsim.devices.read_noise import ReadNoise
from rxsim.schema import LongerThanZero, Positive, Section


class Numbers(Section):
    """What a preset says beside `law: one_over_f`."""

    t0: LongerThanZero = Field(description="seconds; when the programmed state was read")
    t_r: LongerThanZero = Field(description="length of a read, seconds")
    scale: Positive = Field(1.0, description="conductance of x = 1, in the preset's unit")
    q: Curve = Field(description="Q over x, without unit")


def log_of_time(seconds: float, t_r: float) -> float:
    """Return ln((t + t_r) / (2 t_r)), not below 0: the variance of 1/f noise over Q^2 G^2.

    Args:
        seconds: t, over which the noise is seen.
        t_r: length of a read, seconds.
    """
    return max(math.log((seconds + t_r) / (2 * t_r)), 0.0)


class OneOverF(ReadNoise, MeasuredLaw[Numbers]):
    """1/f noise with the numbers of a preset."""

    numbers = Numbers
    formula = (
        "sigma = G_drifted Q(x) sqrt(ln((t + t0 + t_r) / (2 t_r))), x = G_programmed / scale; "
        "of a run of T, ln((T + t_r) / (2 t_r)) of the variance is fresh"
    )

    def sigma(self, g: np.ndarray, cells: Cells) -> np.ndarray:
        """Return the deviation at the time of the read, siemens."""
        preset = cells.device.preset
        numbers = self.numbers_of(preset)
        q = curve_at(numbers.q, cells.programmed / (numbers.scale * preset.siemens))
        variance = log_of_time(cells.device.age + numbers.t0, numbers.t_r)
        with np.errstate(invalid="ignore"):
            # An open cell has no noise, whatever Q is at 0.
            return np.where(g > 0, g * q * math.sqrt(variance), 0.0)

    def quick_share(self, cells: Cells) -> float:
        """Return ln((T + t_r) / (2 t_r)) of ln((t + t_r) / (2 t_r)); all, for a run that is longer."""
        numbers = self.numbers_of(cells.device.preset)
        whole = log_of_time(cells.device.age + numbers.t0, numbers.t_r)
        quick = log_of_time(cells.device.run_time, numbers.t_r)
        return min(quick / whole, 1.0) if whole > 0 else 0.0


LAW: Law = OneOverF()
