"""A chip's converters: nominal ones with the static errors that the chip drew, and its noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rxsim.config import Settings
from rxsim.converters import (
    Adc,
    DacErrors,
    InputPlan,
    ThermalNoise,
    check_adc_curves,
    dac_codes,
    draw_adc_errors,
    draw_dac_errors,
    pass_noise,
    with_dac_errors,
)
from rxsim.devices import Chip
from rxsim.mapping import MappedLayer
from rxsim.patch import LayerHardware
from rxsim.seeds import Effect, device_generator, graph_seed


def check_converters(layers: Sequence[MappedLayer], settings: Mapping[str, Settings]) -> None:
    """Refuse converters whose errors a graph has no room for.

    Raises:
        SettingError: naming the layer.
    """
    for layer in layers:
        name, readouts = layer.layer.name, layer.readouts
        shape = (len(layer.row_tiles), layer.tiling.groups)
        check_adc_curves(name, settings[name], shape, readouts.col_tiles, readouts.columns)


def chips_dacs(
    mapped: MappedLayer, settings: Settings, plan: InputPlan, chip: Chip
) -> tuple[InputPlan, DacErrors | None]:
    """Return a layer's inputs on a chip, and what of its DACs' errors belongs to the matrices.

    Args:
        mapped: the layer on its arrays.
        settings: the layer's.
        plan: its nominal inputs.
        chip: whose errors.
    """
    plan, errors = _with_static_errors(mapped, settings, plan, chip)
    lsb, index = settings.dac.noise, mapped.layer.index
    if lsb:
        noise = tuple(
            pass_noise(each, lsb, plan.cells, _seed(chip, index, Effect.DAC_NOISE, number))
            for number, each in enumerate(plan.passes)
        )
        plan = replace(plan, noise=noise)
    return plan, errors


def _seed(chip: Chip, layer: int, effect: Effect, number: int) -> int:
    return graph_seed(chip.seed, chip.trial, layer, effect, number)


def _with_static_errors(
    mapped: MappedLayer, settings: Settings, plan: InputPlan, chip: Chip
) -> tuple[InputPlan, DacErrors | None]:
    dac = settings.dac
    if not any((dac.gain_sigma, dac.offset_sigma, dac.inl, dac.dnl)):
        return plan, None
    rng = device_generator(chip.seed, chip.trial, mapped.layer.arrays_of, Effect.DAC, 0)
    shape = (mapped.tiling.groups, len(mapped.tiling.col_tiles))
    rows = tuple(len(rows) for rows in mapped.row_tiles)
    errors = draw_dac_errors(rng, settings, shape, rows, dac_codes(plan, settings))
    return (plan if errors is None else with_dac_errors(plan, errors)), errors


def chips_adcs(
    layers: Sequence[LayerHardware],
    adcs: Sequence[Adc | None],
    settings: Mapping[str, Settings],
    chip: Chip,
) -> list[Adc | None]:
    """Return the ADCs of a chip.

    Args:
        layers: its layers.
        adcs: the nominal converters of each.
        settings: by layer name.
        chip: whose errors.
    """
    drawn: list[Adc | None] = []
    for item, adc in zip(layers, adcs, strict=True):
        if adc is None:
            drawn.append(None)
            continue
        rng = device_generator(chip.seed, chip.trial, item.layer.arrays_of, Effect.ADC, 0)
        errors = draw_adc_errors(
            rng,
            settings[item.layer.name],
            (len(item.rows), item.tiling.groups),
            item.readouts.col_tiles,
            item.readouts.columns,
            (int(adc.low[0]), int(adc.high[0])),
        )
        lsb, layer = settings[item.layer.name].adc.noise, item.layer.index
        noise = tuple(
            ThermalNoise(lsb, _seed(chip, layer, Effect.ADC_NOISE, k))
            for k in range(len(adc.low) if lsb else 0)
        )
        drawn.append(replace(adc, errors=errors, noise=noise))
    return drawn
