"""Rows of like targets: the levels that were aimed at, or neighbours where all targets differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rxsim.counted import counted
from rxsim.errors import DataError

LEAST = 5
"""Fewest rows of a level. Assumption: a deviation of fewer is off by more than a third."""
_ROWS_A_BLOCK = 25  # of neighbours, where all targets differ
_MOST_BLOCKS = 40
_MOST_POINTS = 64
_POINTS_BETWEEN = 12  # of a table, where all targets differ


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """Groups of rows.

    Attributes:
        levels: whether each is a single target.
        of_row: the group of each row, (n,).
        target: its mean target, siemens, (groups,).
        points: targets at which a table may state values, rising, siemens.
    """

    levels: bool
    of_row: np.ndarray
    target: np.ndarray
    points: np.ndarray

    def __len__(self) -> int:
        return len(self.target)

    def counts(self, chosen: np.ndarray | None = None) -> np.ndarray:
        """Return the rows of each group, or those of them that are chosen (bool)."""
        rows = self.of_row if chosen is None else self.of_row[chosen]
        return np.bincount(rows, minlength=len(self))


def blocks_of(target: np.ndarray, line: np.ndarray, where: str, unit: float, short: str) -> Blocks:
    """Group rows by their targets.

    Args:
        target: siemens, (n,).
        line: of each row in the file.
        where: the file's name in messages.
        unit: siemens, for messages.
        short: its name there.

    Raises:
        DataError: a level has too few rows.
    """
    levels, of_row, counts = np.unique(target, return_inverse=True, return_counts=True)
    if LEAST * len(levels) <= len(target) or np.median(counts) >= LEAST:
        few = counts < LEAST
        if few.any():
            at = int(few.argmax())
            lines = ", ".join(map(str, np.sort(line[of_row == at])))
            raise DataError(
                f"{where}: found {counted(int(counts[at]), 'row')} of the level "
                f"{levels[at] / unit:.6g} {short} (line {lines}), expected at least "
                f"{LEAST} rows a level; measure more cells there, or remove the level"
            )
        step = -(-len(levels) // _MOST_POINTS)
        return Blocks(True, of_row, levels, np.union1d(levels[::step], levels[-1:]))
    number = int(np.clip(len(target) // _ROWS_A_BLOCK, 1, _MOST_BLOCKS))
    order = np.argsort(target, kind="stable")
    of_row = np.empty(len(target), dtype=int)
    of_row[order] = np.arange(len(target)) * number // len(target)
    means = np.bincount(of_row, target) / np.bincount(of_row)
    between = int(np.clip(len(target) // _ROWS_A_BLOCK, 2, _POINTS_BETWEEN))
    points = np.unique(np.quantile(target, np.linspace(0, 1, between)))
    return Blocks(False, of_row, means, points)
