"""Program the arrays of a layer: target conductances in, conductances with errors out."""

from __future__ import annotations

from collections.abc import Iterator
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
    programmed_each,
    stuck_at,
)
from rxsim.mapping import ArrayStack, MappedLayer, PhysicalArray, cells_of

# Tiles whose targets are held: the arrays of a tile are programmed one after the other, in threads.
_HELD_TILES = 8
# Cells of all arrays that are worked on at once: many enough that Python's calls hardly count, few
# enough that their planes stay in the cache.
_STACKED_CELLS = 2**17


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
        return self.stack(range(index, index + 1))[0]

    def runs(self, threads: int) -> Iterator[range]:
        """List the numbers of arrays that `stack` programs at once.

        Args:
            threads: that share the layer: each gets a few runs.
        """
        bar = self._layer.tiling.crossbar
        most = min(_STACKED_CELLS // (bar.rows * bar.cols), self._layer.n_arrays // (4 * threads))
        return self._layer.runs(max(most, 1))

    def stack(self, numbers: range) -> list[ProgrammedArray]:
        """Program arrays that follow on one another: see `MappedLayer.stack`."""
        layer = self._layer.layer
        stack = self._with_targets(numbers)
        of_chip = (layer.arrays_of, self._device, self._chip, self._laws, layer.name)
        cells = programmed_each(stack, *of_chip)
        return [ProgrammedArray(*each) for each in zip(stack.arrays, cells, strict=True)]

    def _with_targets(self, numbers: range) -> ArrayStack:
        """Return arrays with their targets on this chip."""
        layer = self._layer
        if not self._steps:
            return layer.stack(numbers, used_only=self._used_only)
        places = (divmod(number, layer.tiling.arrays_per_tile) for number in numbers)
        return ArrayStack.of([self._tile(tile)[number] for tile, number in places])

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
