"""Whether a scenario's settings make sense for a network, without solving anything."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np

from rxsim.calibrate import InputRange
from rxsim.config import as_plain
from rxsim.converters import layer_input_plan
from rxsim.errors import SettingError
from rxsim.mapping import map_layer
from rxsim.pipeline.chip.converter_errors import check_converters
from rxsim.pipeline.chip.mapped import for_each
from rxsim.pipeline.study.study import Study
from rxsim.scenarios import Scenario
from rxsim.tiles import is_linear


def contradicts_itself(
    study: Study, ranges: Mapping[str, InputRange], scenario: Scenario
) -> str | None:
    """Return why a scenario's settings can't be used; None where they can.

    Layers of equal settings stand for each other.

    Args:
        study: the study.
        ranges: of the layers' inputs, by name.
        scenario: which effects are on.
    """
    try:
        settings = for_each(study.layer_settings(), scenario.settings)
        seen = set[str]()
        for layer in study.network.layers:
            each = settings[layer.name]
            text = json.dumps(as_plain(each))
            if text in seen:
                continue
            seen.add(text)
            mapped = map_layer(layer, each.crossbar, each.device, each.mapping)
            check_converters([mapped], settings)
            plan = layer_input_plan(layer.name, ranges[layer.name], each)
            if not is_linear(each):
                plan.bent(np.asarray)  # any curve tells whether the passes can hold one
    except SettingError as error:
        return str(error)
    return None
