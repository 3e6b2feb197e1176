"""The read noise of a preset, as curves: over conductance, over time, and what of it is fresh."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rxsim.config import Device
from rxsim.devices.chart import Chart, Line
from rxsim.devices.curve_subject import YEAR, Subject
from rxsim.devices.law import Cells
from rxsim.devices.read_noise import ReadNoise
from rxsim.durations import written

_DAY = 86400.0


def read_noise_charts(subject: Subject) -> Iterator[Chart]:
    """Yield the deviation of a reading, and the share of its variance that is fresh in a run."""
    law = subject.law(ReadNoise)
    if law is None:
        return
    g = subject.levels()
    first, last = (_sigma(law, subject.at(time), g) for time in (0.0, subject.last()))
    grows = not np.array_equal(first, last)
    yield _over_conductance(law, subject, grows=grows)
    if grows:
        yield _over_time(law, subject)
        yield _fresh_over_run_time(law, subject)


def _over_conductance(law: ReadNoise, subject: Subject, *, grows: bool) -> Chart:
    g, last = subject.levels(), subject.last()
    later = [time for time in (_DAY, YEAR) if time <= last] if grows else []
    return Chart(
        title="read noise of a cell at its target",
        x_label=f"G ({subject.unit})",
        y_label=f"sigma ({subject.unit})",
        x=g / subject.siemens,
        lines=tuple(
            Line(
                label=f"sigma, {written(time)}" if grows else "sigma",
                y=_sigma(law, subject.at(time), g) / subject.siemens,
            )
            for time in (0.0, *later)
        ),
    )


def _over_time(law: ReadNoise, subject: Subject) -> Chart:
    times, levels = subject.times(), subject.followed()
    relative = np.array([_sigma(law, subject.at(time), levels) / levels for time in times]).T
    return Chart(
        title="read noise over time",
        x_label="time after programming",
        y_label="sigma / G (%)",
        x=times,
        seconds=True,
        lines=tuple(
            Line(label=subject.named(level), y=100 * share)
            for level, share in zip(levels, relative, strict=True)
        ),
    )


def _fresh_over_run_time(law: ReadNoise, subject: Subject) -> Chart:
    return Chart(
        title="share of the read noise's variance that is fresh, over device.run_time",
        x_label="time of a run",
        y_label="fresh share (%)",
        x=subject.run_times(),
        seconds=True,
        lines=tuple(
            Line(label=written(time), y=100 * _fresh_shares(law, subject, time))
            for time in (0.0, subject.last())
        ),
    )


def _sigma(law: ReadNoise, device: Device, g: np.ndarray) -> np.ndarray:
    """Return the deviation of a reading of cells that are at their target, siemens."""
    return law.sigma(g, Cells(device, g, g, g))


def _fresh_shares(law: ReadNoise, subject: Subject, seconds: float) -> np.ndarray:
    g = np.zeros(1)
    devices = (
        subject.at(seconds, read_noise="fresh", run_time=run)
        for run in subject.run_times().tolist()
    )
    return np.array([law.fresh_share(Cells(device, g, g, g)) for device in devices])
