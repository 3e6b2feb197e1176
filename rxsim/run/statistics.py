"""Confidence intervals of an accuracy over chips and images (MODEL.md section 8)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

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
        values: one value a chip, (chips,).

    Returns:
        None for a single chip, which says nothing about others.
    """
    chips = len(values)
    if chips < 2:
        return None
    mean = float(np.mean(values))
    half = float(stats.t.ppf((1 + LEVEL) / 2, chips - 1) * np.std(values, ddof=1) / np.sqrt(chips))
    return Interval(mean, mean - half, mean + half)


def population_interval(hits: np.ndarray) -> Interval | None:
    """Interval of the accuracy on new images too: chips and images are both samples.

    The variance of the grand mean of a chips x images table of independent chip and image effects is
    s_chip^2/C + s_img^2/I - s_resid^2/(C I), with the sample variances of the chip means, of the image
    means and of the residuals. Degrees of freedom after Satterthwaite (Biometrics Bull. 2, 1946). With
    one chip the chips' part is unknown and left out: the interval then holds for that chip.

    Args:
        hits: 0 or 1, (chips, images).

    Returns:
        None for fewer than two images.
    """
    table = np.asarray(hits, dtype=np.float64)
    chips, images = table.shape
    if images < 2:
        return None
    mean = float(table.mean())
    image_part = float(np.var(table.mean(axis=0), ddof=1)) / images
    parts = [(image_part, images - 1)]
    if chips > 1:
        chip_means, image_means = table.mean(axis=1), table.mean(axis=0)
        residuals = table - chip_means[:, None] - image_means[None, :] + mean
        freedom = (chips - 1) * (images - 1)
        parts.append((float(np.var(chip_means, ddof=1)) / chips, chips - 1))
        parts.append((-float(np.square(residuals).sum()) / freedom / (chips * images), freedom))
    variance = sum(part for part, _ in parts)
    if variance <= 0:
        return Interval(mean, mean, mean)
    freedom_all = variance**2 / sum(part**2 / count for part, count in parts)
    # The difference of two large parts can push it below what the fewest samples alone would give.
    freedom_all = max(freedom_all, min(count for _, count in parts))
    half = float(stats.t.ppf((1 + LEVEL) / 2, freedom_all) * np.sqrt(variance))
    return Interval(mean, max(mean - half, 0.0), min(mean + half, 1.0))
