"""Signal to noise ratio of the outputs against the float network's, in decibel."""

from __future__ import annotations

import numpy as np

from rxsim.metrics import Metric, RunOutputs


def decibel(signal: float, noise: float) -> float:
    """Return 10 log10(signal/noise) of two energies; infinite where there is no noise."""
    if noise == 0:
        return float("inf")
    return 10 * float(np.log10(signal / noise)) if signal > 0 else float("-inf")


def energy(values: np.ndarray) -> float:
    """Return the sum of squares in float64, whatever the type of the values."""
    return float(np.square(values, dtype=np.float64).sum())


def ratio(run: RunOutputs) -> float:
    """Return the ratio over all inputs and outputs, decibel; infinite where they are equal."""
    return decibel(float(np.square(run.signal).sum()), float(np.square(run.noise).sum()))


METRIC = Metric(
    title="SNR dB",
    label="Output SNR",
    measure=ratio,
    kind="whole",
    truth="none",
    unit="dB",
    decimals=2,
    place=4,
)
