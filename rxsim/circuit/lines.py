"""The lines of an array: the resistance of a wire per cell, and that of each line's two ends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from rxsim.config import Crossbar


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Lines:
    """Resistances of the wires and ends of one array, in ohm; an infinite end is open.

    Both ends of a wordline lead to the same source, both ends of a bitline to the same sense at 0 V:
    `i_out` is the sum of what leaves a bitline at its ends.

    Attributes:
        r_wire_wl: between neighbouring nodes of a wordline.
        r_wire_bl: between neighbouring nodes of a bitline.
        left: from a wordline's first node to its source, (n_rows,).
        right: from its last node to its source, (n_rows,).
        top: from a bitline's first node to its sense, (n_cols,).
        bottom: from its last node to its sense, (n_cols,).
    """

    r_wire_wl: float
    r_wire_bl: float
    left: np.ndarray
    right: np.ndarray
    top: np.ndarray
    bottom: np.ndarray

    def turned(self) -> Lines:
        """Lines of the circuit turned by a half and transposed: its wordlines are these bitlines.

        By reciprocity its g_eff is the transposed matrix: it is driven where this circuit is sensed.
        """
        return Lines(
            r_wire_wl=self.r_wire_bl,
            r_wire_bl=self.r_wire_wl,
            left=self.bottom[::-1].copy(),
            right=self.top[::-1].copy(),
            top=self.right[::-1].copy(),
            bottom=self.left[::-1].copy(),
        )

    def mirrored(self) -> Lines:
        """Lines of the circuit with left and right exchanged."""
        return replace(
            self,
            left=self.right,
            right=self.left,
            top=self.top[::-1].copy(),
            bottom=self.bottom[::-1].copy(),
        )


def lines_of(crossbar: Crossbar, n_rows: int, n_cols: int, *, turned: bool = False) -> Lines:
    """Place the drivers and senses of an array's lines at their ends.

    Arrays of a network share a few circuits, which are made once: nobody may write to their lines.

    Args:
        crossbar: the resistances and the sides.
        n_rows: wordlines.
        n_cols: bitlines.
        turned: whether to give `Lines.turned` of it.
    """
    return _lines(
        turned,
        (n_rows, crossbar.r_driver, crossbar.r_driver_far, crossbar.drive_side),
        (n_cols, crossbar.r_sense, crossbar.r_sense_far, crossbar.sense_side),
        crossbar.r_wire_wl,
        crossbar.r_wire_bl,
    )


@lru_cache(maxsize=64)
def _lines(
    turned: bool,
    drivers: tuple[int, float, float | None, str],
    senses: tuple[int, float, float | None, str],
    r_wire_wl: float,
    r_wire_bl: float,
) -> Lines:
    left, right = _ends(*drivers, "right")
    bottom, top = _ends(*senses, "top")
    lines = Lines(
        r_wire_wl=r_wire_wl,
        r_wire_bl=r_wire_bl,
        left=left,
        right=right,
        top=top,
        bottom=bottom,
    )
    return lines.turned() if turned else lines


def _ends(
    n_lines: int, near: float, far: float | None, side: str, other_side: str
) -> tuple[np.ndarray, np.ndarray]:
    """Give what the lines have at their first side (left, bottom) and at the other one."""
    first, other = np.empty((2, n_lines))
    first.fill(near)
    other.fill(np.inf if far is None else far)
    if side == other_side:
        return other, first
    if side == "alternate":
        first[1::2], other[1::2] = other[1::2], first[1::2].copy()
    return first, other
