"""How well curves describe the data they were fitted to, in numbers.

Reduced chi-squares compare the mean and the deviation of each level with the curve: about 1 where the
curve is right, with a deviation of sqrt(2 / levels). The form of the distribution is tested by Anderson
and Darling's statistic for a normal sample whose mean and deviation are estimated.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
from scipy import special


@dataclass(frozen=True, slots=True)
class Goodness:
    """Of a normal error with curves as mean and deviation.

    Attributes:
        rows: that were fitted.
        chi2_mean: reduced chi-square of the levels' means; None where no freedom is left.
        chi2_sigma: the same of the levels' variances.
        normal_p: probability of residuals less normal than these, if they are normal.
    """

    rows: int
    chi2_mean: float | None
    chi2_sigma: float | None
    normal_p: float

    def as_json(self) -> dict[str, float | int | None]:
        """Return plain values."""
        return asdict(self)


def goodness_of(
    residuals: np.ndarray,
    of_row: np.ndarray,
    hidden: np.ndarray,
    *,
    n_mean: int,
    n_sigma: int,
) -> Goodness:
    """Judge a fit.

    Args:
        residuals: (y - mean) / sigma of each row, (n,).
        of_row: its level, (n,).
        hidden: whether a floor hid it, (n,): its level is left out.
        n_mean: coefficients of the mean.
        n_sigma: coefficients of the deviation.
    """
    counts = np.bincount(of_row)
    good = (np.bincount(of_row, hidden) == 0) & (counts > 1)
    seen = good[of_row]
    sums = np.bincount(of_row, residuals)
    means = np.divide(sums, counts, out=np.zeros(len(counts)), where=counts > 0)
    squares = np.bincount(of_row, np.square(residuals - means[of_row]))
    freedom = counts[good] - 1
    variance = squares[good] / np.maximum(freedom, 1)
    return Goodness(
        rows=len(residuals),
        chi2_mean=_reduced(counts[good] * np.square(means[good]), n_mean),
        # The variance of a sample variance is 2 sigma^4 / (n - 1).
        chi2_sigma=_reduced(freedom / 2 * np.square(variance - 1), n_sigma),
        normal_p=anderson_darling_p(residuals[seen]),
    )


def goodness_of_spread(
    residuals: np.ndarray,
    weight: np.ndarray,
    of_row: np.ndarray,
    single: np.ndarray,
    n_sigma: int,
) -> Goodness:
    """Judge the deviation of values whose means are of groups of their own.

    Args:
        residuals: deviation from the group's mean / sigma of each row, (n,).
        weight: share of a free deviation that a row carries, (n,).
        of_row: its level, (n,).
        single: rows that do not depend on each other, one a group, (n,).
        n_sigma: coefficients of the deviation.
    """
    freedom = np.bincount(of_row, weight)
    known = freedom > 1
    square = np.bincount(of_row, weight * np.square(residuals))[known]
    variance = square / freedom[known]
    return Goodness(
        rows=len(residuals),
        chi2_mean=None,
        chi2_sigma=_reduced(freedom[known] / 2 * np.square(variance - 1), n_sigma),
        normal_p=anderson_darling_p(residuals[single]),
    )


def _reduced(terms: np.ndarray, used: int) -> float | None:
    left = len(terms) - used
    return float(terms.sum() / left) if left > 0 else None


def anderson_darling_p(values: np.ndarray) -> float:
    """Return the probability of a sample less normal than this one.

    Source: D'Agostino and Stephens, Goodness-of-Fit Techniques, 1986, table 4.9 (mean and deviation are
    estimated from the sample). Equal values, as a coarse instrument gives, count as not normal.

    Args:
        values: (n,); 1 is returned for fewer than 8.
    """
    n = len(values)
    if n < 8 or np.ptp(values) == 0:
        return 1.0
    z = np.sort((values - values.mean()) / values.std(ddof=1))
    weight = 2 * np.arange(1, n + 1) - 1
    square = -n - float(weight @ (special.log_ndtr(z) + special.log_ndtr(-z[::-1]))) / n
    a = square * (1 + 0.75 / n + 2.25 / n**2)
    if a >= 0.6:
        return math.exp(min(1.2937 - 5.709 * a + 0.0186 * a * a, 0.0)) if a < 13 else 0.0
    if a >= 0.34:
        return math.exp(0.9177 - 4.279 * a - 1.38 * a * a)
    if a >= 0.2:
        return 1 - math.exp(-8.318 + 42.796 * a - 59.938 * a * a)
    return 1 - math.exp(-13.436 + 101.14 * a - 223.73 * a * a)
