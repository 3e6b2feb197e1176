"""Times of reading: a single one or several, as users give them, and settings at each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from rxsim.config.merge import settings_changed
from rxsim.config.settings import Settings, check_layers
from rxsim.durations import minutes_or_months, seconds_of, written
from rxsim.errors import SettingError
from rxsim.schema import in_yaml


def read_times(given: Iterable[Any], where: str) -> tuple[float, ...]:
    """Read times after programming.

    Args:
        given: numbers of seconds, or text such as `1h`.
        where: what messages call them.

    Returns:
        Seconds, each 0 or above and each once.

    Raises:
        SettingError: one is no length of time, or stands twice, or there is none.
    """
    times: list[float] = []
    for value in given:
        seconds = _seconds(value)
        hint = minutes_or_months(value) if isinstance(value, str) else ""
        if seconds is None or not math.isfinite(seconds) or seconds < 0:
            raise SettingError(
                f"{where}: found {in_yaml(value)}, expected seconds of 0 or above, or a length of time "
                f"such as 10s, 1h, 1d or 1y{hint}; correct it"
            )
        if seconds in times:
            raise SettingError(
                f"{where}: found {written(seconds)} twice, expected each time once; leave one out"
            )
        times.append(seconds + 0.0)  # -0.0 is 0
    if not times:
        raise SettingError(f"{where}: found no time, expected one at least, such as 1d; give one")
    return tuple(times)


def _seconds(value: Any) -> float | None:
    if isinstance(value, str):
        return seconds_of(value)
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def settings_at(settings: Settings, seconds: float) -> Settings:
    """Return settings whose cells are read so long after programming.

    Raises:
        SettingError: the device was not measured for this time.
    """
    changed = settings_changed(settings, {"device.time": seconds}, "settings")
    check_layers(changed)
    return changed


def settings_over(settings: Settings, times: Sequence[float]) -> tuple[Settings, ...]:
    """Return settings at each of several times.

    Raises:
        SettingError: the device was not measured for one of them, or a layer has a time of its own.
    """
    timed = [pattern for pattern, layer in settings.layers.items() if "time" in layer.device]
    if timed and len(times) > 1:
        raise SettingError(
            f"layers.{timed[0]}.device.time: found {in_yaml(settings.layers[timed[0]].device['time'])} "
            "beside several times, expected all layers to age alike; leave it out, or give one time"
        )
    return tuple(settings_at(settings, seconds) for seconds in times)
