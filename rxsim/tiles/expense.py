"""What programming and solving a layer's arrays will take, estimated before: bytes and seconds."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

import numpy as np

from rxsim.circuit.coarse import lumping
from rxsim.circuit.expense import solve_bytes, solve_seconds
from rxsim.config import Crossbar, Settings
from rxsim.devices import acting_laws
from rxsim.mapping import Tiling, cells_of
from rxsim.tiles.effective_matrix import has_circuit, is_linear

# Planes of float64 for each cell, held while an array is programmed, and while it is solved.
_PLANES_PROGRAMMED, _PLANES_HELD = 8, 2
# Assumption: mean conductance of cells that carry weights, as a share of the way from g_off to g_on.
_MEAN_OF_PAIR, _MEAN_OF_MIDDLE = 0.1, 0.5


def array_bytes(tiling: Tiling, settings: Settings) -> int:
    """Return the bytes that programming and solving one of a layer's arrays takes at most.

    Args:
        tiling: how the layer is cut.
        settings: the layer's.
    """
    bar, linear = settings.crossbar, is_linear(settings)
    cells = bar.rows * bar.cols
    if _is_solved(settings):
        solved = solve_bytes(cells, nodes=not linear) + 8 * _PLANES_HELD * cells
        return max(solved, 8 * _PLANES_PROGRAMMED * cells)
    device = cells_of(settings.device, settings.mapping).device
    if not (settings.compensate or acting_laws(device) or settings.mapping.is_permuted):
        cells = max(rows * cols for rows, cols in _used_sizes(tiling, settings))
    return 8 * _PLANES_PROGRAMMED * cells


def layer_seconds(tiling: Tiling, settings: Settings) -> float:
    """Estimate how long one thread takes to solve all arrays of a layer; 0 where no circuit is solved.

    Args:
        tiling: how the layer is cut.
        settings: the layer's.
    """
    if not _is_solved(settings):
        return 0.0
    conductances, linear = _conductances(settings), is_linear(settings)
    return sum(
        count * _seconds(conductances, settings.crossbar, rows, cols, linear)
        for (rows, cols), count in _used_sizes(tiling, settings).items()
    )


def _is_solved(settings: Settings) -> bool:
    """Tell whether a layer's arrays have a circuit to solve."""
    return has_circuit(settings, None) or not is_linear(settings)


def _used_sizes(tiling: Tiling, settings: Settings) -> Counter[tuple[int, int]]:
    """Count the layer's arrays by the numbers of their used rows and columns."""
    cells = cells_of(settings.device, settings.mapping)
    per_output, references = 1, 1 if cells.has_reference else 0
    if settings.mapping.layout == "adjacent":
        per_output, references = cells.slices * cells.polarities, references * cells.slices
    rows = [len(part) for part in tiling.row_tiles]
    cols = [(stop - start) * per_output + references for start, stop in tiling.col_tiles]
    tiles = Counter((rows[p], cols[q]) for _, p, q in tiling.places.tolist())
    return Counter({size: count * tiling.arrays_per_tile for size, count in tiles.items()})


def _conductances(settings: Settings) -> tuple[float, float]:
    """Return about what cells with and without a weight have, siemens."""
    device, mapping = settings.device, settings.mapping
    is_pair = mapping.scheme == "differential" and mapping.balance == "one_sided"
    span = device.g_on - device.g_off
    used = device.g_off + span * (_MEAN_OF_PAIR if is_pair else _MEAN_OF_MIDDLE)
    return used, 0.0 if mapping.unused_cells == "open" else device.g_off


@lru_cache(maxsize=1024)
def _seconds(
    conductances: tuple[float, float], bar: Crossbar, rows: int, cols: int, linear: bool
) -> float:
    """Estimate the seconds of one array of a layer."""
    used, unused = conductances
    shape = (bar.rows, bar.cols) if unused > 0 else (rows, cols)
    s = lumping(shape)
    of_rows, of_cols = _lumped_lines(shape[0], s, rows), _lumped_lines(shape[1], s, cols)
    everywhere = np.outer(of_rows.sum(axis=0), of_cols.sum(axis=0))
    coarse = unused * everywhere + (used - unused) * np.outer(of_rows[0], of_cols[0])
    return solve_seconds(coarse, shape, bar, rows, cols, nodes=not linear)


def _lumped_lines(count: int, s: int, used: int) -> np.ndarray:
    """Return how many used and unused lines each lumped one has, float64 (2, lumped lines)."""
    is_used = np.zeros(-(-count // s) * s)
    is_used[:used] = 1.0
    exists = np.arange(len(is_used)) < count
    by_lump = is_used.reshape(-1, s).sum(axis=1)
    return np.array([by_lump, exists.reshape(-1, s).sum(axis=1) - by_lump])
