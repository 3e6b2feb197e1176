"""From a study to chips: ranges, tiles, transfer matrices, converters, patched network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np

from rxsim.calibrate import InputRange, count_values, measure_input_ranges
from rxsim.circuit import LayerTransfer, transfer_matrices
from rxsim.converters import Adc, Dac, RangeMeter, full_scale_adc, layer_dac, ranged_adc
from rxsim.devices import Chip, has_random_effects, program
from rxsim.errors import CircuitError, InputError
from rxsim.mapping import MappedLayer, map_layer
from rxsim.patch import LayerHardware, PatchedNetwork, layer_hardware, patch_network
from rxsim.pipeline.study import Study
from rxsim.session import Session, with_outputs

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Mapped:
    """A study's layers on their arrays, with the ranges of their inputs."""

    layers: tuple[MappedLayer, ...]
    input_ranges: Mapping[str, InputRange]


def map_study(study: Study) -> Mapped:
    """Measure input ranges and map every layer."""
    settings = study.settings
    with study.stages("calibrate") as progress:
        ranges = measure_input_ranges(
            study.network.model,
            study.network.layers,
            study.calibration,
            percentile=settings.input.percentile,
            batch=study.batch,
            threads=study.threads,
            fixed_batch=study.network.fixed_batch,
            progress=progress,
        )
    with study.stages("map"):
        layers = tuple(
            map_layer(layer, settings.crossbar, settings.device, settings.mapping)
            for layer in study.network.layers
        )
    return Mapped(layers, ranges)


def solve_chip(
    study: Study, mapped: Mapped, chip: Chip | None, *, wires: bool = True
) -> list[LayerTransfer]:
    """Program and solve all arrays of a chip.

    Args:
        study: the study.
        mapped: its layers on their arrays.
        chip: which chip; None for nominal devices (levels only, nothing random).
        wires: False for perfect wires.

    Raises:
        CircuitError: naming the layer.
    """
    settings = study.settings
    total = sum(layer.n_arrays for layer in mapped.layers)
    solved: list[LayerTransfer] = []
    finished = 0
    with study.stages("solve" if wires else "levels") as progress:

        def done() -> None:
            nonlocal finished
            finished += 1
            progress(finished, total)

        for layer in mapped.layers:
            programmer = partial(
                program, layer_index=layer.layer.index, device=settings.device, chip=chip
            )
            try:
                solved.append(
                    transfer_matrices(
                        layer,
                        programmer,
                        settings.crossbar if wires else None,
                        threads=study.threads if wires else 1,
                        done=done,
                    )
                )
            except CircuitError as error:
                raise CircuitError(f"layer {layer.layer.name}: {error}") from None
    return solved


def equip(
    study: Study, mapped: Mapped, transfers: list[LayerTransfer], *, converters: bool = True
) -> list[LayerHardware]:
    """Put DACs in front of every layer's arrays; ADCs are still open.

    Args:
        study: the study.
        mapped: its layers on their arrays.
        transfers: their transfer matrices.
        converters: False for none at all.
    """
    settings = study.settings
    equipped = []
    for transfer in transfers:
        name = transfer.mapped.layer.name
        measured = mapped.input_ranges[name]
        dac = Dac(1 / measured.x_max, settings.input.v_read, None, None)
        if converters:
            dac = layer_dac(name, measured, settings)
        where = settings.adc.where if converters else "per_tile"
        equipped.append(layer_hardware(transfer, measured.x_max, settings.input.v_read, dac, where))
    return equipped


