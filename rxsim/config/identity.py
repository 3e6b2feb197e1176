"""The identity of settings: their canonical values and the hash of these."""

from __future__ import annotations

from functools import cache
from typing import Any

import yaml
from pydantic import BaseModel

from rxsim.config.cost import Cost
from rxsim.config.device import Device
from rxsim.config.models import Adc, Dac, Mapping
from rxsim.config.settings import Settings
from rxsim.sealed import hash_of

# libyaml's writer takes a sixth of the time of Python's, for which patched files would wait. Both write
# the same but for where quoted text of more than a line goes on, and what they write loads alike.
_WRITER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

# Settings that came after the first results, by section.
_LATER: tuple[tuple[str, type[BaseModel], tuple[str, ...]], ...] = (
    ("mapping", Mapping, ("fold", "skip_zero")),
    ("dac", Dac, ("noise",)),
    ("adc", Adc, ("noise", "thresholds")),
    (
        "device",
        Device,
        (
            *("without", "verify", "array_sigma", "chip_sigma", "gradient", "refresh", "faults"),
            *("read_noise", "run_time", "read_sigma", "read_unit", "dead_rows", "dead_cols"),
        ),
    ),
    ("cost", Cost, ("adc_share",)),
    ("", Settings, ("compensate", "drift_compensation", "cost")),
)


def as_plain(settings: Settings) -> dict[str, Any]:
    """Return validated settings as plain nested dictionaries (conductances, not resistances).

    Settings of `_LATER` are left out where they have their default, so that results from before these
    settings existed keep their identity.
    """
    plain = settings.model_dump(mode="json")
    for section, model, names in _LATER:
        values = plain[section] if section else plain
        for name in names if values is not None else ():
            if values[name] == _default(model, name):
                del values[name]
    for device in _devices(plain):
        preset = device.get("model")
        if isinstance(preset, dict) and preset.get("times") is None:
            preset.pop("times", None)
    return plain


def _devices(plain: dict[str, Any]) -> list[dict[str, Any]]:
    """List the sections `device` of plain settings, also those of single layers."""
    return [plain["device"], *(layer["device"] for layer in plain["layers"].values())]


@cache
def _default(model: type[BaseModel], name: str) -> Any:
    default = model.model_fields[name].default
    return list(default) if isinstance(default, tuple) else default


def as_yaml(settings: Settings) -> str:
    """Return resolved settings as YAML that loads to the same settings."""
    text: str = yaml.dump(as_plain(settings), Dumper=_WRITER, sort_keys=False)
    return text


def as_full_yaml(settings: Settings) -> str:
    """Return resolved settings as YAML with every key, for readers; it loads to the same settings."""
    plain = settings.model_dump(mode="json")
    text: str = yaml.dump(plain, Dumper=_WRITER, sort_keys=False)
    return text


def canonical(settings: Settings) -> dict[str, Any]:
    """Return settings as plain values that are the same for equal settings.

    Six bits and 64 levels are equal: the number of levels stands for both.
    """
    plain = as_plain(settings)
    del plain["device"]["n_bits"], plain["device"]["n_levels"]
    plain["device"]["levels"] = settings.device.levels
    for device in _devices(plain):
        if device.get("faults") is not None:
            del device["faults"]["file"]  # what it contains matters, not where it lies
    return plain


def settings_hash(settings: Settings) -> str:
    """Hash validated settings: equal settings, written in whatever way, hash alike."""
    return hash_of(canonical(settings))
