"""Solve one array: its non-ideal conductance matrix, and the state for one input vector."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rxsim.circuit.elimination import eliminate
from rxsim.circuit.factors import cells_in_series, line_factors
from rxsim.circuit.lanes import LANES
from rxsim.circuit.lines import Lines, lines_of
from rxsim.circuit.newton import solve_nonlinear
from rxsim.circuit.relaxation import relax
from rxsim.circuit.scratch import scratch
from rxsim.circuit.sweep_count import plan_sweeps
from rxsim.config import IV, Crossbar
from rxsim.devices import curve_of
from rxsim.errors import CircuitError

TOLERANCE = 1e-9
"""Of an entry of g_eff, relative to max(entry, 1e-6 of its column's largest)."""
# Nanoseconds of one lane block and sweep per node, and of one multiply-add of the elimination, measured
# by scripts/bench_circuit.py; they decide which method is tried, never what it gives.
_SWEEP_NS, _ELIMINATION_NS = 9.0, 0.1
_MOST_SWEEPS = 48


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
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
        v_in: source voltages, volt, (n_rows,). With `topology: input_gated` the cells of a row at 0 V
            are off; without v_in all are on.
        rows: the wanted wordlines (all by default); g_eff then holds these only.
        cols: the wanted bitlines.

    Raises:
        CircuitError: a conductance is negative, NaN or infinite.
    """
    n_rows, n_cols = g.shape
    if v_in is not None:
        g = gated(g, crossbar, v_in)
    loaded, possible = cells_in_series(np.ascontiguousarray(g, dtype=np.float64), crossbar.r_access)
    if not possible:
        raise CircuitError("a conductance is negative, NaN or infinite")
    array = _LinearArray(
        loaded,
        lines_of(crossbar, n_rows, n_cols),
        np.arange(n_rows) if rows is None else np.asarray(rows, dtype=np.int64),
        np.arange(n_cols) if cols is None else np.asarray(cols, dtype=np.int64),
    )
    g_eff, sweeps, bound = _transfer(array)
    solution = ArraySolution(
        g_eff=g_eff,
        method="relaxation" if sweeps >= 0 else "elimination",
        sweeps=max(sweeps, 0),
        bound=bound,
    )
    if v_in is None:
        return solution
    nodes = solve_nonlinear(g, curve_of(IV(), 1.0), crossbar, v_in)
    i_out = nodes.i_out[0] if g_eff.shape != g.shape else np.asarray(v_in) @ g_eff
    if nodes.v_wl is None or nodes.v_bl is None:
        return replace(solution, i_out=i_out)
    return replace(solution, i_out=i_out, v_wl=nodes.v_wl[0], v_bl=nodes.v_bl[0])


def gated(g: np.ndarray, crossbar: Crossbar, v_in: np.ndarray) -> np.ndarray:
    """Switch off the cells of rows at 0 V where the inputs gate the cells.

    Args:
        g: siemens, (n_rows, n_cols).
        crossbar: its topology.
        v_in: source voltages, volt, (n_rows,).
    """
    if crossbar.topology != "input_gated":
        return g
    return np.where(np.asarray(v_in)[:, None] != 0, g, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class _LinearArray:
    """An array of linear cells, its lines, and the wordlines and bitlines that are wanted."""

    g: np.ndarray
    lines: Lines
    rows: np.ndarray
    cols: np.ndarray
    is_turned: bool = False

    def turned(self) -> _LinearArray:
        """Turn by a half and transpose: by reciprocity what is driven there is sensed here."""
        n_rows, n_cols = self.g.shape
        g = np.ascontiguousarray(self.g[::-1, ::-1].T)
        rows, cols = n_cols - 1 - self.cols, n_rows - 1 - self.rows
        return _LinearArray(g, self.lines.turned(), rows, cols, not self.is_turned)

    def mirrored(self) -> _LinearArray:
        """Exchange left and right."""
        cols = self.g.shape[1] - 1 - self.cols
        g = np.ascontiguousarray(self.g[:, ::-1])
        return replace(self, g=g, lines=self.lines.mirrored(), cols=cols)

    def turned_back(self, g_eff: np.ndarray) -> np.ndarray:
        """Return the user's matrix from that of this array, which may be turned."""
        return np.ascontiguousarray(g_eff.T) if self.is_turned else g_eff


def _transfer(array: _LinearArray) -> tuple[np.ndarray, int, float]:
    """Return g_eff between the wanted lines, the sweeps it took (-1: eliminated), and the bound."""
    # What is driven costs time, what is sensed next to none.
    fewer_driven = array.turned() if len(array.cols) < len(array.rows) else array
    most = _worthwhile_sweeps(fewer_driven)
    relaxed = _relaxed(fewer_driven, most) if most > 0 else None
    return _eliminated(array) if relaxed is None else relaxed


def _relaxed(array: _LinearArray, most: int) -> tuple[np.ndarray, int, float] | None:
    """Solve by line relaxation, unless that takes more than so many sweeps."""
    g, wanted = array.g, (array.rows, array.cols)
    factors = line_factors(g, array.lines)
    nodes = scratch("plan", (3, *g.shape))
    sweeps, bound = plan_sweeps(g, factors, *wanted, array.is_turned, TOLERANCE, most, nodes)
    if sweeps < 0:
        return None
    lanes = scratch("relaxation", (g.size * LANES,))
    return array.turned_back(relax(g, factors, *wanted, sweeps, lanes)), sweeps, bound


def _eliminated(array: _LinearArray) -> tuple[np.ndarray, int, float]:
    """Solve by eliminating nodes."""
    n_rows, n_cols = array.g.shape
    # Rounding alone: no term is ever subtracted, and no entry passes through more operations.
    bound = float((n_rows + n_cols) * min(n_rows, n_cols) * np.finfo(np.float64).eps)
    if bound > TOLERANCE:
        raise CircuitError(
            f"found an array of {n_rows}x{n_cols} cells whose wires and devices are too extreme for "
            f"line relaxation, and for whose elimination no error below {bound:.0e} can be certified, "
            f"expected {TOLERANCE:.0e}; use smaller arrays, wires of less resistance or devices of more"
        )
    # The work grows with the square of the lines that are walked along: walk along the longer ones.
    walked = array.turned() if n_rows > n_cols else array
    if np.isinf(walked.lines.left).all():
        walked = walked.mirrored()
    factors = line_factors(walked.g, walked.lines)
    ends = (walked.lines.r_wire_wl, walked.lines.left, walked.lines.right)
    g_eff = eliminate(walked.g, factors, *ends, walked.rows, walked.cols)
    return walked.turned_back(g_eff), -1, bound


def _worthwhile_sweeps(array: _LinearArray) -> int:
    """How many sweeps of relaxation an elimination would cost."""
    n_rows, n_cols = array.g.shape
    short, long = sorted((n_rows, n_cols))
    fewer = min(len(array.rows), len(array.cols))
    elimination = _ELIMINATION_NS * short * short * long * (short + fewer)
    sweep = _SWEEP_NS * n_rows * n_cols * -(-len(array.rows) // LANES)
    return min(int(elimination / sweep) - 1, _MOST_SWEEPS)
