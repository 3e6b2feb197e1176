"""Static errors of DACs put into a layer's passes and matrices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from rxsim.calibrate import InputRange
from rxsim.config import Settings
from rxsim.converters.curve import DriveCurve
from rxsim.converters.passes import Drive, Pass, layer_drive
from rxsim.converters.static_errors import DacCodes, DacErrors


def driven_passes(name: str, measured: InputRange, settings: Settings) -> tuple[Pass, ...]:
    """List the passes that a layer's DACs drive one by one, those summed in analog too."""
    each = settings.input.model_copy(update={"adc_per_pass": True})
    return layer_drive(name, measured, settings.model_copy(update={"input": each})).passes


def dac_codes(passes: Sequence[Pass], drive: Drive, settings: Settings) -> DacCodes | None:
    """Find what a layer's DACs drive: their codes are the units of a pass.

    Args:
        passes: those that the DACs drive one by one.
        drive: the layer's inputs, with a converter.
        settings: the layer's.

    Returns:
        The codes, or None for a DAC of one bit (pulses, binary digits, dac.n_bits: 1) on linear cells.
    """
    bounds, cells = _dac_bounds(passes, drive, settings), drive.cells
    if cells is None:
        return bounds
    if bounds is None:
        bounds = DacCodes(-1 if passes[0].signed else 0, 1, has_curve=False)
    # Where a pass has voltages of one size, the curve is in its gain.
    volt, gain = passes[0].volt, drive.passes[0].gain
    return bounds._replace(
        counts_as=lambda units: cells(units * volt) / (volt * gain),
        rms=_operating_volt(cells, settings.input.v_read) / volt,
        rest=passes[0].rest if passes[0].digit is None else 0,
        gated=settings.crossbar.topology == "input_gated",
    )


def _operating_volt(cells: Callable[[np.ndarray], np.ndarray], v_read: float) -> float:
    """Find the root mean square of what is driven: the voltage that counts as itself."""
    volts = np.linspace(0, v_read, 513)[1:]
    return float(volts[np.abs(cells(volts) / volts - 1).argmin()])


def _dac_bounds(passes: Sequence[Pass], drive: Drive, settings: Settings) -> DacCodes | None:
    first, dac = passes[0], drive.dac
    if settings.input.encoding == "stochastic" or dac.low is None or dac.high is None:
        return None
    if settings.input.encoding == "bit_serial":
        if settings.input.bits_per_pulse == 1:
            return None
        high = int(2**settings.input.bits_per_pulse - 1)
        return DacCodes(-high if first.signed else 0, high)
    if first.part == "shifted":
        return DacCodes(0, 2 * first.offset - 1)
    low, high = (0 if first.part == "positive" else dac.low), dac.high
    return None if high - low < 2 else DacCodes(low, high)


def parts_of(one: Pass, passes: Sequence[Pass]) -> list[tuple[float, Pass]]:
    """List what DACs drive one by one of a pass: itself, or what is summed in analog.

    Args:
        one: a pass of a layer's drive.
        passes: those that the DACs drive one by one.

    Returns:
        Each with what its current counts in that of the pass.
    """
    if one.digit is not None or one.pulse is not None or passes[0].digit is None:
        return [(1.0, one)]
    parts = [other for other in passes if one.part in ("whole", other.part)]
    return [(part.weight * part.volt / (one.weight * one.volt), part) for part in parts]


def spoil_drive(drive: Drive, passes: Sequence[Pass], errors: DacErrors) -> Drive:
    """Put the curve of a layer's DACs into its passes, and count their offsets.

    Args:
        drive: the layer's inputs.
        passes: those that the DACs drive one by one; where they are summed in analog, each adds its
            own error to the sum.
        errors: of the DACs.
    """
    spoiled = []
    for one in drive.passes:
        parts = parts_of(one, passes)
        one = replace(one, offsets=float(sum(share for share, _ in parts)))
        if errors.curve is not None:
            one = replace(one, curve=_curve(one, parts, drive, errors))
        spoiled.append(one)
    return replace(drive, passes=tuple(spoiled))


def _curve(
    one: Pass, parts: Sequence[tuple[float, Pass]], drive: Drive, errors: DacErrors
) -> DriveCurve:
    """Tabulate what the units of a pass count as, the errors of its parts included."""
    assert errors.curve is not None
    assert drive.dac.low is not None
    assert drive.dac.high is not None
    codes = np.arange(drive.dac.low, drive.dac.high + 1, dtype=np.float64)
    wrong = np.zeros(len(codes))
    for share, part in parts:
        wrong += share * errors.curve[part.units(codes).astype(np.int64) - errors.low]
    units = one.units(codes).astype(np.int64)
    lowest = int(units.min())
    values = np.arange(lowest, units.max() + 1, dtype=np.float64)
    values[units - lowest] += wrong
    if one.curve is not None and drive.cells is not None:
        # The cells see the DAC's own voltage, also between and beyond the codes.
        values = drive.cells(values * one.volt) / one.volt
    elif one.curve is not None:
        known = one.curve.lowest + np.arange(len(one.curve.values))
        values = np.interp(values, known, one.curve.values)
    return DriveCurve(lowest, values)


def spoil_matrices(
    matrices: Sequence[np.ndarray], errors: DacErrors, col_tiles: np.ndarray
) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """Put gains into the matrices, and find what offsets drive.

    Args:
        matrices: for each row tile siemens, float64 (groups, its rows, readouts).
        errors: of the DACs.
        col_tiles: column tile of each readout, int64 (readouts,).

    Returns:
        The matrices of inputs with their gains, and siemens times LSB of the offsets, for each row tile
        float64 (groups, readouts).
    """
    gained = tuple(
        matrix * (1 + gain.transpose(0, 2, 1)[:, :, col_tiles])
        for matrix, gain in zip(matrices, errors.gain, strict=True)
    )
    driven = tuple(
        (matrix * offset.transpose(0, 2, 1)[:, :, col_tiles]).sum(axis=1)
        for matrix, offset in zip(matrices, errors.offset, strict=True)
    )
    return gained, driven
