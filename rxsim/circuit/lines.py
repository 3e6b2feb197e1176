"""The lines of an array: what a wire costs per cell, and what each line has at its two ends."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rxsim.config import Crossbar


@dataclass(frozen=True, slots=True, eq=False)
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

        By reciprocity its g_eff is the transposed one: driven where this one is sensed.
        """
        return Lines(
            self.r_wire_bl,
            self.r_wire_wl,
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


def lines_of(crossbar: Crossbar, n_rows: int, n_cols: int) -> Lines:
    """Place the drivers and senses of an array's lines at their ends."""
    right = _ends(n_rows, crossbar.drive_side == "right", crossbar.drive_side == "alternate")
    top = _ends(n_cols, crossbar.sense_side == "top", crossbar.sense_side == "alternate")
    driver_far = np.inf if crossbar.r_driver_far is None else crossbar.r_driver_far
    sense_far = np.inf if crossbar.r_sense_far is None else crossbar.r_sense_far
    return Lines(
        crossbar.r_wire_wl,
        crossbar.r_wire_bl,
        left=np.where(right, driver_far, crossbar.r_driver),
        right=np.where(right, crossbar.r_driver, driver_far),
        top=np.where(top, crossbar.r_sense, sense_far),
        bottom=np.where(top, sense_far, crossbar.r_sense),
    )


def _ends(n_lines: int, all_other: bool, alternate: bool) -> np.ndarray:
    """Tell which lines have their near end on the other side."""
    odd = np.arange(n_lines) % 2 == 1
    return odd if alternate else np.full(n_lines, all_other)
