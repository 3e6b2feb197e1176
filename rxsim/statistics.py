"""Confidence intervals of an accuracy over chips and images (docs/concepts/model.md, section 8)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special  # scipy.stats takes a second to import

LEVEL = 0.95

Method = Literal[
    "student-t-over-chips",
    "chips-and-images-satterthwaite",
    "wilson",
    "student-t-over-images",
    "clopper-pearson",
]

METHODS: dict[Method, str] = {
    "student-t-over-chips": "Student t over chips",
    "chips-and-images-satterthwaite": "chips and images as two samples (Satterthwaite)",
    "wilson": "Wilson",
    "student-t-over-images": "Student t over images",
    "clopper-pearson": "Clopper-Pearson",
}
"""What the intervals are called for readers (docs/concepts/statistics.md)."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and the bounds of its 95 % interval."""

    mean: float
    low: float
    high: float


def bounds_of(interval: Interval | None) -> list[float] | None:
    """Return the bounds of an interval, as JSON holds them; None where there is none."""
    return None if interval is None else [interval.low, interval.high]


def chip_interval(values: np.ndarray) -> Interval | None:
    """Interval of the mean over chips, for this very set of images: Student t over chip means.

    Args:
        values: one for each chip, (chips,).

    Returns:
        None for a single chip, which says nothing about others.
    """
    chips = len(values)
    if chips < 2:
        return None
    spread = float(np.std(values, ddof=1)) / np.sqrt(chips)
    return _around(
        float(np.mean(values)), float(special.stdtrit(chips - 1, (1 + LEVEL) / 2) * spread)
    )


def chip_method(chips: int) -> Method | None:
    """Name the method of `chip_interval`; None where there is no interval."""
    return "student-t-over-chips" if chips > 1 else None


def population_method(table: np.ndarray) -> Method | None:
    """Name the method of `population_interval`; None where there is no interval."""
    chips, images = table.shape
    if images < 2:
        return None
    if _is_share(table):
        return "wilson"
    return difference_method(chips)


def _is_share(table: np.ndarray) -> bool:
    """Tell whether hits, (chips, images), are a share of images: of one chip, or of chips all alike."""
    alike = len(table) == 1 or bool(table.min() == table.max())
    return alike and bool(np.isin(table, (0, 1)).all())


def difference_method(chips: int) -> Method:
    """Name the method of `difference_interval`."""
    return "chips-and-images-satterthwaite" if chips > 1 else "student-t-over-images"


def population_interval(table: np.ndarray) -> Interval | None:
    """Interval of the mean on new images too: chips and images are both samples.

    The variance of the grand mean of a chips x images table of independent chip and image effects is
    s_chip^2/C + s_img^2/I - s_resid^2/(C I), with the sample variances of the chip means, of the image
    means and of the residuals. Degrees of freedom after Satterthwaite (Biometrics Bull. 2, 1946). It
    is never narrower than the interval for these images alone, nor is its variance below that of C I
    values of their own, which chance can make of parts that cancel. For one chip, whose like is then
    unknown, and for chips without a single difference it is that of a share of the images (Wilson, J.
    Am. Stat. Assoc. 22, 1927); for one chip's other values that of a mean (Student t).

    Args:
        table: hits (0 or 1) or other values, (chips, images).

    Returns:
        None for fewer than two images.
    """
    table = np.asarray(table, dtype=np.float64)
    _, images = table.shape
    if images < 2:
        return None
    if _is_share(table):
        return _wilson(float(table.mean()), images)
    return difference_interval(table)


def difference_interval(table: np.ndarray) -> Interval | None:
    """Interval of the mean of paired differences, on new images too; see `population_interval`.

    A single chip has no share to speak of: Student t over images.

    Args:
        table: differences of two values of the same chip and image, (chips, images).

    Returns:
        None for fewer than two images.
    """
    table = np.asarray(table, dtype=np.float64)
    if table.shape[1] < 2:
        return None
    variance, freedom = _grand_variance(table)
    half = float(special.stdtrit(freedom, (1 + LEVEL) / 2) * np.sqrt(variance))
    these = chip_interval(table.mean(axis=1))
    return _around(
        float(table.mean()), max(half, 0.0 if these is None else (these.high - these.low) / 2)
    )


