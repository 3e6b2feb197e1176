"""What solving an array will take, estimated before: bytes and seconds."""

from __future__ import annotations

import numpy as np

from rxsim.circuit.coarse import coarse_sweeps, lumping
from rxsim.circuit.lanes import LANES
from rxsim.circuit.lines import lines_of
from rxsim.circuit.solve import (
    ELIMINATION_NS,
    MOST_SWEEPS_ALONE,
    SWEEP_NS,
    TOLERANCE,
    WHOLE_UP_TO,
    elimination_bound,
    worthwhile_sweeps,
)
from rxsim.config import Crossbar

# Planes of float64 that are held at once for each cell: the given conductances, those with r_access,
# the turned ones; the factors; the bitline currents of 16 driven lines.
_PLANES_LINEAR = 3 + 8 + LANES
# Assumption: planes of an operating point and the linear solution at it, the most that were measured.
_PLANES_NEWTON = 36
# Nanoseconds of one lane block and sweep per node where the currents do not fit into a processor's
# cache. Assumption: measured on one machine of two cores, both at work: 25 to 40.
_LARGE_SWEEP_NS = 30.0
# Assumption: Newton steps times inner iterations, and nanoseconds of each per node; rough.
_NEWTON_NS = 5 * 20 * 10.0


def solve_bytes(n_cells: int, *, nodes: bool) -> int:
    """Return the bytes that solving one array takes at most.

    Args:
        n_cells: of the array.
        nodes: whether Newton's method finds the voltages of its nodes.
    """
    return 8 * n_cells * (_PLANES_NEWTON if nodes else _PLANES_LINEAR)


def solve_seconds(
    coarse: np.ndarray,
    shape: tuple[int, int],
    crossbar: Crossbar,
    n_rows: int,
    n_cols: int,
    *,
    nodes: bool,
) -> float:
    """Estimate the seconds that one thread takes to solve an array; right to a factor of 2 or 3.

    Args:
        coarse: its lumped conductances, siemens; see `rxsim.circuit.coarse`.
        shape: wordlines and bitlines of the array itself.
        crossbar: its resistances.
        n_rows: wanted wordlines, the first ones.
        n_cols: wanted bitlines, the first ones.
        nodes: whether Newton's method finds the voltages of its nodes before.
    """
    cells = shape[0] * shape[1]
    newton = _NEWTON_NS * cells * 1e-9 if nodes else 0.0
    alone = elimination_bound(*shape) > TOLERANCE
    most = MOST_SWEEPS_ALONE if alone else worthwhile_sweeps(shape, n_rows, n_cols)
    sweeps = -1
    if most > 0:
        lines, wanted = lines_of(crossbar, *shape), (np.arange(n_rows), np.arange(n_cols))
        s = lumping(shape)
        sweeps = coarse_sweeps(coarse, s, lines, *wanted, tolerance=TOLERANCE, most=most)
    if sweeps >= 0 or alone:
        blocks = -(-min(n_rows, n_cols) // LANES)
        pace = SWEEP_NS if cells <= WHOLE_UP_TO // 4 else _LARGE_SWEEP_NS
        return newton + pace * cells * blocks * max(sweeps, 0) * 1e-9
    short, long = sorted(shape)
    return newton + ELIMINATION_NS * short * short * long * (short + min(n_rows, n_cols)) * 1e-9
