"""Later readings that are not of the others' kind: a contact that slipped, a digit that was lost.

A reading is compared with its kind twice. First g / G, G the programmed state, with those of its level
at the same time. Then, where cells have four readings or more, with the line of its own cell over
ln((t + t0) / t0): all cells of a level share the deviation. Of a cell only the farthest reading goes at
a time, for it bends the line of the others. A reading must be far both in ln(g / G) and in g / G: noise
that is large against the conductance has a long tail in one of them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rxsim.errors import DataError
from rxsim.fitting.blocks import Blocks
from rxsim.fitting.cells import Cells, Readings
from rxsim.fitting.drift import DriftData, drift_data
from rxsim.fitting.outliers import middle, smallest_step

_PASSES = 5
_FEW = 10.0  # Assumption: as of programmed cells, bounds of n readings are larger by 1 + 10/n
_LEAST = 4  # readings of a cell: of three, nobody knows which is off their line
_FREE = 0.05  # least share of a reading's error that its own line leaves to see
_ROUNDED = 1e-6  # of a conductance: nearer readings are the same


def find_bad_readings(
    cells: Cells, blocks: Blocks, skipped: np.ndarray, bound: float, t0: float | None
) -> np.ndarray:
    """Tell which later readings are far from the others.

    Args:
        cells: programmed cells and their readings.
        blocks: of the cells.
        skipped: cells that are outliers themselves, (cells,): their readings are not judged.
        bound: robust z above which a reading is bad.
        t0: of the programmed states, seconds; None: fitted.

    Returns:
        (m,); none where readings are too few to compare.
    """
    readings = cells.readings
    bad = np.zeros(len(readings), dtype=bool)
    if len(readings) == 0:
        return bad
    known = readings.cell >= 0
    start = np.where(known, cells.achieved[readings.cell], readings.target)
    judged = (readings.g > 0) & (start > 0) & ~(known & skipped[readings.cell])
    if cells.state_listed:
        judged &= readings.time > 0  # the first readings are the programmed states: judged as such
    level = np.where(known, blocks.of_row[readings.cell], _numbers(readings.target))
    kind = _numbers(level + 1j * readings.time)
    rows = np.flatnonzero(judged)
    ratio = readings.g[rows] / start[rows]
    steps = _steps(readings, level)[rows] / start[rows]
    bad[rows] = _far(ratio, kind[rows], steps, bound)
    if readings.followed and (readings.time > 0).any():
        _add_those_off_their_lines(bad, cells, blocks, judged, bound, t0)
    return bad


def without_readings(cells: Cells, bad: np.ndarray) -> Cells:
    """Leave readings out."""
    return replace(cells, readings=cells.readings.where(~bad)) if bad.any() else cells


def _numbers(values: np.ndarray) -> np.ndarray:
    return np.unique(values, return_inverse=True)[1].reshape(-1)


def _steps(readings: Readings, level: np.ndarray) -> np.ndarray:
    """Return the instrument's step at each reading's level, siemens, (m,)."""
    known = np.unique(readings.g)
    number = _numbers(level)
    order = np.argsort(number, kind="stable")
    parts = np.split(readings.g[order], np.cumsum(np.bincount(number))[:-1])
    steps = np.array([smallest_step(known, float(np.median(part))) for part in parts])
    return np.asarray(steps[number])


def _far(ratio: np.ndarray, kind: np.ndarray, steps: np.ndarray, bound: float) -> np.ndarray:
    """Tell which ratios are far from the others of their kind, in both scales."""
    linear = _distances(ratio, kind, steps)
    logarithmic = _distances(np.log(ratio), kind, steps / ratio)
    return np.asarray(np.minimum(np.abs(linear), np.abs(logarithmic)) > bound)


def _distances(values: np.ndarray, kind: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Return each value's robust z among those of its kind; 0 where they have no spread."""
    z = np.zeros(len(values))
    if len(values) == 0:
        return z
    order = np.argsort(kind, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(kind[order])) + 1):
        centre, scale = middle(
            values[rows], np.zeros(len(rows), dtype=bool), float(np.median(steps[rows]))
        )
        if scale > 0:
            z[rows] = (values[rows] - centre) / scale / (1 + _FEW / len(rows))
    return z


def _add_those_off_their_lines(
    bad: np.ndarray,
    cells: Cells,
    blocks: Blocks,
    judged: np.ndarray,
    bound: float,
    t0: float | None,
) -> None:
    """Mark readings far from the line of their own cell, the farthest of each cell at a time."""
    for _ in range(_PASSES):
        try:
            data = drift_data(without_readings(cells, bad), blocks, "", t0)
        except DataError:  # t0 can't be told: the fit itself says so
            return
        kept = np.flatnonzero(~bad)[data.usable]
        far = np.zeros(len(bad), dtype=bool)
        far[kept] = _off_lines(data, bound)[: len(kept)]
        far &= judged
        if not far.any():
            return
        bad |= far


def _off_lines(data: DriftData, bound: float) -> np.ndarray:
    """Tell which readings are farthest of their cell's and beyond the bound, (listed,)."""
    listed, lines = data.listed, data.lines
    number = _numbers(listed.cell)
    counts = np.bincount(number)
    away = data.length - (np.bincount(number, data.length) / counts)[number]
    lever = np.bincount(number, away * away)[number]
    pull = np.divide(away * away, lever, out=np.ones(len(away)), where=lever > 0)
    free = 1 - 1 / counts[number] - pull  # share of a reading's own error that is left of it
    rows = np.flatnonzero((free > _FREE) & (counts[number] >= _LEAST))
    left = (data.y - lines.fitted)[rows] / np.sqrt(free[rows])
    steps = np.full(len(rows), _ROUNDED)
    far = np.abs(_distances(left, data.group[rows], steps))
    straight = np.expm1(left)
    far = np.minimum(far, np.abs(_distances(straight, data.group[rows], steps)))
    farthest = np.zeros(len(counts))
    np.maximum.at(farthest, number[rows], np.abs(left))
    marked = np.zeros(len(number), dtype=bool)
    marked[rows] = (far > bound) & (np.abs(left) == farthest[number[rows]])
    return marked
