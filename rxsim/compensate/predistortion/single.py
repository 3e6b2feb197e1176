"""Predistortion of a single matrix of conductances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rxsim.circuit import solve_array
from rxsim.compensate.predistortion.freedom import ScaleBy, start_and_freedom
from rxsim.compensate.predistortion.held_array import WantedArray
from rxsim.compensate.predistortion.search import searched
from rxsim.config import Crossbar
from rxsim.errors import DataError

_ROUNDING = 1e-9
"""A conductance may be so much beyond its range, relative: 1/200e3 and 5e-6 are one and the same."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Predistorted:
    """A matrix with other targets, which together with its wires holds `gain * wanted + shift`.

    Attributes:
        g: the targets, siemens, float64 (n_rows, n_cols).
        g_eff: of these, siemens, float64 (n_rows, n_cols).
        gain: to divide the currents by, float64 (n_cols,).
        shift: siemens that each cell holds besides, which a second column or array with the same shift
            takes away, float64 (n_cols,).
        before: error of g_eff without predistortion, rms over the cells, of the range.
        after: error of (g_eff - shift)/gain, likewise, of cells that are exactly at their targets.
        solves: how often the circuit was solved.
        after_on_chip: the same on one programmed chip, whose cells have write errors and variation;
            None where the settings have none.
        after_expected: the root of its mean square over a few chips; None likewise.
    """

    g: np.ndarray
    g_eff: np.ndarray
    gain: np.ndarray
    shift: np.ndarray
    before: float
    after: float
    solves: int
    after_on_chip: float | None = None
    after_expected: float | None = None


def refuse_beyond_range(g: np.ndarray, limits: tuple[float, float], what: str) -> None:
    """Refuse conductances that no cell of the range has.

    Args:
        g: siemens; 0 is a place without a cell.
        limits: least and largest conductance of a cell, siemens.
        what: name of the conductances for the message.

    Raises:
        DataError: naming one.
    """
    cells = g[g > 0]
    low, high = limits[0] * (1 - _ROUNDING), limits[1] * (1 + _ROUNDING)
    beyond = cells[(cells < low) | (cells > high)]
    if beyond.size:
        raise DataError(
            f"{what}: found {beyond[0]:g} S, expected {limits[0]:g} S to {limits[1]:g} S as "
            "device.g_off and device.g_on say, or 0 for a place without a cell; set these to the range "
            "of your cells"
        )


def predistorted(
    g: np.ndarray,
    limits: tuple[float, float],
    crossbar: Crossbar,
    *,
    scale: ScaleBy = "layer",
    headroom: float | None = 0.0,
    passes: int = 12,
    step: float = 0.0,
    deviation: float = 0.0,
) -> Predistorted:
    """Search for targets of a single array.

    Args:
        g: wanted conductances, siemens, float64 (n_rows, n_cols), within the limits, or 0: such a place
            stays without a cell.
        limits: least and largest conductance of a cell, siemens.
        crossbar: the resistances.
        scale: a gain for none, for the whole matrix, or for each column.
        headroom: share of the range left free at each end; None: a shift is chosen.
        passes: how often cells are moved at most.
        step: between the levels of a cell, siemens; 0 for continuous cells.
        deviation: of programmed cells from their levels, siemens.

    Raises:
        CircuitError: the array can't be solved.
    """
    n_rows, n_cols = g.shape
    g = np.where(g > 0, np.clip(g, *limits), 0.0)
    by_column = np.arange(n_cols) if scale == "column" else np.zeros(n_cols, dtype=np.int64)
    slots = int(by_column[-1]) + 1
    wanted = WantedArray(
        target=g,
        rows=np.arange(n_rows),
        cols=np.arange(n_cols),
        used=g > 0,
        wanted=g,
        slots=by_column,
        limits=limits,
        crossbar=crossbar,
    )
    start, freedom = start_and_freedom(
        scale, headroom, slots, limits, step, deviation=deviation, shifts_cancel=True
    )
    found = searched(
        [wanted],
        start,
        freedom,
        passes,
        lambda g, rows, cols: solve_array(g, crossbar, rows=rows, cols=cols).g_eff,
        lambda work, numbers: [work(number) for number in numbers],
    )
    return Predistorted(
        g=found.arrays[0].g,
        g_eff=found.arrays[0].g_eff,
        gain=found.scale.gain[by_column],
        shift=found.scale.shift[by_column],
        before=found.before,
        after=found.after,
        solves=round(found.solves),
    )
