"""Confidence intervals of an accuracy over chips and images (docs/concepts/model.md, section 8)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special  # scipy.stats takes a second to import

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and the bounds of its 95 % interval."""

    mean: float
    low: float
    high: float


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


def population_interval(table: np.ndarray) -> Interval | None:
    """Interval of the mean on new images too: chips and images are both samples.

    The variance of the grand mean of a chips x images table of independent chip and image effects is
    s_chip^2/C + s_img^2/I - s_resid^2/(C I), with the sample variances of the chip means, of the image
    means and of the residuals. Degrees of freedom after Satterthwaite (Biometrics Bull. 2, 1946). It
    is never narrower than the interval for these images alone. For one chip, whose like is then
    unknown, it is that of a share (Wilson, J. Am. Stat. Assoc. 22, 1927) or of a mean (Student t).

    Args:
        table: hits (0 or 1) or other values, (chips, images).

    Returns:
        None for fewer than two images.
    """
    table = np.asarray(table, dtype=np.float64)
    chips, images = table.shape
    if images < 2:
        return None
    if chips == 1 and np.isin(table, (0, 1)).all():
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
    half = 0.0
    if variance > 0:
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
    """Return the variance of the grand mean, at least 0, and its degrees of freedom.

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
    if variance <= 0:
        return 0.0, float(images - 1)
    freedom_all = variance**2 / sum(part**2 / count for part, count in parts)
    # The difference of two large parts can push it below what the fewest samples would give.
    return variance, max(freedom_all, min(count for _, count in parts))


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
