"""Solve programmed arrays: what each of them adds to its layer's transfer matrix."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rxsim.config import Settings
from rxsim.devices import Pulses
from rxsim.mapping import PhysicalArray
from rxsim.tiles.effective_matrix import OperatingPoint, array_matrices, block_of
from rxsim.tiles.line_use import ReadColumns, UsedRows, read_columns, used_rows
from rxsim.tiles.program import ProgrammedArray


@dataclass(frozen=True, slots=True, eq=False)
class SolvedArray:
    """What an array adds to its layer.

    Attributes:
        array: the array.
        rows: its rows that carry inputs.
        cols: its columns that are read.
        block: its block of g_eff, rows signed and references subtracted, siemens.
        loss: share of its current that is lost in its wires.
        variance: of the fresh read noise of each entry of the block, siemens^2; None without any.
        pulses: what programming it took; None where cells are not verified.
    """

    array: PhysicalArray
    rows: UsedRows
    cols: ReadColumns
    block: np.ndarray
    loss: float
    variance: np.ndarray | None
    pulses: Pulses | None


def solved_arrays(
    programmed: Sequence[ProgrammedArray], settings: Settings, point: OperatingPoint | None
) -> list[SolvedArray]:
    """Solve arrays; neighbours with the same used lines in one go.

    Args:
        programmed: the arrays, all of one size.
        settings: the layer's settings: devices and circuit.
        point: the operating point at which non-linear or input-gated cells are made linear.

    Raises:
        CircuitError: an array can't be solved.
    """
    lines = [(used_rows(each.array), read_columns(each.array)) for each in programmed]
    solved: list[SolvedArray] = []
    for part in _alike(lines):
        used, wanted = lines[part.start][0].lines, lines[part.start][1].wanted
        stack = programmed[part]
        g = stack[0].g[None] if len(stack) == 1 else np.stack([each.g for each in stack])
        blocks = array_matrices(g, settings, point, used, wanted)
        is_whole = blocks.shape == g.shape and g.flags.c_contiguous
        cells = g if is_whole else block_of(g, used, wanted)
        losses = _losses(blocks, cells)
        for k, (each, (rows, cols)) in enumerate(zip(stack, lines[part], strict=True)):
            solved.append(_solved(each, rows, cols, blocks[k], cells[k], losses[k]))
    return solved


def _alike(lines: Sequence[tuple[UsedRows, ReadColumns]]) -> Iterator[slice]:
    """Cut arrays into runs that are solved for the same rows and columns."""
    start = 0
    for at in range(1, len(lines) + 1):
        if at < len(lines):
            same_rows = lines[at][0].lines is lines[at - 1][0].lines
            if same_rows and lines[at][1].wanted is lines[at - 1][1].wanted:
                continue  # `line_use` gives the same lines as the same array
        yield slice(start, at)
        start = at


def _solved(
    programmed: ProgrammedArray,
    rows: UsedRows,
    cols: ReadColumns,
    block: np.ndarray,
    cells: np.ndarray,
    loss: float,
) -> SolvedArray:
    """Finish an array from its block of g_eff, the conductances of the same cells, and its loss."""
    fresh = programmed.cells.fresh
    variance = None
    if fresh is not None:
        variance = _variance(block, cells, block_of(fresh, rows.lines, cols.wanted))
    if cols.used is not None:
        has, used, reference = cols.has_reference, cols.used, cols.reference
        block = block[:, used] - np.where(has, block[:, reference], 0.0)
        if variance is not None:
            variance = variance[:, used] + np.where(has, variance[:, reference], 0.0)
    block = block if rows.signs is None else block * rows.signs
    return SolvedArray(programmed.array, rows, cols, block, loss, variance, programmed.cells.pulses)


def _variance(block: np.ndarray, g: np.ndarray, fresh: np.ndarray) -> np.ndarray:
    """Return sigma(g)^2 (g_eff / g)^2: what noise of a cell does to the current of its bitline.

    Source: docs/concepts/model.md section 4. Noise of a cell that reaches other bitlines through the
    wires is left out.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(g > 0, block / g, 0.0)
    return np.asarray(np.square(fresh * share))


def _losses(blocks: np.ndarray, g: np.ndarray) -> list[float]:
    """Return the share of the cells' ideal current that is lost in each array, of (arrays, ..)."""
    ideal, left = (cells.reshape(len(cells), -1).sum(axis=1) for cells in (g, blocks))
    losses: list[float] = (1.0 - left / np.where(ideal > 0, ideal, np.inf)).tolist()
    return [loss if total > 0 else 0.0 for loss, total in zip(losses, ideal.tolist(), strict=True)]
