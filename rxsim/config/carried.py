"""What carries over from the device of all layers to a layer with a device model of its own.

Such a layer starts from its preset: conductances, levels and errors of another device mean nothing to
it. But the whole chip is read at one time and in one way, so `time`, `refresh`, `read_noise` and
`run_time` carry over, unless the layer or its preset gives them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from rxsim.config.device import Device, age_at, is_measured_at
from rxsim.config.presets import Preset, named_preset, preset_names
from rxsim.durations import seconds_of

_TIMES = ("time", "refresh")
_READING = (*_TIMES, "read_noise", "run_time")


def reading_of(device: Device) -> dict[str, Any]:
    """Return when and how cells are read, by the names of the settings."""
    return {name: getattr(device, name) for name in _READING}


def carried(reading: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what carries over to a device that starts from another preset.

    A time for which that preset was not measured does not: its cells are read right after programming.

    Args:
        reading: when and how cells are read.
        changes: the settings of the device, with its `model`.
    """
    preset = _preset_of(changes.get("model"))
    if preset is None:
        return {}  # the setting itself refuses it
    kept = {name: value for name, value in reading.items() if name not in preset.device}
    asked = {**kept, **preset.device, **changes}
    time, refresh = _seconds(asked.get("time", 0.0)), _seconds(asked.get("refresh"))
    if "time" in kept and "time" not in changes and time is not None:
        without = changes.get("without") or ()
        age = age_at(time, refresh if refresh else None)
        if not is_measured_at(preset, age, without if isinstance(without, list | tuple) else ()):
            for name in _TIMES:
                kept.pop(name, None)
    return kept


def _preset_of(model: Any) -> Preset | None:
    if isinstance(model, str):
        return named_preset(model) if model in preset_names() else None
    return model if isinstance(model, Preset) else None


def _seconds(value: Any) -> float | None:
    """Read seconds as a settings file gives them; None where it is no length of time above 0."""
    if isinstance(value, str):
        value = seconds_of(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and value >= 0 else None
