"""Measure all that the calibration inputs of a study tell: what `rxsim calibrate` writes."""

from __future__ import annotations

import numpy as np

from rxsim.converters import Steps
from rxsim.pipeline.chip.adc_ranges import calibrated_layers, layer_blocks, measured_adcs
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
    adcs = {rung: _adcs(study, foundries, SCENARIOS[rung]) for rung in CALIBRATED}
    return Calibration(
        model=model_record(study.network),
        data=data_record(study.provenance),
        settings=base,
        layer_settings=changes,
        input_ranges=mapped.input_ranges,
        points={name: (point.volt, point.activity) for name, point in mapped.points.items()},
        adc_ranges={
            rung: {name: ranges for name, (ranges, _) in kept.items()}
            for rung, kept in adcs.items()
        },
        adc_steps={
            rung: {name: steps for name, (_, steps) in kept.items() if steps}
            for rung, kept in adcs.items()
        },
    )


def _adcs(
    study: Study, foundries: Foundries, scenario: Scenario
) -> dict[str, tuple[np.ndarray, tuple[Steps, ...]]]:
    """Measure a scenario's ADCs; return each range and its steps once, by layer name."""
    mapped = foundries.map(scenario)
    if not calibrated_layers(mapped.settings):
        return {}
    open_layers = nominal_layers(study, mapped, foundries.solved)
    measured = measured_adcs(study, mapped, open_layers, scenario)
    kept = {}
    for item in open_layers:
        adc = measured.get(item.layer.name)
        if adc is not None:
            blocks = layer_blocks(item, mapped.settings[item.layer.name].adc.scope)
            here = blocks >= 0
            ranges = np.empty(int(blocks.max()) + 1)
            ranges[blocks[here]] = adc.ranges[here]
            kept[item.layer.name] = ranges, () if adc.levels is None else adc.levels.listed
    return kept
