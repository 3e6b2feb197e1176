"""A device from a table of measured rows: all fits, one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rxsim.errors import DataError, InputError
from rxsim.fitting.bad_readings import find_bad_readings, without_readings
from rxsim.fitting.blocks import Blocks, blocks_of
from rxsim.fitting.cells import Cells, Readings, cells_of
from rxsim.fitting.drift import Drift, fit_drift
from rxsim.fitting.fit_warnings import warnings_of
from rxsim.fitting.measurements import (
    LEAST_ROWS,
    Measurements,
    TableOptions,
    given_measurements,
    read_measurements,
)
from rxsim.fitting.outliers import BOUND, Outliers, find_outliers
from rxsim.fitting.read_noise import ReadNoise, fit_read_noise
from rxsim.fitting.relaxation import Relaxation, fit_relaxation
from rxsim.fitting.units import CONDUCTANCES, PRESET_UNITS
from rxsim.fitting.write_error import WriteError, fit_write_error

_SMALLEST_BOUND = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FitOptions:
    """What a user may say of a fit.

    Attributes:
        columns: what a column is -> its name, or its number from 1.
        unit: of conductances whose header states none.
        time_unit: of times whose header states none; None: seconds.
        outliers: report them and keep them, or drop them.
        outlier_bound: robust z above which a row is one.
        t0: seconds from programming to the reading in `achieved`; None: fitted.
        read_time: length of a reading, seconds; None: 250 ns.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    unit: str | None = None
    time_unit: str | None = None
    outliers: Literal["report", "drop"] = "report"
    outlier_bound: float = BOUND
    t0: float | None = None
    read_time: float | None = None

    def check(self) -> None:
        """Refuse numbers that can't be.

        Raises:
            InputError: naming the option.
        """
        for name, value in (("--t0", self.t0), ("--read-time", self.read_time)):
            if value is not None and not 0 < value < np.inf:
                raise InputError(f"{name}: found {value:g}, expected a time above 0 s; correct it")
        if not _SMALLEST_BOUND <= self.outlier_bound < np.inf:
            raise InputError(
                f"--outlier-bound: found {self.outlier_bound:g}, expected {_SMALLEST_BOUND:g} or "
                "above, for good rows lie below; give more"
            )
        if self.outliers not in ("report", "drop"):
            raise InputError(f"--outliers: found {self.outliers!r}, expected report or drop")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class DeviceFit:
    """A device as fitted.

    Attributes:
        rows: the table.
        cells: programmed cells and readings that were fitted.
        blocks: of these cells.
        outliers: rows far from the others.
        dropped: how many of them were left out.
        bad_readings: later readings far from the others, by line.
        dropped_readings: how many of them were left out.
        warnings: what makes the fit doubtful, in sentences.
        scale: conductance that stands for x = 1 of every curve, siemens.
        write_error: the error of programming.
        drift: of the conductance with time by a power of time, or None.
        relaxation: the other law of time, where it is the likelier one, or None.
        read_noise: of repeated readings, or None.
        notes: what was taken for granted or left out, in sentences.
    """

    rows: Measurements
    cells: Cells
    blocks: Blocks
    outliers: Outliers
    dropped: int
    bad_readings: Readings
    dropped_readings: int
    warnings: tuple[str, ...]
    scale: float
    write_error: WriteError
    drift: Drift | None
    relaxation: Relaxation | None
    read_noise: ReadNoise | None
    notes: tuple[str, ...]

    @property
    def siemens(self) -> float:
        """Its unit in siemens."""
        return CONDUCTANCES[self.short_unit]

    @property
    def short_unit(self) -> str:
        """Its unit as figures write it, such as uS."""
        return PRESET_UNITS[self.rows.unit]

    @property
    def ends(self) -> tuple[float, float]:
        """Lowest and highest target, siemens."""
        return float(self.cells.target.min()), float(self.cells.target.max())

    @property
    def times(self) -> tuple[float, float] | None:
        """Smallest and largest time after the programmed state, seconds; None where time has no law."""
        if self.drift is None and self.relaxation is None:
            return None
        later = self.cells.readings.time[self.cells.readings.time > 0]
        return float(later.min()), float(later.max())

    def plain(self, siemens: float) -> float:
        """Return a conductance in its unit, without the rounding of the last digits."""
        return float(f"{siemens / self.siemens:.12g}")

    def levels(self) -> np.ndarray:
        """Return conductances at which curves are told, siemens: the levels, or nine over the range."""
        if self.blocks.levels and len(self.blocks) <= 17:
            return self.blocks.target
        return np.linspace(*self.ends, 9)


