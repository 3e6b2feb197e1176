"""Non-linear devices solved exactly: Newton's method on the whole array, with a bound on its error.

The unknowns are the device currents. The wires turn them into node voltages exactly, so what is left
to satisfy is one equation a cell: its curve's current at that voltage is the current assumed. What is
missing, the residual, is a current that leaks at nodes of an otherwise solved network. Devices only
ever carry more at a higher voltage, so by the mean-value theorem the difference to the solution is
that of a passive linear network into which the residual is injected: an output changes by at most what
is injected, and the sum of all |residuals| bounds the error of every output.

Each step replaces every cell by its tangent and solves that linear network by conjugate gradients
(`rxsim.circuit.line_solves`), only as well as the step deserves. What such a solve leaves over at
bitline nodes is part of the residual too: counted there, long resistive wires do not multiply it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rxsim.circuit.line_solves import linear_step, node_voltages_of
from rxsim.circuit.lines import Lines, lines_of
from rxsim.config import Crossbar
from rxsim.devices import IVCurve
from rxsim.errors import CircuitError

TARGET = 1e-9
"""The bound to reach, relative to the largest output current."""
REQUIRED = 1e-6
"""The bound without which a solution is refused, relative to the currents of the fullest bitline."""
_MOST_STEPS = 200
# A full step that lowers the residual this much is taken; else the search along it ends where the
# energy's slope has fallen to this share of what it was.
_CLEARLY_LESS, _FLAT, _MOST_TRIALS = 0.5, 0.1, 40
# Tolerances of the linear solves: far from the solution, and where a step did not lower the residual.
_LOOSEST, _TIGHTEST = 0.1, 1e-12
_STALLED = 0.5  # a step that leaves more than this, this close to the solution, meets rounding
_SLACK = 1 + 1e-9


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class NonlinearSolution:
    """Operating points of one array of non-linear devices.

    Attributes:
        i_out: sense currents, ampere, (n_vectors, n_cols).
        bound: of the error of any output current, ampere, (n_vectors,).
        iterations: Newton steps, (n_vectors,).
        residuals: for each vector the sum of all |residuals| before and after each step, ampere,
            (iterations + 1,).
        v_wl: wordline node voltages, volt, (n_vectors, n_rows, n_cols); None where not kept.
        v_bl: bitline node voltages, volt, (n_vectors, n_rows, n_cols); None where not kept.
        device_currents: from wordline to bitline, ampere, (n_vectors, n_rows, n_cols); None where not
            kept.
    """

    i_out: np.ndarray
    bound: np.ndarray
    iterations: np.ndarray
    residuals: tuple[np.ndarray, ...]
    v_wl: np.ndarray | None = None
    v_bl: np.ndarray | None = None
    device_currents: np.ndarray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _DrivenArray:
    """One array under one input vector."""

    g: np.ndarray
    curve: IVCurve
    lines: Lines
    r_access: float
    v_in: np.ndarray

    def ends(self) -> tuple[float, float, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Wires and ends, in the order that the kernels take them in."""
        lines = self.lines
        return lines.r_wire_wl, lines.r_wire_bl, lines.left, lines.right, lines.top, lines.bottom


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _State:
    """Assumed currents and all that follows from them, each (n_rows, n_cols).

    Through the cells flows `current`, ampere, and into the bitline nodes `current - missing`;
    `residual` is by how much the curves at `v_cell` carry more than `current`, and `norm` the sum of
    all |residual| and |missing|.
    """

    current: np.ndarray
    missing: np.ndarray
    v_wl: np.ndarray
    v_bl: np.ndarray
    v_cell: np.ndarray
    residual: np.ndarray
    norm: float

    def i_out(self) -> np.ndarray:
        """What leaves the bitlines, ampere, (n_cols,)."""
        leaving: np.ndarray = (self.current - self.missing).sum(axis=0)
        return leaving


