"""Ranges of the ADCs, for every conversion and readout.

Source: docs/concepts/model.md, section 6. Convention for `criterion: mse`: candidates are k/256 of the
largest |current|; a current within a range r is off by lsb^2/12 in the mean, one beyond it by its
distance to r; the first candidate of least mean square error is taken.

An ADC that measured nothing (up to 1e-7 of the layer's largest range) has the layer's largest range; if
the layer measured nothing (up to 1e-9 of full scale), all have what `full_scale` gives.
"""

from __future__ import annotations

import numpy as np

from twin import cells
from twin import settings as plain
from twin.arrays import Floats
from twin.currents import Currents, each
from twin.inputs import Conversion
from twin.layer import Layer
from twin.readers import Readers

_CANDIDATES = 256
_CANCELLED = 1e-6  # of the currents: less is left of them where they cancel but for rounding
# Shares of the layer's largest range, and of full scale, that are nothing but rounding.
_NOTHING, _NONE_AT_ALL = 1e-7, 1e-9
# Relative, of currents and of costs: what float32 may be off by.
_ROUNDED, _AS_GOOD = 1e-6, 1e-5


def ranges(
    layer: Layer,
    conversions: list[Conversion],
    measured: list[Currents],
    bulk: list[Currents],
) -> list[Currents]:
    """Return the ranges in A of every conversion, with one input vector (M = 1).

    Args:
        layer: The layer.
        conversions: What is converted.
        measured: The currents of each conversion for the calibration inputs.
        bulk: The same with every subtraction turned into an addition.
    """
    rule = {"full_scale": _full_scale, "unit_lsb": _unit_lsb, "calibrated": _calibrated}
    chosen = layer.settings["adc"]["range"]
    if isinstance(chosen, dict):
        return [like.filled(chosen["amperes"]) for like in measured]
    make = rule[chosen]
    pairs = list(zip(conversions, measured, strict=True))
    limits = [make(layer, *pair) for pair in pairs]
    for currents, found in zip(bulk, limits, strict=True):
        _watch(layer, currents, found)
    if chosen != "calibrated":
        return limits
    full = [_full_scale(layer, *pair) for pair in pairs]
    largest = _largest(limits)
    if largest <= _NONE_AT_ALL * _largest(full):
        return full
    dead = _NOTHING * largest
    return [one.map(lambda limit: np.where(limit <= dead, largest, limit)) for one in limits]


def _watch(layer: Layer, bulk: Currents, limits: Currents) -> None:
    """Note how large currents are before they cancel, and ranges of nothing but what rounding left."""

    def largest(part: Floats, limit: Floats, *_: object) -> Floats:
        peak: Floats = part.max(axis=-2, keepdims=True)
        layer.largest_bulk = max(layer.largest_bulk, float(peak.max()))
        layer.calibration_risk += int(((limit > 0) & (limit < _CANCELLED * peak)).sum())
        return peak

    each(largest, bulk, limits)


def _largest(limits: list[Currents]) -> float:
    return max(float(part.max()) for one in limits for part in [*one.main, *one.reference])


def _full_scale(layer: Layer, conversion: Conversion, like: Currents) -> Currents:
    device, settings = layer.settings["device"], layer.settings
    volts = settings["crossbar"]["rows"] * settings["input"]["v_read"] * conversion.total_weight
    if settings["adc"]["where"] == "per_layer":
        volts *= len(layer.rows)
    single = volts * device["g_on"]
    pair = volts * (device["g_on"] - device["g_off"])
    main = pair if layer.analog_difference else single
    return Currents(like.filled(main).main, like.filled(single).reference)


def _unit_lsb(layer: Layer, conversion: Conversion, like: Currents) -> Currents:
    lsb = layer.drive.smallest_volt * cells.conductance_step(layer.settings)
    main, reference = (Readers(layer).steps(part, conversion.signed)[1] for part in (True, False))
    return Currents(like.filled(lsb * main).main, like.filled(lsb * reference).reference)


def _calibrated(layer: Layer, conversion: Conversion, measured: Currents) -> Currents:
    size = _without_missing(layer, measured.map(np.abs))
    steps = each(
        lambda part, p, main: np.full_like(part, Readers(layer).steps(main, conversion.signed)[1]),
        measured,
    )
    limits = measured.filled(0.0)
    for s in range(plain.slices(layer.settings["mapping"])):
        _calibrate_slice(layer, s, (size, steps), limits)
    return limits


def _calibrate_slice(
    layer: Layer, s: int, given: tuple[Currents, Currents], limits: Currents
) -> None:
    """Write the ranges of one slice; `given` are the currents' sizes and their largest codes."""
    size, steps = given
    scope = layer.settings["adc"]["scope"]

    def limit(*parts: tuple[Floats, Floats]) -> float:
        return _range_of(
            layer, *(np.concatenate([one[k].ravel() for one in parts]) for k in (0, 1))
        )

    if scope == "layer":
        every = zip([*size.main, *size.reference], [*steps.main, *steps.reference], strict=True)
        value = limit(*((a[s], b[s]) for a, b in every))
        for part in [*limits.main, *limits.reference]:
            part[s] = value
        return
    for p, main in enumerate(size.main):
        references = list(zip(size.reference, steps.reference, limits.reference, strict=True))[
            p : p + 1
        ]
        for g in range(main.shape[2]):
            if scope == "tile":
                for q, tile in enumerate(layer.outputs):
                    columns = main[s, :, g][..., tile], steps.main[p][s, :, g][..., tile]
                    beside = [(a[s, g, :, q], b[s, g, :, q]) for a, b, _ in references]
                    value = limit(columns, *beside)
                    limits.main[p][s, :, g, :, tile] = value
                    for _, _, into in references:
                        into[s, g, :, q] = value
                continue
            for r, n in np.ndindex(main.shape[1], main.shape[4]):
                at = (s, r, g, slice(None), n)
                limits.main[p][at] = limit((main[at], steps.main[p][at]))
            for a, b, into in references:
                for q in range(a.shape[3]):
                    into[s, g, :, q] = limit((a[s, g, :, q], b[s, g, :, q]))


def _range_of(layer: Layer, sizes: Floats, steps: Floats) -> float:
    """Return the range of pooled |currents| in A; NaN are those of missing groups."""
    adc = layer.settings["adc"]
    here = ~np.isnan(sizes)
    sizes, steps = sizes[here], steps[here]
    if not sizes.size or not sizes.any():
        return 0.0
    if adc["criterion"] == "percentile":
        return float(np.percentile(sizes, adc["percentile"]))
    limits = np.arange(1, _CANDIDATES + 1) / _CANDIDATES * sizes.max()
    beyond = np.square(np.maximum(sizes - limits[:, None], 0)).sum(axis=1)
    # A current on the edge of a candidate may count to either side of it in float32.
    costs = [
        beyond + (sizes <= edge * limits[:, None]).sum(axis=1) * (limits / steps.max()) ** 2 / 12
        for edge in (1.0, 1 - _ROUNDED, 1 + _ROUNDED)
    ]
    best = int(np.argmin(costs[0]))
    for cost in costs:
        others = np.delete(cost, best)
        layer.calibration_risk += int((others <= cost[best] * (1 + _AS_GOOD)).any())
    return float(limits[best])


def _without_missing(layer: Layer, size: Currents) -> Currents:
    """Put NaN where no group of the layer is read."""
    missing = ~np.asarray(layer.packed.present.any(axis=1))
    main = [np.where(missing[:, None, :], np.nan, part) for part in size.main]
    return Currents(main, size.reference)
