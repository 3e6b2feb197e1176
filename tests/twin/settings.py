"""Plain settings: the contract's names and defaults, and what holds for one layer.

Source: docs/concepts/model.md, section 9.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from typing import Any

from twin.presets import preset_of

Settings = dict[str, Any]

ERRORS = {"gain_sigma": 0, "offset_sigma": 0, "inl": 0, "dnl": 0}
DEFAULTS: dict[str, dict[str, Any]] = {
    "crossbar": {
        **{"rows": 64, "cols": 64, "r_wire_wl": 2.5, "r_wire_bl": 2.5},
        **{"r_driver": 100, "r_sense": 100, "r_access": 0, "topology": "crossbar"},
        **{"drive_side": "left", "sense_side": "bottom"},
        **{"r_driver_far": None, "r_sense_far": None},
    },
    "device": {
        **{"g_on": 1 / 200e3, "g_off": 1 / 1.4e6, "n_bits": 6, "n_levels": None, "model": "ideal"},
        **{"write_sigma": 0, "write_unit": "range", "d2d_sigma": 0},
        **{"array_sigma": 0, "chip_sigma": 0, "gradient": 0, "verify": None, "without": ()},
        **{"stuck_lrs": 0, "stuck_hrs": 0, "dead_rows": 0, "dead_cols": 0, "faults": None},
        **{"time": 0, "refresh": None, "read_noise": "frozen", "run_time": 1},
        **{"read_sigma": 0, "read_unit": "range", "iv": {"form": "linear"}},
    },
    "mapping": {
        **{"scheme": "differential", "balance": "one_sided", "subtract": "analog"},
        **{"w_max_scope": "layer", "w_percentile": 100, "row_order": "channel_major"},
        **{"split": "fill", "unused_cells": "g_off", "weight_bits": None, "bits_per_cell": None},
        **{"offset_removal": "digital", "layout": "separate", "pack_groups": False},
        **{"spare_cols": 0, "row_permutation": "none", "col_permutation": "none"},
    },
    "input": {
        **{"encoding": "amplitude", "v_read": 0.2, "percentile": 100, "signed_input": "bipolar"},
        **{"range": "calibrated"},
        **{"bits_per_pulse": 1, "pulses": 64, "adc_per_pass": True},
    },
    "dac": {"n_bits": 6, "noise": 0, **ERRORS},
    "adc": {
        **{"n_bits": 6, "where": "per_tile", "range": "calibrated", "scope": "layer"},
        **{"percentile": 100, "criterion": "percentile", "share": 1, **ERRORS},
        **{"noise": 0, "thresholds": None},
    },
    "calibration": {"samples": 128},
}


def complete(given: Mapping[str, Any]) -> Settings:
    """Return all settings: what is given over the preset's, over the defaults.

    Raises:
        KeyError: A section or a key is unknown.
    """
    resolved: Settings = {"trials": 1, "seed": 0, "layers": {}}
    for name, defaults in DEFAULTS.items():
        resolved[name] = _over(defaults, name, given.get(name, {}))
    for name, value in given.items():
        if name in DEFAULTS:
            continue
        if name not in resolved:
            raise KeyError(name)
        resolved[name] = value
    return resolved


def of_layer(settings: Settings, name: str) -> Settings | None:
    """Return what holds for one layer; None where it stays digital.

    Every pattern that matches the name applies, in their order. A device model starts from its preset,
    not from the device of all layers.
    """
    resolved = {**settings, "layers": {}}
    for pattern, changes in settings["layers"].items():
        if not fnmatch.fnmatchcase(name, pattern):
            continue
        if changes.get("digital", False):
            return None
        for section, keys in changes.items():
            if section == "digital":
                continue
            anew = section == "device" and "model" in keys
            base = DEFAULTS["device"] if anew else resolved[section]
            resolved[section] = _over(base, section, keys)
    return resolved


def _over(base: Mapping[str, Any], section: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Lay some keys over a section."""
    resolved = dict(base)
    keys = dict(given)
    if section == "device":
        keys = {**preset_of(keys.get("model", "ideal")).device, **keys}
        for end in ("on", "off"):
            if f"r_{end}" in keys:
                keys[f"g_{end}"] = 1 / keys.pop(f"r_{end}")
        if keys.get("n_levels") is not None:
            keys["n_bits"] = None
        elif keys.get("n_bits") is not None:
            keys["n_levels"] = None
    for key, value in keys.items():
        if key not in DEFAULTS[section]:
            raise KeyError(f"{section}.{key}")
        resolved[key] = {**resolved[key], **value} if key == "iv" else value
    return resolved


def seconds(given: float | str) -> float:
    """Return a length of time in s: a number, or text such as 1h. A month has 30 days, a year 365."""
    day = 86400.0
    units = {"mo": 30 * day, "y": 365 * day, "d": day, "h": 3600.0, "min": 60.0, "s": 1.0}
    if isinstance(given, str):
        for unit, length in units.items():
            if given.endswith(unit):
                return float(given.removesuffix(unit)) * length
    return float(given)


def levels(device: Mapping[str, Any]) -> int | None:
    """Return the number of conductance levels; None for continuous cells."""
    if device["n_levels"] is not None:
        return int(device["n_levels"])
    return None if device["n_bits"] is None else int(2 ** device["n_bits"])


def slices(mapping: Mapping[str, Any]) -> int:
    """Return how many digits a weight has; 1 without bit slicing."""
    if mapping["weight_bits"] is None:
        return 1
    bits = mapping["weight_bits"] - (1 if mapping["scheme"] == "differential" else 0)
    return int(-(-bits // mapping["bits_per_cell"]))
