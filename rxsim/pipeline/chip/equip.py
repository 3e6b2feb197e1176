"""Converters around a layer's arrays: DACs in front of them, ADCs behind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from rxsim.converters import (
    Adc,
    InputPlan,
    MeasuredAdc,
    adc_codes,
    check_thresholds,
    fixed_ranges,
    layer_input_plan,
    listed_levels,
    ranged_adc,
)
from rxsim.devices import Chip
from rxsim.mapped_files import let_go
from rxsim.patch import LayerHardware, layer_hardware
from rxsim.pipeline.chip.adc_ranges import measured_adcs
from rxsim.pipeline.chip.converter_errors import chips_dacs
from rxsim.pipeline.chip.mapped import Mapped
from rxsim.pipeline.study.study import Study
from rxsim.scenarios import Scenario
from rxsim.seeds import Effect, device_generator, graph_seed
from rxsim.spilled import Spill, are_many, put_aside
from rxsim.tiles import LayerTransfer


def equip(
    mapped: Mapped,
    transfers: Sequence[LayerTransfer],
    perfect: Callable[[], Sequence[LayerTransfer]],
    chip: Chip,
) -> list[LayerHardware]:
    """Put DACs in front of every layer's arrays; ADCs are still open.

    Args:
        mapped: the layers on their arrays.
        transfers: their transfer matrices.
        perfect: gives the transfer matrices of nominal devices without wires, by which offsets of the
            inputs are removed; asked only where there are such.
        chip: whose random pulses and static errors.
    """
    equipped = []
    spill: Spill | None = None
    many = are_many(sum(matrix.size for each in transfers for matrix in each.matrices))
    for at, transfer in enumerate(transfers):
        layer = transfer.mapped.layer
        settings, measured = mapped.settings[layer.name], mapped.input_ranges[layer.name]
        plan = layer_input_plan(layer.name, measured, settings)
        if layer.name in mapped.points:
            plan = plan.bent(mapped.points[layer.name].linear_volts)
        plan, errors = chips_dacs(transfer.mapped, settings, plan, chip)
        if plan.encoding.is_random:
            rng = device_generator(chip.seed, chip.trial, layer.index, Effect.PULSES, 0)
            plan = plan.drawn(rng, measured.shape, layer.channel_axis)
        where, without_wires = settings.adc.where, perfect()[at] if plan.rest_volt else None
        seeds = _noise_seeds(transfer, plan, chip)
        hardware = layer_hardware(transfer, plan, where, without_wires, errors, seeds)
        if many and hardware.matrices is not transfer.matrices:
            spill = Spill() if spill is None else spill
            hardware = replace(hardware, matrices=put_aside(hardware.matrices, spill))
            let_go(*transfer.matrices)
        equipped.append(hardware)
    return equipped


def _noise_seeds(transfer: LayerTransfer, plan: InputPlan, chip: Chip) -> list[int]:
    """Choose the seeds of a layer's conversions, where cells have noise that is drawn anew."""
    if transfer.variances is None:
        return []
    key, effect = (chip.seed, chip.trial, transfer.mapped.layer.index), Effect.FRESH_READ_NOISE
    conversions = len(plan.passes) * len(transfer.mapped.row_tiles)
    return [graph_seed(*key, effect, number) for number in range(conversions)]


def calibrate_adcs(
    study: Study, mapped: Mapped, open_layers: Sequence[LayerHardware], scenario: Scenario
) -> list[Adc | None]:
    """Choose every layer's ADCs from a scenario's nominal hardware, ADCs open.

    Source: docs/concepts/model.md, section 6.

    Raises:
        SettingError: a list of thresholds does not fit a layer's currents.
        InputError: an earlier calibration does not fit the hardware.
    """
    for item in open_layers:
        settings = mapped.settings[item.layer.name]
        if settings.adc.n_bits is not None:
            low, high = adc_codes(settings.adc.n_bits, item.both_sides)
            check_thresholds(item.layer.name, settings, int(low[0]), int(high[0]))
    measured = measured_adcs(study, mapped, open_layers, scenario)
    by_name = {layer.layer.name: layer for layer in mapped.layers}
    adcs: list[Adc | None] = []
    for item in open_layers:
        settings = mapped.settings[item.layer.name]
        if settings.adc.n_bits is None:
            adcs.append(None)
            continue
        shape = (len(item.both_sides), item.tiling.groups, item.readouts.count)
        known = measured.get(item.layer.name)
        if known is None:
            layer = by_name[item.layer.name]
            step, tiles = layer.cells.step, len(layer.row_tiles)
            plan, difference = item.input_plan, item.is_difference
            known = MeasuredAdc(fixed_ranges(settings, plan, shape, tiles, step, difference))
        factor = mapped.adc_factors.get(item.layer.name)
        if factor is not None:
            known = replace(known, ranges=known.ranges * factor)
        adc = ranged_adc(settings.adc.n_bits, known.ranges, item.both_sides, known.levels)
        thresholds = settings.adc.thresholds
        if isinstance(thresholds, tuple):
            levels = listed_levels(thresholds, int(adc.low[0]), int(adc.high[0]), shape)
            adc = replace(adc, levels=levels)
        adcs.append(adc)
    return adcs
