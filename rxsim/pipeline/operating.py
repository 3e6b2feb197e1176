"""Operating points of a study's layers whose arrays are not linear: what drives them on average."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rxsim.calibrate import InputRange
from rxsim.circuit import OperatingPoint
from rxsim.config import Settings
from rxsim.converters import Drive, layer_drive
from rxsim.devices import SeparableCurve, curve_of
from rxsim.errors import SettingError
from rxsim.pipeline.study import Study
from rxsim.session import Session, with_outputs


def is_linear(own: Settings) -> bool:
    """Tell whether an array's currents are linear in its inputs."""
    return own.device.iv.form == "linear" and own.crossbar.topology == "crossbar"


def operating_points(
    study: Study, settings: Mapping[str, Settings], ranges: Mapping[str, InputRange]
) -> dict[str, OperatingPoint]:
    """Find where the arrays of each layer that are not linear are made so.

    The voltage is the root mean square of what drives the layer's rows over the calibration inputs, all
    passes and pulses counted; where inputs gate the cells it is the read voltage, and the activity is
    the mean share of active rows.

    Args:
        study: the study.
        settings: by layer name.
        ranges: of the layers' inputs, by name.

    Raises:
        SettingError: a curve or a drive can't be used.
        InputError: an earlier calibration holds no point of a layer.
    """
    layers = [layer for layer in study.network.layers if not is_linear(settings[layer.name])]
    kept = study.calibration_file
    if kept is not None:
        curves = {name: curve_of(own.device.iv, own.input.v_read) for name, own in settings.items()}
        return {
            layer.name: OperatingPoint(curves[layer.name], *kept.point(layer.name))
            for layer in layers
        }
    if not layers:
        return {}
    drives = {
        layer.name: layer_drive(layer.name, ranges[layer.name], settings[layer.name])
        for layer in layers
    }
    names = list(dict.fromkeys(layer.input for layer in layers))
    session = Session(
        with_outputs(study.network.model, names), "the float network", study.network.fixed_batch
    )
    sums = {layer.name: np.zeros(3) for layer in layers}
    with study.stages("operating points") as progress:
        for results in session.batches(
            study.calibration, names, batch=study.batch, threads=study.threads, progress=progress
        ):
            found = dict(zip(names, results, strict=True))
            for layer in layers:
                values = found[layer.input]
                sums[layer.name] += _sums(drives[layer.name], settings[layer.name], values)
    return {
        layer.name: _point(layer.name, settings[layer.name], sums[layer.name]) for layer in layers
    }


def _sums(drive: Drive, own: Settings, values: np.ndarray) -> np.ndarray:
    """Sum of squared voltages, number of active rows, number of rows: over values and passes."""
    codes = drive.dac.codes(values)
    steps = drive.dac.high or 1
    v_read = own.input.v_read
    if own.input.encoding in ("pulse_width", "stochastic"):
        shares = np.abs(codes) / steps  # of the time, or of the pulses, at the read voltage
        return np.array([(shares * v_read**2).sum(), shares.sum(), codes.size])
    total = np.zeros(3)
    for one in drive.passes:
        units = one.units(codes)
        volts = units * one.volt
        total += np.array([np.square(volts).sum(), np.count_nonzero(units), units.size])
    return total


def _point(name: str, own: Settings, sums: np.ndarray) -> OperatingPoint:
    v_read = own.input.v_read
    curve = curve_of(own.device.iv, v_read)
    squares, active, count = sums
    if own.crossbar.topology == "input_gated":
        if not isinstance(curve, SeparableCurve):
            raise SettingError(
                f"layer {name}: found device.iv.form: {own.device.iv.form} with crossbar.topology: "
                "input_gated, expected a form whose current is proportional to the conductance"
            )
        # Without any active row every activity gives the same: nothing.
        return OperatingPoint(curve, v_read, float(active / count) if active else 1.0)
    return OperatingPoint(curve, float(np.sqrt(squares / count)) or v_read)
