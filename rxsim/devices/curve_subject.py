"""The device whose curves are asked for: its conductances and times, and its settings at each time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rxsim.config import Device
from rxsim.devices.law import acting_laws

YEAR = 365 * 86400.0
"""Seconds."""
_FINE, _COARSE = 61, 6
_ROUND_TIMES = (1.0, 60.0, 3600.0, 86400.0, 30 * 86400.0, YEAR)
_RUN_TIMES = (1e-6, 1e-4, 1e-2, 1.0, 100.0)
# Places of the levels that are followed over time, from the smallest conductance to the largest.
_FOLLOWED = (0.2, 0.5, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """A preset's cells, continuous and never programmed anew.

    Attributes:
        model: a value of `device.model`: a preset's name, or a preset.
        fine: whether curves are to be drawn, or printed in a few rows.
    """

    model: Any
    fine: bool

    def at(self, seconds: float = 0.0, **more: Any) -> Device:
        """Return the settings of its cells, read this long after programming."""
        fixed = {"model": self.model, "n_bits": None, "refresh": None}
        return Device.model_validate({**fixed, "time": seconds, **more})

    def law(self, kind: type[Any], seconds: float = 0.0) -> Any:
        """Return the law of a kind that acts at a time; None where there is none.

        Raises:
            SettingError: the preset's laws can't be used.
        """
        laws = acting_laws(self.at(seconds))
        return next((law for law in laws if isinstance(law, kind)), None)

    @property
    def unit(self) -> str:
        """The preset's unit of conductance, as figures write it."""
        return self.at().preset.short_unit

    @property
    def siemens(self) -> float:
        """This unit in siemens."""
        return self.at().preset.siemens

    def named(self, g: float) -> str:
        """Write a conductance (siemens) in the preset's unit."""
        return f"{g / self.siemens:.4g} {self.unit}"

    def levels(self) -> np.ndarray:
        """Return conductances over the whole range, siemens."""
        device = self.at()
        return np.linspace(device.g_off, device.g_on, _FINE if self.fine else _COARSE)

    def followed(self) -> np.ndarray:
        """Return the few conductances that are followed over time, siemens."""
        device = self.at()
        return device.g_off + np.array(_FOLLOWED) * (device.g_on - device.g_off)

    def times(self) -> np.ndarray:
        """Return times after programming for which the device is known, seconds; may be none."""
        preset = self.at().preset
        if not preset.knows_time:
            return np.zeros(0)
        times = preset.times
        if times is not None and times.at is not None:
            return np.array(times.at)
        high = YEAR if times is None or times.high is None else times.high
        low = min(1.0 if times is None else max(times.low, 1.0), high)
        if self.fine:
            return np.geomspace(low, high, _FINE) if low < high else np.array([high])
        chosen = {time for time in _ROUND_TIMES if low <= time <= high}
        return np.array(sorted(chosen | {low, high}))

    def last(self) -> float:
        """Return the longest of these times, seconds; 0 where there is none."""
        return float(self.times().max(initial=0.0))

    def run_times(self) -> np.ndarray:
        """Return durations of a run, seconds."""
        if self.fine:
            return np.geomspace(_RUN_TIMES[0], _RUN_TIMES[-1], _FINE)
        return np.array(_RUN_TIMES)
