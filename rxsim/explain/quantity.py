"""What is explained: accuracy, agreement with the float network, or the outputs' signal to noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rxsim.errors import InputError
from rxsim.metrics import Metric, all_metrics, chosen_metric
from rxsim.run import Scores

QUANTITIES = ("accuracy", "agreement", "snr_db")
HIGHEST_DB = 100.0
"""Signal to noise is cut here. Assumption: beyond it there is only the rounding of float32."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """What is explained.

    Attributes:
        name: of the metric; accuracy stands for the one that `--metric` chooses.
    """

    name: str

    @property
    def metric(self) -> Metric:
        """The metric: its names, unit, and which way is good."""
        return all_metrics()[self.name]

    @property
    def sign(self) -> float:
        """1 where more is better, -1 where less is."""
        return 1.0 if self.metric.higher_is_better else -1.0

    def values(self, scores: Scores, floating: Scores) -> np.ndarray:
        """Return the quantity of a run, float64 (images,).

        The signal to noise of all images, S = 10 log10(sum s/sum n), is no mean of images. Each
        stands for S + 10/ln 10 (s_i/mean s - n_i/mean n): the mean of these is S, their spread that of
        S to first order (delta method), in differences of two runs too.
        # Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 21 (influence).

        Args:
            scores: of the run.
            floating: of the float network on the same images.
        """
        if self.name == "agreement":
            return np.asarray(scores.predictions == floating.predictions, dtype=np.float64)
        if self.name == "snr_db":
            return _ratios(scores)
        each = scores.each(self.name)
        assert each is not None
        return np.atleast_1d(np.asarray(each, dtype=np.float64))


def chosen_quantity(asked: str | None, metric: str, floating: Scores) -> Quantity:
    """Look up the quantity that is explained.

    Args:
        asked: accuracy, agreement or snr_db; None for the first of these that can be measured.
        metric: what `--metric` says.
        floating: scores of the float network.

    Raises:
        InputError: it is unknown, or can't be measured here.
    """
    by_labels = chosen_metric(metric)
    names = {
        "accuracy": by_labels if by_labels and floating.values[by_labels] is not None else None,
        "agreement": "agreement" if floating.values["agreement"] is not None else None,
        "snr_db": "snr_db",
    }
    if asked is None:
        return Quantity(next(name for name in names.values() if name is not None))
    if asked not in names:
        raise InputError(
            f"quantity: found {asked!r}, expected one of {', '.join(QUANTITIES)}; choose one of these"
        )
    name = names[asked]
    if name is None:
        lacking = "labels" if asked == "accuracy" else "an output of several values"
        raise InputError(
            f"quantity: found {asked}, expected one that can be measured here: it needs {lacking}; "
            f"choose {', '.join(other for other, known in names.items() if known)}"
        )
    return Quantity(name)


def _ratios(scores: Scores) -> np.ndarray:
    """Return the part of each image in the signal to noise, decibel, float64 (images,)."""
    ratio, count = scores.mean("snr_db"), len(scores.predictions)
    if ratio is None or ratio >= HIGHEST_DB:
        return np.full(count, HIGHEST_DB)
    if scores.powers is None or not np.isfinite(ratio):
        return np.full(count, ratio)
    signal, noise = scores.powers.T / scores.powers.mean(axis=0)[:, None]
    return np.asarray(ratio + 10 / np.log(10) * (signal - noise))


def noise_of(scores: Scores) -> float:
    """Return the noise of a run's outputs over the float network's signal; 0 where not measured."""
    ratio = scores.mean("snr_db")
    return 0.0 if ratio is None else float(10 ** (-ratio / 10))
