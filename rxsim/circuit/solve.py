"""Solve one array: its non-ideal conductance matrix, and the state for one input vector."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from rxsim.circuit.coarse import coarse_sweeps, lumped, lumping
from rxsim.circuit.cropping import cropped
from rxsim.circuit.elimination import eliminate
from rxsim.circuit.factors import cells_in_series, line_factors
from rxsim.circuit.lanes import LANES
from rxsim.circuit.lines import Lines, lines_of
from rxsim.circuit.newton import solve_nonlinear
from rxsim.circuit.relaxation import relax, relax_each
from rxsim.circuit.scratch import release, scratch
from rxsim.circuit.sweep_count import plan_sweeps
from rxsim.config import IV, Crossbar
from rxsim.devices import curve_of
from rxsim.errors import CircuitError

TOLERANCE = 1e-9
"""Of an entry of g_eff, relative to max(entry, 1e-6 of its column's largest)."""
# Nanoseconds of one lane block and sweep per node, and of one multiply-add of the elimination, measured
# by scripts/bench_circuit.py; they decide which method is tried, never what it gives.
SWEEP_NS, ELIMINATION_NS = 9.0, 0.1
_MOST_SWEEPS = 48
_IMPOSSIBLE = -2  # what `relax_each` says of negative, infinite and NaN conductances
_NO_CONDUCTANCE = "a conductance is negative, NaN or infinite"
_ROUNDING = float(np.finfo(np.float64).eps)
MOST_SWEEPS_ALONE = 4000
"""Where no elimination can be certified, relaxation may take so many: hours for the largest arrays."""
WHOLE_UP_TO = 2**20
"""Cells of the largest array that is solved whole, in one go. A larger one is cropped to where its
cells are, which changes last bits only, and tells how far it is."""


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
    progress: Callable[[int, int], None] | None = None,
) -> ArraySolution:
    """Solve one linear array to `TOLERANCE`.

    Args:
        g: device conductances, siemens, (n_rows, n_cols); 0 is an open device.
        crossbar: the resistances; its rows and cols are not looked at.
        v_in: source voltages, volt, (n_rows,). With `topology: input_gated` the cells of a row at 0 V
            are off; without v_in all are on.
        rows: the wanted wordlines (all by default); g_eff then holds these only.
        cols: the wanted bitlines.
        progress: told how many of the driven lines of a large array are done, and of how many.

    Raises:
        CircuitError: a conductance is negative, NaN or infinite, or no accuracy can be certified.
    """
    n_rows, n_cols = g.shape
    if v_in is not None:
        g = gated(g, crossbar, v_in)
    devices = np.ascontiguousarray(g, dtype=np.float64)
    rows = _all_lines(n_rows) if rows is None else np.asarray(rows, dtype=np.int64)
    cols = _all_lines(n_cols) if cols is None else np.asarray(cols, dtype=np.int64)
    found = _at_once(devices[None], crossbar, rows, cols)
    if found is None:
        loaded, possible = cells_in_series(devices, crossbar.r_access)
        if not possible:
            raise CircuitError(_NO_CONDUCTANCE)
        single = _solved(loaded, lines_of(crossbar, n_rows, n_cols), rows, cols, progress)
        del loaded
    else:
        single = found[0][0], int(found[1][0]), float(found[2][0])
    g_eff, sweeps, bound = single
    solution = ArraySolution(
        g_eff=g_eff,
        method="relaxation" if sweeps >= 0 else "elimination",
        sweeps=max(sweeps, 0),
        bound=bound,
    )
    if v_in is None:
        return solution
    if g.size > WHOLE_UP_TO:
        release()
    nodes = solve_nonlinear(g, curve_of(IV(), 1.0), crossbar, v_in)
    i_out = nodes.i_out[0] if g_eff.shape != g.shape else np.asarray(v_in) @ g_eff
    if nodes.v_wl is None or nodes.v_bl is None:
        return replace(solution, i_out=i_out)
    return replace(solution, i_out=i_out, v_wl=nodes.v_wl[0], v_bl=nodes.v_bl[0])


