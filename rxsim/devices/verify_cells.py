"""Program and verify: cells are written and read until a reading is near enough to their level.

Source: docs/concepts/model.md section 12.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rxsim.devices.law import Cells, Draws
from rxsim.devices.write_error import WriteError
from rxsim.seeds import Effect


@dataclass(frozen=True, slots=True)
class Pulses:
    """What programming took, over the cells of an array or of more; open cells are not written.

    Attributes:
        cells: cells that were written.
        total: writes of all of them.
        worst: writes of the cell that took most.
        not_accepted: cells of which no reading was near enough.
    """

    cells: int
    total: int
    worst: int
    not_accepted: int

    def __add__(self, other: Pulses) -> Pulses:
        """Return what two sets of cells took."""
        return Pulses(
            self.cells + other.cells,
            self.total + other.total,
            max(self.worst, other.worst),
            self.not_accepted + other.not_accepted,
        )


def verified(
    law: WriteError | None, cells: Cells, draws: Draws, blank: np.ndarray
) -> tuple[np.ndarray, Pulses]:
    """Program and verify the cells of an array.

    Every attempt draws for the whole array, so that the draws of a cell depend on no other cell.

    Args:
        law: draws the error of each write; None where writing is exact.
        cells: the cells, whose settings say when a reading is accepted.
        draws: where the write errors come from; readings have a stream apart.
        blank: bool (n_rows, n_cols), open cells, which are not written.

    Returns:
        Conductances of the accepted writes, or else of those with the best reading, siemens; and what
        it took.
    """
    device, verify = cells.device, cells.device.verify
    assert verify is not None
    span = device.g_on - device.g_off
    writes = draws.of_array()
    readings = Draws(draws.chip, draws.layer, draws.array, Effect.VERIFY, draws.refresh).of_array()
    g, best = cells.level, np.full(cells.level.shape, np.inf)
    taken = np.zeros(cells.level.shape, dtype=np.int64)
    open_still = ~blank
    for _ in range(verify.attempts):
        achieved = cells.level if law is None else law.written(cells.level, cells, writes)
        achieved = np.maximum(achieved, 0)
        read = achieved
        if verify.read_sigma > 0:
            read = achieved + verify.read_sigma * span * readings.standard_normal(achieved.shape)
        distance = np.abs(read - cells.level)
        better = open_still & (distance < best)
        g, best = np.where(better, achieved, g), np.where(better, distance, best)
        taken += open_still
        open_still &= distance > verify.tolerance * span
        if not open_still.any():
            break
    count = int((~blank).sum())
    worst = int(taken.max()) if count else 0
    return g, Pulses(count, int(taken.sum()), worst, int(open_still.sum()))
