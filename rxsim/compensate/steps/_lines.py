"""The columns of a tile, and the sums that their currents enter.

A sum is what decoding makes of the cells of an output's slice: the difference of a pair, a column less
its reference, or a single column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rxsim.mapping import MappedLayer, PhysicalArray


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Line:
    """A column that carries weights or is a reference.

    Attributes:
        array: its array, counted within the tile.
        col: its place there.
        sums: numbers of the sums that it enters, int64; a reference enters many.
        sign: with which it enters them.
        is_reference: whether it is a reference column.
    """

    array: int
    col: int
    sums: np.ndarray
    sign: float
    is_reference: bool


def lines_of(arrays: Sequence[PhysicalArray], layer: MappedLayer) -> list[Line]:
    """List the columns of a tile that are read or referred to.

    Args:
        arrays: of the tile.
        layer: its layer.
    """
    lines: list[Line] = []
    references: list[tuple[int, int, np.ndarray]] = []
    split, behind = sides_apart(layer), len(layer.tiling.outputs) * layer.cells.readouts
    for number, array in enumerate(arrays):
        for col in np.flatnonzero(array.cols >= 0).tolist():
            readout = int(array.cols[col]) % layer.readouts.count
            if readout >= behind:
                of_slice = layer.readouts.slices[readout]
                references.append((number, col, of_slice))
                continue
            total, side = divmod(readout, split)
            sign = -float(array.col_signs[col]) if side else float(array.col_signs[col])
            lines.append(
                Line(
                    array=number,
                    col=col,
                    sums=np.array([total]),
                    sign=sign,
                    is_reference=False,
                )
            )
        for col in np.unique(array.references[array.references >= 0]).tolist():
            referring = array.cols[(array.references == col) & (array.cols >= 0)]
            sums = referring % layer.readouts.count // split
            lines.append(Line(array=number, col=col, sums=sums, sign=-1.0, is_reference=True))
    every = np.unique([line.sums[0] for line in lines]) if references else np.zeros(0, np.int64)
    for number, col, of_slice in references:
        sums = every[layer.readouts.slices[every * split] == of_slice]
        lines.append(Line(array=number, col=col, sums=sums, sign=-1.0, is_reference=True))
    return lines


def sides_apart(layer: MappedLayer) -> int:
    """Return how many readouts a sum has: 2 where both cells of a pair are converted."""
    return layer.cells.polarities if layer.cells.mapping.subtract == "digital" else 1


def used_rows(array: PhysicalArray) -> np.ndarray:
    """Return the places of the rows that carry inputs, in the order of these, int64."""
    places = np.flatnonzero(array.rows >= 0)
    return np.asarray(places[np.argsort(array.rows[places])])


def stuck_cells(array: PhysicalArray, stuck: np.ndarray) -> np.ndarray:
    """Return the conductances of stuck cells, siemens; NaN where a cell works or there is none."""
    return np.where(array.blank, np.nan, stuck)