@lru_cache(maxsize=16)
def _all_lines(count: int) -> np.ndarray:
    """Number lines; nobody may write to it, though kernels want arrays that can be written to."""
    return np.arange(count)


def solve_arrays(
    g: np.ndarray, crossbar: Crossbar, *, rows: np.ndarray, cols: np.ndarray
) -> np.ndarray:
    """Solve linear arrays of one circuit; many small ones take no longer than their arithmetic.

    Args:
        g: device conductances, siemens, (arrays, n_rows, n_cols); 0 is an open device.
        crossbar: the resistances; its rows and cols are not looked at.
        rows: int64, the wanted wordlines.
        cols: int64, the wanted bitlines.

    Returns:
        g_eff of each array, siemens, float64 (arrays, rows, cols): that of `solve_array`.

    Raises:
        CircuitError: a conductance is negative, NaN or infinite, or no accuracy can be certified.
    """
    found = _at_once(np.ascontiguousarray(g, dtype=np.float64), crossbar, rows, cols)
    if found is not None:
        return found[0]
    return np.array([solve_array(each, crossbar, rows=rows, cols=cols).g_eff for each in g])


def _at_once(
    g: np.ndarray, crossbar: Crossbar, rows: np.ndarray, cols: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Solve arrays in one call of a kernel, those that need it by elimination afterwards.

    Returns:
        g_eff (arrays, rows, cols), the sweeps (-1: eliminated), and the bounds; None where the arrays
        are large, or where relaxation is out of the question.
    """
    count, n_rows, n_cols = g.shape
    if not (count and len(rows) and len(cols)):
        return np.empty((count, len(rows), len(cols))), np.zeros(count, int), np.zeros(count)
    if n_rows * n_cols > WHOLE_UP_TO:
        return None
    most = worthwhile_sweeps((n_rows, n_cols), len(rows), len(cols))
    if most <= 0 or elimination_bound(n_rows, n_cols) > TOLERANCE:
        return None
    # What is driven costs time, what is sensed next to none.
    turned = len(cols) < len(rows)
    lines = lines_of(crossbar, n_rows, n_cols, turned=turned)
    wires = lines.r_wire_wl, lines.r_wire_bl
    ends = lines.left, lines.right, lines.top, lines.bottom
    wanted, shape = (rows, cols), (n_rows, n_cols)
    if turned:
        wanted, shape = (n_cols - 1 - cols, n_rows - 1 - rows), (n_cols, n_rows)
    work = scratch("factors", (8, *shape)), scratch("relaxation", (n_rows * n_cols * LANES,))
    g_eff = np.empty((count, len(rows), len(cols)))
    sweeps, bounds = np.empty(count, dtype=np.int64), np.empty(count)
    how = turned, TOLERANCE, most
    found = g_eff, sweeps, bounds
    fewest = relax_each(g, crossbar.r_access, *wires, *ends, *wanted, *how, *work, *found)
    if fewest == _IMPOSSIBLE:
        raise CircuitError(_NO_CONDUCTANCE)
    if fewest < 0:
        lines = lines_of(crossbar, n_rows, n_cols)
        for k in np.flatnonzero(sweeps < 0):
            loaded, _ = cells_in_series(g[k], crossbar.r_access)
            array = _LinearArray(loaded, lines, rows, cols)
            g_eff[k], sweeps[k], bounds[k] = _eliminated(array)
    return found


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


def _solved(
    g: np.ndarray,
    lines: Lines,
    rows: np.ndarray,
    cols: np.ndarray,
    progress: Callable[[int, int], None] | None,
) -> tuple[np.ndarray, int, float]:
    """Solve an array, a large one without its open margins; see `_transfer`."""
    if g.size <= WHOLE_UP_TO:
        return _transfer(_LinearArray(g, lines, rows, cols), None)
    part = cropped(g, lines, rows, cols)
    if not part.has_row.any() or not part.has_col.any():
        return part.whole(np.zeros((len(part.rows), len(part.cols)))), 0, 0.0
    array = _LinearArray(part.g, part.lines, part.rows, part.cols)
    g_eff, sweeps, bound = _transfer(array, progress)
    return part.whole(g_eff), sweeps, bound


def _transfer(
    array: _LinearArray, progress: Callable[[int, int], None] | None
) -> tuple[np.ndarray, int, float]:
    """Return g_eff between the wanted lines, the sweeps it took (-1: eliminated), and the bound."""
    # What is driven costs time, what is sensed next to none.
    fewer_driven = array.turned() if len(array.cols) < len(array.rows) else array
    alone = elimination_bound(*array.g.shape) > TOLERANCE
    most = worthwhile_sweeps(array.g.shape, len(array.rows), len(array.cols))
    if alone:
        most = 0 if _is_hopeless(array) else MOST_SWEEPS_ALONE
    relaxed = _relaxed(fewer_driven, most, alone, progress) if most > 0 else None
    return _eliminated(array) if relaxed is None else relaxed


def _is_hopeless(array: _LinearArray) -> bool:
    """Tell whether relaxation is far from what is allowed, before a large array plans its sweeps."""
    s = lumping(array.g.shape)
    wanted, most = (array.rows, array.cols), 2 * MOST_SWEEPS_ALONE
    coarse = lumped(array.g)
    return coarse_sweeps(coarse, s, array.lines, *wanted, tolerance=TOLERANCE, most=most) < 0


def _relaxed(
    array: _LinearArray, most: int, patient: bool, progress: Callable[[int, int], None] | None
) -> tuple[np.ndarray, int, float] | None:
    """Solve by line relaxation, unless that takes more than so many sweeps."""
    g, rows, cols = array.g, array.rows, array.cols
    factors = line_factors(g, array.lines)
    lanes = scratch("relaxation", (g.size * LANES,))
    nodes = lanes[: 3 * g.size].reshape(3, *g.shape)
    turned = array.is_turned
    sweeps, bound = plan_sweeps(g, factors, rows, cols, turned, TOLERANCE, most, patient, nodes)
    if sweeps < 0:
        return None
    if g.size <= WHOLE_UP_TO:
        return array.turned_back(relax(g, factors, rows, cols, sweeps, lanes)), sweeps, bound
    result = np.empty((len(rows), len(cols)))
    for start in range(0, len(rows), LANES):
        block = slice(start, start + LANES)
        result[block] = relax(g, factors, rows[block], cols, sweeps, lanes)
        if progress is not None:
            progress(min(block.stop, len(rows)), len(rows))
    return array.turned_back(result), sweeps, bound


def elimination_bound(n_rows: int, n_cols: int) -> float:
    """Return the error of an elimination that can be certified, relative to an entry.

    Rounding alone: no term is ever subtracted, and no entry passes through more operations.
    """
    return float((n_rows + n_cols) * min(n_rows, n_cols)) * _ROUNDING


def _eliminated(array: _LinearArray) -> tuple[np.ndarray, int, float]:
    """Solve by eliminating nodes."""
    n_rows, n_cols = array.g.shape
    bound = elimination_bound(n_rows, n_cols)
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


def worthwhile_sweeps(shape: tuple[int, ...], driven: int, sensed: int) -> int:
    """Return how many sweeps of relaxation an elimination would cost.

    Args:
        shape: of the array.
        driven: wanted wordlines.
        sensed: wanted bitlines.
    """
    short, long = sorted(shape)
    fewer = min(driven, sensed)
    elimination = ELIMINATION_NS * short * short * long * (short + fewer)
    sweep = SWEEP_NS * short * long * -(-fewer // LANES)
    return min(int(elimination / sweep) - 1, _MOST_SWEEPS)
