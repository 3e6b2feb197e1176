"""Program an array: target conductances, then each device law, give the chip's conductances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from rxsim.config import Device
from rxsim.devices.cell_levels import to_levels
from rxsim.devices.law import Cells, Chip, Draws, Law, acting_laws, check_preset


class Target(Protocol):
    """An array that can be programmed, such as `rxsim.mapping.PhysicalArray`.

    Attributes:
        index: the array's number within its layer, part of the key of its draws.
        target: wanted conductances, siemens, float64 (n_rows, n_cols).
        blank: bool (n_rows, n_cols), cells left open.
    """

    @property
    def index(self) -> int: ...  # noqa: D102
    @property
    def target(self) -> np.ndarray: ...  # noqa: D102
    @property
    def blank(self) -> np.ndarray: ...  # noqa: D102


def has_random_effects(device: Device) -> bool:
    """Tell whether two chips can differ at all.

    Raises:
        SettingError: the preset's laws can't be used.
    """
    check_preset(device.preset)
    return bool(acting_laws(device))


def program(
    array: Target,
    layer_index: int,
    device: Device,
    chip: Chip,
    laws: Sequence[Law] | None = None,
) -> np.ndarray:
    """Return the conductances of an array after programming.

    Each cell is set to its level, then changed by every law that acts, in the order of their steps,
    and is not below 0 S after any.

    Args:
        array: the array with its targets.
        layer_index: its layer's index, part of the key of its draws.
        device: the device settings.
        chip: the chip; where no law acts, every chip gives the same.
        laws: the laws that act for these settings, where they are known already.

    Returns:
        Conductances, siemens, float64 (n_rows, n_cols); open cells stay at 0.

    Raises:
        SettingError: the preset's laws can't be used.
    """
    g = to_levels(array.target, device)
    cells = Cells(device, array.target, g)
    for law in acting_laws(device) if laws is None else laws:
        draws = Draws(chip, layer_index, array.index, law.stream)
        g = np.maximum(law.change(g, cells, draws), 0)
    return np.where(array.blank, 0.0, g) if array.blank.any() else g
