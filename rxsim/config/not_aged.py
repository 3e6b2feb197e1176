"""Layers whose device model was not measured at the time of the read: their cells do not age."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rxsim.config.settings import Settings, layer_settings, matches
from rxsim.durations import written

_SHOWN = 3


def not_aged(settings: Settings, names: Iterable[str]) -> tuple[str, ...]:
    """Name the layers to which `device.time` does not carry over, for their preset can't take it.

    Args:
        settings: of all layers.
        names: of the layers.
    """
    if settings.device.time == 0:
        return ()
    fresh = []
    for name in names:
        resolved = layer_settings(settings, name)
        if resolved is None or resolved.device.time == settings.device.time:
            continue
        says = [
            layer.device for pattern, layer in settings.layers.items() if matches(name, pattern)
        ]
        if "time" not in resolved.device.preset.device and not any("time" in one for one in says):
            fresh.append(name)
    return tuple(fresh)


def not_aged_note(at_times: Sequence[Settings], names: Sequence[str]) -> str:
    """Say which layers are read right after programming though time passes; empty for none.

    Args:
        at_times: the settings at each time.
        names: of the layers.
    """
    times = {settings.device.time: not_aged(settings, names) for settings in at_times}
    fresh = list(dict.fromkeys(name for layers in times.values() for name in layers))
    if not fresh:
        return ""
    when = ", ".join(written(seconds) for seconds, layers in times.items() if layers)
    shown = ", ".join(fresh[:_SHOWN]) + (", .." if len(fresh) > _SHOWN else "")
    return (
        f"device.time {when} does not carry over to the device.model of {shown}, which was not "
        "measured then: these cells are read right after programming; set layers.NAME.device.time"
    )
