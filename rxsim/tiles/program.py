"""Program the arrays of a layer: target conductances in, conductances with errors out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from rxsim.compensate import KnownTile, chosen_steps
from rxsim.config import Device, Settings
from rxsim.devices import (
    Chip,
    Law,
    Programmed,
    acting_laws,
    has_random_effects,
    programmed,
    stuck_at,
)
from rxsim.mapping import MappedLayer, PhysicalArray, cells_of

# Tiles whose targets are held: the arrays of a tile are programmed one after the other, in threads.
_HELD_TILES = 8


@dataclass(frozen=True, slots=True, eq=False)
class ProgrammedArray:
    """A programmed array.

    Attributes:
        array: its targets, inputs and readouts.
        cells: its cells at the time of the read, (n_rows, n_cols).
    """

    array: PhysicalArray
    cells: Programmed

    @property
    def g(self) -> np.ndarray:
        """Conductances, siemens, float64 (n_rows, n_cols)."""
        return self.cells.g


class LayerProgramming:
    """Programs the arrays of a layer: what is the same for all of them is found once."""

    def __init__(
        self, layer: MappedLayer, settings: Settings, chip: Chip, *, used_only: bool = False
    ) -> None:
        """Find the laws that act.

        Args:
            layer: the layer on its arrays.
            settings: the layer's settings; without random errors every chip gives the same.
            chip: the chip.
            used_only: rows and columns behind the used ones are not wanted. They are left out where
                nothing asks for them: neither a draw, which covers the whole array, nor a compensation
                step.
        """
        self._layer, self._settings, self._chip = layer, settings, chip
        self._device: Device = cells_of(settings.device, settings.mapping).device
        self._laws: list[Law] = acting_laws(self._device)
        drawn = has_random_effects(self._device) or self._device.verify is not None
        self._used_only = used_only and not settings.compensate and not drawn
        self._steps = chosen_steps(settings, "tile")
        self._tile = lru_cache(maxsize=_HELD_TILES)(self._retargeted)

    def array(self, index: int) -> ProgrammedArray:
        """Program the array of this number within the layer."""
        layer = self._layer
        array = self._with_its_targets(index)
        name = layer.layer.name
        cells = programmed(array, layer.layer.arrays_of, self._device, self._chip, self._laws, name)
        return ProgrammedArray(array, cells)

    def _with_its_targets(self, index: int) -> PhysicalArray:
        """Return an array with its targets on this chip."""
        layer = self._layer
        if not self._steps:
            return layer.array(index, used_only=self._used_only)
        tile, number = divmod(index, layer.tiling.arrays_per_tile)
        return self._tile(tile)[number]

    def _retargeted(self, number: int) -> tuple[PhysicalArray, ...]:
        """Return the arrays of a tile after the steps that know this chip's stuck cells."""
        layer, count = self._layer, self._layer.tiling.arrays_per_tile
        arrays = tuple(layer.array(number * count + each) for each in range(count))
        tile = KnownTile(arrays, tuple(map(self._stuck, arrays)))
        if tile.has_stuck:
            for chosen in self._steps:
                arrays = chosen.step.retarget(tile, layer, self._settings, chosen.options)
                tile = KnownTile(arrays, tile.stuck)
        return tile.arrays

    def _stuck(self, array: PhysicalArray) -> np.ndarray:
        """Return what the cells of an array are stuck at, also of cells that may be left open."""
        layer, everywhere = self._layer.layer, np.zeros_like(array.blank)
        array = replace(array, blank=everywhere)
        return stuck_at(array, layer.arrays_of, self._device, self._chip, self._laws, layer.name)


def program_array(
    layer: MappedLayer, index: int, settings: Settings, chip: Chip
) -> ProgrammedArray:
    """Program a single array.

    Args:
        layer: the layer on its arrays.
        index: the array's number within the layer.
        settings: the layer's settings; without random errors every chip gives the same.
        chip: the chip.
    """
    return LayerProgramming(layer, settings, chip).array(index)