def solve_nonlinear(
    g: np.ndarray,
    curve: IVCurve,
    crossbar: Crossbar,
    v_in: np.ndarray,
    *,
    keep_nodes: bool = True,
) -> NonlinearSolution:
    """Solve an array of non-linear devices for one or many input vectors.

    Args:
        g: device conductances, siemens, (n_rows, n_cols); 0 is an open device.
        curve: the cells' current-voltage curve.
        crossbar: the resistances and the ends of the lines; its rows and cols are not looked at.
        v_in: source voltages, volt, (n_rows,) or (n_vectors, n_rows).
        keep_nodes: whether to return node voltages and device currents, which for many vectors are
            most of the memory.

    Raises:
        CircuitError: an input is impossible, a cell's voltage lies beyond what the curve is known
            for, or the error can't be bounded by 1e-6 of the currents.
        SettingError: the curve is not known for one of the conductances.
    """
    g = np.ascontiguousarray(g, dtype=np.float64)
    vectors = np.ascontiguousarray(np.atleast_2d(v_in), dtype=np.float64)
    _check(g, vectors)
    lines = lines_of(crossbar, *g.shape)
    n_vectors = len(vectors)
    kept = np.empty((3, n_vectors, *g.shape)) if keep_nodes else None
    i_out, bound = np.empty((n_vectors, g.shape[1])), np.empty(n_vectors)
    residuals = []
    for k, vector in enumerate(vectors):
        array = _DrivenArray(g, curve, lines, crossbar.r_access, vector)
        # A curve may overflow where a step overshoots: the step is then shortened.
        with np.errstate(over="ignore", invalid="ignore"):
            state, bound[k], history = _newton(array)
        _refuse_beyond_range(array, state)
        i_out[k] = state.i_out()
        residuals.append(np.array(history))
        if kept is not None:
            kept[:, k] = state.v_wl, state.v_bl, state.current
    steps = np.array([len(history) - 1 for history in residuals])
    v_wl, v_bl, device_currents = (None, None, None) if kept is None else kept
    return NonlinearSolution(
        i_out=i_out,
        bound=bound,
        iterations=steps,
        residuals=tuple(residuals),
        v_wl=v_wl,
        v_bl=v_bl,
        device_currents=device_currents,
    )


def _check(g: np.ndarray, vectors: np.ndarray) -> None:
    if g.ndim != 2 or g.size == 0 or not (np.isfinite(g).all() and (g >= 0).all()):
        raise CircuitError("a conductance is negative, NaN or infinite, or there are none")
    if vectors.ndim != 2 or vectors.shape[1] != g.shape[0]:
        raise CircuitError(
            f"found inputs of shape {vectors.shape} for {g.shape[0]} wordlines, expected "
            f"({g.shape[0]},) or (n_vectors, {g.shape[0]})"
        )
    if not np.isfinite(vectors).all():
        raise CircuitError("a source voltage is NaN or infinite")


def _newton(array: _DrivenArray) -> tuple[_State, float, list[float]]:
    """Solve for one vector; return the state, the bound in ampere and the norms of the residuals."""
    state = _state(array, *np.zeros((2, *array.g.shape)))
    history = [state.norm]
    loosest = _LOOSEST
    # No linear solve should take this many; if one does, its last iterate is still a useful step.
    most = 20 * sum(array.g.shape)
    while True:
        slope = array.curve.slope(array.g, state.v_cell)
        rounding = _rounding(array, state, slope)
        goal = max(TARGET * float(np.abs(state.i_out()).max()) - rounding, rounding)
        if state.norm <= goal or len(history) > _MOST_STEPS:
            break
        # A step is quadratic if its linear solve is as good as the residual is small, and needs no more
        # than what the goal asks for.
        size = float(np.abs(state.current).sum() + state.norm)
        tolerance = min(loosest, max(state.norm / size, 0.1 * goal / state.norm))
        in_series = 1 / (1 + array.r_access * slope)
        cells = slope * in_series, state.residual * in_series
        step = linear_step(*cells, state.missing, *array.ends(), tolerance, most)[:2]
        better = _search(array, state, step)
        if better is None and tolerance <= _TIGHTEST:
            break
        if better is None:
            loosest = _TIGHTEST
        else:
            stalled = better.norm > _STALLED * state.norm
            state = better
            history.append(state.norm)
            if stalled and state.norm <= TARGET * float(np.abs(state.current).sum()):
                break
    if state.norm == 0 and not state.current.any():
        return state, 0.0, history  # every driven cell is open: exactly nothing flows
    bound = state.norm + rounding
    _refuse_inexact(state, bound)
    return state, bound, history


