"""What a layer needs of an array's rows and columns; arrays share a few kinds, each told once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from rxsim.mapping import PhysicalArray, slice_of


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Lines of an array or places in a matrix.

    Attributes:
        at: int64 (lines,).
        part: the same as a slice, where they follow on one another upwards; else None.
    """

    at: np.ndarray
    part: slice | None

    def behind(self, first: int) -> Run:
        """Count the places from another first one on, which is not behind any of them."""
        if self.part is None or first == 0:
            return Run(self.at - first, self.part) if first else self
        return Run(self.at - first, slice(self.part.start - first, self.part.stop - first))


@dataclass(frozen=True, slots=True, eq=False)
class UsedRows:
    """The rows that carry inputs.

    Attributes:
        lines: int64 (rows,).
        inputs: `PhysicalArray.rows` of them, int64 (rows,).
        signs: float64 (rows, 1); None where all are +1.
    """

    lines: np.ndarray
    inputs: np.ndarray
    signs: np.ndarray | None


@dataclass(frozen=True, slots=True, eq=False)
class ReadColumns:
    """The columns that are read, and those subtracted from them.

    Attributes:
        readouts: `PhysicalArray.cols` of the columns that are read, (read,).
        signs: float64 (read,).
        sign: the sign of all; None where they differ.
        wanted: columns to solve for, int64 in rising order.
        used: places of the read ones in `wanted`; None where nothing is subtracted.
        reference: places of their references in `wanted`, of any where there is none.
        has_reference: bool (read,).
    """

    readouts: Run
    signs: np.ndarray
    sign: float | None
    wanted: np.ndarray
    used: np.ndarray | None
    reference: np.ndarray
    has_reference: np.ndarray


def run_of(at: np.ndarray) -> Run:
    """Tell whether places follow on one another upwards."""
    return Run(at, slice_of(at))


def used_rows(array: PhysicalArray) -> UsedRows:
    """List the rows of an array that carry inputs."""
    return _used_rows(array.rows.tobytes(), array.row_signs.tobytes())


@lru_cache(maxsize=64)
def _used_rows(rows: bytes, row_signs: bytes) -> UsedRows:
    inputs = np.frombuffer(rows, dtype=np.int64)
    lines = _shared(np.flatnonzero(inputs >= 0).tobytes())
    signs = np.frombuffer(row_signs)[lines]
    return UsedRows(lines, inputs[lines], None if (signs > 0).all() else signs[:, None])


def read_columns(array: PhysicalArray) -> ReadColumns:
    """List the columns of an array that are read, and those subtracted from them."""
    return _read_columns(
        array.cols.tobytes(), array.col_signs.tobytes(), array.references.tobytes()
    )


@lru_cache(maxsize=512)
def _read_columns(cols: bytes, col_signs: bytes, references: bytes) -> ReadColumns:
    readouts = np.frombuffer(cols, dtype=np.int64)
    read = np.flatnonzero(readouts >= 0)
    signs = np.frombuffer(col_signs)[read]
    off = np.frombuffer(references, dtype=np.int64)[read]
    is_same = len(signs) > 0 and bool((signs == signs[0]).all())
    sign = float(signs[0]) if is_same else None
    has = off >= 0
    if not has.any():
        wanted = _shared(read.tobytes())
        return ReadColumns(run_of(readouts[read]), signs, sign, wanted, None, off, has)
    wanted = _shared(np.union1d(read, off[has]).tobytes())
    reference = np.searchsorted(wanted, np.where(has, off, wanted[0]))
    used = np.searchsorted(wanted, read)
    return ReadColumns(run_of(readouts[read]), signs, sign, wanted, used, reference, has)


@lru_cache(maxsize=64)
def _shared(lines: bytes) -> np.ndarray:
    """Return lines as int64, the same array for all who use the same ones."""
    return np.frombuffer(lines, dtype=np.int64).copy()  # kernels take arrays that can be written to
