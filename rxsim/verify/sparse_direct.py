"""Nodal analysis by a sparse factorisation, with iterative refinement.

It shares nothing with `rxsim.circuit`'s solver. Nodes joined by 0 ohm are a single node, sources and
senses have known voltages, and the conductance matrix of the other nodes is factored in float64
(SuperLU). That alone loses digits where a wire conducts many orders more than a device, because the
diagonal rounds the devices away. So the factor only gives corrections. The refined quantities are the
voltage drops of the branches, summed in extended precision from the differences of the corrections. A
drop is then right to its last digits, however small it is against the voltages at its ends. So are the
branch currents, whose sums at the nodes give the next correction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

from rxsim.circuit.lines import Lines
from rxsim.errors import CircuitError

_MOST_STEPS = 60
# Relative to a vector's largest branch current: where refinement stops, and counts as settled.
_STOP, _SETTLED = 1e-16, 1e-13
_NOTHING = 1e-20  # of the current of the largest voltage through the best conductor


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Circuit:
    """Branches between numbered nodes, 0 ohm merged away and open branches left out.

    Attributes:
        n_nodes: number of nodes.
        sources: node of each source, (n_rows,).
        senses: node of each sense, (n_cols,).
        tail: first node of each branch, (n_branches,).
        head: second node of each branch, (n_branches,).
        siemens: conductance of each branch in extended precision, (n_branches,).
    """

    n_nodes: int
    sources: np.ndarray
    senses: np.ndarray
    tail: np.ndarray
    head: np.ndarray
    siemens: np.ndarray


def sparse_currents(
    g: np.ndarray, lines: Lines, v_in: np.ndarray, r_access: float = 0.0
) -> np.ndarray:
    """Solve an array of linear cells for several input vectors.

    Args:
        g: device conductances, siemens, (n_rows, n_cols); 0 is an open device.
        lines: wires and ends.
        v_in: source voltages, volt, (n_vectors, n_rows).
        r_access: in series with every cell, ohm.

    Returns:
        Sensed currents, ampere, (n_vectors, n_cols).

    Raises:
        CircuitError: the refinement does not settle.
    """
    circuit = _build(g, lines, r_access)
    volts = np.zeros((circuit.n_nodes, len(v_in)), dtype=np.longdouble)
    volts[circuit.sources] = v_in.T
    drops = volts[circuit.tail] - volts[circuit.head]
    incidence = _incidence(circuit)
    unknown = _unknown(circuit)
    if unknown.size and drops.any():
        _refine(circuit, incidence[unknown], unknown, drops)
    leaving = incidence[circuit.senses] @ (circuit.siemens[:, None] * drops)
    return np.ascontiguousarray(-leaving.T.astype(np.float64))


def _build(g: np.ndarray, lines: Lines, r_access: float) -> _Circuit:
    n_rows, n_cols = g.shape
    sources = np.arange(n_rows)
    senses = n_rows + np.arange(n_cols)
    wl = n_rows + n_cols + np.arange(g.size).reshape(g.shape)
    bl = wl + g.size
    with np.errstate(divide="ignore"):
        cells = 1 / g.astype(np.longdouble) + r_access
    parts = [
        (sources, wl[:, 0], lines.left),
        (sources, wl[:, -1], lines.right),
        (wl[:, :-1], wl[:, 1:], np.full((n_rows, n_cols - 1), lines.r_wire_wl)),
        (bl[:-1], bl[1:], np.full((n_rows - 1, n_cols), lines.r_wire_bl)),
        (bl[0], senses, lines.top),
        (bl[-1], senses, lines.bottom),
        (wl, bl, cells),
    ]
    tail, head = (np.concatenate([part[side].ravel() for part in parts]) for side in (0, 1))
    ohm = np.concatenate([part[2].ravel().astype(np.longdouble) for part in parts])
    joined = ohm == 0
    n_nodes, node = _components(n_rows + n_cols + 2 * g.size, tail[joined], head[joined])
    tail, head = node[tail], node[head]
    kept = (ohm > 0) & np.isfinite(ohm) & (tail != head)
    return _Circuit(
        n_nodes=n_nodes,
        sources=node[sources],
        senses=node[senses],
        tail=tail[kept],
        head=head[kept],
        siemens=1 / ohm[kept],
    )


def _components(n_nodes: int, tail: np.ndarray, head: np.ndarray) -> tuple[int, np.ndarray]:
    """Return the number of connected parts and the part of each node."""
    graph = coo_array((np.ones(tail.size), (tail, head)), shape=(n_nodes, n_nodes))
    count, label = connected_components(graph.tocsr(), directed=False)
    return int(count), np.asarray(label, dtype=np.int64)


def _incidence(circuit: _Circuit) -> csr_array:
    """Return the matrix that sums the branch currents leaving each node, (n_nodes, n_branches)."""
    n = circuit.tail.size
    places = (np.concatenate([circuit.tail, circuit.head]), np.tile(np.arange(n), 2))
    signs = np.repeat(np.array([1, -1], dtype=np.longdouble), n)
    return coo_array((signs, places), shape=(circuit.n_nodes, n)).tocsr()


def _unknown(circuit: _Circuit) -> np.ndarray:
    """Return the nodes of unknown voltage that are not floating."""
    known = np.concatenate([circuit.sources, circuit.senses])
    _, part = _components(circuit.n_nodes, circuit.tail, circuit.head)
    wanted = np.isin(part, part[known])
    wanted[known] = False
    return np.flatnonzero(wanted)


def _refine(circuit: _Circuit, balance: csr_array, unknown: np.ndarray, drops: np.ndarray) -> None:
    """Correct the drops in place until the currents at every unknown node sum up to zero.

    Args:
        circuit: the circuit.
        balance: sums the currents leaving each unknown node, (n_unknown, n_branches).
        unknown: the unknown nodes, (n_unknown,).
        drops: volt, extended precision, (n_branches, n_vectors): with the unknown nodes at 0 V.

    Raises:
        CircuitError: a current still moves after all steps.
    """
    siemens = circuit.siemens[:, None]
    matrix = (balance.multiply(circuit.siemens[None, :]) @ balance.T).astype(np.float64)
    factor = splu(
        matrix.tocsc(),
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
    step = np.zeros((circuit.n_nodes, drops.shape[1]), dtype=np.longdouble)
    # Where nothing conducts, currents shrink for ever: below this they count as 0.
    nothing = _NOTHING * siemens.max() * np.abs(drops).max()
    moved = np.inf
    for _ in range(_MOST_STEPS):
        excess = balance @ (siemens * drops)
        step[unknown] = factor.solve(-excess.astype(np.float64))
        change = step[circuit.tail] - step[circuit.head]
        drops += change
        largest = np.abs(siemens * drops).max(axis=0)
        moving = np.abs(siemens * change).max(axis=0)
        moved = float(np.max(moving / np.maximum(largest, nothing), where=moving > 0, initial=0))
        if moved <= _STOP:
            return
    if not moved <= _SETTLED:
        raise CircuitError(
            f"the sparse reference did not settle: currents still move by {moved:.0e} of the largest"
        )
