"""Top-5 accuracy: the share of inputs whose right class is among the five largest outputs."""

from __future__ import annotations

import numpy as np

from rxsim.metrics import Metric, RunOutputs

TOP_5_BEYOND = 10
"""It is measured for more classes than this, or where it is asked for."""


def hits(run: RunOutputs) -> np.ndarray | None:
    """Tell for each input whether its label is among the five largest outputs, bool (inputs,)."""
    if run.outputs.shape[1] <= TOP_5_BEYOND and run.asked != METRIC.option:
        return None
    assert run.classes is not None
    best = np.argsort(-run.outputs, axis=1, kind="stable")[:, :5]
    return np.asarray((best == run.classes[:, None]).any(axis=1))


METRIC = Metric(
    title="top-5",
    label="Top-5 accuracy",
    measure=hits,
    kind="hits",
    truth="classes",
    option="top5",
    unit="%",
    factor=100.0,
    low=0.0,
    high=1.0,
    counted=True,
    place=1,
)
