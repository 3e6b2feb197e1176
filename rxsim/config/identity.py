"""The identity of settings: one canonical text and its hash, however they were written."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import yaml

from rxsim.config.settings import Settings


def as_plain(settings: Settings) -> dict[str, Any]:
    """Return validated settings as plain nested dictionaries (conductances, not resistances)."""
    return settings.model_dump(mode="json")


def as_yaml(settings: Settings) -> str:
    """Return resolved settings as YAML that loads to the same settings."""
    text: str = yaml.safe_dump(as_plain(settings), sort_keys=False)
    return text


def settings_hash(settings: Settings) -> str:
    """Hash validated settings: equal settings, written in whatever way, hash alike."""
    plain = as_plain(settings)
    del plain["device"]["n_bits"], plain["device"]["n_levels"]
    plain["device"]["levels"] = settings.device.levels  # 6 bits and 64 levels are the same
    canonical = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
