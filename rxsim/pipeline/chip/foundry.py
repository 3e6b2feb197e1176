"""From a study to chips: ranges, tiles, transfer matrices, converters, patched network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from rxsim.calibrate import InputRange, measure_input_ranges
from rxsim.circuit import OperatingPoint
from rxsim.config import Settings
from rxsim.converters import (
    Adc,
    curved,
    fixed_ranges,
    has_random_errors,
    layer_drive,
    plain_drive,
    ranged_adc,
)
from rxsim.devices import Chip, has_random_effects, program
from rxsim.errors import CircuitError, InputError
from rxsim.mapping import MappedLayer, map_layer
from rxsim.patch import (
    LayerHardware,
    PatchedNetwork,
    draw_pulses,
    layer_hardware,
    patch_network,
)
from rxsim.pipeline.chip.adc_ranges import measured_ranges
from rxsim.pipeline.chip.converter_errors import check_converters, spoiled_adcs, spoiled_dacs
from rxsim.pipeline.chip.memo import remembered_input_ranges, remembered_transfer
from rxsim.pipeline.chip.operating_points import operating_points
from rxsim.pipeline.study.calibration import CalibratedRung
from rxsim.pipeline.study.study import Study
from rxsim.seeds import Effect, device_generator
from rxsim.tiles import LayerTransfer, transfer_matrices


@dataclass(frozen=True, slots=True, eq=False)
class Mapped:
    """A study's layers on their arrays.

    Attributes:
        layers: the mapped layers.
        settings: what holds for each of them, by its name.
        input_ranges: of their inputs, by name.
        points: where arrays that are not linear are made so, by name of their layers.
    """

    layers: tuple[MappedLayer, ...]
    settings: Mapping[str, Settings]
    input_ranges: Mapping[str, InputRange]
    points: Mapping[str, OperatingPoint]


def map_study(study: Study) -> Mapped:
    """Measure input ranges (or take those of an earlier calibration) and map every layer."""
    settings = study.layer_settings()
    ranges = _input_ranges(study, settings)
    with study.stages("map"):
        layers = tuple(
            map_layer(layer, own.crossbar, own.device, own.mapping)
            for layer, own in ((layer, settings[layer.name]) for layer in study.network.layers)
        )
        check_converters(layers, settings)
    return Mapped(layers, settings, ranges, operating_points(study, settings, ranges))


def _input_ranges(study: Study, settings: Mapping[str, Settings]) -> dict[str, InputRange]:
    kept = study.calibration_file
    if kept is not None:
        return {layer.name: kept.input_range(layer.name) for layer in study.network.layers}
    percentile = {name: own.input.percentile for name, own in settings.items()}
    with study.stages("calibrate") as progress:
        return remembered_input_ranges(
            study,
            percentile,
            lambda: measure_input_ranges(
                study.network.model,
                study.network.layers,
                study.calibration,
                percentile=percentile,
                batch=study.batch,
                threads=study.threads,
                fixed_batch=study.network.fixed_batch,
                progress=progress,
            ),
        )


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
                program, layer_index=layer.layer.index, device=layer.device, chip=chip
            )
            own = mapped.settings[layer.layer.name]
            point = mapped.points.get(layer.layer.name)
            try:
                if wires:
                    solve = partial(
                        transfer_matrices,
                        layer,
                        programmer,
                        own.crossbar,
                        point=point,
                        threads=study.threads,
                        done=done,
                    )
                    solved.append(remembered_transfer(study, layer, own, point, chip, solve))
                else:
                    solved.append(transfer_matrices(layer, programmer, None, done=done))
            except CircuitError as error:
                raise CircuitError(f"layer {layer.layer.name}: {error}") from None
    return solved


def equip(
    study: Study,
    mapped: Mapped,
    transfers: list[LayerTransfer],
    *,
    converters: bool = True,
    ideal: list[LayerTransfer] | None = None,
    chip: Chip | None = None,
) -> list[LayerHardware]:
    """Put DACs in front of every layer's arrays; ADCs are still open.

    Args:
        study: the study.
        mapped: its layers on their arrays.
        transfers: their transfer matrices.
        converters: False for none at all.
        ideal: transfer matrices of nominal devices without wires, by which offsets of the inputs are
            removed; left out where the transfers are these themselves, of linear devices.
        chip: whose random pulses and static errors; None for nominal converters.
    """
    equipped = []
    for transfer, perfect in zip(transfers, ideal or transfers, strict=True):
        layer = transfer.mapped.layer
        own, measured = mapped.settings[layer.name], mapped.input_ranges[layer.name]
        if not converters:
            drive = plain_drive(measured.x_max, own.input.v_read)
            equipped.append(layer_hardware(transfer, drive, "per_tile"))
            continue
        drive = layer_drive(layer.name, measured, own)
        if ideal is not None and layer.name in mapped.points:
            drive = curved(drive, mapped.points[layer.name].drive, own)
        pulses, errors = None, None
        if chip is not None:
            drive, errors = spoiled_dacs(transfer.mapped, measured, own, drive, chip)
        if drive.pulses:
            trial = 0 if chip is None else chip.trial
            rng = device_generator(study.settings.seed, trial, layer.index, Effect.PULSES, 0)
            pulses = draw_pulses(rng, drive.pulses, measured.shape, layer.op)
        equipped.append(layer_hardware(transfer, drive, own.adc.where, perfect, pulses, errors))
    return equipped


def calibrate_adcs(
    study: Study, mapped: Mapped, open_layers: list[LayerHardware], rung: CalibratedRung
) -> list[Adc | None]:
    """Find every layer's ADCs from a rung's nominal hardware, ADCs open (MODEL.md section 6)."""
    measured = measured_ranges(study, mapped, open_layers, rung)
    found: list[Adc | None] = []
    for item in open_layers:
        own = mapped.settings[item.layer.name]
        if own.adc.n_bits is None:
            found.append(None)
            continue
        ranges = measured.get(item.layer.name)
        if ranges is None:
            layer = next(one for one in mapped.layers if one.layer.name == item.layer.name)
            shape = (len(item.both_sides), item.tiling.groups, item.readouts.count)
            step = layer.cells.step
            tiles = len(layer.row_tiles)
            ranges = fixed_ranges(own, item.drive, shape, tiles, step, item.is_difference)
        found.append(ranged_adc(own.adc.n_bits, ranges, item.both_sides))
    return found


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
class MadeChip:
    """One chip.

    Attributes:
        network: the patched network.
        transfers: what its layers' arrays compute.
    """

    network: PatchedNetwork
    transfers: tuple[LayerTransfer, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Foundry:
    """Makes chips: what all of them share is measured once on nominal devices.

    Attributes:
        study: the study.
        mapped: its layers on their arrays.
        ideal: transfer matrices with levels only: no wires, no random draws.
        nominal: transfer matrices with levels and wires, no random draws.
        adcs: converters calibrated on them.
    """

    study: Study
    mapped: Mapped
    ideal: list[LayerTransfer]
    nominal: list[LayerTransfer]
    adcs: list[Adc | None]

    @property
    def random(self) -> bool:
        """Whether chips differ."""
        return any(is_random(own) for own in self.mapped.settings.values())

    def chip(self, trial: int) -> PatchedNetwork:
        """Return the patched network of one chip."""
        return self.make(trial).network

    def make(self, trial: int) -> MadeChip:
        """Program, solve and patch one chip."""
        study, mapped = self.study, self.mapped
        chip = Chip(study.settings.seed, trial)
        transfers = self.nominal
        if any(has_random_effects(layer.device) for layer in mapped.layers):
            transfers = solve_chip(study, mapped, chip)
        layers = equip(study, mapped, transfers, ideal=self.ideal, chip=chip)
        adcs = spoiled_adcs(layers, self.adcs, mapped.settings, chip)
        return MadeChip(patch_study(study, layers, adcs), tuple(transfers))


def is_random(own: Settings) -> bool:
    """Tell whether two chips can differ at all."""
    if has_random_effects(own.device) or has_random_errors(own):
        return True
    return own.input.encoding == "stochastic"


def open_foundry(study: Study, mapped: Mapped, ideal: list[LayerTransfer] | None = None) -> Foundry:
    """Solve the nominal arrays and calibrate the converters that every chip reuses.

    Args:
        study: the study.
        mapped: its layers on their arrays.
        ideal: transfer matrices with levels only, where they are known already.
    """
    ideal = ideal or solve_chip(study, mapped, None, wires=False)
    nominal = solve_chip(study, mapped, None)
    adcs = calibrate_adcs(study, mapped, equip(study, mapped, nominal, ideal=ideal), "nonideal")
    return Foundry(study, mapped, ideal, nominal, adcs)


def patched_chip(study: Study, trial: int = 0) -> PatchedNetwork:
    """Return the patched network of one chip: what `rxsim patch` writes.

    Raises:
        InputError: something in the study can't be used.
    """
    if trial < 0:
        raise InputError(f"trial: found {trial}, expected 0 or above")
    return open_foundry(study, map_study(study)).chip(trial)