def standard_error(table: np.ndarray) -> float | None:
    """Standard error of the grand mean, chips and images both samples; see `population_interval`.

    Never below that of the mean over chips alone.

    Args:
        table: values, (chips, images).

    Returns:
        None for fewer than two images.
    """
    table = np.asarray(table, dtype=np.float64)
    chips, images = table.shape
    if images < 2:
        return None
    variance, _ = _grand_variance(table)
    over_chips = float(np.var(table.mean(axis=1), ddof=1)) / chips if chips > 1 else 0.0
    return float(np.sqrt(max(variance, over_chips)))


def _grand_variance(table: np.ndarray) -> tuple[float, float]:
    """Return the variance of the grand mean and its degrees of freedom; see `population_interval`.

    Args:
        table: values, float64 (chips, images) of at least two images.
    """
    chips, images = table.shape
    image_means = table.mean(axis=0)
    parts = [(float(np.var(image_means, ddof=1)) / images, images - 1)]
    if chips > 1:
        chip_means = table.mean(axis=1)
        residuals = table - chip_means[:, None] - image_means[None, :] + float(table.mean())
        freedom = (chips - 1) * (images - 1)
        parts.append((float(np.var(chip_means, ddof=1)) / chips, chips - 1))
        parts.append((-float(np.square(residuals).sum()) / freedom / (chips * images), freedom))
    variance = sum(part for part, _ in parts)
    least = float(np.var(table, ddof=1)) / table.size
    if variance <= least:
        return least, float(images - 1)
    freedom_all = variance**2 / sum(part**2 / count for part, count in parts)
    # The difference of two large parts can push it below what the fewest samples would give.
    return variance, max(freedom_all, min(count for _, count in parts))


def share_interval(count: int, total: int) -> Interval:
    """Exact 95 % interval of a share, both sides (Clopper and Pearson, Biometrika 26, 1934).

    It holds the share at least 19 times in 20, whatever the share and the number.

    Args:
        count: how many of the sample have the property, 0 to total.
        total: size of the sample, at least 1.
    """
    tail = (1 - LEVEL) / 2
    return Interval(
        count / total,
        _share_below(count, total, tail),
        1 - _share_below(total - count, total, tail),
    )


def share_at_least(count: int, total: int) -> float:
    """Return a share that the true one reaches with 95 % confidence: Clopper and Pearson, one-sided.

    Args:
        count: how many of the sample have the property, 0 to total.
        total: size of the sample, at least 1.
    """
    return _share_below(count, total, 1 - LEVEL)


def _share_below(count: int, total: int, tail: float) -> float:
    """Return the share for which `count` or more of `total` have the chance `tail`."""
    return float(special.betaincinv(count, total - count + 1, tail)) if count else 0.0


def rank_that_bounds(share: float, total: int) -> int | None:
    """Return which ordered value bounds a share of all others, with 95 % confidence.

    The k-th smallest of n independent values is reached or undercut by at least the share p of all
    values with the confidence that Clopper and Pearson give k of n (a tolerance limit without any
    distribution: Wilks, Ann. Math. Stat. 12, 1941). Ties make it surer.

    Args:
        share: the share that is to lie at or below the value, such as 0.95.
        total: how many values there are.

    Returns:
        The smallest such k, from 1; None where the largest of so few values bounds less.
    """
    ranks = (k for k in range(1, total + 1) if share_at_least(k, total) >= share)
    return next(ranks, None)


def fewest_for(share: float) -> int:
    """Return the fewest values whose largest bounds a share with 95 % confidence: 59 for 0.95."""
    return math.ceil(math.log(1 - LEVEL) / math.log(share))


def within(interval: Interval | None, low: float, high: float) -> Interval | None:
    """Cut an interval to the values that the quantity can take."""
    if interval is None:
        return None
    return Interval(interval.mean, max(interval.low, low), min(interval.high, high))


def _around(mean: float, half: float) -> Interval:
    return Interval(mean, mean - half, mean + half)


def _wilson(share: float, count: int) -> Interval:
    z2 = float(special.ndtri((1 + LEVEL) / 2)) ** 2
    centre = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = float(np.sqrt(z2 * (share * (1 - share) / count + z2 / (4 * count**2))))
    half /= 1 + z2 / count
    return Interval(share, centre - half, centre + half)
