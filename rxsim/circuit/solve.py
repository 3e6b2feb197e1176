"""Solve one array: its non-ideal conductance matrix, and the state for one input vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rxsim.circuit.elimination import eliminate, node_voltages
from rxsim.circuit.relaxation import plan_sweeps, relax
from rxsim.config import Crossbar
from rxsim.errors import CircuitError

TOLERANCE = 1e-9
"""Of an entry of g_eff, relative to max(entry, 1e-6 of its column's largest)."""
# Nanoseconds of one lane block and sweep per node, and of one multiply-add of the elimination, measured
# by scripts/bench_circuit.py; they decide which method is tried, never what it gives.
_SWEEP_NS, _ELIMINATION_NS = 24.0, 0.1
_LANES = 16
_MOST_SWEEPS = 48


@dataclass(frozen=True, slots=True, eq=False)
class ArraySolution:
    """One array solved.

    Attributes:
        g_eff: siemens, (n_rows, n_cols): `i_out = v_in @ g_eff` for every input.
        method: relaxation or elimination.
        sweeps: sweeps of the relaxation; 0 for elimination.
        bound: of the error of any entry, relative to max(entry, 1e-6 of its column's largest).
        i_out: sense currents in ampere, (n_cols,), where an input was given.
        v_wl: wordline node voltages in volt, (n_rows, n_cols), where an input was given.
        v_bl: bitline node voltages in volt, (n_rows, n_cols), where an input was given.
    """

    g_eff: np.ndarray
    method: str
    sweeps: int
    bound: float
    i_out: np.ndarray | None = None
    v_wl: np.ndarray | None = None
    v_bl: np.ndarray | None = None


def solve_array(
    g: np.ndarray,
    crossbar: Crossbar,
    v_in: np.ndarray | None = None,
    *,
    rows: np.ndarray | None = None,
    cols: np.ndarray | None = None,
) -> ArraySolution:
    """Solve one linear array to `TOLERANCE`.

    Args:
        g: device conductances, siemens, (n_rows, n_cols); 0 is an open device.
        crossbar: the resistances; its rows and cols are not looked at.
        v_in: source voltages, volt, (n_rows,).
        rows: the wanted wordlines (all by default); g_eff then holds these only.
        cols: the wanted bitlines.

    Raises:
        CircuitError: a conductance is negative, NaN or infinite.
    """
    if not (np.isfinite(g).all() and (g >= 0).all()):
        raise CircuitError("a conductance is negative, NaN or infinite")
    loaded = with_access(g, crossbar)
    wanted = [
        np.arange(length) if lines is None else np.asarray(lines, dtype=np.int64)
        for lines, length in zip((rows, cols), g.shape, strict=True)
    ]
    resistances = (
        crossbar.r_wire_wl,
        crossbar.r_wire_bl,
        crossbar.r_driver,
        crossbar.r_sense,
    )
    g_eff, sweeps, bound = _transfer(loaded, resistances, *wanted)
    method = "elimination" if sweeps < 0 else "relaxation"
    if v_in is None:
        return ArraySolution(g_eff, method, max(sweeps, 0), bound)
    volts = np.ascontiguousarray(v_in, dtype=np.float64)
    v_wl, v_bl, i_out = node_voltages(loaded, *resistances, volts)
    return ArraySolution(g_eff, method, max(sweeps, 0), bound, i_out, v_wl, v_bl)


def _transfer(
    g: np.ndarray, r: tuple[float, float, float, float], rows: np.ndarray, cols: np.ndarray
) -> tuple[np.ndarray, int, float]:
    """Return g_eff between some lines, the sweeps that it took (-1: eliminated), and the bound."""
    n_rows, n_cols = g.shape
    turned = len(cols) < len(rows)
    circuit: tuple[np.ndarray, ...] = (rows, cols)
    if turned:
        # Reciprocity: the fewer lines are driven, and what is sensed is the transposed matrix.
        g_here = np.ascontiguousarray(g[::-1, ::-1].T)
        r_here = (r[1], r[0], r[3], r[2])
        circuit = (n_cols - 1 - cols, n_rows - 1 - rows)
    else:
        g_here, r_here = g, r
    most = _worthwhile_sweeps(n_rows, n_cols, len(circuit[0]), len(circuit[1]))
    if most > 0:
        problem: tuple[Any, ...] = (g_here, *r_here, *circuit)
        sweeps, bound = plan_sweeps(*problem, turned, TOLERANCE, most)  # type: ignore[call-arg]
        if sweeps >= 0:
            found = relax(*problem, sweeps)  # type: ignore[call-arg]
            return (np.ascontiguousarray(found.T) if turned else found), sweeps, bound
    # Rounding alone: no term is ever subtracted, and no entry passes through more operations.
    bound = (n_rows + n_cols) * n_rows * np.finfo(np.float64).eps
    return eliminate(g, *r, rows, cols), -1, float(bound)


def _worthwhile_sweeps(n_rows: int, n_cols: int, n_driven: int, n_sensed: int) -> int:
    """How many sweeps of relaxation an elimination would cost."""
    short, long = sorted((n_rows, n_cols))
    elimination = _ELIMINATION_NS * short * short * long * (short + min(n_driven, n_sensed))
    sweep = _SWEEP_NS * n_rows * n_cols * -(-n_driven // _LANES)
    return min(int(elimination / sweep) - 1, _MOST_SWEEPS)


def with_access(g: np.ndarray, crossbar: Crossbar) -> np.ndarray:
    """Put the access resistance in series with every cell: g/(1 + g r_access)."""
    return np.ascontiguousarray(g / (1 + g * crossbar.r_access), dtype=np.float64)
