"""A chip's converters: nominal ones with the static errors that the chip drew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rxsim.calibrate import InputRange
from rxsim.config import Settings
from rxsim.converters import (
    Adc,
    DacErrors,
    Drive,
    check_adc_curves,
    dac_codes,
    draw_adc_errors,
    draw_dac_errors,
    driven_passes,
    spoil_drive,
)
from rxsim.devices import Chip
from rxsim.mapping import MappedLayer
from rxsim.patch import LayerHardware
from rxsim.seeds import Effect, device_generator


def check_converters(layers: Sequence[MappedLayer], settings: Mapping[str, Settings]) -> None:
    """Refuse converters whose errors a graph has no room for.

    Raises:
        SettingError: naming the layer.
    """
    for layer in layers:
        name, readouts = layer.layer.name, layer.readouts
        shape = (len(layer.row_tiles), layer.tiling.groups)
        check_adc_curves(name, settings[name], shape, readouts.col_tiles, readouts.columns)


def spoiled_dacs(
    mapped: MappedLayer, measured: InputRange, settings: Settings, drive: Drive, chip: Chip
) -> tuple[Drive, DacErrors | None]:
    """Return a layer's inputs on a chip, and what of its DACs' errors belongs to the matrices.

    Args:
        mapped: the layer on its arrays.
        measured: its input range.
        settings: the layer's.
        drive: its nominal inputs.
        chip: whose errors.
    """
    own, layer = settings.dac, mapped.layer
    if not any((own.gain_sigma, own.offset_sigma, own.inl, own.dnl)):
        return drive, None
    passes = driven_passes(layer.name, measured, settings)
    rng = device_generator(chip.seed, chip.trial, layer.index, Effect.DAC, 0)
    shape = (mapped.tiling.groups, len(mapped.tiling.col_tiles))
    rows = tuple(len(rows) for rows in mapped.row_tiles)
    errors = draw_dac_errors(rng, settings, shape, rows, dac_codes(passes, drive, settings))
    return (drive if errors is None else spoil_drive(drive, passes, errors)), errors


def spoiled_adcs(
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
    found: list[Adc | None] = []
    for item, adc in zip(layers, adcs, strict=True):
        if adc is None:
            found.append(None)
            continue
        rng = device_generator(chip.seed, chip.trial, item.layer.index, Effect.ADC, 0)
        errors = draw_adc_errors(
            rng,
            settings[item.layer.name],
            (len(item.rows), item.tiling.groups),
            item.readouts.col_tiles,
            item.readouts.columns,
            (int(adc.low[0]), int(adc.high[0])),
        )
        found.append(replace(adc, errors=errors))
    return found
