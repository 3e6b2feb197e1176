"""What the lines of an array have at their two ends (docs/concepts/model.md section 1, the settings).

Both ends of a wordline lead to the same source, both ends of a bitline to the same sense at 0 V; the
sensed current is the sum over both ends. Plain loops, written without looking at the package.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Ends:
    """Resistances in ohm at the ends of all lines; 0 is a short, infinity is open.

    Attributes:
        left: Between a source and the first node of its wordline, shape (n_rows,).
        right: Between a source and the last node of its wordline, shape (n_rows,).
        top: Between the first node of a bitline and ground, shape (n_cols,).
        bottom: Between the last node of a bitline and ground, shape (n_cols,).
    """

    left: Floats
    right: Floats
    top: Floats
    bottom: Floats

    def check(self, shape: tuple[int, ...]) -> None:
        """Raise ValueError unless the ends are those of an array of this shape."""
        for ends, length in zip(
            (self.left, self.right, self.top, self.bottom),
            (shape[0], shape[0], shape[1], shape[1]),
            strict=True,
        ):
            if ends.shape != (length,) or not np.all(ends >= 0):
                raise ValueError(f"expected {length} resistances >= 0, got {ends!r}")

    def transposed(self) -> "Ends":
        """Return the ends of the array that has wordlines where this one has bitlines."""
        return Ends(self.top, self.bottom, self.left, self.right)


def chosen(ends: Ends | None, shape: tuple[int, ...], r_driver: float, r_sense: float) -> Ends:
    """Return the given ends, or drivers at the left and senses at the bottom."""
    if ends is None:
        n_rows, n_cols = shape
        ends = placed((n_rows, n_cols), r_driver, r_sense)
    ends.check(shape)
    return ends


def placed(
    shape: tuple[int, int],
    r_driver: float,
    r_sense: float,
    drive_side: str = "left",
    sense_side: str = "bottom",
    r_driver_far: float | None = None,
    r_sense_far: float | None = None,
) -> Ends:
    """Return the ends that the settings of a crossbar describe.

    Args:
        shape: Numbers of wordlines and bitlines.
        r_driver: At the driven end of a wordline in ohm.
        r_sense: At the sensed end of a bitline in ohm.
        drive_side: Which end is driven: left, right or alternate (odd wordlines right).
        sense_side: Which end is sensed: bottom, top or alternate (odd bitlines top).
        r_driver_far: At the other end of a wordline in ohm; None is open.
        r_sense_far: At the other end of a bitline in ohm; None is open.
    """
    left, right = _two_ends(shape[0], r_driver, r_driver_far, drive_side, "right")
    bottom, top = _two_ends(shape[1], r_sense, r_sense_far, sense_side, "top")
    return Ends(left, right, top, bottom)


def _two_ends(
    n_lines: int, near: float, far: float | None, side: str, other_side: str
) -> tuple[Floats, Floats]:
    """Return what lines have at their usual end and at their other one, each (n_lines,)."""
    usual, other = np.empty(n_lines), np.empty(n_lines)
    for line in range(n_lines):
        usual[line], other[line] = near, np.inf if far is None else far
        if side == other_side or (side == "alternate" and line % 2 == 1):
            usual[line], other[line] = other[line], usual[line]
    return usual, other
