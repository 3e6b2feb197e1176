"""What a run is worth: accuracy, agreement with the float network, signal to noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TOP_5_BEYOND = 10
"""Top-5 accuracy is reported for more classes than this."""


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """One run against the float network and, where there are labels, the truth.

    Attributes:
        predictions: int64 (inputs,).
        hits: bool (inputs,), prediction equals label; None without labels.
        hits_top5: bool (inputs,), label among the five largest outputs; None for few classes.
        errors: mean squared error of each input's output, (inputs,); None without targets.
        agreement: share of inputs whose prediction is that of the float network.
        snr_db: signal to noise of the output against the float network's, decibel.
        relative_difference: max|a - b| / max|b| of the outputs, b the float network's.
    """

    predictions: np.ndarray
    hits: np.ndarray | None
    hits_top5: np.ndarray | None
    errors: np.ndarray | None
    agreement: float
    snr_db: float
    relative_difference: float


def score(
    outputs: np.ndarray, reference: np.ndarray, labels: np.ndarray | None, metric: str = "top1"
) -> Scores:
    """Score a run.

    Args:
        outputs: float32 (inputs, classes).
        reference: the float network's, of the same shape.
        labels: int64 (inputs,), for the metric mse targets (inputs, ...), or None.
        metric: top1, top5, mse or none.
    """
    predictions = outputs.argmax(axis=1)
    hits = hits_top5 = errors = None
    if labels is not None and metric == "mse":
        targets = labels.reshape(outputs.shape).astype(np.float64)
        errors = np.square(outputs - targets).mean(axis=1)
    elif labels is not None and metric != "none":
        hits = predictions == labels
        if outputs.shape[1] > TOP_5_BEYOND or metric == "top5":
            best = np.argsort(-outputs, axis=1, kind="stable")[:, :5]
            hits_top5 = (best == labels[:, None]).any(axis=1)
    signal = reference.astype(np.float64)
    error = signal - outputs
    peak = float(np.abs(signal).max())
    return Scores(
        predictions,
        hits,
        hits_top5,
        errors,
        float(np.mean(predictions == reference.argmax(axis=1))),
        snr_db(float(np.square(signal).sum()), float(np.square(error).sum())),
        float(np.abs(error).max()) / peak if peak else 0.0,
    )


def snr_db(signal: float, noise: float) -> float:
    """Return 10 log10(signal/noise); infinite where there is no noise."""
    if noise == 0:
        return float("inf")
    return 10 * float(np.log10(signal / noise)) if signal > 0 else float("-inf")
