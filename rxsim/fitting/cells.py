"""Which rows are programmed states, and which are later readings of them.

Every table becomes the same two lists: cells as programmed, and readings of them at a time after that
state. Where no column `read` is there, a cell's first reading is its programmed state, and the time of
the first reading is t0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rxsim.durations import written
from rxsim.errors import DataError
from rxsim.fitting.measurements import Measurements

# Assumption: by chance fewer than this share of rows repeat the target and achieved of others.
_REPEATED = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """Readings after programming.

    Attributes:
        cell: index of the programmed cell, (m,); -1 where nobody knows which cell it was.
        target: that cell's target, siemens, (m,).
        time: seconds after the programmed state, (m,).
        g: siemens, (m,).
        line: of the file, (m,).
    """

    cell: np.ndarray
    target: np.ndarray
    time: np.ndarray
    g: np.ndarray
    line: np.ndarray

    def __len__(self) -> int:
        return len(self.g)

    @property
    def followed(self) -> bool:
        """Whether it is known which cell each reading is of."""
        return bool((self.cell >= 0).all())

    def with_states(self, cells: Cells) -> Readings:
        """Add the programmed state of each cell that is read, as a reading at time 0."""
        read = np.unique(self.cell)
        return Readings(
            np.concatenate([self.cell, read]),
            np.concatenate([self.target, cells.target[read]]),
            np.concatenate([self.time, np.zeros(len(read))]),
            np.concatenate([self.g, cells.achieved[read]]),
            np.concatenate([self.line, cells.line[read]]),
        )

    def where(self, chosen: np.ndarray) -> Readings:
        """Return the chosen readings (bool)."""
        return Readings(
            self.cell[chosen],
            self.target[chosen],
            self.time[chosen],
            self.g[chosen],
            self.line[chosen],
        )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Cells:
    """Programmed cells and their readings.

    Attributes:
        line: line of each cell's first row, (n,).
        target: siemens, (n,).
        achieved: the programmed state, siemens, (n,).
        t0: seconds from programming to that state, (n,); None where nobody knows.
        readings: later readings, those at once included; empty where there are none.
        state_listed: whether the programmed state is one of these readings, or their mean.
        notes: what was taken for granted, in sentences.
    """

    line: np.ndarray
    target: np.ndarray
    achieved: np.ndarray
    t0: np.ndarray | None
    readings: Readings
    notes: tuple[str, ...]
    state_listed: bool = False

    def without(self, dropped: np.ndarray) -> Cells:
        """Leave cells out, and their readings."""
        if not dropped.any():
            return self
        number = np.cumsum(~dropped) - 1
        known = self.readings.cell >= 0
        gone = np.zeros(len(self.readings), dtype=bool)
        gone[known] = dropped[self.readings.cell[known]]
        left = self.readings.where(~gone)
        cell = np.where(left.cell >= 0, number[left.cell], -1)
        return Cells(
            line=self.line[~dropped],
            target=self.target[~dropped],
            achieved=self.achieved[~dropped],
            t0=None if self.t0 is None else self.t0[~dropped],
            readings=replace(left, cell=cell),
            notes=self.notes,
            state_listed=self.state_listed,
        )


_NONE = Readings(
    np.zeros(0, dtype=int), np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0, dtype=int)
)


def cells_of(rows: Measurements) -> Cells:
    """Tell programmed states from readings.

    Raises:
        DataError: the rows do not tell.
    """
    if rows.read is not None:
        return _with_read(rows)
    if rows.time is None:
        return _programmed(rows, None, ())
    times = np.unique(rows.time)
    if len(times) == 1 and rows.cell is None:
        at = written(float(times[0]))
        note = f"all rows are of {at} after programming: the errors are those of that time"
        return _programmed(rows, None, () if times[0] == 0 else (note,))
    return _unknown_cells(rows, float(times[0])) if rows.cell is None else _followed(rows)


def _programmed(rows: Measurements, t0: np.ndarray | None, notes: Sequence[str]) -> Cells:
    return Cells(
        line=rows.line,
        target=rows.target,
        achieved=rows.achieved,
        t0=t0,
        readings=_NONE,
        notes=tuple(notes),
    )


def _with_read(rows: Measurements) -> Cells:
    """Take `achieved` as the programmed state, and `read` as a reading of it."""
    assert rows.read is not None
    notes: tuple[str, ...] = ()
    if rows.cell is not None:
        keys = np.stack([rows.cell, rows.target, rows.achieved], axis=1)
    else:
        keys = np.stack([np.zeros(len(rows)), rows.target, rows.achieved], axis=1)
        if len(np.unique(keys, axis=0)) > (1 - _REPEATED) * len(rows):
            keys[:, 0] = np.arange(len(rows))
        else:
            notes = ("rows of the same target and achieved are taken for one cell",)
    _, first, cell = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    cell = cell.reshape(-1)
    time = np.zeros(len(rows)) if rows.time is None else rows.time
    order = np.argsort(first, kind="stable")  # cells in the order of the rows
    number = np.empty_like(order)
    number[order] = np.arange(len(order))
    first = first[order]
    line = np.full(len(first), rows.line.max())
    np.minimum.at(line, number[cell], rows.line)
    return Cells(
        line=line,
        target=rows.target[first],
        achieved=rows.achieved[first],
        t0=None,
        readings=Readings(number[cell], rows.target, time, rows.read, rows.line),
        notes=notes,
    )


def _followed(rows: Measurements) -> Cells:
    """Take each cell's first reading, or the mean of several at that time, as its programmed state."""
    assert rows.time is not None
    assert rows.cell is not None
    keys = np.stack([rows.cell, rows.target], axis=1)
    _, cell = np.unique(keys, axis=0, return_inverse=True)
    cell = cell.reshape(-1)
    first = np.full(cell.max() + 1, np.inf)
    np.minimum.at(first, cell, rows.time)
    if first.min() == 0 < first.max():
        raise DataError(
            f"{rows.name}: found cells that were read at time 0 beside cells whose first time is "
            f"{written(float(first[first > 0].min()))}, expected the same first time for all; add or "
            "remove the readings at 0"
        )
    at_first = rows.time == first[cell]
    shares = np.bincount(cell[at_first])
    achieved = np.bincount(cell[at_first], rows.achieved[at_first]) / shares
    line = np.full(len(first), rows.line.max())
    np.minimum.at(line, cell, rows.line)
    target = np.empty(len(first))
    target[cell] = rows.target
    return Cells(
        line=line,
        target=target,
        achieved=achieved,
        t0=first if first.min() > 0 else None,
        readings=Readings(cell, rows.target, rows.time - first[cell], rows.achieved, rows.line),
        notes=(),
        state_listed=True,
    )


def _unknown_cells(rows: Measurements, first: float) -> Cells:
    """Take the rows of the smallest time as programmed states, all others as readings of any cells."""
    assert rows.time is not None
    now = rows.time == first
    if set(rows.target[~now]) - set(rows.target[now]):
        raise DataError(
            f"{rows.name}: found targets that no row has at the first time ({written(first)}), "
            "expected every target at every time, or a column cell that tells which rows belong "
            "together; add it"
        )
    later = ~now
    count = int(later.sum())
    return Cells(
        line=rows.line[now],
        target=rows.target[now],
        achieved=rows.achieved[now],
        t0=np.full(int(now.sum()), first) if first > 0 else None,
        readings=Readings(
            np.full(count, -1),
            rows.target[later],
            rows.time[later] - first,
            rows.achieved[later],
            rows.line[later],
        ),
        notes=(),
    )
