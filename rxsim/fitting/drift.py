"""Drift: each cell's exponent of time, and mean and deviation of the exponents over the target.

    G(t) = G ((t + t0) / t0)^-nu,  so  ln(G(t) / G) = -nu L,  L = ln((t + t0) / t0)

t counts from the programmed state G. Where a table has the column `read`, G is `achieved`, and t0 is
the one at which all times lie on a line: too small a t0 bends it one way, too large the other. Where it
has none, G is a cell's first reading, and t0 is its time. The programmed state was read with noise like
every other reading, so a cell's line need not go through it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rxsim.errors import DataError
from rxsim.fitting.bases import Points
from rxsim.fitting.blocks import Blocks
from rxsim.fitting.cell_lines import LEAST_AT_A_TIME, CellLines, cell_lines, weighted_line
from rxsim.fitting.cells import Cells, Readings
from rxsim.fitting.choose import choose, forms
from rxsim.fitting.fitted_curve import (
    FittedCurve,
    mean_curve,
    sigma_curve,
    widened,
    with_scale_error,
)
from rxsim.fitting.goodness import Goodness, goodness_of
from rxsim.fitting.likelihood import sample_of
from rxsim.fitting.start_time import StartTime, fit_start_time

# Assumption: logarithms of readings are no measure of drift where more of them than this are 0.
_MOST_ZEROS = 0.01
_TOLD = 2.0  # standard errors above 0 that a spread must be, where cells are not known


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Drift:
    """The drift of a device.

    Attributes:
        t0: seconds, and how it is known.
        mean: of the exponent, over x = target / scale.
        sd: its deviation from cell to cell.
        goodness: of both; None where cells are not known.
        r2: share of the variance of ln(G(t) / G) that the cells' own exponents explain; None where
            lines go through all readings.
        cells: how many exponents were taken.
        nu: each cell's exponent, (cells,); empty where cells are not known.
        nu_error: its standard error, likewise.
        nu_target: its target, siemens, likewise.
        noise: variance of ln G of a reading that is no drift, a level; empty where cells are not known.
        predicted: the drifted conductance of each followed reading, siemens; NaN where none is known.
        notes: what was left out or taken for granted.
    """

    t0: StartTime
    mean: FittedCurve
    sd: FittedCurve
    goodness: Goodness | None
    r2: float | None
    cells: int
    nu: np.ndarray
    nu_error: np.ndarray
    nu_target: np.ndarray
    noise: np.ndarray
    predicted: np.ndarray
    notes: tuple[str, ...]


def fit_drift(
    cells: Cells, blocks: Blocks, scale: float, where: str, t0: float | None = None
) -> Drift | None:
    """Fit the exponents of drift.

    Args:
        cells: programmed cells and their readings.
        blocks: of the cells.
        scale: conductance that stands for x = 1, siemens.
        where: the file's name in messages.
        t0: seconds, where the user knows it.

    Returns:
        None where no reading is later than its programmed state.

    Raises:
        DataError: the readings can't tell t0 or the spread of the exponents.
    """
    if t0 is not None and (cells.t0 is not None or not (cells.readings.time > 0).any()):
        raise DataError(
            f"{where}: found --t0 with readings that are not later than column achieved, expected "
            "it where a column read follows achieved in time; leave it out"
        )
    if not (cells.readings.time > 0).any():
        return None
    if not cells.readings.followed:
        return _without_cells(cells, scale, where)
    return _with_cells(cells, blocks, scale, where, t0)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class DriftData:
    """Readings of followed cells as lines over ln((t + t0) / t0).

    usable: which of the cells' readings, (m,); listed: these, and programmed states behind them, (n,);
    y: ln of each over its programmed state; group: its level; length: ln((t + t0) / t0).
    """

    usable: np.ndarray
    listed: Readings
    y: np.ndarray
    group: np.ndarray
    length: np.ndarray
    start: StartTime
    lines: CellLines
    notes: tuple[str, ...]


def drift_data(cells: Cells, blocks: Blocks, where: str, t0: float | None) -> DriftData:
    """Find t0, and fit a line to each cell; arguments and errors as of `fit_drift`."""
    usable, notes = _usable(cells, blocks)
    if not (usable & (cells.readings.time > 0)).any():
        raise DataError(
            f"{where}: found later readings of 0 among more than 1 % of the cells of every level, "
            "expected conductances above 0 to see drift in; leave out the column of times"
        )
    readings = cells.readings.where(usable)
    listed = readings if cells.state_listed else readings.with_states(cells)
    group = blocks.of_row[listed.cell]
    y = np.log(listed.g / cells.achieved[listed.cell])
    if not y.any():
        raise DataError(
            f"{where}: found the same conductance of each cell at every time, expected what was read "
            "then; name its column with --read, or leave out the column of times"
        )
    if cells.t0 is not None:
        seconds = float(np.median(cells.t0))
        start = StartTime(seconds=seconds, error=None, how="time of the first reading")
        length = np.log1p(listed.time / cells.t0[listed.cell])
    else:
        start = fit_start_time(listed, y, group, where, t0)
        length = np.log1p(listed.time / start.seconds)
    return DriftData(
        usable=usable,
        listed=listed,
        y=y,
        group=group,
        length=length,
        start=start,
        lines=cell_lines(listed.cell, y, length, group),
        notes=notes,
    )


def _with_cells(cells: Cells, blocks: Blocks, scale: float, where: str, t0: float | None) -> Drift:
    data = drift_data(cells, blocks, where, t0)
    lines, start, notes = data.lines, data.start, data.notes
    target = cells.target[lines.cell]
    sample = sample_of(target / scale, lines.nu, variance=np.square(lines.error))
    points = _points(blocks, target, scale)
    known = forms(points, none=False, logarithm=bool(cells.target.min() > 0))
    chosen = choose(sample, known, known)
    if chosen is None:
        raise DataError(
            f"{where}: found exponents of drift that are the same in all cells, or too few of them, "
            "expected a spread that can be told; measure more cells, or more times"
        )
    if not lines.noise_known:
        notes += ("the spread of the exponents holds the noise of single readings",)
    mean, sd = mean_curve(chosen), sigma_curve(chosen)
    goodness = _judged(lines, mean, sd, target / scale, blocks)
    moved = _moved_by_start(data.listed, data.y, data.group, start, lines)
    readings = cells.readings.where(data.usable)
    predicted = np.full(len(cells.readings), np.nan)
    fitted = lines.fitted[: len(readings)]
    predicted[data.usable] = cells.achieved[readings.cell] * np.exp(fitted)
    return Drift(
        t0=start,
        mean=with_scale_error(widened(mean, goodness.chi2_mean), moved),
        sd=with_scale_error(widened(sd, goodness.chi2_sigma), moved),
        goodness=goodness,
        r2=_r2(data.y, lines.fitted) if lines.freedom > 0 else None,
        cells=len(lines.nu),
        nu=lines.nu,
        nu_error=lines.error,
        nu_target=target,
        noise=lines.noise,
        predicted=predicted,
        notes=(*notes, *start.notes),
    )


def _judged(
    lines: CellLines, mean: FittedCurve, sd: FittedCurve, x: np.ndarray, blocks: Blocks
) -> Goodness:
    """Judge the curves of the exponents, x being the relative target of each cell."""
    residuals = (lines.nu - mean.at(x)) / np.sqrt(np.square(sd.at(x)) + np.square(lines.error))
    of_row, hidden = blocks.of_row[lines.cell], np.zeros(len(x), dtype=bool)
    return goodness_of(residuals, of_row, hidden, n_mean=mean.basis.size, n_sigma=sd.basis.size)


def _moved_by_start(
    readings: Readings, y: np.ndarray, group: np.ndarray, start: StartTime, lines: CellLines
) -> float:
    """Return the share by which exponents change where t0 is one standard error larger."""
    if start.error is None or not lines.nu.any():
        return 0.0
    later = start.seconds * np.exp(min(start.error / start.seconds, 1.0))
    other = cell_lines(readings.cell, y, np.log1p(readings.time / later), group)
    return float(other.nu.sum() / lines.nu.sum() - 1)


def _points(blocks: Blocks, target: np.ndarray, scale: float) -> list[float]:
    """Return the relative conductances of a table: of levels, those that have exponents."""
    known = blocks.points
    if blocks.levels:
        known = known[np.isin(known, target)]
    if len(known) > 1:
        return [float(p / scale) for p in known]
    only = float(target.max() / scale)
    return [only / 2, only]  # a table of one level is level: a constant is chosen


def _usable(cells: Cells, blocks: Blocks) -> tuple[np.ndarray, tuple[str, ...]]:
    """Tell which readings have a logarithm, of levels that are not near 0; and say what is left out."""
    readings = cells.readings
    group = blocks.of_row[readings.cell]
    zero = (readings.g == 0) | (cells.achieved[readings.cell] == 0)
    # A cell that was programmed to 0 says nothing; one that is read as 0 later is half of a pair.
    faded = (readings.g == 0) & (cells.achieved[readings.cell] > 0)
    known = np.bincount(group, cells.achieved[readings.cell] > 0, len(blocks))
    share = np.bincount(group, faded, len(blocks)) / np.maximum(known, 1)
    low = (share > _MOST_ZEROS) | (known == 0)
    left_out = low & (np.bincount(group, minlength=len(blocks)) > 0)
    notes: tuple[str, ...] = ()
    if left_out.any():
        names = ", ".join(f"{g * 1e6:.4g} uS" for g in blocks.target[left_out][:5])
        notes = (
            f"levels too near 0 to see drift and read noise in were left out of them: {names}",
        )
    return ~zero & ~low[group], notes


def _r2(y: np.ndarray, fitted: np.ndarray) -> float:
    total = float(np.square(y - y.mean()).sum())
    return 1 - float(np.square(y - fitted).sum()) / total if total > 0 else 1.0


def _without_cells(cells: Cells, scale: float, where: str) -> Drift:
    """Take mean and spread of ln G of each level at each time: what they gain with time is drift."""
    if cells.t0 is None:
        raise DataError(
            f"{where}: found a first time of 0 and no column cell, expected to know which cell each "
            "row is of; add a column cell, or a column read beside achieved"
        )
    t0 = float(cells.t0[0])
    levels = np.unique(cells.target)
    found = [_level_moments(cells, level, t0, where) for level in levels]
    found = [each for each in found if each is not None]
    if len(found) < 2:
        raise DataError(
            f"{where}: found fewer than two levels with conductances above 0 and several times, "
            "expected more to see drift in; leave out the column of times"
        )
    table = np.array(found)
    level, nu, nu_error, spread, spread_error, r2 = table.T
    weight = 1 / np.square(spread_error)
    if spread @ weight < _TOLD * np.sqrt(weight.sum()):
        raise DataError(
            f"{where}: found that the spread of ln G grows with time by no more than chance "
            f"(variance of the exponents {spread @ weight / weight.sum():.3g} +- "
            f"{1 / np.sqrt(weight.sum()):.2g}), expected to tell how exponents differ from cell to "
            "cell; add a column cell that tells which rows belong together"
        )
    sd = np.sqrt(np.maximum(spread, 0))
    # The error of a root: half of that of its square, over it; where it is 0, the root of the error.
    sd_error = np.where(
        spread > spread_error, spread_error / (2 * np.maximum(sd, 1e-12)), np.sqrt(spread_error)
    )
    points = Points(tuple(level / scale))
    none = np.zeros(0)
    return Drift(
        t0=StartTime(seconds=t0, error=None, how="time of the first reading"),
        mean=FittedCurve(points, nu, np.diag(np.square(nu_error))),
        sd=FittedCurve(points, sd, np.diag(np.square(sd_error))),
        goodness=None,
        r2=float(r2.mean()),
        cells=0,
        nu=none,
        nu_error=none,
        nu_target=none,
        noise=none,
        predicted=np.full(len(cells.readings), np.nan),
        notes=(
            "cells are not known: exponents are those of the levels' means and spreads over time",
        ),
    )


def _level_moments(
    cells: Cells, level: float, t0: float, where: str
) -> tuple[float, float, float, float, float, float] | None:
    """Return a level, its exponent and error, variance of the exponents and error, and R2."""
    readings = cells.readings.where(cells.readings.target == level)
    values = [cells.achieved[cells.target == level]]
    times = np.unique(readings.time)
    values += [readings.g[readings.time == time] for time in times]
    if any((v == 0).mean() > _MOST_ZEROS for v in values if len(v)):
        return None
    if min(map(len, values)) < LEAST_AT_A_TIME:
        raise DataError(
            f"{where}: found {min(map(len, values))} rows of the level {level * 1e6:.6g} uS at one "
            f"time, expected at least {LEAST_AT_A_TIME} at each, or a column cell that tells which "
            "rows belong together; add it"
        )
    if len(times) == 0:
        return None
    logs = [np.log(v[v > 0]) for v in values]
    length = np.log1p(np.concatenate([[0.0], times]) / t0)
    means, spreads = np.array([v.mean() for v in logs]), np.array([v.var(ddof=1) for v in logs])
    counts = np.array([len(v) for v in logs])
    slope, slope_error, _, fitted = weighted_line(length, means, np.sqrt(spreads / counts))
    grown, grown_error, *_ = weighted_line(length**2, spreads, spreads * np.sqrt(2 / (counts - 1)))
    return level, -slope, slope_error, grown, grown_error, _r2(means, fitted)
