"""Programmed and solved arrays of a study: those of nominal devices are kept for other scenarios."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from rxsim.devices import Chip
from rxsim.errors import CircuitError
from rxsim.mapped_files import let_go
from rxsim.mapping import MappedLayer
from rxsim.pipeline.chip.mapped import Mapped
from rxsim.pipeline.chip.memo import remembered_transfer
from rxsim.pipeline.chip.room import announcement, threads_that_fit
from rxsim.pipeline.study.study import Study
from rxsim.spilled import Spill, are_many, put_aside, require_disk
from rxsim.tiles import (
    LayerTransfer,
    OperatingPoint,
    has_circuit,
    identity_of_arrays,
    is_linear,
    transfer_matrices,
)

# Of each value, in float64 and in a patched network's float32.
_TRANSFER_BYTES, _WEIGHT_BYTES = 8, 4


class SolvedArrays:
    """Programs and solves the arrays of a study's layers."""

    def __init__(self, study: Study) -> None:
        """Start without any."""
        self._study = study
        self._kept: dict[str, LayerTransfer] = {}
        self._levels: set[str] = set()
        self._announced = False

    def nominal(self, mapped: Mapped) -> list[LayerTransfer]:
        """Return the transfer matrices of layers whose settings have nothing that is drawn.

        Raises:
            CircuitError: naming the layer.
        """
        chip = Chip(self._study.settings.seed, 0)
        keys = [_key(layer, mapped) for layer in mapped.layers]
        missing = [
            layer for layer, key in zip(mapped.layers, keys, strict=True) if key not in self._kept
        ]
        if missing:
            for layer, transfer in zip(missing, self._solve(mapped, missing, chip), strict=True):
                key = _key(layer, mapped)
                self._kept[key] = transfer
                if not has_circuit(mapped.settings[layer.layer.name], _point(layer, mapped)):
                    self._levels.add(key)
        return [self._kept[key] for key in keys]

    def forget_levels(self) -> None:
        """Keep those with wires alone: the others are quickly made again, and take as much memory."""
        for key in self._levels:
            del self._kept[key]
        self._levels.clear()

    def drawn(self, mapped: Mapped, chip: Chip) -> list[LayerTransfer]:
        """Return the transfer matrices of one chip.

        Raises:
            CircuitError: naming the layer.
        """
        return self._solve(mapped, list(mapped.layers), chip)

    def _solve(self, mapped: Mapped, layers: list[MappedLayer], chip: Chip) -> list[LayerTransfer]:
        study, total, finished = self._study, sum(layer.n_arrays for layer in layers), 0
        by_name = mapped.settings
        wires = any(has_circuit(by_name[layer.layer.name], None) for layer in layers)
        announce = partial(self._announce, layers, mapped)
        with study.stages("solve" if wires else "levels") as progress:

            def done() -> None:
                nonlocal finished
                finished += 1
                progress(finished, total)

            spill = _spill_of(layers)
            return [
                _aside(self._layer(layer, mapped, chip, announce, done), spill) for layer in layers
            ]

    def _announce(self, layers: list[MappedLayer], mapped: Mapped) -> None:
        """Say once how long it will take, where that is long."""
        if not self._announced:
            self._announced = True
            text = announcement(layers, mapped.settings, self._study.threads)
            if text is not None:
                self._study.stages.tell(text)

    def _layer(
        self,
        layer: MappedLayer,
        mapped: Mapped,
        chip: Chip,
        announce: Callable[[], None],
        done: Callable[[], None],
    ) -> LayerTransfer:
        name = layer.layer.name
        settings, point = mapped.settings[name], _point(layer, mapped)

        def solve() -> LayerTransfer:
            if has_circuit(settings, point):
                announce()
            threads = threads_that_fit(self._study.threads, layer, settings)
            return transfer_matrices(layer, settings, chip, point=point, threads=threads, done=done)

        try:
            if not has_circuit(settings, point):  # quicker than to look it up
                return solve()
            return remembered_transfer(self._study, layer, settings, point, chip, solve)
        except CircuitError as error:
            raise CircuitError(f"layer {name}: {error}") from None


def _spill_of(layers: Sequence[MappedLayer]) -> Spill | None:
    """Return a file for the matrices of many weights; None where they stay in memory.

    Raises:
        WriteError: the disk has no room for them and for a patched network.
    """
    values = sum(
        layer.tiling.groups * sum(map(len, layer.row_tiles)) * layer.readouts.count
        for layer in layers
    )
    if not are_many(values):
        return None
    require_disk(values * (_TRANSFER_BYTES + _WEIGHT_BYTES), "this network")
    return Spill()


def _aside(transfer: LayerTransfer, spill: Spill | None) -> LayerTransfer:
    """Put a layer's matrices into a file, and hand back what it read of its weights."""
    let_go(transfer.mapped.layer.matrices)
    if spill is None:
        return transfer
    variances = transfer.variances
    return replace(
        transfer,
        matrices=put_aside(transfer.matrices, spill),
        variances=None if variances is None else put_aside(variances, spill),
    )


def _point(layer: MappedLayer, mapped: Mapped) -> OperatingPoint | None:
    """Return where a layer's arrays are made linear; None where its settings have linear ones."""
    settings = mapped.settings[layer.layer.name]
    return None if is_linear(settings) else mapped.points[layer.layer.name]


def _key(layer: MappedLayer, mapped: Mapped) -> str:
    """Tell layers apart whose arrays differ; a study's layer has one matrix and one index."""
    point = _point(layer, mapped)
    linearised = None if point is None else [point.volt, point.activity]
    settings = mapped.settings[layer.layer.name]
    return json.dumps(
        [layer.layer.index, identity_of_arrays(settings, layer.counted_deviation), linearised]
    )