def calibrate_adcs(study: Study, open_layers: list[LayerHardware]) -> list[Adc | None]:
    """Find every layer's ADCs from nominal hardware whose ADCs are open (MODEL.md section 6)."""
    settings = study.settings
    n_bits = settings.adc.n_bits
    if n_bits is None:
        return [None] * len(open_layers)
    if settings.adc.range == "full_scale":
        row_tiles = [-(-item.layer.n_inputs // settings.crossbar.rows) for item in open_layers]
        return [
            full_scale_adc(settings, n_bits, tiles, item.layer.groups, item.layer.n_outputs)
            for item, tiles in zip(open_layers, row_tiles, strict=True)
        ]
    return [ranged_adc(n_bits, ranges) for ranges in _measured_ranges(study, open_layers)]


def _measured_ranges(study: Study, open_layers: list[LayerHardware]) -> list[np.ndarray]:
    """Run the open-ADC network over the calibration inputs; ampere a side for every layer."""
    adc = study.settings.adc
    patched = patch_network(study.network.model, open_layers, split=True)
    taps = [name for item in open_layers for name in patched.taps[item.layer.name].currents]
    session = Session(
        with_outputs(patched.model, taps), "the open-ADC network", study.network.fixed_batch
    )
    run = {"batch": study.batch, "threads": study.threads}
    with study.stages("adc ranges") as progress:
        counts: list[int] | None = None
        if adc.percentile < 100:
            counts = count_values(session, study.calibration, taps, **run)
        meters = []
        for item, tapped in _by_layer(open_layers, counts or [0] * len(taps)):
            shape = (len(item.rows), item.layer.groups, item.layer.n_outputs)
            n_cols = study.settings.crossbar.cols
            known = tapped if counts else None
            meters.append(RangeMeter(shape, n_cols, adc.scope, adc.percentile, known))
        for results in session.batches(study.calibration, taps, **run, progress=progress):
            for meter, (item, currents) in zip(
                meters, _by_layer(open_layers, results), strict=True
            ):
                meter.add(currents, 1 if item.layer.op == "Conv" else -1)
    return [meter.ranges() for meter in meters]


def _by_layer(
    layers: list[LayerHardware], taps: list[T]
) -> Iterator[tuple[LayerHardware, list[T]]]:
    """Deal out what belongs to each layer: one item for each of its conversions."""
    start = 0
    for item in layers:
        stop = start + len(item.rows)
        yield item, taps[start:stop]
        start = stop


def patch_study(
    study: Study, layers: list[LayerHardware], adcs: list[Adc | None]
) -> PatchedNetwork:
    """Write the patched network of some hardware."""
    with study.stages("patch"):
        return patch_network(
            study.network.model,
            [
                item if adc is None else item.with_adc(adc)
                for item, adc in zip(layers, adcs, strict=True)
            ],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Foundry:
    """Makes chips: what all of them share is measured once on nominal devices.

    Attributes:
        study: the study.
        mapped: its layers on their arrays.
        nominal: transfer matrices with levels and wires, no random draws.
        adcs: converters calibrated on them.
    """

    study: Study
    mapped: Mapped
    nominal: list[LayerTransfer]
    adcs: list[Adc | None]

    @property
    def random(self) -> bool:
        """Whether chips differ."""
        return has_random_effects(self.study.settings.device)

    def chip(self, trial: int) -> PatchedNetwork:
        """Program, solve and patch one chip."""
        transfers = self.nominal
        if self.random:
            chip = Chip(self.study.settings.seed, trial)
            transfers = solve_chip(self.study, self.mapped, chip)
        return patch_study(self.study, equip(self.study, self.mapped, transfers), self.adcs)


def open_foundry(study: Study, mapped: Mapped) -> Foundry:
    """Solve the nominal arrays and calibrate the converters that every chip reuses."""
    nominal = solve_chip(study, mapped, None)
    return Foundry(study, mapped, nominal, calibrate_adcs(study, equip(study, mapped, nominal)))


def patched_chip(study: Study, trial: int = 0) -> PatchedNetwork:
    """Return the patched network of one chip: what `rxsim patch` writes.

    Raises:
        InputError: something in the study can't be used.
    """
    if trial < 0:
        raise InputError(f"trial: found {trial}, expected 0 or above")
    return open_foundry(study, map_study(study)).chip(trial)
