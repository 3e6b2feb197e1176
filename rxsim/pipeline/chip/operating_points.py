"""Operating points of a study's layers whose arrays are not linear: what drives them on average."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rxsim.calibrate import InputRange
from rxsim.circuit import OperatingPoint
from rxsim.config import Settings
from rxsim.converters import layer_input_plan
from rxsim.devices import SeparableCurve, curve_of
from rxsim.errors import SettingError
from rxsim.pipeline.study.study import Study
from rxsim.scenarios import SCENARIOS, Scenario
from rxsim.session import Session
from rxsim.tiles import is_linear


def operating_points(
    study: Study,
    scenario: Scenario,
    settings: Mapping[str, Settings],
    ranges: Mapping[str, InputRange],
) -> dict[str, OperatingPoint]:
    """Find where the arrays of each layer that are not linear are made so.

    The voltage is the root mean square of what drives the layer's rows over the calibration inputs, all
    passes and pulses counted; where inputs gate the cells it is the read voltage, and the activity is
    the mean share of active rows.

    Args:
        study: the study.
        scenario: which effects are on; an earlier calibration holds the points of `nonideal`.
        settings: by layer name, under the scenario.
        ranges: of the layers' inputs, by name.

    Raises:
        SettingError: cells of such a curve can't be driven by such inputs.
        InputError: an earlier calibration holds no point of a layer.
    """
    layers = [layer for layer in study.network.layers if not is_linear(settings[layer.name])]
    kept = study.calibration_file
    if kept is not None and scenario == SCENARIOS["nonideal"]:
        curves = {
            name: curve_of(of_layer.device.iv, of_layer.input.v_read)
            for name, of_layer in settings.items()
        }
        return {
            layer.name: OperatingPoint(curves[layer.name], *kept.point(layer.name))
            for layer in layers
        }
    if not layers:
        return {}
    loads = {
        layer.name: _RowLoad(layer.name, settings[layer.name], ranges[layer.name])
        for layer in layers
    }
    names = list(dict.fromkeys(layer.input for layer in layers))
    session = Session(study.network.model, "the float network", study.network.fixed_batch, names)
    sums = {layer.name: np.zeros(3) for layer in layers}
    with study.stages("operating points") as progress:
        for results in session.batches(
            study.calibration, names, batch=study.batch, threads=study.threads, progress=progress
        ):
            tensors = dict(zip(names, results, strict=True))
            for layer in layers:
                sums[layer.name] += loads[layer.name].sums(tensors[layer.input])
    return {
        layer.name: _point(layer.name, settings[layer.name], sums[layer.name]) for layer in layers
    }


class _RowLoad:
    """What drives a layer's rows, pass by pass: also where passes are summed before a conversion."""

    def __init__(self, name: str, settings: Settings, measured: InputRange) -> None:
        self._plan = layer_input_plan(name, measured, settings)
        self._pulses = self._plan.encoding.distinct(self._plan.pulses)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sum of squared voltages, number of active rows, number of rows: over values and passes."""
        plan = self._plan
        codes = plan.dac.codes(values)
        total = np.zeros(3)
        for pulse in self._pulses:
            total += [*plan.encoding.load(pulse, codes, plan.codes), codes.size]
        return total


def _point(name: str, settings: Settings, sums: np.ndarray) -> OperatingPoint:
    v_read = settings.input.v_read
    curve = curve_of(settings.device.iv, v_read)
    squares, active, count = sums
    if settings.crossbar.topology == "input_gated":
        if not isinstance(curve, SeparableCurve):
            raise SettingError(
                f"layer {name}: found device.iv.form: {settings.device.iv.form} with "
                "crossbar.topology: input_gated, expected a form whose current is proportional to "
                "the conductance"
            )
        # Without any active row every activity gives the same: nothing.
        return OperatingPoint(curve, v_read, float(active / count) if active else 1.0)
    # A branch that no calibration input takes has no count.
    return OperatingPoint(curve, float(np.sqrt(squares / max(count, 1.0))) or v_read)
