"""Agreement: the share of inputs with the prediction of the float network."""

from __future__ import annotations

import numpy as np

from rxsim.metrics import Metric, RunOutputs


def share(run: RunOutputs) -> float:
    """Return the share of inputs whose largest output is that of the float network."""
    return float(np.mean(run.predictions == run.reference.argmax(axis=1)))


METRIC = Metric(
    title="agreement",
    label="Agreement with float32",
    measure=share,
    kind="whole",
    truth="none",
    unit="%",
    factor=100.0,
    low=0.0,
    high=1.0,
    counted=True,
    place=3,
)
