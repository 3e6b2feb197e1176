"""Rules that bind several sections of the settings."""

from __future__ import annotations

from rxsim.config.device import Device
from rxsim.config.models import Adc, Crossbar, Dac, Input, Mapping
from rxsim.encodings import ENCODINGS, check_resolution
from rxsim.errors import SettingError


def check_together(
    crossbar: Crossbar, device: Device, mapping: Mapping, inputs: Input, dac: Dac, adc: Adc
) -> None:
    """Refuse sections that contradict each other.

    Raises:
        ValueError: naming what was found and what was expected.
    """
    _check_per_layer(mapping, adc)
    _check_skipping(mapping, adc)
    _check_levels(device, mapping)
    _check_inputs(inputs, dac)
    _check_unit_lsb(device, mapping, dac, adc)
    if mapping.spare_cols >= crossbar.cols:
        raise ValueError(
            f"found mapping.spare_cols: {mapping.spare_cols} of crossbar.cols: {crossbar.cols}, "
            "expected some left for weights"
        )


def check_gating(crossbar: Crossbar, inputs: Input, dac: Dac) -> None:
    """Refuse inputs of more than one bit where they gate the cells.

    Raises:
        SettingError: naming what was found and what was expected.
    """
    if crossbar.topology != "input_gated":
        return
    if dac.noise:
        raise SettingError(
            f"found dac.noise: {dac.noise:g} with crossbar.topology: input_gated, expected 0: the "
            "cells of an idle row are switched off, whatever its voltage"
        )
    if not ENCODINGS[inputs.encoding].is_one_bit(inputs, dac.n_bits):
        ways = [encoding.one_bit_when for encoding in ENCODINGS.all().values()]
        raise SettingError(
            "found crossbar.topology: input_gated, expected one-bit inputs: "
            + ", or ".join(way for way in ways if way)
        )


def _check_per_layer(mapping: Mapping, adc: Adc) -> None:
    if adc.where != "per_layer":
        return
    for name, scope in (
        ("mapping.w_max_scope", mapping.w_max_scope),
        ("adc.scope", adc.scope),
    ):
        if scope == "tile":
            raise ValueError(
                f"found {name}: tile with adc.where: per_layer, expected layer or column "
                "(the tiles' currents are summed before one conversion)"
            )


def _check_skipping(mapping: Mapping, adc: Adc) -> None:
    """Refuse arrays that are left out of a sum from whose whole an offset is taken."""
    digital = mapping.scheme == "offset" and mapping.offset_removal == "digital"
    if mapping.skip_zero and digital and adc.where == "per_layer":
        raise ValueError(
            "found mapping.skip_zero with mapping.offset_removal: digital and adc.where: per_layer, "
            "expected adc.where: per_tile or mapping.offset_removal: reference_column (the offset of "
            "arrays that are left out can't be told apart in a sum of all row tiles)"
        )


def _check_levels(device: Device, mapping: Mapping) -> None:
    if mapping.bits_per_cell is not None:
        needed = 2**mapping.bits_per_cell
        if device.levels is not None and device.levels < needed:
            raise ValueError(
                f"found mapping.bits_per_cell: {mapping.bits_per_cell} on devices of {device.levels} "
                f"levels, expected at least {needed} (device.n_bits: {mapping.bits_per_cell})"
            )
    elif mapping.scheme == "offset" and device.n_bits == 1:
        raise ValueError(
            "found device.n_bits: 1 with mapping.scheme: offset, expected at least 2: of 2^n - 1 "
            "levels one is zero"
        )
    elif mapping.scheme == "offset" and device.n_levels is not None and device.n_levels % 2 == 0:
        raise ValueError(
            f"found device.n_levels: {device.n_levels} with mapping.scheme: offset, expected an odd "
            "number, so that zero is a level"
        )


def _check_inputs(inputs: Input, dac: Dac) -> None:
    ENCODINGS[inputs.encoding].check(inputs, dac.n_bits)
    check_resolution(inputs.signed_input, dac.n_bits)
    if dac.n_bits is None and any((dac.gain_sigma, dac.offset_sigma, dac.inl, dac.dnl, dac.noise)):
        raise ValueError("found errors of a DAC with dac.n_bits: null, expected a resolution")


def _check_unit_lsb(device: Device, mapping: Mapping, dac: Dac, adc: Adc) -> None:
    if adc.n_bits is None and any((adc.gain_sigma, adc.offset_sigma, adc.inl, adc.dnl, adc.noise)):
        raise ValueError("found errors of an ADC with adc.n_bits: null, expected a resolution")
    if adc.n_bits is None and adc.thresholds is not None:
        raise ValueError("found adc.thresholds with adc.n_bits: null, expected a resolution")
    if adc.range != "unit_lsb":
        return
    if dac.n_bits is None or (device.levels is None and mapping.weight_bits is None):
        raise ValueError(
            "found adc.range: unit_lsb, expected a smallest step: dac.n_bits, and device.n_bits or "
            "mapping.weight_bits"
        )
