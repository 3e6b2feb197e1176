"""Crossbars of non-linear devices: a plain full-network Newton, and a netlist for ngspice.

The twin writes down every unknown (node voltages, currents of wires, ends and devices) and every
equation: Kirchhoff's law at each node, ``v_a - v_b - r * i = 0`` along each branch, the device's
curve in each cell. A resistance of 0 needs no special case and an open end says ``i = 0``. It shares
neither unknowns nor linear algebra with `rxsim.circuit.newton`.
"""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array, csc_array, diags_array
from scipy.sparse.linalg import splu

from oracles import ngspice

Floats = NDArray[np.float64]
Curve = Callable[[Floats, Floats], Floats]
"""From conductances in S and voltages in V to currents in A (or slopes in S)."""

_MOST_STEPS = 400


class Crossbar(Protocol):
    """Resistances in ohm and the sides of an array."""

    @property
    def r_wire_wl(self) -> float:
        """Between neighbouring nodes of a wordline."""

    @property
    def r_wire_bl(self) -> float:
        """Between neighbouring nodes of a bitline."""

    @property
    def r_driver(self) -> float:
        """At the driven end of a wordline."""

    @property
    def r_sense(self) -> float:
        """At the sensed end of a bitline."""

    @property
    def r_access(self) -> float:
        """In series with every cell."""

    @property
    def drive_side(self) -> str:
        """Which end of a wordline is driven: left, right or alternate (odd ones right)."""

    @property
    def sense_side(self) -> str:
        """Which end of a bitline is sensed: bottom, top or alternate (odd ones top)."""

    @property
    def r_driver_far(self) -> float | None:
        """At the other end of a wordline; None is open."""

    @property
    def r_sense_far(self) -> float | None:
        """At the other end of a bitline; None is open."""


