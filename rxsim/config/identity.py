"""The identity of settings: one canonical text and its hash, however they were written."""

from __future__ import annotations

from typing import Any

import yaml

from rxsim.config.settings import Settings
from rxsim.dotted import flat
from rxsim.sealed import hash_of


def as_plain(settings: Settings) -> dict[str, Any]:
    """Return validated settings as plain nested dictionaries (conductances, not resistances).

    A list of no steps is left out: results from before there were any keep their identity.
    """
    plain = settings.model_dump(mode="json")
    if not plain["compensate"]:
        del plain["compensate"]
    return plain


def as_yaml(settings: Settings) -> str:
    """Return resolved settings as YAML that loads to the same settings."""
    text: str = yaml.safe_dump(as_plain(settings), sort_keys=False)
    return text


# Devices' errors and converters' static errors: calibration sees nominal ones. A preset's name is one
# of them: what else it gives stands in g_on, g_off and the levels.
_STATIC = ("gain_sigma", "offset_sigma", "inl", "dnl")
_NOT_CALIBRATED = {
    "trials",
    *(f"device.{name}" for name in ("model", "write_sigma", "write_unit", "d2d_sigma")),
    *(f"device.{name}" for name in ("stuck_lrs", "stuck_hrs", "time")),
    *(f"{converter}.{name}" for converter in ("dac", "adc") for name in _STATIC),
    "adc.share",
}


def calibration_settings(settings: Settings) -> dict[str, Any]:
    """Return the settings that can change what calibration measures, plain, by dotted name.

    What differs for single layers is left out: resolve it first.
    """
    plain = as_plain(settings)
    del plain["layers"], plain["device"]["n_bits"], plain["device"]["n_levels"]
    plain["device"]["levels"] = settings.device.levels  # 6 bits and 64 levels are the same
    return {name: value for name, value in flat(plain) if name not in _NOT_CALIBRATED}


def settings_hash(settings: Settings) -> str:
    """Hash validated settings: equal settings, written in whatever way, hash alike."""
    plain = as_plain(settings)
    del plain["device"]["n_bits"], plain["device"]["n_levels"]
    plain["device"]["levels"] = settings.device.levels  # 6 bits and 64 levels are the same
    return hash_of(plain)
