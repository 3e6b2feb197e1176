"""Effective conductances of one array: linear cells, cells with a curve, cells that the inputs gate.

Source: docs/concepts/model.md, section 1. Wordlines and bitlines touch each other at the cells only:
the lines, solved one by one, turn the currents through all cells into the voltages across them, and
what is left is one dense equation a cell. Cells with a curve: with every driven row at v*, a full
Newton gives each cell its chord (current over the voltage across cell and access resistance; its slope
where there is no voltage), and the matrix is that of a linear array of the chords.

Convention for `topology: input_gated`: a row at 0 V has no cells. The cells are weighted by the inputs'
mean activity p, so that bitlines carry their mean currents; an active wordline carries its own in full,
hence wordline, driver and access resistances over p. An entry is what its cell carries then, per active
input: over p v_read.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from oracles.ends import Ends, placed

from twin.arrays import Bools, Floats
from twin.curves import Curve, curve_of
from twin.settings import Settings

_NO_VOLT = 1e-12  # of v*


@dataclass(frozen=True)
class Point:
    """Where a layer's arrays are made linear.

    Attributes:
        volt: v* in V.
        activity: Mean share of active rows, where inputs gate the cells; else None.
    """

    volt: float
    activity: float | None = None


def effective(g: Floats, settings: Settings, driven: Bools, point: Point | None) -> Floats:
    """Return the effective conductances in S of an array, shape (n_rows, n_cols).

    Args:
        g: Programmed conductances in S, shape (n_rows, n_cols).
        settings: The layer's settings.
        driven: Rows that carry inputs, shape (n_rows,); the others are at 0 V.
        point: The operating point of an array that is not linear; None of one that is.
    """
    bar = settings["crossbar"]
    if point is None:
        return linear(g / (1.0 + g * bar["r_access"]), bar)
    curve = curve_of(settings)
    v_in = np.where(driven, point.volt, 0.0)
    if point.activity is not None:
        p = point.activity
        far = bar["r_driver_far"]
        seen = {
            **bar,
            **{name: bar[name] / p for name in ("r_wire_wl", "r_driver", "r_access")},
            "r_driver_far": None if far is None else far / p,
        }
        cells = np.where(driven[:, None], g, 0.0) * p
        current, _ = cell_currents(cells, curve, seen, v_in)
        return current / (p * point.volt)
    current, volt = cell_currents(g, curve, bar, v_in)
    still = np.abs(volt) <= _NO_VOLT * point.volt
    slope = curve.slope(g, np.zeros(g.shape))
    slope = slope / (1 + bar["r_access"] * slope)
    chords = np.where(still, slope, current / np.where(still, 1.0, volt))
    return linear(np.maximum(chords, 0.0), bar)


def linear(cells: Floats, bar: Settings) -> Floats:
    """Return the effective conductances in S of linear cells in S, access resistance included."""
    if not any(bar[name] for name in ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense")):
        return cells
    per_volt, impedance = _ports(_ends(bar, cells.shape), bar, cells.shape)
    n_rows, n_cols = cells.shape
    sources = np.zeros((n_rows, n_cols, n_rows))
    for row in range(n_rows):
        sources[row, :, row] = per_volt[row]
    g = cells.reshape(-1, 1)
    current = np.linalg.solve(np.eye(g.size) + g * impedance, g * sources.reshape(-1, n_rows))
    return np.asarray(current.reshape(n_rows, n_cols, n_rows).sum(axis=0).T)


def cell_currents(g: Floats, curve: Curve, bar: Settings, v_in: Floats) -> tuple[Floats, Floats]:
    """Return the currents in A through all cells, and the voltages in V across them.

    The wires turn cell currents i into cell voltages A v_in - Z i; Newton's method finds the i that the
    curves carry there. The voltages include what falls across r_access.

    Args:
        g: Conductances in S, shape (n_rows, n_cols).
        curve: The cells' curve.
        bar: The crossbar's settings.
        v_in: Source voltages in V, shape (n_rows,).
    """
    if not any(bar[name] for name in ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense", "r_access")):
        volt = np.broadcast_to(v_in[:, None], g.shape).astype(np.float64)
        return curve.current(g, volt), volt
    per_volt, impedance = _ports(_ends(bar, g.shape), bar, g.shape)
    open_circuit = (per_volt * v_in[:, None]).ravel()
    inside = impedance + bar["r_access"] * np.eye(g.size)
    cells, i = g.ravel(), np.zeros(g.size)
    lack = curve.current(cells, open_circuit)
    scale = np.abs(lack).max() or 1.0
    for _ in range(200):
        if np.abs(lack).max() <= 1e-14 * scale:
            break
        slope = curve.slope(cells, open_circuit - inside @ i)
        step = np.linalg.solve(np.eye(g.size) + slope[:, None] * inside, lack)
        length = 1.0
        while True:
            new = i + length * step
            new_lack = curve.current(cells, open_circuit - inside @ new) - new
            if np.abs(new_lack).sum() < np.abs(lack).sum() or length < 1e-9:
                break
            length /= 2
        if length < 1e-9:  # rounding is all that is left
            break
        i, lack = new, new_lack
    assert np.abs(lack).max() < 1e-10 * scale, "Newton's method did not settle"
    return i.reshape(g.shape), (open_circuit - impedance @ i).reshape(g.shape)


def _ports(ends: Ends, bar: Settings, shape: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Return what open cells see of their row's source, and what currents through cells change.

    Returns:
        per_volt: Voltage across each cell per volt of its source, shape (n_rows, n_cols).
        impedance: By how much the voltage across a cell falls per ampere through a cell, shape
            (cells, cells).
    """
    n_rows, n_cols = shape
    per_volt, impedance = np.zeros(shape), np.zeros((n_rows, n_cols, n_rows, n_cols))
    for row in range(n_rows):
        line = _line(n_cols, float(bar["r_wire_wl"]), ends.left[row], ends.right[row])
        per_volt[row] = line[0]
        impedance[row, :, row, :] += line[1]
    for col in range(n_cols):
        _, inside = _line(n_rows, float(bar["r_wire_bl"]), ends.top[col], ends.bottom[col])
        impedance[:, col, :, col] += inside
    return per_volt, impedance.reshape(n_rows * n_cols, n_rows * n_cols)


