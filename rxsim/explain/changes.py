"""Changes of settings: made for all layers or for one, joined, and laid over settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rxsim.config import Settings, layer_settings
from rxsim.config.overlay import overlay
from rxsim.dotted import at, nested
from rxsim.schema import validated

Changes = Mapping[str, Any]
"""Values by dotted name; at `layers.NAME` a mapping of what differs for a layer, or for a pattern."""

LAYERS = "layers."


def everywhere(settings: Settings, name: str, new: Callable[[Any], Any]) -> dict[str, Any]:
    """Change a setting for all layers, also where the settings of single layers state it.

    Args:
        settings: resolved settings.
        name: dotted, such as adc.n_bits.
        new: gives the new value from the old one; the same value where nothing is to change.
    """
    changes: dict[str, Any] = {}
    old = at(settings, name)
    if new(old) != old:
        changes[name] = new(old)
    section, *keys = name.split(".")
    for pattern, layer in settings.layers.items():
        stated = getattr(layer, section, {})
        for key in keys[:-1]:
            stated = stated.get(key, {})
        if keys and keys[-1] in stated and new(stated[keys[-1]]) != stated[keys[-1]]:
            changes[LAYERS + pattern] = nested(name.split("."), new(stated[keys[-1]]))
    return changes


def in_layer(
    settings: Settings, layer: str, name: str, new: Callable[[Any], Any]
) -> dict[str, Any]:
    """Change a setting for a single layer; nothing changes where it is digital.

    Args:
        settings: resolved settings.
        layer: its name.
        name: dotted, such as adc.n_bits.
        new: gives the new value from the old one.
    """
    resolved = layer_settings(settings, layer)
    if resolved is None or new(at(resolved, name)) == at(resolved, name):
        return {}
    return {LAYERS + layer: nested(name.split("."), new(at(resolved, name)))}


def joined(first: Changes, *more: Changes) -> dict[str, Any]:
    """Join changes; later ones win. A layer that one of them makes digital stays so."""
    together = dict(first)
    for changes in more:
        for name, value in changes.items():
            below = together.get(name, {}) if name.startswith(LAYERS) else None
            together[name] = value if below is None else overlay(below, value)
    return {name: _digital_alone(value) for name, value in together.items()}


def changed(settings: Settings, changes: Changes, where: str) -> Settings:
    """Lay changes over resolved settings.

    Args:
        settings: resolved settings.
        changes: what differs.
        where: name of the result in messages.

    Raises:
        SettingError: the values contradict each other.
    """
    values = settings.model_dump()
    for name, value in changes.items():
        if name.startswith(LAYERS):
            # A layer's name may hold dots.
            pattern = name.removeprefix(LAYERS)
            below = values["layers"].get(pattern, {})
            values["layers"][pattern] = _digital_alone(overlay(below, value))
        else:
            values = overlay(values, nested(name.split("."), value))
    return validated(Settings, values, where)


def _digital_alone(value: Any) -> Any:
    is_digital = isinstance(value, Mapping) and value.get("digital")
    return {"digital": True} if is_digital else value
