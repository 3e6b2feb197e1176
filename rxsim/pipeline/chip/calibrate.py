"""Measure all that the calibration inputs of a study tell: what `rxsim calibrate` writes."""

from __future__ import annotations

import numpy as np

from rxsim.pipeline.chip.adc_ranges import calibrated_layers, layer_blocks, measured_ranges
from rxsim.pipeline.chip.foundry import Mapped, equip, map_study, solve_chip
from rxsim.pipeline.study.calibration import CalibratedRung, Calibration
from rxsim.pipeline.study.calibration_match import data_record, model_record, settings_record
from rxsim.pipeline.study.study import Study
from rxsim.tiles import LayerTransfer


def calibrate(study: Study) -> Calibration:
    """Measure input ranges, operating points and the ADC ranges of both rungs.

    Raises:
        RxsimError: something in the study can't be used.
    """
    mapped = map_study(study)
    adc_ranges: dict[CalibratedRung, dict[str, np.ndarray]] = {"ideal": {}, "nonideal": {}}
    if calibrated_layers(mapped.settings):
        levels = solve_chip(study, mapped, None, wires=False)
        adc_ranges["ideal"] = _shared(study, mapped, levels, None)
        nominal = solve_chip(study, mapped, None)
        adc_ranges["nonideal"] = _shared(study, mapped, nominal, levels)
    base, changes = settings_record(study.network, study.settings)
    return Calibration(
        model_record(study.network),
        data_record(study.provenance),
        base,
        changes,
        mapped.input_ranges,
        {name: (point.volt, point.activity) for name, point in mapped.points.items()},
        adc_ranges,
    )


def _shared(
    study: Study, mapped: Mapped, transfers: list[LayerTransfer], ideal: list[LayerTransfer] | None
) -> dict[str, np.ndarray]:
    """Measure one rung's ADC ranges and keep each once, by layer name."""
    open_layers = equip(study, mapped, transfers, ideal=ideal)
    rung: CalibratedRung = "ideal" if ideal is None else "nonideal"
    measured = measured_ranges(study, mapped, open_layers, rung)
    kept = {}
    for item in open_layers:
        ranges = measured.get(item.layer.name)
        if ranges is not None:
            blocks = layer_blocks(item, mapped.settings[item.layer.name].adc.scope)
            values = np.empty(int(blocks.max()) + 1)
            values[blocks] = ranges
            kept[item.layer.name] = values
    return kept