@lru_cache(maxsize=1024)
def _line(count: int, wire: float, first: float, last: float) -> tuple[Floats, Floats]:
    """Return one line's node voltages per volt of its source, and per ampere drawn from each node.

    Unknowns are the nodes' voltages and the currents of all branches: v_a - v_b - r i = 0, or i = 0 of
    an open end. A second short to the same source carries nothing and is left out.
    """
    if (wire == 0 or count == 1) and first == 0:
        last = np.inf
    size = 2 * count + 1
    equations, given = np.zeros((size, size)), np.zeros((size, count + 1))
    for node in range(count):  # what flows in from the left flows on, or is drawn
        equations[node, count + node] = 1
        equations[node, count + node + 1] = -1
        given[node, node] = 1
    for branch in range(count + 1):
        row = count + branch
        ohm = first if branch == 0 else last if branch == count else wire
        equations[row, row] = 1.0 if np.isinf(ohm) else -ohm
        if np.isinf(ohm):
            continue
        if branch > 0:
            equations[row, branch - 1] += 1
        if branch < count:
            equations[row, branch] -= 1
        if branch == 0:
            given[row, count] -= 1
        if branch == count:
            given[row, count] += 1
    volts = np.asarray(np.linalg.solve(equations, given)[:count], np.float64)
    return volts[:, count], -volts[:, :count]


def _ends(bar: Settings, shape: tuple[int, ...]) -> Ends:
    """Return what all lines have at their two ends."""
    return placed(
        (shape[0], shape[1]),
        bar["r_driver"],
        bar["r_sense"],
        bar["drive_side"],
        bar["sense_side"],
        bar["r_driver_far"],
        bar["r_sense_far"],
    )
