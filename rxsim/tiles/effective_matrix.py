"""The effective conductance matrix of a programmed array, by the method that its circuit needs."""

from __future__ import annotations

import numpy as np

from rxsim.circuit import OperatingPoint, chord_matrix, solve_arrays
from rxsim.config import Settings

__all__ = ["OperatingPoint", "array_matrices", "array_matrix", "has_circuit", "is_linear"]


def array_matrix(
    g: np.ndarray,
    settings: Settings,
    point: OperatingPoint | None,
    rows: np.ndarray,
    cols: np.ndarray,
) -> np.ndarray:
    """Return the sense currents of an array per volt on each row.

    Args: of `array_matrices`, but for
        g: programmed conductances, siemens, float64 (n_rows, n_cols).

    Returns:
        Siemens, float64 (rows, cols).
    """
    return np.asarray(array_matrices(g[None], settings, point, rows, cols)[0])


def array_matrices(
    g: np.ndarray,
    settings: Settings,
    point: OperatingPoint | None,
    rows: np.ndarray,
    cols: np.ndarray,
) -> np.ndarray:
    """Return the sense currents of arrays per volt on each row.

    Args:
        g: programmed conductances, siemens, float64 (arrays, n_rows, n_cols).
        settings: the layer's settings: resistances, ends and topology.
        point: the operating point at which non-linear or input-gated cells are made linear; None
            where all cells are linear.
        rows: int64, the rows that carry inputs; all others are at 0 V.
        cols: int64, the bitlines to solve for.

    Returns:
        Siemens, float64 (arrays, rows, cols).

    Raises:
        CircuitError: no accuracy can be certified, or the operating point can't be reached.
    """
    crossbar = settings.crossbar
    if point is not None:
        return np.array([chord_matrix(each, crossbar, point, rows, cols) for each in g])
    if not has_circuit(settings, point):
        cells = block_of(g, rows, cols)
        if crossbar.r_access == 0:
            return cells
        return np.asarray(cells / (1.0 + cells * crossbar.r_access))
    return solve_arrays(g, crossbar, rows=rows, cols=cols)


def block_of(g: np.ndarray, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
    """Copy the cells of some rows and columns, int64 in rising order: float64 (.., rows, cols)."""
    runs = [slice(int(line[0]), int(line[-1]) + 1) for line in (rows, cols) if len(line)]
    if len(runs) == 2 and all(
        run.stop - run.start == len(line) for run, line in zip(runs, (rows, cols), strict=True)
    ):
        return np.ascontiguousarray(g[..., runs[0], runs[1]].copy())  # much quicker than by index
    return np.ascontiguousarray(g[..., rows[:, None], cols])


def has_circuit(settings: Settings, point: OperatingPoint | None) -> bool:
    """Tell whether a circuit must be solved: for resistances of lines, or an operating point."""
    bar = settings.crossbar
    wires = any((bar.r_wire_wl, bar.r_wire_bl, bar.r_driver, bar.r_sense))
    return wires or point is not None


def is_linear(settings: Settings) -> bool:
    """Tell whether an array's currents are linear in its inputs."""
    return settings.device.iv.form == "linear" and settings.crossbar.topology == "crossbar"
