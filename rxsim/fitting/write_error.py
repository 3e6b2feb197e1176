"""Write error: mean and deviation of the programmed conductance over the one aimed at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rxsim.errors import DataError
from rxsim.fitting.bases import Basis
from rxsim.fitting.blocks import Blocks
from rxsim.fitting.choose import Chosen, choose, forms
from rxsim.fitting.fitted_curve import FittedCurve, mean_curve, sigma_curve, widened, with_point
from rxsim.fitting.goodness import Goodness, goodness_of
from rxsim.fitting.likelihood import Sample, sample_of

# A table is linear between its points: a polynomial of this degree or less is the same as a table.
_LINEAR = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanBounds:
    """How large a mean that was left out may be, at two standard errors, in the unit of the fit.

    Attributes:
        of_all: of the mean over all rows, weighed by their deviation.
        of_a_level: of the mean of any level.
    """

    of_all: float
    of_a_level: float


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class WriteError:
    """The write error of a device, in its unit of conductance.

    Attributes:
        mean: of achieved - target, over x = target / scale.
        sigma: its deviation, over the same.
        goodness: of both.
        bounds: of the mean where it is 0 everywhere; or None.
        residuals: (achieved - target - mean) / sigma of each row, (n,); NaN where sigma is 0.
    """

    mean: FittedCurve
    sigma: FittedCurve
    goodness: Goodness
    bounds: MeanBounds | None
    residuals: np.ndarray

    @property
    def is_table(self) -> bool:
        """Whether it is written as a table rather than as polynomials."""
        return self.sigma.is_points or self.mean.is_points


def fit_write_error(
    target: np.ndarray, achieved: np.ndarray, blocks: Blocks, scale: float, unit: float, where: str
) -> WriteError:
    """Fit mean and deviation of the write error.

    A conductance of 0 counts as one that may lie anywhere below.

    Args:
        target: siemens, (n,).
        achieved: siemens, (n,).
        blocks: rows of like targets.
        scale: conductance that stands for x = 1, siemens.
        unit: of the errors, siemens.
        where: the file's name in messages.

    Raises:
        DataError: no form can be fitted.
    """
    x, y = target / scale, (achieved - target) / unit
    hidden = achieved == 0
    even = _levels_without_spread(achieved, blocks)
    fitted = ~even[blocks.of_row]
    points = [p / scale for p in blocks.points]
    if even.any():
        points = [p / scale for p in blocks.target[~even]]
    if len(points) < 2 or fitted.sum() < 2:
        raise DataError(
            f"{where}: found the same achieved conductance in every row of all levels but one at most, "
            "expected a spread; take readings of a finer resolution"
        )
    sample = sample_of(x, y, floor=np.where(hidden, y, -np.inf)).where(fitted)
    means = forms(points, none=True, only_points=bool(even.any()))
    sigmas = forms(points, none=False, only_points=bool(even.any()))
    chosen = _as_written(sample, choose(sample, means, sigmas), means, sigmas)
    if chosen is None:
        raise DataError(
            f"{where}: found rows whose spread fits no curve (too many at 0, or too few apart), "
            "expected a deviation above 0 over the whole range; measure more cells a level"
        )
    mean, sigma = mean_curve(chosen), sigma_curve(chosen)
    for block in np.flatnonzero(even):
        at, offset = blocks.target[block], achieved[blocks.of_row == block][0]
        sigma = with_point(sigma, at / scale, 0.0)
        if not mean.is_none:
            mean = with_point(mean, at / scale, (offset - at) / unit)
    with np.errstate(divide="ignore", invalid="ignore"):
        deviation = sigma.at(x)
        residuals = np.where(deviation > 0, (y - mean.at(x)) / deviation, np.nan)
    judged = (residuals[fitted], blocks.of_row[fitted], hidden[fitted])
    goodness = goodness_of(*judged, n_mean=mean.basis.size, n_sigma=sigma.basis.size)
    return WriteError(
        mean=widened(mean, goodness.chi2_mean),
        sigma=widened(sigma, goodness.chi2_sigma),
        goodness=goodness,
        bounds=_mean_bounds(y, deviation, hidden, blocks) if mean.is_none else None,
        residuals=residuals,
    )


def _mean_bounds(
    y: np.ndarray, sigma: np.ndarray, hidden: np.ndarray, blocks: Blocks
) -> MeanBounds | None:
    """Bound the mean by magnitude and two standard errors; of levels that no floor hides in part."""
    level = blocks.of_row
    seen = (np.bincount(level, hidden, len(blocks)) == 0)[level] & (sigma > 0)
    if not seen.any():
        return None
    weight = 1 / np.square(sigma[seen])
    of_all = abs(float(weight @ y[seen]) / weight.sum()) + 2 / np.sqrt(weight.sum())
    sums = np.bincount(level[seen], weight, len(blocks))
    known = sums > 0
    means = np.bincount(level[seen], weight * y[seen], len(blocks))[known] / sums[known]
    return MeanBounds(
        of_all=float(of_all),
        of_a_level=float((np.abs(means) + 2 / np.sqrt(sums[known])).max()),
    )


def _levels_without_spread(achieved: np.ndarray, blocks: Blocks) -> np.ndarray:
    """Tell which levels have the same conductance in every row, (levels,)."""
    if not blocks.levels:
        return np.zeros(len(blocks), dtype=bool)
    low = np.full(len(blocks), np.inf)
    np.minimum.at(low, blocks.of_row, achieved)
    high = np.full(len(blocks), -np.inf)
    np.maximum.at(high, blocks.of_row, achieved)
    return np.asarray(low == high)


def _as_written(
    sample: Sample, chosen: Chosen | None, means: list[Basis], sigmas: list[Basis]
) -> Chosen | None:
    """Choose anew where a table would stand beside a curved polynomial: a file holds one kind."""
    if chosen is None:
        return None
    mean, sigma = mean_curve(chosen), sigma_curve(chosen)
    if mean.is_points == sigma.is_points:
        return chosen
    other = mean if sigma.is_points else sigma
    if other.basis.size <= _LINEAR + 1:
        return chosen
    straight = [form for form in means[:-1] if form.size <= _LINEAR + 1]
    only = [sigmas[-1]]
    return choose(sample, [*straight, means[-1]], only)
