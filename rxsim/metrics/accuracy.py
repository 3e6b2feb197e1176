"""Accuracy: the share of inputs whose largest output is the right class."""

from __future__ import annotations

import numpy as np

from rxsim.metrics import Metric, RunOutputs


def hits(run: RunOutputs) -> np.ndarray:
    """Tell for each input whether its prediction is its label, bool (inputs,)."""
    return np.asarray(run.predictions == run.classes)


METRIC = Metric(
    title="accuracy",
    title_beside="top-1",
    label="Accuracy",
    measure=hits,
    kind="hits",
    truth="classes",
    option="top1",
    unit="%",
    factor=100.0,
    low=0.0,
    high=1.0,
    counted=True,
    place=0,
)
