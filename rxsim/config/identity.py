"""The identity of settings: their canonical values and the hash of these."""

from __future__ import annotations

from typing import Any

import yaml

from rxsim.config.models import Mapping
from rxsim.config.settings import Settings
from rxsim.sealed import hash_of

# libyaml's writer takes a sixth of the time of Python's, for which patched files would wait. Both write
# the same but for where quoted text of more than a line goes on, and what they write loads alike.
_WRITER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def as_plain(settings: Settings) -> dict[str, Any]:
    """Return validated settings as plain nested dictionaries (conductances, not resistances).

    An empty list of compensation steps, and folding as it is by default, are left out, so that results
    from before these settings existed keep their identity.
    """
    plain = settings.model_dump(mode="json")
    if plain["mapping"]["fold"] == Mapping.model_fields["fold"].default:
        del plain["mapping"]["fold"]
    if not plain["compensate"]:
        del plain["compensate"]
    return plain


def as_yaml(settings: Settings) -> str:
    """Return resolved settings as YAML that loads to the same settings."""
    text: str = yaml.dump(as_plain(settings), Dumper=_WRITER, sort_keys=False)
    return text


def canonical(settings: Settings) -> dict[str, Any]:
    """Return settings as plain values that are the same for equal settings.

    Six bits and 64 levels are equal: the number of levels stands for both.
    """
    plain = as_plain(settings)
    del plain["device"]["n_bits"], plain["device"]["n_levels"]
    plain["device"]["levels"] = settings.device.levels
    return plain


def settings_hash(settings: Settings) -> str:
    """Hash validated settings: equal settings, written in whatever way, hash alike."""
    return hash_of(canonical(settings))
