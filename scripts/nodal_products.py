"""Products by nodal analysis: the circuit of each tile solved for each input vector by SuperLU.

Nothing of rxsim is used: the equations of the whole circuit, both arrays of a pair, every vector.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp
from peer_tiles import Circuit, largest, on_rows, pair_of, tiles_of
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

# Assumption: so many right-hand sides of 8,192 nodes stay below 100 MB.
BLOCK = 512


class Nodes:
    """The equations of one array, nodes that 0 ohm joins taken as one.

    Nodes are numbered: wordline nodes, bitline nodes, sources, ground. The voltages of sources and
    ground are known, all others follow from Kirchhoff's current law.
    """

    def __init__(self, g: np.ndarray, circuit: Circuit) -> None:
        """Set up the equations of cells g, siemens (rows, cols); no cell may be open."""
        n_rows, n_cols = g.shape
        wl = np.arange(g.size).reshape(g.shape)
        bl, source = wl + g.size, 2 * g.size + np.arange(n_rows)
        ground = 2 * g.size + n_rows
        branches = (
            (source, wl[:, 0], circuit.r_driver),
            (wl[:, :-1].ravel(), wl[:, 1:].ravel(), circuit.r_wire_wl),
            (bl[:-1].ravel(), bl[1:].ravel(), circuit.r_wire_bl),
            (bl[-1], np.full(n_cols, ground), circuit.r_sense),
        )
        label = _joined(ground + 1, [(a, b) for a, b, ohm in branches if ohm == 0])
        ends = [(label[a], label[b], np.full(len(a), 1 / ohm)) for a, b, ohm in branches if ohm > 0]
        cells = (label[wl.ravel()], label[bl.ravel()], g.ravel())
        matrix = _laplacian(label.max() + 1, [*ends, cells])
        known = label[np.append(source, ground)]
        free = np.setdiff1d(np.arange(label.max() + 1), known)
        self.matrix = matrix[free][:, free].tocsc()
        self._from_sources = -matrix[free][:, label[source]].tocsr()
        # A bitline's current is that of its cells together, whatever the resistance of its sense.
        column = np.tile(np.arange(n_cols), n_rows)
        into = sp.csr_matrix(
            (
                np.concatenate([cells[2], -cells[2]]),
                (np.tile(column, 2), np.concatenate(cells[:2])),
            ),
            shape=(n_cols, label.max() + 1),
        )
        self._of_free, self._of_sources = into[:, free].tocsr(), into[:, label[source]].tocsr()

    def factor(self) -> Any:
        """Factorise the matrix of the unknown voltages."""
        return splu(
            self.matrix,
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )

    def currents(self, factor: Any, v_in: np.ndarray) -> np.ndarray:
        """Return the bitline currents (n, cols) of source voltages (n, rows), each solved for."""
        voltages = factor.solve(np.ascontiguousarray(self._from_sources @ v_in.T))
        return np.asarray((self._of_free @ voltages + self._of_sources @ v_in.T).T)


class NodalProducts:
    """A network's products; each array is factorised when its layer is first asked for.

    Attributes:
        seconds: processor seconds of the solves, one for each vector; where they are superposed, the
            time of the solves for single rows, counted for all vectors.
        factoring: processor seconds of the factorisations that they share.
        unkept: processor seconds, were each vector's system factorised anew: timed on the first
            vector of each layer, and counted for all its vectors and arrays.
    """

    def __init__(
        self, matrices: Mapping[str, np.ndarray], circuit: Circuit, *, superposed: bool = False
    ) -> None:
        """Take the circuit of every array.

        Args:
            matrices: weights (K, N) by layer.
            circuit: of every array.
            superposed: solve for 1 V on each row alone, and add these currents up for the vectors.
        """
        self._matrices = matrices
        self._circuit = circuit
        self._superposed = superposed
        self.seconds = self.factoring = self.unkept = 0.0

    def __call__(self, layer: str, inputs: np.ndarray) -> np.ndarray:
        """Return the products (n, N) of a layer with input vectors (n, K)."""
        circuit, matrix = self._circuit, self._matrices[layer]
        scale = largest(matrix) / (circuit.g_on - circuit.g_off)
        result = np.zeros((len(inputs), matrix.shape[1]))
        arrays = 0
        for tile in tiles_of(matrix, circuit):
            v_in = on_rows(inputs, tile)
            used = result[:, tile.cols]
            for sign, g in zip((1, -1), pair_of(tile, circuit), strict=True):
                used += sign * scale * self._solved(Nodes(g, circuit), v_in)[:, : used.shape[1]]
                arrays += 1
        self.unkept += arrays * len(inputs) * _seconds_unkept(Nodes(g, circuit), v_in[:1])
        return result

    def _solved(self, nodes: Nodes, v_in: np.ndarray) -> np.ndarray:
        start = time.process_time()
        factor = nodes.factor()
        factored = time.process_time()
        solved_for = np.eye(v_in.shape[1]) if self._superposed else v_in
        blocks = [
            nodes.currents(factor, solved_for[at : at + BLOCK])
            for at in range(0, len(solved_for), BLOCK)
        ]
        self.factoring += factored - start
        self.seconds += (time.process_time() - factored) * len(v_in) / len(solved_for)
        currents = np.concatenate(blocks)
        return np.asarray(v_in @ currents) if self._superposed else currents


def _joined(n_nodes: int, pairs: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Number the nodes anew, those that a branch of 0 ohm joins alike."""
    if not pairs:
        return np.arange(n_nodes)
    a, b = (np.concatenate([pair[k] for pair in pairs]) for k in range(2))
    graph = sp.coo_matrix((np.ones(len(a)), (a, b)), shape=(n_nodes, n_nodes))
    return np.asarray(connected_components(graph, directed=False)[1])


def _laplacian(
    n_nodes: int, branches: list[tuple[np.ndarray, np.ndarray, np.ndarray]]
) -> sp.csr_matrix:
    a, b, siemens = (np.concatenate([branch[k] for branch in branches]) for k in range(3))
    values = np.concatenate([siemens, siemens, -siemens, -siemens])
    places = (np.concatenate([a, b, a, b]), np.concatenate([a, b, b, a]))
    return sp.csr_matrix((values, places), shape=(n_nodes, n_nodes))


def _seconds_unkept(nodes: Nodes, v_in: np.ndarray) -> float:
    start = time.process_time()
    nodes.currents(nodes.factor(), v_in)
    return time.process_time() - start
