"""What makes a fit doubtful, in sentences that are shown first."""

from __future__ import annotations

import numpy as np

from rxsim.counted import counted
from rxsim.fitting.blocks import Blocks
from rxsim.fitting.cells import Cells
from rxsim.fitting.goodness import Goodness
from rxsim.fitting.outliers import Outliers

_POOR = 5.0
"""Reduced chi-square above which a fit is doubtful. Assumption: chance gives it in 4 of 100,000
cases where a form leaves 6 levels free, and in 3 of 100 where it leaves one."""
_INFLATED = 2.0  # ratio of deviations with outliers and without, likewise
_DROP = "--outliers drop leaves them out, and states the share of stuck cells"


def warnings_of(
    goodness: dict[str, Goodness | None],
    cells: Cells,
    blocks: Blocks,
    outliers: Outliers,
    bad_readings: int,
    *,
    dropped: bool,
) -> tuple[str, ...]:
    """Return the warnings of a fit.

    Args:
        goodness: of each law, by its name in sentences.
        cells: that were fitted.
        blocks: of these.
        outliers: of all cells.
        bad_readings: number of later readings far from the others.
        dropped: whether outliers were left out.
    """
    kept = bool(outliers.rows) and not dropped
    found = list(_poor(goodness, kept=kept))
    if kept:
        inflated = _inflated(cells, blocks, outliers.flagged)
        if inflated > _INFLATED:
            rows = counted(len(outliers.rows), "outlier")
            share = outliers.stuck_lrs + outliers.stuck_hrs
            stuck = ", some like stuck cells," if share else ""
            found.append(
                f"with {rows}{stuck} the deviation of a level is {inflated:.3g} times that of its "
                f"other cells; {_DROP}"
            )
    if bad_readings and not dropped:
        rows = counted(bad_readings, "later reading")
        found.append(
            f"{rows} far from the others may move t0, exponents and noise; "
            "--outliers drop leaves them out"
        )
    return tuple(found)


def _poor(goodness: dict[str, Goodness | None], *, kept: bool) -> list[str]:
    found = []
    for law, each in goodness.items():
        chi2 = (
            [] if each is None else [v for v in (each.chi2_mean, each.chi2_sigma) if v is not None]
        )
        if max(chi2, default=0.0) > _POOR:
            cause = (
                f"outliers may be why: {_DROP}" if kept else "the law may not be that of the device"
            )
            found.append(
                f"the {law} fits poorly (reduced chi2 {max(chi2):.3g}, above {_POOR:g}); {cause}"
            )
    return found


def _inflated(cells: Cells, blocks: Blocks, flagged: np.ndarray) -> float:
    """Return the largest ratio of a level's deviation to that of its rows that are no outliers."""
    away = cells.achieved - cells.target
    largest = 1.0
    for block in np.unique(blocks.of_row[flagged]):
        rows = blocks.of_row == block
        good = away[rows & ~flagged]
        if len(good) > 1 and good.std() > 0:
            largest = max(largest, float(away[rows].std() / good.std()))
    return largest
