"""Solve one array: its non-ideal conductance matrix, and the state for one input vector."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rxsim.circuit.elimination import effective_conductance, node_voltages
from rxsim.config import Crossbar
from rxsim.errors import CircuitError


@dataclass(frozen=True, slots=True, eq=False)
class ArraySolution:
    """One array solved.

    Attributes:
        g_eff: siemens, (n_rows, n_cols): `i_out = v_in @ g_eff` for every input.
        i_out: sense currents in ampere, (n_cols,), where an input was given.
        v_wl: wordline node voltages in volt, (n_rows, n_cols), where an input was given.
        v_bl: bitline node voltages in volt, (n_rows, n_cols), where an input was given.
    """

    g_eff: np.ndarray
    i_out: np.ndarray | None = None
    v_wl: np.ndarray | None = None
    v_bl: np.ndarray | None = None


def solve_array(g: np.ndarray, crossbar: Crossbar, v_in: np.ndarray | None = None) -> ArraySolution:
    """Solve one linear array exactly.

    Args:
        g: device conductances, siemens, (n_rows, n_cols); 0 is an open device.
        crossbar: the resistances; its rows and cols are not looked at.
        v_in: source voltages, volt, (n_rows,).
    """
    n_rows, n_cols = g.shape
    g_eff = solved_block(
        g, crossbar, np.arange(n_rows, dtype=np.int64), np.arange(n_cols, dtype=np.int64)
    )
    if v_in is None:
        return ArraySolution(g_eff)
    v_wl, v_bl, i_out = node_voltages(
        with_access(g, crossbar),
        crossbar.r_wire_wl,
        crossbar.r_wire_bl,
        crossbar.r_driver,
        crossbar.r_sense,
        np.ascontiguousarray(v_in, dtype=np.float64),
    )
    return ArraySolution(g_eff, i_out, v_wl, v_bl)


def solved_block(
    g: np.ndarray, crossbar: Crossbar, row_place: np.ndarray, col_place: np.ndarray
) -> np.ndarray:
    """Return g_eff between some wordlines and bitlines of an array.

    Args:
        g: device conductances, siemens, (n_rows, n_cols).
        crossbar: the resistances.
        row_place: int64 (n_rows,), each wordline's place in the result, -1 if not wanted.
        col_place: int64 (n_cols,), the same for bitlines.

    Raises:
        CircuitError: a conductance is negative, NaN or infinite.
    """
    if not (np.isfinite(g).all() and (g >= 0).all()):
        raise CircuitError("a conductance is negative, NaN or infinite")
    block: np.ndarray = effective_conductance(
        with_access(g, crossbar),
        crossbar.r_wire_wl,
        crossbar.r_wire_bl,
        crossbar.r_driver,
        crossbar.r_sense,
        row_place,
        col_place,
    )
    return block


def with_access(g: np.ndarray, crossbar: Crossbar) -> np.ndarray:
    """Put the access resistance in series with every cell: g/(1 + g r_access)."""
    return np.ascontiguousarray(g / (1 + g * crossbar.r_access), dtype=np.float64)
