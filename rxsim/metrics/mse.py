"""Mean squared error of the outputs against targets."""

from __future__ import annotations

import numpy as np

from rxsim.metrics import Metric, RunOutputs


def squared_errors(run: RunOutputs) -> np.ndarray:
    """Return the mean over an input's outputs of (output - target)^2, float64 (inputs,)."""
    return np.asarray(np.square(run.outputs - run.targets).mean(axis=1))


METRIC = Metric(
    title="MSE",
    label="Mean squared error",
    measure=squared_errors,
    kind="each",
    truth="values",
    option="mse",
    low=0.0,
    higher_is_better=False,
    decimals=None,
    place=2,
)
