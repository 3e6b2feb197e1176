"""A mean of chips and images with its error."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from rxsim.statistics import LEVEL, chip_interval, difference_interval, standard_error


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean difference, or a mean, over chips and images.

    Attributes:
        mean: of the table.
        standard_error: of the mean, chips and images both samples (docs/concepts/model.md, section 8);
            None where neither tells.
        low: lower bound of its 95 % interval; None likewise.
        high: upper bound; None likewise.
    """

    mean: float
    standard_error: float | None
    low: float | None
    high: float | None

    @property
    def is_proven(self) -> bool:
        """Whether 0 lies outside of the interval; without one nothing is proven."""
        if self.low is None or self.high is None:
            return False
        return self.low > 0 or self.high < 0

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        interval = None if self.low is None else [self.low, self.high]
        return {"mean": self.mean, "standard_error": self.standard_error, "interval": interval}


def widened(of: Estimate, error: float, freedom: int) -> Estimate:
    """Add an independent error to an estimate.

    Args:
        of: the estimate.
        error: a standard error.
        freedom: its degrees of freedom, at least 1.
    """
    if error == 0 or of.standard_error is None or of.low is None or of.high is None:
        return of
    more = float(special.stdtrit(freedom, (1 + LEVEL) / 2)) * error
    return Estimate(
        mean=of.mean,
        standard_error=math.hypot(of.standard_error, error),
        low=of.mean - math.hypot(of.mean - of.low, more),
        high=of.mean + math.hypot(of.high - of.mean, more),
    )


def estimate(table: np.ndarray) -> Estimate:
    """Take the mean of a table of differences.

    Args:
        table: float64 (chips, images); (chips, 1) where there is a number a chip; one row where all
            chips are the same.
    """
    chips, images = table.shape
    mean = float(table.mean())
    if images > 1:
        bounds, error = difference_interval(table), standard_error(table)
    elif chips > 1:
        bounds = chip_interval(table[:, 0])
        error = float(np.std(table, ddof=1) / np.sqrt(chips))
    else:
        bounds, error = None, None
    return Estimate(
        mean=mean,
        standard_error=error,
        low=None if bounds is None else bounds.low,
        high=None if bounds is None else bounds.high,
    )