def fit_device(data: Path | Mapping[str, Any], options: FitOptions) -> DeviceFit:
    """Fit a device to a table.

    Args:
        data: a CSV file, or columns by name.
        options: what the user says of it.

    Raises:
        DataError: the table can't be read or does not tell what was asked.
        InputError: an option can't be right.
    """
    options.check()
    rows, where = _rows(data, options)
    cells = cells_of(rows)
    _check_cells(cells, where)
    short = PRESET_UNITS[rows.unit]
    unit = CONDUCTANCES[short]
    blocks = blocks_of(cells.target, cells.line, where, unit, short)
    outliers = find_outliers(
        cells.target, cells.achieved, cells.line, blocks, options.outlier_bound
    )
    drop, skipped = options.outliers == "drop", outliers.flagged
    if drop and skipped.any():
        cells = cells.without(skipped)
        blocks = blocks_of(cells.target, cells.line, where, unit, short)
        skipped = np.zeros(len(cells.target), dtype=bool)
    bad = find_bad_readings(cells, blocks, skipped, options.outlier_bound, options.t0)
    bad_readings = cells.readings.where(bad)
    if drop:
        cells = without_readings(cells, bad)
    scale = float(cells.target.max())
    write_error = fit_write_error(cells.target, cells.achieved, blocks, scale, unit, where)
    drift, relaxation = _over_time(cells, blocks, scale, unit, where, options.t0)
    noise = fit_read_noise(cells, blocks, scale, unit, drift, where, options.read_time)
    goodness = {
        "write error": write_error.goodness,
        "drift": None if drift is None else drift.goodness,
        "relaxation": None if relaxation is None else relaxation.goodness,
        "read noise": None if noise is None else noise.goodness,
    }
    unused = ", ".join(name[:30] or "''" for name in rows.unused[:8])
    left = (f"columns left alone: {unused}",) if unused else ()
    notes = (*left, *cells.notes, *(() if drift is None else drift.notes))
    return DeviceFit(
        rows=rows,
        cells=cells,
        blocks=blocks,
        outliers=outliers,
        dropped=len(outliers.rows) if drop else 0,
        bad_readings=bad_readings,
        dropped_readings=len(bad_readings) if drop else 0,
        warnings=warnings_of(goodness, cells, blocks, outliers, len(bad_readings), dropped=drop),
        scale=scale,
        write_error=write_error,
        drift=drift,
        relaxation=relaxation,
        read_noise=noise,
        notes=(*notes, *_further_notes(noise, options)),
    )


def _rows(data: Path | Mapping[str, Any], options: FitOptions) -> tuple[Measurements, str]:
    """Return the table, and its name in messages."""
    table = TableOptions(columns=options.columns, unit=options.unit, time_unit=options.time_unit)
    if isinstance(data, Path):
        return read_measurements(data, table), str(data)
    return given_measurements(data, table), "data"


def _over_time(
    cells: Cells, blocks: Blocks, scale: float, unit: float, where: str, t0: float | None
) -> tuple[Drift | None, Relaxation | None]:
    """Fit both laws of time, and keep the likelier one; none where there are no later readings.

    Raises:
        DataError: neither can be fitted.
    """
    try:
        drift = fit_drift(cells, blocks, scale, where, t0)
    except DataError:
        relaxation = fit_relaxation(cells, blocks, scale, unit, None)
        if relaxation is None:
            raise
        return None, relaxation
    relaxation = None if drift is None else fit_relaxation(cells, blocks, scale, unit, drift)
    return (drift, None) if relaxation is None else (None, relaxation)


def _check_cells(cells: Cells, where: str) -> None:
    if len(cells.target) < LEAST_ROWS:
        raise DataError(
            f"{where}: found {len(cells.target)} programmed cells, expected at least {LEAST_ROWS}: a "
            "spread can't be told from fewer; measure more cells"
        )


def _further_notes(noise: ReadNoise | None, options: FitOptions) -> tuple[str, ...]:
    if noise is None and options.read_time is not None:
        return ("--read-time has no use: no read noise was fitted",)
    if noise is not None and noise.law == "one_over_f" and options.read_time is None:
        return ("a reading was taken to last 250 ns; say what yours lasts with --read-time",)
    return ()