def solve(
    g: ArrayLike,
    current: Curve,
    slope: Curve,
    crossbar: Crossbar,
    v_in: ArrayLike,
    source_steps: int = 12,
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the operating point for one input vector.

    Args:
        g: Device conductances in S, shape (n_rows, n_cols).
        current: The cells' curve.
        slope: Its derivative with respect to the voltage.
        crossbar: Resistances and ends of the lines.
        v_in: Source voltages in V, shape (n_rows,).
        source_steps: The sources rise to ``v_in`` in this many equal steps.

    Returns:
        i_out: Sensed currents in A, shape (n_cols,).
        v_wl: Wordline voltages in V, shape (n_rows, n_cols).
        v_bl: Bitline voltages in V, shape (n_rows, n_cols).
        i_cell: Device currents in A, shape (n_rows, n_cols).

    Raises:
        ArithmeticError: If Newton's method does not settle.
    """
    g = np.asarray(g, dtype=np.float64)
    v_in = np.asarray(v_in, dtype=np.float64)
    n_rows, n_cols = g.shape
    cells = g.size
    linear, drive = _linear_equations(n_rows, n_cols, crossbar)
    n = linear.shape[1]
    to_voltage = _cell_voltages(cells, n, crossbar.r_access)
    x = np.zeros(n)

    def missing(x: Floats, sources: Floats) -> Floats:
        cell = current(g.ravel(), to_voltage @ x) - x[n - cells :]
        return np.concatenate([linear @ x - drive @ sources, cell])

    pick = coo_array(
        (np.ones(cells), (np.arange(cells), np.arange(n - cells, n))), shape=(cells, n)
    )
    for level in np.linspace(0, 1, source_steps + 1)[1:]:
        sources = level * v_in
        weight = 1 / max(
            np.abs(current(g.ravel(), np.full(cells, np.abs(v_in).max()))).max(), 1e-30
        )
        f = missing(x, sources)
        for _ in range(_MOST_STEPS):
            chords = diags_array(slope(g.ravel(), to_voltage @ x))
            jacobian = _stack(linear, (chords @ to_voltage - pick).tocsr())
            change = splu(jacobian).solve(-f)
            size, before = 1.0, _merit(f, weight, n - cells)
            while size > 1e-12:
                f_new = missing(x + size * change, sources)
                if _merit(f_new, weight, n - cells) < before:
                    break
                size /= 2
            else:
                break  # rounding is all that is left
            x, f = x + size * change, f_new
            if _merit(f, weight, n - cells) < 1e-15:
                break
        if not _merit(f, weight, n - cells) < 1e-8:
            raise ArithmeticError(
                f"the plain Newton is left with {_merit(f, weight, n - cells):.1e}"
            )
    into_bottom = x[n - cells - n_cols : n - cells]
    from_top_at = 2 * cells + n_rows * (n_cols + 1)
    i_out = into_bottom - x[from_top_at : from_top_at + n_cols]
    v_wl, v_bl, i_cell = (
        part.reshape(g.shape) for part in (x[:cells], x[cells : 2 * cells], x[n - cells :])
    )
    return i_out, v_wl, v_bl, i_cell


def _merit(f: Floats, weight: float, n_linear: int) -> float:
    """Return how far the equations are from holding; linear ones hold after one full step."""
    return float(np.abs(f[:n_linear]).max() + weight * np.abs(f[n_linear:]).max())


def _stack(linear: csc_array, cells: csc_array) -> csc_array:
    top, bottom = linear.tocoo(), cells.tocoo()
    rows = np.concatenate([top.coords[0], bottom.coords[0] + linear.shape[0]])
    cols = np.concatenate([top.coords[1], bottom.coords[1]])
    values = np.concatenate([top.data, bottom.data])
    n = linear.shape[1]
    return coo_array((values, (rows, cols)), shape=(n, n)).tocsc()


def _cell_voltages(cells: int, n: int, r_access: float) -> csc_array:
    """Return the matrix from unknowns to the voltage across each device."""
    every = np.arange(cells)
    values = np.concatenate([np.ones(cells), -np.ones(cells), np.full(cells, -r_access)])
    cols = np.concatenate([every, every + cells, every + n - cells])
    return coo_array((values, (np.tile(every, 3), cols)), shape=(cells, n)).tocsc()


def _linear_equations(n_rows: int, n_cols: int, crossbar: Crossbar) -> tuple[csc_array, csc_array]:
    """Return Kirchhoff's and Ohm's laws as ``linear @ x = drive @ v_in``.

    Unknowns: v_wl, v_bl, currents along the wordlines (n_rows, n_cols + 1), along the bitlines
    (n_rows + 1, n_cols), through the devices; each in row-major order.
    """
    cells = n_rows * n_cols
    wl: Any = np.arange(cells).reshape(n_rows, n_cols)
    bl = wl + cells
    along_wl: Any = 2 * cells + np.arange(n_rows * (n_cols + 1)).reshape(n_rows, n_cols + 1)
    along_bl = along_wl[-1, -1] + 1 + np.arange((n_rows + 1) * n_cols).reshape(n_rows + 1, n_cols)
    device = along_bl[-1, -1] + 1 + wl
    entries: list[tuple[int, int, float]] = []
    sources: list[tuple[int, int, float]] = []
    row = 0
    for i, j in np.ndindex(n_rows, n_cols):
        entries += [
            (row, along_wl[i, j], 1),
            (row, along_wl[i, j + 1], -1),
            (row, device[i, j], -1),
        ]
        row += 1
        entries += [(row, along_bl[i, j], 1), (row, along_bl[i + 1, j], -1), (row, device[i, j], 1)]
        row += 1

    def branch(i_at: int, a: int | None, b: int | None, r: float, source: int, sign: int) -> None:
        """Add the law of one resistance from node a to b; None is a source or 0 V."""
        nonlocal row
        if np.isinf(r):
            entries.append((row, i_at, 1))
        else:
            entries.extend((row, at, s) for at, s in ((a, 1), (b, -1)) if at is not None)
            entries.append((row, i_at, -r))
            if source >= 0:
                sources.append((row, source, -sign))
        row += 1

    for i in range(n_rows):
        left, right = _wordline_ends(crossbar, i)
        branch(along_wl[i, 0], None, wl[i, 0], left, i, 1)
        for j in range(1, n_cols):
            branch(along_wl[i, j], wl[i, j - 1], wl[i, j], crossbar.r_wire_wl, -1, 0)
        branch(along_wl[i, n_cols], wl[i, -1], None, right, i, -1)
    for j in range(n_cols):
        top, bottom = _bitline_ends(crossbar, j)
        branch(along_bl[0, j], None, bl[0, j], top, -1, 0)
        for i in range(1, n_rows):
            branch(along_bl[i, j], bl[i - 1, j], bl[i, j], crossbar.r_wire_bl, -1, 0)
        branch(along_bl[n_rows, j], bl[-1, j], None, bottom, -1, 0)
    n = int(device[-1, -1]) + 1
    return _matrix(entries, (row, n)), _matrix(sources, (row, n_rows))


def _wordline_ends(crossbar: Crossbar, i: int) -> tuple[float, float]:
    """Return the resistances in ohm from wordline i's left and right end to its source."""
    far = np.inf if crossbar.r_driver_far is None else crossbar.r_driver_far
    side = crossbar.drive_side
    turned = side == "right" or (side == "alternate" and i % 2 == 1)
    return (far, crossbar.r_driver) if turned else (crossbar.r_driver, far)


def _bitline_ends(crossbar: Crossbar, j: int) -> tuple[float, float]:
    """Return the resistances in ohm from bitline j's top and bottom end to its sense."""
    far = np.inf if crossbar.r_sense_far is None else crossbar.r_sense_far
    side = crossbar.sense_side
    turned = side == "top" or (side == "alternate" and j % 2 == 1)
    return (crossbar.r_sense, far) if turned else (far, crossbar.r_sense)


def _matrix(entries: list[tuple[int, int, float]], shape: tuple[int, int]) -> csc_array:
    rows, cols, values = (np.array(part) for part in zip(*entries, strict=True))
    return coo_array((values.astype(float), (rows, cols)), shape=shape).tocsc()


def spice_currents(
    g: ArrayLike, expression: Callable[[float, str], str], crossbar: Crossbar, v_in: ArrayLike
) -> Floats:
    """Return the sensed currents of an array of behavioural current sources, by ngspice.

    The arguments are those of ``spice_deck``.

    Returns:
        Currents in A, shape (n_cols,).
    """
    return ngspice.currents(spice_deck(g, expression, crossbar, v_in))


def spice_deck(
    g: ArrayLike, expression: Callable[[float, str], str], crossbar: Crossbar, v_in: ArrayLike
) -> str:
    """Return the netlist of an array of behavioural current sources; source i is ``vs<i>``.

    Args:
        g: Device conductances in S, shape (n_rows, n_cols).
        expression: From a conductance and the text of a voltage to the text of the cell's current.
        crossbar: Resistances and ends of the lines.
        v_in: Source voltages in V, shape (n_rows,).
    """
    g = np.asarray(g, dtype=np.float64)
    n_rows, n_cols = g.shape
    deck = [f"vs{i} s{i} 0 dc {float(v)!r}" for i, v in enumerate(np.asarray(v_in))]
    deck += [f"vm{j} m{j} 0 dc 0" for j in range(n_cols)]

    def branch(name: str, a: str, b: str, r: float) -> None:
        if r == 0:
            deck.append(f"vz{name} {a} {b} dc 0")  # ngspice reads a resistor of 0 as 1 mohm
        elif np.isfinite(r):
            deck.append(f"r{name} {a} {b} {float(r)!r}")

    for i in range(n_rows):
        left, right = _wordline_ends(crossbar, i)
        branch(f"l{i}", f"s{i}", f"w{i}_0", left)
        branch(f"r{i}", f"s{i}", f"w{i}_{n_cols - 1}", right)
        for j in range(1, n_cols):
            branch(f"w{i}_{j}", f"w{i}_{j - 1}", f"w{i}_{j}", crossbar.r_wire_wl)
    for j in range(n_cols):
        top, bottom = _bitline_ends(crossbar, j)
        branch(f"t{j}", f"b0_{j}", f"m{j}", top)
        branch(f"b{j}", f"b{n_rows - 1}_{j}", f"m{j}", bottom)
        for i in range(1, n_rows):
            branch(f"b{i}_{j}", f"b{i - 1}_{j}", f"b{i}_{j}", crossbar.r_wire_bl)
    for i, j in np.ndindex(n_rows, n_cols):
        if g[i, j] > 0:
            low = f"b{i}_{j}"
            if crossbar.r_access > 0:
                low = f"a{i}_{j}"
                branch(f"a{i}_{j}", low, f"b{i}_{j}", crossbar.r_access)
            law = expression(float(g[i, j]), f"v(w{i}_{j},{low})")
            deck.append(f"bx{i}_{j} w{i}_{j} {low} i={law}")
    return _deck(deck, n_cols)


def _deck(circuit: list[str], n_cols: int) -> str:
    options = ".options reltol=1e-10 abstol=1e-18 vntol=1e-14 gmin=1e-24 itl1=1000"
    prints = [f"print vm{j}#branch" for j in range(n_cols)]
    body = [".control", "set numdgt=17", "op", *prints, "quit 0", ".endc", ".end"]
    return "\n".join(["* crossbar of non-linear devices", *circuit, options, *body, ""])
