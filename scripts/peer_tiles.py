"""What every simulator of `compare_networks.py` is given: a circuit, and tiles of scaled weights.

It needs numpy alone, for it also runs in the environments of other simulators.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """One crossbar array: wires between neighbouring cells, line ends (ohm), cells (siemens).

    Rows are driven at their left end, columns sensed at their bottom end, behind the last row.
    """

    rows: int
    cols: int
    r_wire_wl: float
    r_wire_bl: float
    r_driver: float
    r_sense: float
    g_on: float
    g_off: float


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """A part of a layer's matrix that fills one pair of arrays from row 0 and column 0.

    Attributes:
        rows: of the layer's matrix.
        cols: of the layer's matrix.
        weights: over the layer's largest |weight|, (array rows, array columns); 0 where unused.
    """

    rows: slice
    cols: slice
    weights: np.ndarray


def largest(values: np.ndarray) -> float:
    """Return the largest magnitude; 1 where all are 0."""
    return float(np.abs(values).max()) or 1.0


def tiles_of(matrix: np.ndarray, circuit: Circuit) -> Iterator[Tile]:
    """Cut a matrix (K, N) into tiles of the array's size."""
    scaled = matrix / largest(matrix)
    for top in range(0, matrix.shape[0], circuit.rows):
        for left in range(0, matrix.shape[1], circuit.cols):
            rows, cols = slice(top, top + circuit.rows), slice(left, left + circuit.cols)
            part = scaled[rows, cols]
            weights = np.zeros((circuit.rows, circuit.cols))
            weights[: part.shape[0], : part.shape[1]] = part
            yield Tile(rows, cols, weights)


def pair_of(tile: Tile, circuit: Circuit) -> tuple[np.ndarray, np.ndarray]:
    """Return the conductances of the plus and the minus array: linear from g_off at 0 to g_on at 1."""
    span = circuit.g_on - circuit.g_off
    plus, minus = (circuit.g_off + span * np.maximum(sign * tile.weights, 0) for sign in (1, -1))
    return plus, minus


def on_rows(inputs: np.ndarray, tile: Tile) -> np.ndarray:
    """Return a tile's part of input vectors (n, K) on all rows of its array, (n, array rows)."""
    part = inputs[:, tile.rows]
    return np.pad(part, ((0, 0), (0, tile.weights.shape[0] - part.shape[1])))
