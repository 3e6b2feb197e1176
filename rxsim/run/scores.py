"""The predictions of a run, and every metric that can be measured on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rxsim.metrics import RunOutputs, all_metrics, truth_for


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """A run compared with the float network and, where there are labels, with these.

    Attributes:
        predictions: the largest output of each input, int64 (inputs,).
        values: by the metric's name: a value for each input, (inputs,), or a float for all of them, as
            the metric's kind says; None where it was not measured.
        powers: of each input's outputs the energy of the float network's and that of their error,
            float64 (inputs, 2); None where nobody measured it.
    """

    predictions: np.ndarray
    values: Mapping[str, np.ndarray | float | None]
    powers: np.ndarray | None = None

    def each(self, name: str) -> np.ndarray | None:
        """Return a metric of each input, (inputs,); None where it was not measured."""
        value = self.values[name]
        return None if value is None else np.asarray(value)

    def mean(self, name: str) -> float | None:
        """Return a metric over all inputs; None where it was not measured."""
        value = self.values[name]
        return float(value.mean()) if isinstance(value, np.ndarray) else value


def score(
    outputs: np.ndarray, reference: np.ndarray, labels: np.ndarray | None, metric: str = "top1"
) -> Scores:
    """Score a run by every metric whose truth is known.

    Args:
        outputs: float32 (inputs, values).
        reference: the float network's, of the same shape.
        labels: int64 (inputs,), for a metric of values the targets (inputs, ...), or None.
        metric: what `--metric` says.
    """
    truth = "none" if labels is None else truth_for(metric)
    targets = None
    if labels is not None and truth == "values":
        targets = labels.reshape(outputs.shape).astype(np.float64)
    run = RunOutputs(
        outputs=outputs,
        reference=reference,
        classes=labels if truth == "classes" else None,
        targets=targets,
        asked=metric,
    )
    values = {
        name: each.measure(run) if each.truth in ("none", truth) else None
        for name, each in all_metrics().items()
    }
    powers = [np.square(part).sum(axis=1) for part in (run.signal, run.noise)]
    return Scores(run.predictions, values, np.stack(powers, axis=1))
