"""Measure all that the calibration inputs of a study tell: what `rxsim calibrate` writes."""

from __future__ import annotations

import numpy as np

from rxsim.pipeline.chip.adc_ranges import calibrated_layers, layer_blocks, measured_ranges
from rxsim.pipeline.chip.foundries import Foundries
from rxsim.pipeline.chip.foundry import nominal_layers
from rxsim.pipeline.study.calibration import CALIBRATED, Calibration
from rxsim.pipeline.study.calibration_match import data_record, model_record, settings_record
from rxsim.pipeline.study.study import Study
from rxsim.scenarios import SCENARIOS, Scenario


def calibrate(study: Study) -> Calibration:
    """Measure input ranges, operating points and the ADC ranges of the rungs that have some.

    Raises:
        RxsimError: something in the study can't be used.
    """
    foundries = Foundries(study)
    mapped = foundries.map(SCENARIOS["nonideal"])
    base, changes = settings_record(study.network, study.settings)
    return Calibration(
        model=model_record(study.network),
        data=data_record(study.provenance),
        settings=base,
        layer_settings=changes,
        input_ranges=mapped.input_ranges,
        points={name: (point.volt, point.activity) for name, point in mapped.points.items()},
        adc_ranges={rung: _ranges(study, foundries, SCENARIOS[rung]) for rung in CALIBRATED},
    )


def _ranges(study: Study, foundries: Foundries, scenario: Scenario) -> dict[str, np.ndarray]:
    """Measure a scenario's ADC ranges and keep each once, by layer name."""
    mapped = foundries.map(scenario)
    if not calibrated_layers(mapped.settings):
        return {}
    open_layers = nominal_layers(study, mapped, foundries.solved)
    measured = measured_ranges(study, mapped, open_layers, scenario)
    kept = {}
    for item in open_layers:
        ranges = measured.get(item.layer.name)
        if ranges is not None:
            blocks = layer_blocks(item, mapped.settings[item.layer.name].adc.scope)
            values = np.empty(int(blocks.max()) + 1)
            values[blocks] = ranges
            kept[item.layer.name] = values
    return kept
