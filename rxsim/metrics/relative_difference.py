"""Largest difference of an output from the float network's, over the largest of its outputs."""

from __future__ import annotations

import numpy as np

from rxsim.metrics import Metric, RunOutputs


def largest(run: RunOutputs) -> float:
    """Return max|a - b| / max|b| over all inputs and outputs, b the float network's; 0 for b = 0."""
    peak = float(np.abs(run.signal).max())
    return float(np.abs(run.noise).max()) / peak if peak else 0.0


METRIC = Metric(
    title="difference",
    label="Largest relative difference",
    measure=largest,
    kind="whole",
    truth="none",
    unit="%",
    factor=100.0,
    low=0.0,
    higher_is_better=False,
    decimals=None,
    in_ladder=False,
    place=5,
)
