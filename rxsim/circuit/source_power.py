"""What the sources of an array deliver: their currents, and the power sum of v_i i_i.

Everything that leaves a wordline leaves it through its cells. So the current of a source is the sum of
the exact cell currents of its row, whichever ends the line is driven at.

An array of linear cells is a network of conductances between its sources and to ground (its senses),
y_ik and y_i0. One elimination finds them in sums of positive terms. Then for every input

    P = sum over i < k of y_ik (v_i - v_k)^2 + sum over i of y_i0 v_i^2

in which no terms cancel either: the power keeps the small relative error of the conductances. With
ideal wires y_ik = 0, y_i0 = sum over j of g_ij. Few inputs of a large array, cells with a curve, and
cells that the inputs gate are solved one by one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rxsim.circuit.elimination import eliminate_to_sources
from rxsim.circuit.factors import cells_in_series, line_factors
from rxsim.circuit.lines import lines_of
from rxsim.circuit.newton import solve_nonlinear
from rxsim.circuit.solve import ELIMINATION_NS, TOLERANCE, elimination_bound, gated
from rxsim.config import IV, Crossbar
from rxsim.devices import IVCurve, curve_of
from rxsim.errors import CircuitError

# Nanoseconds per cell of solving one input: measured on arrays of 64x64 and 128x128 of linear cells.
# It decides which method is taken, never what it gives.
_VECTOR_NS = 300.0


@dataclass(frozen=True, slots=True, eq=False)
class SourceNetwork:
    """What the sources of an array of linear cells see.

    Attributes:
        between: conductance between each two sources, siemens, symmetric, float64 (n_rows, n_rows).
        to_ground: from each source to all senses, siemens, float64 (n_rows,).
    """

    between: np.ndarray
    to_ground: np.ndarray

    def currents(self, v_in: np.ndarray) -> np.ndarray:
        """Return what each source delivers, ampere, (n_vectors, n_rows).

        Args:
            v_in: source voltages, volt, (n_vectors, n_rows).
        """
        return np.array([self._current(v) for v in v_in]).reshape(v_in.shape)

    def power(self, v_in: np.ndarray) -> np.ndarray:
        """Return what all sources deliver together, watt, (n_vectors,); never below 0.

        Args:
            v_in: source voltages, volt, (n_vectors, n_rows).
        """
        return np.array([self._power(v) for v in v_in]).reshape(len(v_in))

    def _current(self, v: np.ndarray) -> np.ndarray:
        to_others: np.ndarray = (self.between * (v[:, None] - v)).sum(axis=1)
        return np.asarray(to_others + self.to_ground * v)

    def _power(self, v: np.ndarray) -> float:
        to_others = (self.between * np.square(v[:, None] - v)).sum() / 2  # each pair stands twice
        return float(to_others + (self.to_ground * np.square(v)).sum())


def source_network(g: np.ndarray, crossbar: Crossbar) -> SourceNetwork:
    """Eliminate all nodes of an array of linear cells but its sources.

    Args:
        g: device conductances, siemens, (n_rows, n_cols); 0 is an open device.
        crossbar: the resistances and the ends of the lines; its rows and cols are not looked at.

    Raises:
        CircuitError: a conductance is negative, NaN or infinite, or no accuracy can be certified.
    """
    cells = _loaded(g, crossbar)
    if _is_ideal(crossbar):
        return SourceNetwork(np.zeros((len(g), len(g))), cells.sum(axis=1))
    bound = elimination_bound(*g.shape)
    if bound > TOLERANCE:
        raise CircuitError(
            f"found an array of {g.shape[0]}x{g.shape[1]} cells, for whose elimination no error below "
            f"{bound:.0e} can be certified, expected {TOLERANCE:.0e}; solve its inputs one by one"
        )
    lines = lines_of(crossbar, *g.shape)
    if np.isinf(lines.left).all():
        cells, lines = np.ascontiguousarray(cells[:, ::-1]), lines.mirrored()
    ends = (lines.r_wire_wl, lines.left, lines.right)
    return SourceNetwork(*eliminate_to_sources(cells, line_factors(cells, lines), *ends))


def source_currents(
    g: np.ndarray, crossbar: Crossbar, v_in: np.ndarray, curve: IVCurve | None = None
) -> np.ndarray:
    """Return what each source of an array delivers for some inputs.

    Args:
        g: device conductances, siemens, (n_rows, n_cols); 0 is an open device.
        crossbar: the resistances, the ends of the lines and the topology.
        v_in: source voltages, volt, (n_vectors, n_rows).
        curve: of the cells; None where these are linear.

    Returns:
        Ampere, float64 (n_vectors, n_rows); below 0 where a source takes current up.

    Raises:
        CircuitError: an input is impossible, or no accuracy can be certified.
    """
    if _is_by_network(g, crossbar, len(v_in), curve):
        return source_network(g, crossbar).currents(v_in)
    return _one_by_one(g, crossbar, v_in, curve)


def source_power(
    g: np.ndarray, crossbar: Crossbar, v_in: np.ndarray, curve: IVCurve | None = None
) -> np.ndarray:
    """Return the power that all sources of an array deliver: what its wires and cells dissipate.

    Args:
        g: device conductances, siemens, (n_rows, n_cols); 0 is an open device.
        crossbar: the resistances, the ends of the lines and the topology.
        v_in: source voltages, volt, (n_vectors, n_rows).
        curve: of the cells; None where these are linear.

    Returns:
        Watt, float64 (n_vectors,).

    Raises:
        CircuitError: an input is impossible, or no accuracy can be certified.
    """
    if _is_by_network(g, crossbar, len(v_in), curve):
        return source_network(g, crossbar).power(v_in)
    power: np.ndarray = (v_in * _one_by_one(g, crossbar, v_in, curve)).sum(axis=1)
    return power


def _is_by_network(
    g: np.ndarray, crossbar: Crossbar, n_vectors: int, curve: IVCurve | None
) -> bool:
    """Tell whether one elimination serves all inputs, and costs less than to solve each of them."""
    if curve is not None:
        return False
    if _is_ideal(crossbar):
        return True  # a row that is gated off carries nothing at 0 V anyway
    if crossbar.topology != "crossbar" or elimination_bound(*g.shape) > TOLERANCE:
        return False
    return ELIMINATION_NS * len(g) ** 2 <= _VECTOR_NS * n_vectors


def _one_by_one(
    g: np.ndarray, crossbar: Crossbar, v_in: np.ndarray, curve: IVCurve | None
) -> np.ndarray:
    law = curve_of(IV(), 1.0) if curve is None else curve
    currents = np.zeros(v_in.shape)
    for k, volts in enumerate(v_in):
        if volts.any():
            solution = solve_nonlinear(gated(g, crossbar, volts), law, crossbar, volts)
            assert solution.device_currents is not None
            currents[k] = solution.device_currents[0].sum(axis=1)
    return currents


def _is_ideal(crossbar: Crossbar) -> bool:
    bar = crossbar
    return not any((bar.r_wire_wl, bar.r_wire_bl, bar.r_driver, bar.r_sense))


def _loaded(g: np.ndarray, crossbar: Crossbar) -> np.ndarray:
    """Put the access resistance in series with every cell."""
    cells: np.ndarray
    cells, possible = cells_in_series(np.ascontiguousarray(g, dtype=np.float64), crossbar.r_access)
    if not possible:
        raise CircuitError("a conductance is negative, NaN or infinite")
    return cells