def _state(array: _DrivenArray, current: np.ndarray, missing: np.ndarray) -> _State:
    """Follow the wires from assumed currents to voltages and to what the curves carry there."""
    v_wl, v_bl = node_voltages_of(current, current - missing, array.v_in, *array.ends())
    v_cell = v_wl - v_bl
    if array.r_access > 0:
        v_cell -= array.r_access * current
    residual = array.curve.current(array.g, v_cell) - current
    norm = float(np.abs(residual).sum() + np.abs(missing).sum())
    return _State(
        current=current,
        missing=missing,
        v_wl=v_wl,
        v_bl=v_bl,
        v_cell=v_cell,
        residual=residual,
        norm=norm,
    )


def _search(
    array: _DrivenArray, state: _State, step: tuple[np.ndarray, np.ndarray]
) -> _State | None:
    """Take the full step if it lowers the residual, else go to where the energy is least; or None.

    The solution is the least of a convex energy (the co-content: half the power of the wires and the
    integrals of the cells' curves), whose gradient the residual is. Along the step its derivative rises
    from below 0, and the search is for its zero.
    """
    change, missing = step
    new = _state(array, state.current + change, missing)
    if new.norm <= _CLEARLY_LESS * state.norm:
        return new
    along = new.v_cell - state.v_cell, new.v_bl - state.v_bl
    at_start = _energy_slope(state, along)
    if not at_start < 0:
        return None
    low, high, length = 0.0, 1.0, 1.0
    slope_low, slope_high = at_start, _energy_slope(new, along)
    slope = slope_high
    for _ in range(_MOST_TRIALS):
        if slope <= -_FLAT * at_start and (length == 1 or slope >= _FLAT * at_start):
            return new
        secant = (low * slope_high - high * slope_low) / (slope_high - slope_low)
        margin = 0.1 * (high - low)
        length = (
            min(max(secant, low + margin), high - margin)
            if np.isfinite(secant)
            else (low + high) / 2
        )
        left_over = (1 - length) * state.missing + length * missing
        new = _state(array, state.current + length * change, left_over)
        slope = _energy_slope(new, along)
        if slope < 0:
            low, slope_low = length, slope
        else:
            high, slope_high = length, slope
    return None


def _energy_slope(state: _State, along: tuple[np.ndarray, np.ndarray]) -> float:
    """Derivative of the energy when cell and bitline voltages change along a direction, watt."""
    return float((state.residual * along[0]).sum() - (state.missing * along[1]).sum())


def _rounding(array: _DrivenArray, state: _State, slope: np.ndarray) -> float:
    """What rounding along the walks can hide from the residual, ampere.

    Source: Higham and Mary, SIAM J. Sci. Comput. 41, 2019: with a probability of nearly 1 the error of
    n operations stays below a small multiple (4 here) of sqrt(n) eps.
    """
    volts = np.abs(array.v_in).max() + np.abs(state.v_wl).max() + np.abs(state.v_bl).max()
    hidden = slope.sum() * volts + np.abs(state.current).sum()
    return float(4 * np.finfo(np.float64).eps * sum(array.g.shape) ** 0.5 * hidden)


def _refuse_inexact(state: _State, bound: float) -> None:
    largest = float(np.abs(state.current).sum(axis=0).max())
    if not bound <= REQUIRED * largest:
        raise CircuitError(
            f"found an error bound of {bound:.1e} A for a bitline's {largest:.1e} A of current, "
            f"expected {REQUIRED:g} of it at most; lower input.v_read, choose a less steep "
            "device.iv, or use smaller wire and end resistances"
        )


def _refuse_beyond_range(array: _DrivenArray, state: _State) -> None:
    low, high = array.curve.v_low * _SLACK, array.curve.v_high * _SLACK
    if (state.v_cell < low).any() or (state.v_cell > high).any():
        farthest = state.v_cell.flat[np.abs(state.v_cell).argmax()]
        raise CircuitError(
            f"found a cell voltage of {farthest:.4g} V, expected {array.curve.v_low:g} to "
            f"{array.curve.v_high:g} V, where device.iv is known; lower input.v_read or change it"
        )
