"""What a preset says, as curves: errors over conductance, cells over time, currents over voltage.

Deviations and exponents are those of the laws' formulas. Conductances over time are drawn, by the same
`program` that programs a network's arrays: they show every law that acts between writing and reading.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from rxsim.config import V_READ
from rxsim.devices.apply_laws import program
from rxsim.devices.cell_curve import curve_of
from rxsim.devices.chart import Chart, Line
from rxsim.devices.curve_subject import Subject
from rxsim.devices.law import Chip
from rxsim.devices.laws.power_drift import PowerDrift
from rxsim.devices.measured_deviation import MeasuredDeviation
from rxsim.devices.read_noise_curves import read_noise_charts
from rxsim.durations import written

_CELLS = 10_000
_VOLTAGES = (61, 6)  # numbers of points, drawn and printed
# Assumption: a voltage at which cells are read, for forms that end nowhere.
_HIGHEST_V = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class _Array:
    """Cells to be programmed; see `rxsim.devices.apply_laws.Target`."""

    target: np.ndarray
    blank: np.ndarray
    index: int = 0


def preset_charts(model: Any, *, fine: bool) -> tuple[Chart, ...]:
    """Return the curves of a preset; none where it has neither law nor current-voltage curve.

    Args:
        model: a value of `device.model`: a preset's name, or a preset.
        fine: many points, to be drawn; else a few, to be printed.

    Raises:
        SettingError: its laws can't be used.
    """
    subject = Subject(model, fine)
    return (
        *_write_error(subject),
        *_exponents(subject),
        *_over_time(subject),
        *read_noise_charts(subject),
        *_current(subject),
    )


def _write_error(subject: Subject) -> Iterator[Chart]:
    """Yield deviation and mean error of programming; at each time, where a preset names times."""
    law = subject.law(MeasuredDeviation)
    if law is None:
        return
    g, unit = subject.levels(), subject.siemens
    times = subject.at().preset.times
    single = () if times is None else times.at or ()
    devices = [subject.at(time) for time in (0.0, *single)]
    if single and np.array_equal(*(law.sigma(g, device) for device in devices[:2])):
        del devices[0]  # the first time's numbers hold at time 0
    labels = [f", {written(device.age)}" if single else "" for device in devices]
    deviations = tuple(
        Line(label=f"sigma{label}", y=law.sigma(g, device) / unit)
        for label, device in zip(labels, devices, strict=True)
    )
    along: dict[str, Any] = {"x_label": f"G ({subject.unit})", "x": g / unit}
    yield Chart(title="write error", y_label=f"sigma ({subject.unit})", lines=deviations, **along)
    means = [law.mean(g, device) for device in devices]
    lines = tuple(
        Line(label=f"mean{label}", y=mean / unit)
        for label, mean in zip(labels, means, strict=True)
        if mean is not None
    )
    if lines:
        title = "mean deviation from the target"
        yield Chart(title=title, y_label=f"mean ({subject.unit})", lines=lines, **along)


def _exponents(subject: Subject) -> Iterator[Chart]:
    """Yield the exponents of a power of time."""
    law = subject.law(PowerDrift, subject.last())
    if law is None:
        return
    g = subject.levels()
    mean, sd = law.exponents(g, subject.at().preset)
    yield Chart(
        title="exponent of the drift",
        x_label=f"G ({subject.unit})",
        y_label="nu",
        x=g / subject.siemens,
        lines=(Line(label="nu mean", y=mean), Line(label="nu sd", y=sd)),
    )


def _over_time(subject: Subject) -> Iterator[Chart]:
    """Yield drawn conductances of a few levels over time, without read noise."""
    times, levels = subject.times(), subject.followed()
    if not times.size:
        return
    target = np.repeat(levels[:, None], _CELLS, axis=1)
    array = _Array(target, np.zeros(target.shape, dtype=bool))
    devices = (subject.at(time, without=("read_noise", "faults")) for time in times)
    drawn = [program(array, 0, device, Chip(0, 0)) / subject.siemens for device in devices]
    means, spreads = (np.array(each).T for each in zip(*map(_moments, drawn), strict=True))
    yield Chart(
        title=f"conductance, mean and sd of {_CELLS:,} drawn cells",
        x_label="time after programming",
        y_label=f"G ({subject.unit})",
        x=times,
        seconds=True,
        lines=tuple(
            Line(label=subject.named(level), y=mean, spread=spread)
            for level, mean, spread in zip(levels, means, spreads, strict=True)
        ),
    )


def _moments(g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of each row."""
    return g.mean(axis=1), g.std(axis=1)


def _current(subject: Subject) -> Iterator[Chart]:
    """Yield currents over voltage, where cells are not linear."""
    device = subject.at()
    if device.iv.form == "linear":
        return
    curve = curve_of(device.iv, V_READ)
    fine, coarse = _VOLTAGES
    v = np.linspace(0, min(curve.v_high, _HIGHEST_V), fine if subject.fine else coarse)
    levels = np.linspace(device.g_off, device.g_on, 3)
    yield Chart(
        title="current",
        x_label="voltage (V)",
        y_label="I (uA)",
        x=v,
        lines=tuple(
            Line(label=subject.named(level), y=curve.current(np.full(v.shape, level), v) * 1e6)
            for level in levels
        ),
    )
