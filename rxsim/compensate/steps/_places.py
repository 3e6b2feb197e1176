"""Places on the lines of an array: how far each is from the drivers and the senses, in volts lost."""

from __future__ import annotations

import numpy as np

from rxsim.circuit.lines import Lines


def row_drops(lines: Lines) -> np.ndarray:
    """Return the drop on the way from each row to the senses, mean over bitlines, float64 (n_rows,).

    See `drop_along`.
    """
    return _mean_drop(lines.top, lines.bottom, lines.r_wire_bl, len(lines.left))


def col_drops(lines: Lines) -> np.ndarray:
    """Return the drop on the way from the drivers to each column, mean over wordlines, (n_cols,)."""
    return _mean_drop(lines.left, lines.right, lines.r_wire_wl, len(lines.top))


def _mean_drop(first: np.ndarray, last: np.ndarray, wire: float, count: int) -> np.ndarray:
    """Return the mean drop of lines with these ends, as a share of the largest; 0 without wires."""
    ends, lines = np.unique(np.stack([first, last]), axis=1, return_counts=True)
    drops = [drop_along(float(a), float(b), wire, count) for a, b in ends.T]
    mean = np.average(drops, axis=0, weights=lines)
    # Places that are equally far are to be told apart by their number, not by rounding.
    scale = float(mean.max())
    return np.round((mean - mean.min()) / scale, 9) if scale > 0 else mean


def drop_along(first: float, last: float, wire: float, count: int) -> np.ndarray:
    """Return the voltage at each node of a line into which every node feeds 1 A.

    The node at which it is least is the nearest to the line's ends, whether one of them is open or not.

    Args:
        first: from the first node to 0 V, ohm; infinite where open.
        last: from the last node to 0 V, ohm; at most one end is open.
        wire: between neighbouring nodes, ohm.
        count: nodes.

    Returns:
        Volt, float64 (count,).
    """
    if np.isinf(first):
        return drop_along(last, first, wire, count)[::-1]
    nodes = np.arange(count)
    total = first + last + wire * (count - 1)
    # Current that leaves at the first node: what makes the voltage at the last one fit its end.
    share = float(count)
    if np.isfinite(last):
        share = count / 2 if total == 0 else count * (last + wire * (count - 1) / 2) / total
    return np.asarray(first * share + wire * (nodes * share - nodes * (nodes + 1) / 2))
