"""The physical array: target conductances, and which inputs and readouts its lines belong to."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PhysicalArray:
    """A physical array of a chip.

    Physical row r is at the voltage `row_signs[r] * v[rows[r]]`. Physical column c adds
    `col_signs[c] * (i_c - i_ref)` to readout `cols[c]`, where ref is column `references[c]`. This
    covers pairs on two arrays or in adjacent columns, slices, reference and spare columns,
    permutations, and several groups on one array.

    Attributes:
        index: the array's number within its layer.
        conversion: the row tile that its currents belong to.
        target: target conductances, siemens, float64 (n_rows, n_cols).
        blank: bool (n_rows, n_cols), cells that are left open, without a device.
        rows: int64 (n_rows,), input `group * K + k` of each row; -1: the row is at 0 V.
        row_signs: float64 (n_rows,), +1 or -1.
        cols: int64 (n_cols,), readout `group * C + c` of each column; -1: it is not read.
        col_signs: float64 (n_cols,), +1 or -1.
        references: int64 (n_cols,), column whose current is subtracted in analog; -1: none.
    """

    index: int
    conversion: int
    target: np.ndarray
    blank: np.ndarray
    rows: np.ndarray
    row_signs: np.ndarray
    cols: np.ndarray
    col_signs: np.ndarray
    references: np.ndarray

    def moved(self, rows: np.ndarray, cols: np.ndarray) -> PhysicalArray:
        """Return the array with its lines at other places; all maps move along.

        Args:
            rows: which row lies at each place, int64 (n_rows,), each once.
            cols: which column, int64 (n_cols,).
        """
        new_place = np.empty_like(cols)
        new_place[cols] = np.arange(len(cols))
        references = self.references[cols]
        return replace(
            self,
            target=self.target[np.ix_(rows, cols)],
            blank=self.blank[np.ix_(rows, cols)],
            rows=self.rows[rows],
            row_signs=self.row_signs[rows],
            cols=self.cols[cols],
            col_signs=self.col_signs[cols],
            references=np.where(references >= 0, new_place[references], -1),
        )
