"""Ranges of the ADCs, for every conversion and readout."""

from __future__ import annotations

import numpy as np

from vocabulary import cells
from vocabulary.drive import Conversion
from vocabulary.layer import Currents, Layer
from vocabulary.places import Floats


def ranges(layer: Layer, conversions: list[Conversion], measured: list[Currents]) -> list[Currents]:
    """Return the ranges in A of every conversion, with one input vector (M = 1).

    Args:
        layer: The layer.
        conversions: What is converted.
        measured: The currents of each conversion for the calibration inputs.
    """
    rule = {"full_scale": _full_scale, "unit_lsb": _unit_lsb, "calibrated": _calibrated}
    make = rule[layer.settings.adc.range]
    found = [make(layer, *each) for each in zip(conversions, measured, strict=True)]
    return [each.map(lambda limit: np.where(limit == 0, 1.0, limit)) for each in found]


def _shaped(like: Currents, main: float, reference: float) -> Currents:
    """Return constant ranges in the shape of some currents with M = 1."""
    return Currents(
        [np.full_like(current[..., :1, :], main) for current in like.main],
        [np.full_like(current[..., :1, :], reference) for current in like.reference],
    )


def _full_scale(layer: Layer, conversion: Conversion, like: Currents) -> Currents:
    device = layer.settings.device
    volts = layer.settings.crossbar.rows * layer.settings.input.v_read * conversion.total_weight
    if layer.settings.adc.where == "per_layer":
        volts *= len(layer.rows)
    single = volts * device.g_on
    pair = volts * (device.g_on - device.g_off)
    return _shaped(like, pair if layer.analog_difference else single, single)


def _unit_lsb(layer: Layer, conversion: Conversion, like: Currents) -> Currents:
    lsb = layer.drive.voltage_step * cells.conductance_step(layer.settings)
    main, reference = (layer.steps(main, conversion.signed)[1] for main in (True, False))
    return _shaped(like, lsb * main, lsb * reference)


def _calibrated(layer: Layer, conversion: Conversion, measured: Currents) -> Currents:
    size = _without_missing(layer, measured.map(np.abs))
    found = _shaped(measured, 0.0, 0.0)
    for s in range(layer.settings.mapping.slices):
        _calibrate_slice(layer, s, size, found)
    return found


def _calibrate_slice(layer: Layer, s: int, size: Currents, found: Currents) -> None:
    """Write the ranges of one slice."""
    adc = layer.settings.adc

    def range_of(*currents: Floats) -> float:
        pooled = np.concatenate([part.ravel() for part in currents])
        pooled = pooled[~np.isnan(pooled)]
        return float(np.percentile(pooled, adc.percentile)) if pooled.size else 0.0

    if adc.scope == "layer":
        limit = range_of(*(part[s] for part in [*size.main, *size.reference]))
        for part in [*found.main, *found.reference]:
            part[s] = limit
        return
    for p, main in enumerate(size.main):
        for g in range(main.shape[2]):
            if adc.scope == "tile":
                for q, tile in enumerate(layer.outputs):
                    references = [part[s, g, :, q] for part in size.reference[p : p + 1]]
                    limit = range_of(main[s, :, g][..., tile], *references)
                    found.main[p][s, :, g, :, tile] = limit
                    for part in found.reference[p : p + 1]:
                        part[s, g, :, q] = limit
                continue
            for r, n in np.ndindex(main.shape[1], main.shape[4]):
                found.main[p][s, r, g, :, n] = range_of(main[s, r, g, :, n])
            for part, into in zip(
                size.reference[p : p + 1], found.reference[p : p + 1], strict=True
            ):
                for q in range(part.shape[3]):
                    into[s, g, :, q] = range_of(part[s, g, :, q])


def _without_missing(layer: Layer, size: Currents) -> Currents:
    """Put NaN where no group of the layer is read."""
    packed = layer.packed
    missing = ~packed.present.any(axis=1)
    main = [np.where(missing[:, None, :], np.nan, part) for part in size.main]
    return Currents(main, size.reference)
