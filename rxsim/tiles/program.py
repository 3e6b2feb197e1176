"""One array of a chip: the targets that mapping and compensation want, programmed with errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rxsim.compensate import compensated
from rxsim.config import Settings
from rxsim.devices import Chip, program
from rxsim.mapping import MappedLayer, PhysicalArray, cells_of


@dataclass(frozen=True, slots=True, eq=False)
class ProgrammedArray:
    """An array that was programmed.

    Attributes:
        array: its targets, and how it is driven and read.
        g: the conductances it is left with, siemens, float64 (n_rows, n_cols).
    """

    array: PhysicalArray
    g: np.ndarray


def program_array(
    layer: MappedLayer, index: int, settings: Settings, chip: Chip
) -> ProgrammedArray:
    """Program one array.

    Args:
        layer: the layer on its arrays.
        index: which of them.
        settings: the layer's; where they have no error that is drawn, every chip gives the same.
        chip: the chip.
    """
    array = compensated(layer.array(index), layer, settings)
    device = cells_of(settings.device, settings.mapping).device
    return ProgrammedArray(array, program(array, layer.layer.index, device, chip))
