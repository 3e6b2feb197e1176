"""Lay settings over settings: the later value of a key wins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Pairs of names of the same quantity: giving a name replaces the value of its partner below it.
_ALIASES = {
    "r_on": "g_on",
    "g_on": "r_on",
    "r_off": "g_off",
    "g_off": "r_off",
    "n_bits": "n_levels",
    "n_levels": "n_bits",
}


def overlay(base: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    """Lay a mapping of settings over another, section by section."""
    merged = dict(base)
    for name, value in top.items():
        below = merged.get(name)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            merged[name] = overlay(below, value)
        else:
            if _ALIASES.get(name) not in top:
                merged.pop(_ALIASES.get(name, ""), None)
            merged[name] = value
    return merged
