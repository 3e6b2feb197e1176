"""ADC ranges where steps bring outputs back, and designs that rungs share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from known import known

import rxsim
from rxsim.config import load_settings
from rxsim.mapping import MappedLayer
from rxsim.pipeline import DataOptions, Foundries, Study, open_study
from rxsim.pipeline.chip import designs
from rxsim.scenarios import SCENARIOS, step_by_step
from rxsim.tiles import LayerDesign, design_layer

CNN = Path("models/digits_cnn.onnx")
SHRUNKEN = {
    "crossbar": {"rows": 128, "cols": 128, "r_wire_wl": 10, "r_wire_bl": 10},
    "device": {"r_on": 20000, "r_off": 200000},
}
LINES = ["crossbar.r_wire_wl=10", "crossbar.r_wire_bl=10", "device.r_on=20000", "device.r_off=2e5"]


def study_of(*assignments: str) -> Study:
    settings = load_settings(xbar="128x128", assignments=[*LINES, *assignments])
    return open_study(CNN, settings, DataOptions(limit=40), threads=1)


@pytest.mark.parametrize("steps", [["statistics"], ["columns"], ["columns", "statistics"]])
def test_what_steps_bring_back_has_room_in_the_adcs(steps: list[str]) -> None:
    """With ranges of the shrunken network these steps made it worse: layers behind were cut off."""
    settings = {**SHRUNKEN, "compensate": steps}
    result = rxsim.evaluate(CNN, settings, DataOptions(limit=100))
    rungs = [result.rung(name).trials[0] for name in ("nonideal", "compensated")]
    hits, ratios = ([known(run.mean(name)) for run in rungs] for name in ("accuracy", "snr_db"))
    assert hits[1] > hits[0]
    assert ratios[1] > ratios[0] + 6
    assert max(row.adc_clipping or 0.0 for row in result.layers) < 0.02


def test_ranges_are_those_of_layers_that_see_the_float_network() -> None:
    """A first layer sees the same either way; the others get what nothing before them shrank."""
    plain = Foundries(study_of()).open(SCENARIOS["nonideal"])
    behind = Foundries(study_of("compensate=[statistics]")).open(SCENARIOS["compensated"])
    pairs = [
        (one.lsb.max(), other.lsb.max())
        for one, other in zip(plain.adcs, behind.adcs, strict=True)
        if one is not None and other is not None
    ]
    assert pairs[0][0] == pairs[0][1]
    assert all(other > one for one, other in pairs[1:])


def test_known_cells_alone_change_no_range() -> None:
    plain = Foundries(study_of()).open(SCENARIOS["nonideal"])
    behind = Foundries(study_of("compensate=[digital_cells]")).open(SCENARIOS["compensated"])
    for one, other in zip(plain.adcs, behind.adcs, strict=True):
        assert one is not None
        assert other is not None
        np.testing.assert_array_equal(one.lsb, other.lsb)


def test_rungs_of_the_same_design_share_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def counted(layer: MappedLayer, *given: Any) -> LayerDesign:
        made.append(layer.layer.name)
        return design_layer(layer, *given)

    monkeypatch.setattr(designs, "design_layer", counted)
    study = study_of("compensate=[order,digital_cells,statistics]")
    foundries = Foundries(study)
    for scenario in step_by_step(study.settings):
        foundries.map(scenario)
    assert made == [layer.name for layer in study.network.layers]
