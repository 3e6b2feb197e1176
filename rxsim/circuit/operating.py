"""Matrices of arrays that are not linear: chords at an operating point.

Source: docs/concepts/model.md section 1.

Cells with a curve: with every row at v* the full solution gives each cell a chord, its current over its
voltage; g_eff is that of a linear array of the chords. Where the curve is separable, a voltage v counts
as `u = v* f(v)/f(v*)`, which makes the product exact for ideal wires.

Cells that the inputs gate: a row at 0 V has no cells at all, so currents are not linear in the
inputs. Cells are weighted by the inputs' mean activity p, so that bitlines carry their mean currents.
An active wordline carries its current in full, hence wordline and access resistances are divided by p.
What each cell carries then per active input is its entry of g_eff.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rxsim.circuit.newton import NonlinearSolution, solve_nonlinear
from rxsim.circuit.solve import gated, solve_array
from rxsim.config import IV, Crossbar
from rxsim.devices import IVCurve, SeparableCurve, curve_of

_SMALLEST = 1e-12  # of the operating voltage: below, a cell's chord is its slope


@dataclass(frozen=True, slots=True, eq=False)
class OperatingPoint:
    """Where a layer's arrays are made linear.

    Attributes:
        curve: of its cells.
        volt: v*, the root mean square of what drives its rows, volt.
        activity: mean share of active rows, where the inputs gate the cells; else None.
    """

    curve: IVCurve
    volt: float
    activity: float | None = None

    def linear_volts(self, v: np.ndarray) -> np.ndarray:
        """Return what to put on the linear array in place of voltages v, volt, of any shape."""
        if not isinstance(self.curve, SeparableCurve):
            return v
        f_star = float(self.curve.f(np.array(self.volt)))
        return np.asarray(self.volt * self.curve.f(v) / f_star)


def chord_matrix(
    g: np.ndarray,
    crossbar: Crossbar,
    point: OperatingPoint,
    driven: np.ndarray,
    cols: np.ndarray,
) -> np.ndarray:
    """Compute the matrix of an array at its operating point.

    Args:
        g: conductances, siemens, (n_rows, n_cols).
        crossbar: the resistances and the topology.
        point: the operating point.
        driven: int64, the rows that carry inputs; all others are at 0 V.
        cols: int64, the wanted bitlines.

    Returns:
        Siemens, float64 (driven rows, wanted bitlines).

    Raises:
        CircuitError: the array can't be solved at its operating point.
    """
    v_in = np.zeros(len(g))
    v_in[driven] = point.volt
    share = 1.0 if point.activity is None else point.activity
    cells = gated(g, crossbar, v_in) * share
    solution = solve_nonlinear(cells, point.curve, _seen_by_active_rows(crossbar, share), v_in)
    assert solution.device_currents is not None
    assert solution.v_wl is not None
    assert solution.v_bl is not None
    currents, volts = solution.device_currents[0], solution.v_wl[0] - solution.v_bl[0]
    if point.activity is not None:
        return np.asarray((currents / (share * point.volt))[np.ix_(driven, cols)])
    still = np.abs(volts) <= _SMALLEST * point.volt
    slope = point.curve.slope(g, np.zeros(1))
    slope = slope / (1 + crossbar.r_access * slope)
    chords = np.where(still, slope, currents / np.where(still, 1.0, volts))
    # The access resistance is in the chords already.
    linear = crossbar.model_copy(update={"r_access": 0.0})
    return solve_array(np.maximum(chords, 0), linear, rows=driven, cols=cols).g_eff


def _seen_by_active_rows(crossbar: Crossbar, share: float) -> Crossbar:
    """Give an active wordline the voltage drop of its full current, though it carries a share of it."""
    if share == 1:
        return crossbar
    far = crossbar.r_driver_far
    changes = {
        "r_wire_wl": crossbar.r_wire_wl / share,
        "r_driver": crossbar.r_driver / share,
        "r_access": crossbar.r_access / share,
        "r_driver_far": None if far is None else far / share,
    }
    return crossbar.model_copy(update=changes)


def solve_cells(
    g: np.ndarray, crossbar: Crossbar, iv: IV, v_read: float, v_in: np.ndarray | None = None
) -> NonlinearSolution:
    """Solve an array of cells with a curve for one input.

    Args:
        g: conductances, siemens, (n_rows, n_cols).
        crossbar: the resistances and the topology.
        iv: the cells' curve.
        v_read: voltage that the curve is scaled to, volt.
        v_in: source voltages, volt, (n_rows,); every row at v_read where left out.

    Raises:
        CircuitError: as `solve_nonlinear` does.
        SettingError: the curve can't be used.
    """
    driven = np.full(len(g), v_read) if v_in is None else v_in
    return solve_nonlinear(gated(g, crossbar, driven), curve_of(iv, v_read), crossbar, driven)


def full_currents(
    g: np.ndarray, crossbar: Crossbar, point: OperatingPoint, v_in: np.ndarray
) -> np.ndarray:
    """Solve an array as it is, for some inputs.

    Args:
        g: conductances, siemens, (n_rows, n_cols).
        crossbar: the resistances and the topology.
        point: its curve.
        v_in: source voltages, volt, (n_vectors, n_rows).

    Returns:
        Sense currents, ampere, (n_vectors, n_cols).
    """
    if point.activity is None:
        return solve_nonlinear(g, point.curve, crossbar, v_in, keep_nodes=False).i_out
    rows = [
        solve_nonlinear(gated(g, crossbar, v), point.curve, crossbar, v, keep_nodes=False).i_out[0]
        for v in v_in
    ]
    return np.array(rows)
