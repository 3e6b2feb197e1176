"""Faults of a defect map: cells that are known to be stuck, and where (`rxsim.config.fault_file`).

Its faults override random ones of single cells; dead lines override it.
Source: docs/concepts/model.md section 12.
"""

from __future__ import annotations

import numpy as np

from rxsim.config import OTHERS, Device, FaultFile, Step, fault_maps
from rxsim.devices.law import Cells, Draws, Law
from rxsim.seeds import Effect

_STUCK_ON, _STUCK_OFF, _OPEN = 1, 2, 3


def map_of_array(faults: FaultFile, layer: str, array: int) -> np.ndarray | None:
    """Return the map of an array, int8 codes or siemens (NaN: works); None where the file has none.

    Args:
        faults: the file.
        layer: name of the array's layer.
        array: the array's index in it.

    `rxsim.devices.defect_map` has checked that the map fits.
    """
    maps = fault_maps(faults)
    name = layer if layer in maps else OTHERS
    if name not in maps:
        return None
    given = maps[name]
    return np.asarray(given if given.ndim == 2 else given[array])


class FaultMap:
    """`faults`."""

    step: Step = "faults"
    stream: int = Effect.FAULT_MAP  # only its place among the faults: nothing is drawn

    def acts(self, device: Device) -> bool:
        """Tell whether there is a map."""
        return device.faults is not None

    def change(self, g: np.ndarray, cells: Cells, draws: Draws) -> np.ndarray:
        """Set the cells that are known to be stuck."""
        device = cells.device
        assert device.faults is not None
        given = map_of_array(device.faults, cells.layer, draws.array)
        if given is None:
            return g
        if given.dtype.kind == "f":
            return np.where(np.isnan(given), g, given)
        levels = {_STUCK_ON: device.g_on, _STUCK_OFF: device.g_off, _OPEN: 0.0}
        return np.select([given == code for code in levels], list(levels.values()), g)


LAW: Law = FaultMap()
