"""Agreement: the share of inputs with the prediction of the float network."""

from __future__ import annotations

import numpy as np

from rxsim.metrics import Metric, RunOutputs


def share(run: RunOutputs) -> float | None:
    """Return the share of inputs whose largest output is that of the float network.

    None where there is a single output: it is always the largest.
    """
    if run.outputs.shape[1] == 1:
        return None
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
