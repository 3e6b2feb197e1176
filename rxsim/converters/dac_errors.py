"""Static errors of DACs put into a layer's passes and matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rxsim.config import Settings
from rxsim.converters.input_plan import InputPlan
from rxsim.converters.static_errors import DacCodes, DacErrors
from rxsim.encodings import Cells, Pass, UnitCurve


def dac_codes(plan: InputPlan, settings: Settings) -> DacCodes | None:
    """Return the codes of a layer's DACs: the units of a pass.

    Args:
        plan: the layer's inputs.
        settings: the layer's.

    Returns:
        The codes, or None for a DAC of one bit (pulses, binary digits, dac.n_bits: 1) on linear cells.
    """
    pulses = plan.pulses
    known = plan.encoding.dac_range(pulses, plan.codes)
    if plan.cells is None:
        return None if known is None else DacCodes(known.low, known.high)
    ends = DacCodes(-1 if pulses[0].signed else 0, 1, has_curve=False)
    if known is not None:
        ends = DacCodes(known.low, known.high, rest=known.rest)
    # Where a pass has voltages of one size, the curve is in its gain.
    cells, volt, gain = plan.cells, pulses[0].volt, plan.passes[0].gain
    return ends._replace(
        counts_as=lambda units: cells(units * volt) / (volt * gain),
        rms=_operating_volt(cells, settings.input.v_read) / volt,
        gated=settings.crossbar.topology == "input_gated",
    )


def _operating_volt(cells: Cells, v_read: float) -> float:
    """Return the root mean square of the wordline voltages: the voltage that counts as itself."""
    volts = np.linspace(0, v_read, 513)[1:]
    return float(volts[np.abs(cells(volts) / volts - 1).argmin()])


def with_dac_errors(plan: InputPlan, errors: DacErrors) -> InputPlan:
    """Put the curve of a layer's DACs into its passes, and count the offsets that passes hold.

    Where pulses are summed in analog, each adds its own error to the sum.

    Args:
        plan: the layer's inputs.
        errors: of the DACs.
    """
    passes = []
    for each in plan.passes:
        each = replace(each, offsets=float(sum(share for share, _ in each.parts)))
        if errors.curve is not None:
            each = replace(each, curve=_curve(each, plan, errors))
        passes.append(each)
    return replace(plan, passes=tuple(passes))


def _curve(converted: Pass, plan: InputPlan, errors: DacErrors) -> UnitCurve:
    """Tabulate what the units of a pass count as, with the errors of the sets of voltages in it."""
    assert errors.curve is not None
    assert plan.dac.low is not None
    assert plan.dac.high is not None
    codes = np.arange(plan.dac.low, plan.dac.high + 1, dtype=np.float64)
    wrong = np.zeros(len(codes))
    for share, part in converted.parts:
        wrong += share * errors.curve[part.units.of(codes).astype(np.int64) - errors.low]
    units = converted.units.of(codes).astype(np.int64)
    lowest = int(units.min())
    values = np.arange(lowest, units.max() + 1, dtype=np.float64)
    values[units - lowest] += wrong
    if converted.curve is not None and plan.cells is not None:
        # The cells see the DAC's own voltage, also between and beyond the codes.
        values = plan.cells(values * converted.volt) / converted.volt
    elif converted.curve is not None:
        known = converted.curve.lowest + np.arange(len(converted.curve.values))
        values = np.interp(values, known, converted.curve.values)
    return UnitCurve(lowest, values)


def matrices_with_gains(
    matrices: Sequence[np.ndarray], errors: DacErrors, col_tiles: np.ndarray
) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """Put gains into the matrices, and return the conductances that offsets drive.

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
