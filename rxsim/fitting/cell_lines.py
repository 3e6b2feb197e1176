"""A line through the readings of each cell: ln G over L = ln((t + t0) / t0), and the noise about it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEAST_AT_A_TIME = 5  # rows of a level at a time, where cells are not known
_NO_NOISE = 1e-12  # variance of a logarithm that is rounding: of a share of 10^-6
_NO_LEVER = 1e-12  # of a cell's lengths: all its times are the same


@dataclass(frozen=True, slots=True, eq=False)
class CellLines:
    """Each cell's line of ln G over L.

    Attributes:
        cell: its number, (cells,); cells whose times are all the same are left out.
        nu: its exponent, (cells,).
        error: standard error of the exponent, (cells,).
        fitted: the line's value at each reading, (readings,).
        noise: variance of ln G about the lines, (groups,).
        noise_known: whether the readings tell it.
        freedom: readings beyond those that the lines go through in any case.
    """

    cell: np.ndarray
    nu: np.ndarray
    error: np.ndarray
    fitted: np.ndarray
    noise: np.ndarray
    noise_known: bool
    freedom: int


def cell_lines(
    cells: np.ndarray, y: np.ndarray, length: np.ndarray, group: np.ndarray
) -> CellLines:
    """Fit a line of y over length to each cell; its programmed state is a reading like the others.

    Args:
        cells: the cell of each reading, int64 (readings,).
        y: ln G, (readings,).
        length: L, likewise.
        group: the level of each reading's cell, int64, likewise.
    """
    cell, number = np.unique(cells, return_inverse=True)
    counts = np.bincount(number)
    mean_length, mean_y = (np.bincount(number, values) / counts for values in (length, y))
    away = length - mean_length[number]
    lever = np.bincount(number, away * away)
    good = lever > _NO_LEVER
    rise = np.bincount(number, away * (y - mean_y[number]))
    slope = np.divide(rise, lever, out=np.zeros(len(cell)), where=good)
    fitted = mean_y[number] + slope[number] * away
    of_cell = np.zeros(len(cell), dtype=int)
    of_cell[number] = group
    square = np.bincount(of_cell[number], np.square(y - fitted))
    freedom = np.bincount(of_cell, np.where(good, counts - 2, counts - 1))
    if freedom.sum() > 0:
        noise, known = _noise(square, freedom), True
    else:
        noise, known = _noise_of_means(y, length, group)
    error = np.sqrt(np.divide(noise[of_cell], lever, out=np.zeros(len(cell)), where=good))
    return CellLines(
        cell[good], -slope[good], error[good], fitted, noise, known, int(freedom.sum())
    )


def _noise(square: np.ndarray, freedom: np.ndarray) -> np.ndarray:
    """Return the variance of ln G about the cells' lines, (groups,); 0 where it is rounding."""
    whole = np.full(len(square), square.sum() / freedom.sum())
    noise = np.divide(square, freedom, out=whole, where=freedom >= LEAST_AT_A_TIME)
    return np.where(noise < _NO_NOISE, 0.0, noise)


def _noise_of_means(
    y: np.ndarray, length: np.ndarray, group: np.ndarray
) -> tuple[np.ndarray, bool]:
    """Return the variance of ln G where each cell was read once: that which does not grow with time.

    At a length L the variance of y is 2 noise + var(nu) L^2, for the programmed state is noisy too.
    """
    noise = np.zeros(int(group.max()) + 1)
    later = length > 0
    if len(np.unique(length[later])) < 2:
        return noise, False
    for one in np.unique(group):
        rows = later & (group == one)
        lengths, at = np.unique(length[rows], return_inverse=True)
        counts = np.bincount(at)
        means = np.bincount(at, y[rows]) / counts
        spread = np.bincount(at, np.square(y[rows] - means[at])) / np.maximum(counts - 1, 1)
        kept = counts >= LEAST_AT_A_TIME
        if kept.sum() >= 2:
            error = np.maximum(spread[kept], _NO_NOISE) * np.sqrt(2 / (counts[kept] - 1))
            noise[one] = max(weighted_line(lengths[kept] ** 2, spread[kept], error)[2], 0.0) / 2
    return np.where(noise < _NO_NOISE, 0.0, noise), True


def weighted_line(
    x: np.ndarray, y: np.ndarray, error: np.ndarray
) -> tuple[float, float, float, np.ndarray]:
    """Return slope, its error, intercept and fitted values of a line through points of known errors."""
    error = np.maximum(error, 1e-12)
    factors = np.stack([np.ones_like(x), x], axis=1)
    weighted = factors / error[:, None]
    covariance = np.linalg.inv(weighted.T @ weighted)
    intercept, slope = covariance @ weighted.T @ (y / error)
    fitted = intercept + slope * x
    return float(slope), float(np.sqrt(covariance[1, 1])), float(intercept), fitted
