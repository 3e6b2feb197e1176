"""Program an array of a chip: target conductances in, conductances with errors out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rxsim.compensate import compensated
from rxsim.config import Settings
from rxsim.devices import Chip, program
from rxsim.mapping import MappedLayer, PhysicalArray, cells_of


@dataclass(frozen=True, slots=True, eq=False)
class ProgrammedArray:
    """A programmed array.

    Attributes:
        array: its targets, inputs and readouts.
        g: its conductances after programming, siemens, float64 (n_rows, n_cols).
    """

    array: PhysicalArray
    g: np.ndarray


def program_array(
    layer: MappedLayer, index: int, settings: Settings, chip: Chip
) -> ProgrammedArray:
    """Program an array.

    Args:
        layer: the layer on its arrays.
        index: the array's number within the layer.
        settings: the layer's settings; without random errors every chip gives the same.
        chip: the chip.
    """
    array = compensated(layer.array(index), layer, settings)
    device = cells_of(settings.device, settings.mapping).device
    return ProgrammedArray(array, program(array, layer.layer.arrays_of, device, chip))
