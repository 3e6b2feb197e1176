"""Which readout each column of an array adds to, with which sign, and what is subtracted from it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np


@lru_cache(maxsize=512)
def column_maps(
    *,
    kinds: tuple[tuple[int, int], ...],
    references: tuple[int, ...],
    present: bytes,
    n_cols: int,
    first: int,
    start: int,
    per_output: int,
    polarities: int | None,
    first_reference: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the readout and the sign of each column, and the reference subtracted from it.

    Arrays of a layer share a few kinds of maps, which are made once; nobody may write to them.

    Args:
        kinds: slice and polarity of each of an output's neighbouring columns.
        references: slice of each reference column.
        present: bool of each of the array's outputs, whether it exists.
        n_cols: columns of the array.
        first: the first readout of the array's group.
        start: place of the array's first output among those of its group.
        per_output: readouts of an output.
        polarities: of a slice, where each is read out; None where they share a readout.
        first_reference: readout of the first reference column, where it is read out; else -1.

    Returns:
        As `PhysicalArray` holds them: int64, float64 and int64, (n_cols,) each.
    """
    is_present = np.frombuffer(present, dtype=bool)
    n_outputs = len(is_present)
    cols = np.full(n_cols, -1, dtype=np.int64)
    signs, subtracted = np.ones(n_cols), np.full(n_cols, -1, dtype=np.int64)
    outputs = start + np.arange(n_outputs)
    for at, (s, side) in enumerate(kinds):
        place = slice(at, n_outputs * len(kinds), len(kinds))
        kind = s if polarities is None else s * polarities + side
        cols[place] = np.where(is_present, first + outputs * per_output + kind, -1)
        signs[place] = 1.0 if polarities is not None or side == 0 else -1.0
    for at, s in enumerate(references):
        col = n_outputs * len(kinds) + at
        if first_reference >= 0:
            cols[col] = first_reference + s
        else:
            subtracted[at : n_outputs * len(kinds) : len(kinds)] = col
    for values in (cols, signs, subtracted):
        values.setflags(write=False)
    return cols, signs, subtracted
