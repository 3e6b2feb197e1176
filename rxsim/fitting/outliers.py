"""Rows far from those of like targets, and cells that seem to be stuck.

The distance of a row is that from the median of its level, over 1.4826 times the median magnitude of
such distances: a robust z, which bad rows do not pull along. Of a level whose values a floor hides in
part, the median and the distance of the quantile 84.13 % above it take their place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rxsim.fitting.blocks import Blocks

BOUND = 5.0
"""Robust z above which a row is an outlier. Assumption: of a million normal rows, 0.6 lie beyond."""
# Source: the median magnitude of a normal deviate is 0.6745 of its deviation.
_NORMAL = 1.4826
_UPPER = 0.8413  # the quantile of one deviation above the mean
_MOST_HIDDEN = 0.4  # share of a level's rows below the floor above which its median says nothing
# Assumption: a median of n magnitudes is uncertain by about this share, of small levels above all.
_FEW = 10.0
_NEAR = 0.5  # share around a level in which an instrument keeps its step
_ROUNDING = 1e-9  # of a conductance: nearer values are the same reading


@dataclass(frozen=True, slots=True)
class Outlier:
    """A row far from the others of its level.

    Attributes:
        line: its line in the file.
        target: siemens.
        achieved: siemens.
        distance: its robust z, with its sign.
        stuck: `lrs` or `hrs` where it lies at that end of the range, whatever its target; or empty.
    """

    line: int
    target: float
    achieved: float
    distance: float
    stuck: str


@dataclass(frozen=True, slots=True, eq=False)
class Outliers:
    """What was found.

    Attributes:
        bound: of the robust z.
        rows: the outliers, in the order of the file.
        flagged: whether each cell is one, (n,).
        stuck_lrs: share of the cells stuck at the upper end.
        stuck_hrs: share of the cells stuck at the lower end.
        stuck_lrs_g: mean conductance of the cells stuck at the upper end, siemens, or None.
        stuck_hrs_g: of those at the lower end, likewise.
    """

    bound: float
    rows: tuple[Outlier, ...]
    flagged: np.ndarray
    stuck_lrs: float
    stuck_hrs: float
    stuck_lrs_g: float | None
    stuck_hrs_g: float | None

    @property
    def stuck(self) -> tuple[tuple[str, float, float | None], ...]:
        """Name, share of the cells and mean conductance (siemens) of each kind of stuck cells."""
        return (
            ("stuck_lrs", self.stuck_lrs, self.stuck_lrs_g),
            ("stuck_hrs", self.stuck_hrs, self.stuck_hrs_g),
        )


def find_outliers(
    target: np.ndarray,
    achieved: np.ndarray,
    line: np.ndarray,
    blocks: Blocks,
    bound: float = BOUND,
) -> Outliers:
    """Look for rows that are not of the others' kind.

    Args:
        target: siemens, (n,).
        achieved: siemens, (n,).
        line: in the file, (n,).
        blocks: rows of like targets.
        bound: robust z above which a row is an outlier; of levels of few rows the bound is larger by
            1 + 10/n.
    """
    away = achieved - target
    known = np.unique(achieved)
    z = np.zeros(len(target))
    centre, scale = np.zeros(len(blocks)), np.zeros(len(blocks))
    for block in range(len(blocks)):
        rows = np.flatnonzero(blocks.of_row == block)
        step = smallest_step(known, float(np.median(achieved[rows])))
        centre[block], scale[block] = middle(away[rows], achieved[rows] == 0, step)
        if scale[block] > 0:
            z[rows] = (away[rows] - centre[block]) / scale[block] / (1 + _FEW / len(rows))
    flagged = np.abs(z) > bound
    ends = {
        "lrs": achieved >= blocks.target[-1] + centre[-1] - bound * scale[-1],
        "hrs": achieved <= blocks.target[0] + centre[0] + bound * scale[0],
    }
    inner = {"lrs": blocks.of_row != len(blocks) - 1, "hrs": blocks.of_row != 0}
    stuck = {name: flagged & ends[name] & inner[name] for name in ends}
    # One cell, or cells of a single target, may be anything.
    stuck = {
        name: rows if len(np.unique(target[rows])) > 1 else np.zeros_like(rows)
        for name, rows in stuck.items()
    }
    shares = {name: float(rows.sum() / max(inner[name].sum(), 1)) for name, rows in stuck.items()}
    listed = tuple(
        Outlier(
            int(line[row]),
            float(target[row]),
            float(achieved[row]),
            float(z[row]),
            next((name for name in stuck if stuck[name][row]), ""),
        )
        for row in sorted(np.flatnonzero(flagged), key=lambda row: int(line[row]))
    )
    means = {name: float(achieved[r].mean()) if r.any() else None for name, r in stuck.items()}
    return Outliers(
        bound=bound,
        rows=listed,
        flagged=flagged,
        stuck_lrs=shares["lrs"],
        stuck_hrs=shares["hrs"],
        stuck_lrs_g=means["lrs"],
        stuck_hrs_g=means["hrs"],
    )


def smallest_step(known: np.ndarray, near: float) -> float:
    """Return the resolution of an instrument: the smallest gap of its values within a half of one.

    Args:
        known: all values that it gave, rising, each once.
        near: the one.

    Returns:
        0 where fewer than two values are there; far below any deviation where readings are fine.
    """
    low, high = np.searchsorted(known, [near * (1 - _NEAR), near * (1 + _NEAR)])
    gaps = np.diff(known[low : high + 1])
    gaps = gaps[gaps > _ROUNDING * abs(near)]
    return float(gaps.min()) if len(gaps) else 0.0


def middle(away: np.ndarray, hidden: np.ndarray, step: float = 0.0) -> tuple[float, float]:
    """Return a robust mean and deviation, not below `step`; 0 where it can't be told."""
    centre, scale = _middle(away, hidden)
    return centre, max(scale, step) if scale > 0 else 0.0


def _middle(away: np.ndarray, hidden: np.ndarray) -> tuple[float, float]:
    middle = float(np.median(away))
    if hidden.mean() > _MOST_HIDDEN:
        return middle, 0.0
    if hidden.any():
        return middle, float(np.quantile(away, _UPPER)) - middle
    scale = _NORMAL * float(np.median(np.abs(away - middle)))
    if scale == 0:  # more than half of the rows are the same: a coarse instrument
        scale = float(np.mean(np.abs(away - middle))) * np.sqrt(np.pi / 2)
    return middle, scale
