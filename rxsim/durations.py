"""Lengths of time as people write them: `1d` is 86,400 seconds, and 86,400 seconds read as 1 d.

Assumption: a month has 30 days, and a year 365.
"""

from __future__ import annotations

import re

SECONDS = {
    "ns": 1e-9,
    "us": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "w": 7 * 86400.0,
    "mo": 30 * 86400.0,
    "y": 365 * 86400.0,
}
"""Seconds of each unit, by the unit's name."""
_WORDS = {"month": "mo", "months": "mo", "year": "y", "years": "y", "day": "d", "days": "d"}
# Units in which a length is written where it is a whole number of them, largest first.
_WRITTEN = ("y", "mo", "d", "h", "min")
_FORM = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([A-Za-z]*)")


def seconds_of(text: str) -> float | None:
    """Read a length of time such as `10s`, `1h`, `1d` or `1y`; a bare number is in seconds.

    Returns:
        Seconds; None where the text is no length of time.
    """
    match = _FORM.fullmatch(text.strip())
    if match is None:
        return None
    unit = _WORDS.get(match[2].lower(), match[2]) or "s"
    if unit not in SECONDS:
        return None
    # Divided where a unit is a part of a second: 100 ns then is 1e-7 to the last bit.
    number, length = float(match[1]), SECONDS[unit]
    return number * length if length >= 1 else number / round(1 / length)


def minutes_or_months(text: str) -> str:
    """Return a hint, to follow a message, where a length is given in `m`; empty elsewhere."""
    match = _FORM.fullmatch(text.strip())
    if match is None or match[2] not in ("m", "M"):
        return ""
    return f" ({match[1]}min is minutes, {match[1]}mo is months)"


def written(seconds: float) -> str:
    """Write a length of time for readers: `1 d`, `90 s`, `2.5 h`, `250 ns`."""
    if seconds == 0:
        return "0 s"
    for unit in _WRITTEN:
        if seconds >= SECONDS[unit] and (seconds / SECONDS[unit]).is_integer():
            return f"{seconds / SECONDS[unit]:g} {unit}"
    for unit in ("y", "d", "h") if seconds >= 10 * SECONDS["h"] else ():
        if seconds >= SECONDS[unit]:
            return f"{seconds / SECONDS[unit]:.3g} {unit}"
    for unit in ("s", "ms", "us"):
        if seconds >= SECONDS[unit]:
            return f"{seconds / SECONDS[unit]:.6g} {unit}"
    return f"{seconds / SECONDS['ns']:.6g} ns"
