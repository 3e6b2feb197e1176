"""Leave out the margins of an array that carry no current: lines whose cells are all open.

A wordline with open cells only carries no current, nor does such a bitline. Where they lie at a
margin, what is left of the array without them is the same circuit: a line of the other kind reaches
its end over the wire segments that crossed the margin, which are in series with that end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rxsim.circuit.lines import Lines


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Cropped:
    """What is left of an array without its open margins.

    Attributes:
        g: conductances, siemens, float64 (rows left, columns left), contiguous.
        lines: its wires and ends.
        rows: int64, the wanted wordlines that are left, numbered anew.
        cols: int64, the wanted bitlines that are left, numbered anew.
        has_row: bool, which of the wanted wordlines these are.
        has_col: bool, which of the wanted bitlines these are.
    """

    g: np.ndarray
    lines: Lines
    rows: np.ndarray
    cols: np.ndarray
    has_row: np.ndarray
    has_col: np.ndarray

    def whole(self, g_eff: np.ndarray) -> np.ndarray:
        """Return the matrix of all wanted lines: those that were cut off carry nothing."""
        if self.has_row.all() and self.has_col.all():
            return g_eff
        result = np.zeros((len(self.has_row), len(self.has_col)))
        result[np.ix_(self.has_row, self.has_col)] = g_eff
        return result


def cropped(g: np.ndarray, lines: Lines, rows: np.ndarray, cols: np.ndarray) -> Cropped:
    """Cut off the margins of open cells.

    Args:
        g: conductances, siemens, float64 (n_rows, n_cols).
        lines: wires and ends.
        rows: int64, wanted wordlines.
        cols: int64, wanted bitlines.
    """
    top, bottom = _span(np.any(g, axis=1))
    left, right = _span(np.any(g, axis=0))
    below, behind = g.shape[0] - bottom, g.shape[1] - right
    inside = replace(
        lines,
        left=lines.left[top:bottom] + left * lines.r_wire_wl,
        right=lines.right[top:bottom] + behind * lines.r_wire_wl,
        top=lines.top[left:right] + top * lines.r_wire_bl,
        bottom=lines.bottom[left:right] + below * lines.r_wire_bl,
    )
    has_row, has_col = (rows >= top) & (rows < bottom), (cols >= left) & (cols < right)
    return Cropped(
        g=np.ascontiguousarray(g[top:bottom, left:right]),
        lines=inside,
        rows=rows[has_row] - top,
        cols=cols[has_col] - left,
        has_row=has_row,
        has_col=has_col,
    )


def _span(lives: Any) -> tuple[int, int]:
    """Return where the lines with cells begin and end; a single line where there are none."""
    places = np.flatnonzero(lives)
    return (int(places[0]), int(places[-1]) + 1) if len(places) else (0, 1)
