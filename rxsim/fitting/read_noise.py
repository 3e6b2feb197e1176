"""Read noise: the spread of repeated readings of a cell at one time.

Two laws are fitted, and the likelier one is kept:

    white       sigma = s(x), x = G / scale, the same at every time
    one_over_f  sigma = G Q(x) sqrt(ln((t + t0 + t_r) / (2 t_r))), x = G_programmed / scale

Each group of n readings counts with the likelihood of its n - 1 free deviations from its mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from rxsim.errors import DataError
from rxsim.fitting.bases import NoCurve
from rxsim.fitting.blocks import Blocks
from rxsim.fitting.cells import Cells
from rxsim.fitting.choose import Chosen, choose, forms
from rxsim.fitting.drift import Drift
from rxsim.fitting.fitted_curve import FittedCurve, sigma_curve, widened
from rxsim.fitting.goodness import Goodness, goodness_of_spread
from rxsim.fitting.likelihood import sample_of

# Source: Nandakumar et al., ICECS 2019. Assumption: readings last as long unless the user says.
READ_TIME = 250e-9
_LEAST_GROUPS = 10  # groups of repeated readings below which no noise is fitted
_LOWEST = 0.01  # share of the conductances below the first point of a table, and above the last
_APART = 1.02  # least ratio of two points
_ROWS_BETWEEN = 200  # readings between two points of a table, for another between them
_LIKELIER = 2.0  # ln of the odds by which 1/f noise must win, for white noise is the simpler law


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ReadNoise:
    """The read noise of a device.

    Attributes:
        law: name of the law.
        curve: s in the device's unit, or Q without unit, over x.
        t0: of 1/f noise, seconds; None for white noise.
        t_r: length of a reading, seconds, likewise.
        gained: log-likelihood of 1/f noise less that of white noise; None where times do not tell.
        groups: groups of repeated readings.
        goodness: of the curve.
        x: relative conductance of each deviation, (m,).
        deviation: each deviation from the group's mean, over what `curve` is a deviation of, (m,).
        weight: share of a free deviation that each carries, (m,).
    """

    law: Literal["white", "one_over_f"]
    curve: FittedCurve
    t0: float | None
    t_r: float | None
    gained: float | None
    groups: int
    goodness: Goodness
    x: np.ndarray
    deviation: np.ndarray
    weight: np.ndarray


def fit_read_noise(
    cells: Cells,
    blocks: Blocks,
    scale: float,
    unit: float,
    drift: Drift | None,
    where: str,
    read_time: float | None = None,
) -> ReadNoise | None:
    """Fit the noise of repeated readings.

    Args:
        cells: programmed cells and their readings.
        blocks: of the cells.
        scale: conductance that stands for x = 1, siemens.
        unit: of white noise, siemens.
        drift: of the device, where there is any.
        where: the file's name in messages.
        read_time: length of a reading, seconds; None: 250 ns.

    Returns:
        None where too few cells were read more than once at a time, or all readings agree.

    Raises:
        DataError: no curve fits.
    """
    repeats = _repeats(cells, blocks, drift)
    if repeats is None:
        return None
    points = [p / scale for p in blocks.points]
    t0 = None if drift is None else drift.t0.seconds
    t_r = READ_TIME if read_time is None else read_time
    white = _fitted(repeats.g / scale, repeats.r / unit, repeats, points)
    slow, factor = _one_over_f(repeats, t0, t_r, scale, points)
    gained = _gained(slow, white, repeats, factor / unit)
    if slow is not None and (gained is None or gained > _LIKELIER):
        x, deviation, chosen = repeats.programmed / scale, repeats.r / factor, slow
    elif white is not None:
        x, deviation, chosen, slow = repeats.g / scale, repeats.r / unit, white, None
    else:
        raise DataError(
            f"{where}: found repeated readings whose spread fits no curve, expected a deviation above "
            "0 over the whole range; take more readings a cell, or leave the repeated ones out"
        )
    return _judged(repeats, chosen, x, deviation, gained, None if slow is None else (t0, t_r))


def _judged(
    repeats: _Repeats,
    chosen: Chosen,
    x: np.ndarray,
    deviation: np.ndarray,
    gained: float | None,
    slow: tuple[float | None, float] | None,
) -> ReadNoise:
    """Judge the chosen curve; slow: t0 and t_r of 1/f noise."""
    curve = sigma_curve(chosen)
    residuals = deviation / curve.at(x)
    goodness = goodness_of_spread(
        residuals, repeats.weight, repeats.block, repeats.first, curve.basis.size
    )
    return ReadNoise(
        law="white" if slow is None else "one_over_f",
        curve=widened(curve, goodness.chi2_sigma),
        t0=None if slow is None else slow[0],
        t_r=None if slow is None else slow[1],
        gained=gained,
        groups=repeats.groups,
        goodness=goodness,
        x=x,
        deviation=deviation,
        weight=repeats.weight,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Repeats:
    """Deviations of repeated readings from their group's mean, made up for the lost freedom.

    r: siemens; g: the drifted conductance; programmed: the programmed one; time: seconds; weight: share
    of a free deviation that a reading carries; block: its level; first: whether it is its group's
    first; groups: their number.
    """

    r: np.ndarray
    g: np.ndarray
    programmed: np.ndarray
    time: np.ndarray
    weight: np.ndarray
    block: np.ndarray
    first: np.ndarray
    groups: int


def _repeats(cells: Cells, blocks: Blocks, drift: Drift | None) -> _Repeats | None:
    readings = cells.readings
    if len(readings) == 0 or not readings.followed:
        return None
    usable = readings.g > 0
    if drift is not None:
        usable &= np.isfinite(drift.predicted)
    _, kind = np.unique(readings.cell + 1j * readings.time, return_inverse=True)
    counts = np.bincount(kind, usable)
    chosen = usable & (counts[kind] > 1)
    groups = int((counts > 1).sum())
    if groups < _LEAST_GROUPS:
        return None
    n = counts[kind[chosen]]
    first = np.zeros(len(n), dtype=bool)
    first[np.unique(kind[chosen], return_index=True)[1]] = True
    means = np.bincount(kind[chosen], readings.g[chosen], len(counts))[kind[chosen]] / n
    r = (readings.g[chosen] - means) * np.sqrt(n / (n - 1))
    if not r.any():
        return None
    return _Repeats(
        r=r,
        g=means if drift is None else drift.predicted[chosen],
        programmed=cells.achieved[readings.cell[chosen]],
        time=readings.time[chosen],
        weight=(n - 1) / n,
        block=blocks.of_row[readings.cell[chosen]],
        first=first,
        groups=groups,
    )


def _fitted(x: np.ndarray, y: np.ndarray, repeats: _Repeats, points: list[float]) -> Chosen | None:
    """Choose a curve for the deviation of y; x is rounded to three digits, so that rows share it."""
    step = 10.0 ** (np.floor(np.log10(x)) - 2)
    rounded = np.rint(x / step) * step
    low, high = (float(end) for end in np.quantile(rounded, [_LOWEST, 1 - _LOWEST]))
    if low == high:
        low, high = float(rounded.min()), float(rounded.max()) * (1 + 1e-9)
    known = [low, *(p for p in points if low * _APART < p < high / _APART), high]
    sample = sample_of(rounded, y, weight=repeats.weight)
    return choose(
        sample, [NoCurve()], forms(_finer(known, rounded), none=False, logarithm=points[0] > 0)
    )


def _finer(points: list[float], x: np.ndarray) -> list[float]:
    """Add points between those of a table, and below them, where neighbours differ by more than 2.

    Noise follows the conductance itself, which lies between the levels too; it is steepest near 0.
    """
    fine = set(points)
    while True:
        known = sorted(fine)
        more = {
            float(np.sqrt(a * b))
            for a, b in pairwise(known)
            if b > 2 * a and ((x >= a) & (x <= b)).sum() >= _ROWS_BETWEEN
        }
        if more <= fine:
            break
        fine |= more
    held = np.histogram(x, known)[0] if len(known) > 1 else np.zeros(0)
    # A point with hardly a row on its left side has no value of its own.
    kept = [p for p, n in zip(known[1:], held, strict=True) if n >= _ROWS_BETWEEN // 4]
    return [known[0], *kept] if kept else [known[0], known[-1]]


def _one_over_f(
    repeats: _Repeats, t0: float | None, t_r: float, scale: float, points: list[float]
) -> tuple[Chosen | None, np.ndarray]:
    """Fit Q where the readings are of several times; and return what Q is multiplied with, siemens."""
    if t0 is None or len(np.unique(repeats.time)) < 2:
        return None, np.ones(1)
    growth = np.maximum(np.log((repeats.time + t0 + t_r) / (2 * t_r)), 1e-12)
    factor = repeats.g * np.sqrt(growth)
    return _fitted(repeats.programmed / scale, repeats.r / factor, repeats, points), factor


def _gained(
    slow: Chosen | None, white: Chosen | None, repeats: _Repeats, factor: np.ndarray
) -> float | None:
    """Return the log-likelihood of 1/f noise less that of white noise; None where one is missing."""
    if slow is None or white is None:
        return None
    # Of densities of the readings themselves; fewer coefficients count for a form (Akaike).
    return _worth(slow) - float(repeats.weight @ np.log(factor)) - _worth(white)


def _worth(chosen: Chosen) -> float:
    """Return the log-likelihood less the number of coefficients."""
    return chosen.fit.log_likelihood - len(chosen.fit.b)
