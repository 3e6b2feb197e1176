"""Relaxation: mean and spread of all cells' shifts grow with the logarithm of time, whatever the level.

    G(t) - G ~ N(m ln t, (a ln t + b)^2), t in seconds after the programmed state G

It is the other law of time beside a power of time: RRAM relaxes, phase-change memory drifts. The
likelier one is kept, judged by the readings of each time by themselves and averaged over the times,
because readings of the same cell at several times are not independent. For the same reason standard
errors are those of sums of scores over cells (Liang and Zeger, Biometrika 73, 1986).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rxsim.fitting.bases import Polynomial, Slope
from rxsim.fitting.blocks import Blocks
from rxsim.fitting.cells import Cells
from rxsim.fitting.drift import Drift
from rxsim.fitting.goodness import Goodness, anderson_darling_p, goodness_of
from rxsim.fitting.likelihood import (
    NormalFit,
    Sample,
    fit_normal,
    log_likelihoods,
    sample_of,
    score_covariance,
)

_LEAST_CELLS = 20
_COEFFICIENTS = 3


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Relaxation:
    """The relaxation of a device, in its unit of conductance.

    Attributes:
        mean: m.
        mean_error: its standard error.
        sd: a and b.
        sd_errors: their standard errors.
        cells: how many were read.
        gained: log-likelihood of a time's readings less that of a power of time; None where none fits.
        goodness: of means and variances of the times; of normal residuals, of the last time alone.
    """

    mean: float
    mean_error: float
    sd: tuple[float, float]
    sd_errors: tuple[float, float]
    cells: int
    gained: float | None
    goodness: Goodness


def fit_relaxation(
    cells: Cells, blocks: Blocks, scale: float, unit: float, drift: Drift | None
) -> Relaxation | None:
    """Fit a relaxation, where it can describe the readings at all.

    Args:
        cells: programmed cells and their readings.
        blocks: of the cells.
        scale: conductance that stands for x = 1 of drift, siemens.
        unit: siemens.
        drift: the power of time that fits best, or None.

    Returns:
        None where cells or programmed states are not known, there are fewer than two times, or the
        power of time is as likely.
    """
    readings = cells.readings
    if cells.t0 is not None or cells.state_listed or not readings.followed:
        return None
    rows = (readings.time > 0) & (readings.g > 0) & (cells.achieved[readings.cell] > 0)
    if drift is not None:
        rows &= np.isfinite(drift.predicted)
    readings = readings.where(rows)
    times = np.unique(readings.time)
    known = np.unique(readings.cell)
    if len(times) < 2 or len(known) < _LEAST_CELLS:
        return None
    shift = (readings.g - cells.achieved[readings.cell]) / unit
    sample = sample_of(np.log(readings.time), shift)
    fit = fit_normal(sample, Slope(), Polynomial(1))
    if fit is None:
        return None
    gained = None
    if drift is not None:
        ours = float(log_likelihoods(fit, sample).sum()) / len(times) - _COEFFICIENTS
        theirs = _of_power(cells, blocks, scale, unit, drift, rows) / len(times)
        gained = ours - (theirs - drift.mean.basis.size - drift.sd.basis.size - 1)
        if gained <= 0:
            return None
    errors = np.sqrt(np.diag(score_covariance(fit, sample, readings.cell)))
    return Relaxation(
        mean=float(fit.a[0]),
        mean_error=float(errors[0]),
        sd=(float(fit.b[1]), float(fit.b[0])),
        sd_errors=(float(errors[2]), float(errors[1])),
        cells=len(known),
        gained=gained,
        goodness=_judged(fit, sample, readings.time),
    )


def _judged(fit: NormalFit, sample: Sample, time: np.ndarray) -> Goodness:
    """Judge the times' means and variances; residuals of one time do not depend on each other."""
    residuals = (sample.y - fit.mean_at(sample.x)) / fit.sigma_at(sample.x)
    of_time = np.unique(time, return_inverse=True)[1]
    none = np.zeros(len(residuals), dtype=bool)
    goodness = goodness_of(residuals, of_time, none, n_mean=1, n_sigma=2)
    return replace(goodness, normal_p=anderson_darling_p(residuals[of_time == of_time.max()]))


def _of_power(
    cells: Cells, blocks: Blocks, scale: float, unit: float, drift: Drift, rows: np.ndarray
) -> float:
    """Return the log-likelihood of conductances (in `unit`) under the power of time."""
    readings = cells.readings.where(rows)
    achieved = cells.achieved[readings.cell]
    y = np.log(readings.g / achieved)
    length = np.log1p(readings.time / drift.t0.seconds)
    x = readings.target / scale
    # Both the reading and the programmed state are noisy.
    noise = 2 * drift.noise[blocks.of_row[readings.cell]]
    variance = np.square(drift.sd.at(x) * length) + noise
    square = np.square(y + drift.mean.at(x) * length) / variance
    density = -0.5 * (np.log(2 * np.pi * variance) + square)
    return float((density - np.log(readings.g / unit)).sum())
