"""Nodal analysis of a crossbar with a sparse factorisation and extended-precision refinement.

Nodes joined by 0 ohm are merged, nodes of known voltage (sources and ground) are eliminated and
the remaining Laplacian is factored in float64. The factor only serves as a preconditioner: the
residual is the sum of the branch currents at each node, evaluated in ``np.longdouble`` branch by
branch, and the solution is kept as an unevaluated sum of two longdoubles. The difference of two
neighbouring voltages is therefore accurate even when a wire's conductance is many orders above a
device's, and rounding of the matrix's diagonal has no effect on the result.

An infinite resistance is taken as an open branch. Nodes without a path to a source or to ground
float: they carry no current and are reported at 0 V.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import SuperLU, splu

from .ends import Ends, chosen

_MAX_STEPS = 60
_STOP = 1e-17
_ACCEPT = 1e-13
_TINY = 1e-200  # of the largest voltage: corrections in float64 can't reach much farther down
_RHS_BLOCK = 32

Floats = NDArray[np.float64]
Longs = NDArray[np.longdouble]
Ints = NDArray[np.intp]


@dataclass(frozen=True)
class _Circuit:
    """A crossbar as a list of branches between merged nodes.

    Attributes:
        n_nodes: Number of nodes after merging.
        ground: Node of 0 V.
        sources: Nodes of the row sources, shape (n_rows,).
        wl: Nodes of the wordlines, shape (n_rows, n_cols).
        bl: Nodes of the bitlines, shape (n_rows, n_cols).
        tail: First node of each branch, shape (n_branches,).
        head: Second node of each branch, shape (n_branches,).
        g: Conductance of each branch in S, shape (n_branches,).
        column: Bitline each branch belongs to, -1 for wordline branches, shape (n_branches,).
    """

    n_nodes: int
    ground: int
    sources: Ints
    wl: Ints
    bl: Ints
    tail: Ints
    head: Ints
    g: Longs
    column: Ints


def g_eff(
    g: ArrayLike,
    r_wire_wl: float,
    r_wire_bl: float,
    r_driver: float = 0.0,
    r_sense: float = 0.0,
    *,
    ends: Ends | None = None,
    rows: ArrayLike | None = None,
) -> Floats:
    """Return the matrix that maps input voltages to sensed currents, ``i_out = v_in @ g_eff``.

    Args:
        g: Device conductances in S, shape (n_rows, n_cols); 0 is an open device.
        r_wire_wl: Resistance between neighbouring wordline nodes in ohm.
        r_wire_bl: Resistance between neighbouring bitline nodes in ohm.
        r_driver: Resistance between each source and its wordline in ohm.
        r_sense: Resistance between each bitline and ground in ohm.
        ends: What all lines have at both ends, in place of r_driver and r_sense.
        rows: The wanted wordlines, shape (n_wanted,); all of them by default.

    Returns:
        Effective conductances in S, shape (n_rows, n_cols) or (n_wanted, n_cols).
    """
    circuit = _build(g, r_wire_wl, r_wire_bl, r_driver, r_sense, ends)
    wanted = np.arange(circuit.sources.size) if rows is None else np.asarray(rows)
    drive = np.zeros((circuit.sources.size, wanted.size))
    drive[wanted, np.arange(wanted.size)] = 1.0
    _, i_out = _solve(circuit, drive)
    return np.ascontiguousarray(i_out.T.astype(np.float64))


def node_voltages(
    g: ArrayLike,
    r_wire_wl: float,
    r_wire_bl: float,
    r_driver: float,
    r_sense: float,
    v_in: ArrayLike,
    *,
    ends: Ends | None = None,
) -> tuple[Floats, Floats, Floats]:
    """Return the node voltages and sensed currents under given input voltages.

    Args:
        g: Device conductances in S, shape (n_rows, n_cols); 0 is an open device.
        r_wire_wl: Resistance between neighbouring wordline nodes in ohm.
        r_wire_bl: Resistance between neighbouring bitline nodes in ohm.
        r_driver: Resistance between each source and its wordline in ohm.
        r_sense: Resistance between each bitline and ground in ohm.
        v_in: Source voltages in V, shape (n_rows,).
        ends: What all lines have at both ends, in place of r_driver and r_sense.

    Returns:
        v_wl: Wordline voltages in V, shape (n_rows, n_cols).
        v_bl: Bitline voltages in V, shape (n_rows, n_cols).
        i_out: Sensed currents in A, shape (n_cols,).
    """
    circuit = _build(g, r_wire_wl, r_wire_bl, r_driver, r_sense, ends)
    v_in = np.asarray(v_in, dtype=np.float64)
    if v_in.shape != circuit.sources.shape:
        raise ValueError(f"v_in must have shape {circuit.sources.shape}, got {v_in.shape}")
    volts, i_out = _solve(circuit, v_in[:, None], keep_voltages=True)
    volts64 = volts[:, 0].astype(np.float64)
    return volts64[circuit.wl], volts64[circuit.bl], i_out[:, 0].astype(np.float64)


def _build(
    g: ArrayLike,
    r_wire_wl: float,
    r_wire_bl: float,
    r_driver: float,
    r_sense: float,
    ends: Ends | None,
) -> _Circuit:
    """Return the circuit with 0 ohm branches merged and open branches dropped."""
    g = np.asarray(g, dtype=np.float64)
    if g.ndim != 2 or g.size == 0 or not np.all(np.isfinite(g) & (g >= 0)):
        raise ValueError("g must be a non-empty matrix of finite conductances >= 0")
    if not all(r >= 0 for r in (r_wire_wl, r_wire_bl, r_driver, r_sense)):
        raise ValueError("resistances must be >= 0")
    ends = chosen(ends, g.shape, r_driver, r_sense)
    n_rows, n_cols = g.shape
    sources = 1 + np.arange(n_rows)
    wl = 1 + n_rows + np.arange(g.size).reshape(g.shape)
    bl = wl + g.size
    cols = np.arange(n_cols)
    all_cols = np.broadcast_to(cols, g.shape)
    ground, no_column = np.zeros(n_cols, dtype=np.intp), np.full(g.shape, -1)
    groups = [  # tail, head, resistance, column
        (sources, wl[:, 0], ends.left, no_column[:, 0]),
        (sources, wl[:, -1], ends.right, no_column[:, 0]),
        (wl[:, :-1], wl[:, 1:], np.full((n_rows, n_cols - 1), r_wire_wl), no_column[:, 1:]),
        (bl[:-1], bl[1:], np.full((n_rows - 1, n_cols), r_wire_bl), all_cols[1:]),
        (bl[0], ground, ends.top, cols),
        (bl[-1], ground, ends.bottom, cols),
    ]
    label, n_nodes = _merge(
        1 + n_rows + 2 * g.size, [(t[r == 0], h[r == 0]) for t, h, r, _ in groups]
    )
    kept = []
    for t, h, r, c in groups:
        here = (r > 0) & (r < np.inf)
        kept.append((t[here], h[here], 1 / r[here].astype(np.longdouble), c[here]))
    on = g > 0
    kept.append((wl[on], bl[on], g[on].astype(np.longdouble), all_cols[on]))
    tail, head, conductance, column = (np.concatenate(parts) for parts in zip(*kept, strict=True))
    return _Circuit(
        n_nodes=n_nodes,
        ground=int(label[0]),
        sources=label[sources],
        wl=label[wl],
        bl=label[bl],
        tail=label[tail],
        head=label[head],
        g=conductance,
        column=column,
    )


def _merge(n_nodes: int, shorts: list[tuple[Ints, Ints]]) -> tuple[Ints, int]:
    """Return the merged node of each of ``n_nodes`` nodes, and the number of merged nodes."""
    tail = np.concatenate([t for t, _ in shorts])
    head = np.concatenate([h for _, h in shorts])
    return _components(n_nodes, tail, head)


def _components(n_nodes: int, tail: Ints, head: Ints) -> tuple[Ints, int]:
    """Return the connected component of each node, shape (n_nodes,), and their number."""
    graph = coo_array((np.ones(tail.size), (tail, head)), shape=(n_nodes, n_nodes))
    count, label = connected_components(graph.tocsr(), directed=False)
    return label.astype(np.intp), int(count)


def _unknown_nodes(circuit: _Circuit) -> Ints:
    """Return the nodes of unknown voltage: neither fixed nor floating."""
    fixed = np.append(circuit.sources, circuit.ground)
    component, count = _components(circuit.n_nodes, circuit.tail, circuit.head)
    anchored = np.zeros(count, dtype=bool)
    anchored[component[fixed]] = True
    unknown = anchored[component]
    unknown[fixed] = False
    return np.flatnonzero(unknown)


def _incidence(circuit: _Circuit) -> csr_array:
    """Return the matrix of net current leaving each node, shape (n_nodes, n_branches)."""
    n = circuit.tail.size
    sign = np.repeat(np.array([1, -1], dtype=np.longdouble), n)
    at = (np.concatenate([circuit.tail, circuit.head]), np.tile(np.arange(n), 2))
    return coo_array((sign, at), shape=(circuit.n_nodes, n)).tocsr()


def _ground_collector(circuit: _Circuit) -> csr_array:
    """Return the matrix of current into ground per bitline, shape (n_cols, n_branches).

    All the currents it adds have one sign when a single source is driven, so nothing cancels.
    """
    sign = (circuit.head == circuit.ground).astype(np.longdouble)
    sign -= circuit.tail == circuit.ground
    touching = np.flatnonzero(sign)
    shape = (circuit.wl.shape[1], circuit.tail.size)
    return coo_array((sign[touching], (circuit.column[touching], touching)), shape=shape).tocsr()


def _factor(circuit: _Circuit, balance: csr_array) -> SuperLU:
    """Return the float64 factor of the Laplacian of the nodes that ``balance`` covers."""
    weighted = balance.multiply(circuit.g[None, :]).tocsr()
    return splu(
        (weighted @ balance.T).astype(np.float64).tocsc(),
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )


def _solve(
    circuit: _Circuit, v_sources: Floats, keep_voltages: bool = False
) -> tuple[Longs, Longs]:
    """Solve the circuit for several sets of source voltages.

    Args:
        circuit: The circuit.
        v_sources: Source voltages in V, shape (n_rows, n_sets).
        keep_voltages: Whether to return the voltages; else their array is empty.

    Returns:
        volts: Node voltages in V, shape (n_nodes, n_sets), or (n_nodes, 0).
        i_out: Sensed currents in A, shape (n_cols, n_sets).
    """
    unknown = _unknown_nodes(circuit)
    balance = _incidence(circuit)[unknown]
    collector = _ground_collector(circuit)
    lu = _factor(circuit, balance) if unknown.size else None
    volts, i_out = [np.empty((circuit.n_nodes, 0), np.longdouble)], []
    for start in range(0, v_sources.shape[1], _RHS_BLOCK):
        block = v_sources[:, start : start + _RHS_BLOCK]
        hi = np.zeros((circuit.n_nodes, block.shape[1]), np.longdouble)
        hi[circuit.sources] = block
        lo = np.zeros_like(hi)
        if lu is not None:
            _refine(circuit, balance, unknown, lu, hi, lo)
        i_out.append(collector @ _currents(circuit, hi, lo))
        if keep_voltages:
            volts.append(hi + lo)
    return np.concatenate(volts, axis=1), np.concatenate(i_out, axis=1)


def _currents(circuit: _Circuit, hi: Longs, lo: Longs) -> Longs:
    """Return the branch currents in A at voltages ``hi + lo``, shape (n_branches, n_sets)."""
    drop = hi[circuit.tail] - hi[circuit.head]
    drop += lo[circuit.tail] - lo[circuit.head]
    drop *= circuit.g[:, None]
    return drop


def _refine(
    circuit: _Circuit, balance: csr_array, unknown: Ints, lu: SuperLU, hi: Longs, lo: Longs
) -> None:
    """Iterate the unknown voltages ``hi + lo`` in place until all but tiny ones have settled.

    Args:
        circuit: The circuit.
        balance: Net current leaving each unknown node, shape (n_unknown, n_branches).
        unknown: The unknown nodes, shape (n_unknown,).
        lu: Factor of the Laplacian of the unknown nodes, from ``splu``.
        hi: Leading part of the voltages in V, shape (n_nodes, n_sets).
        lo: Trailing part of the voltages in V, shape (n_nodes, n_sets).

    Raises:
        ArithmeticError: If a voltage did not settle to a relative 1e-13.
    """
    change = np.inf
    for _ in range(_MAX_STEPS):
        residual = -(balance @ _currents(circuit, hi, lo))
        correction = lu.solve(residual.astype(np.float64))
        old = hi[unknown]
        step = lo[unknown] + correction
        new = old + step
        shift = new - old
        hi[unknown] = new
        lo[unknown] = (old - (new - shift)) + (step - shift)
        size = np.abs(new)
        moved = (correction != 0) & (size > _TINY * size.max(axis=0))
        if not moved.any():
            return
        with np.errstate(divide="ignore"):
            change = float((np.abs(correction[moved]) / size[moved]).max())
        if change <= _STOP:
            return
    if not change <= _ACCEPT:
        raise ArithmeticError(f"refinement did not settle: relative change {change:.1e}")
