"""How near programmed chips come to what was wanted of a single matrix."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rxsim.circuit import solve_array
from rxsim.compensate.predistortion.single import Predistorted
from rxsim.config import Crossbar, Device
from rxsim.devices import Chip, has_random_effects, program

_CHIPS = 4
"""Chips whose mean square is expected. # Assumption: cells of a matrix are many, so few are enough."""


@dataclass(frozen=True, slots=True, eq=False)
class _Array:
    """Targets as programming takes them."""

    target: np.ndarray
    blank: np.ndarray
    index: int = 0


def with_write_errors(
    found: Predistorted, wanted: np.ndarray, device: Device, crossbar: Crossbar, seed: int
) -> Predistorted:
    """Add the errors of programmed chips to targets that were searched for; none where none are drawn.

    Args:
        found: the targets.
        wanted: siemens, float64 (n_rows, n_cols), as they were wanted; 0 is a place without a cell.
        device: cells whose only effects are write errors and variation.
        crossbar: the resistances.
        seed: of the chips.

    Raises:
        CircuitError: an array can't be solved.
        SettingError: the preset's laws can't be used.
    """
    if not has_random_effects(device):
        return found
    used, span = wanted > 0, device.g_on - device.g_off
    array = _Array(found.g, ~used)
    squares = []
    for trial in range(_CHIPS):
        g = program(array, 0, device, Chip(seed, trial))
        held = solve_array(g, crossbar).g_eff
        errors = ((held - found.shift) / found.gain - wanted)[used] / span
        squares.append(float(np.mean(np.square(errors))) if errors.size else 0.0)
    return replace(
        found,
        after_on_chip=squares[0] ** 0.5,
        after_expected=float(np.mean(squares)) ** 0.5,
    )
