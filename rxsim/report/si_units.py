"""Numbers with units and prefixes, as a reader expects them: 4.2e-9 J is 4.2 nJ."""

from __future__ import annotations

import math

_PREFIXES = {
    -15: "f",
    -12: "p",
    -9: "n",
    -6: "u",
    -3: "m",
    0: "",
    3: "k",
    6: "M",
    9: "G",
    12: "T",
    15: "P",
}


def si(value: float | None, unit: str, digits: int = 3) -> str:
    """Write a value with the prefix that leaves 1 to 999 before the point; a dash for None.

    Args:
        value: in the unit without prefix.
        unit: such as J.
        digits: significant ones.
    """
    if value is None:
        return "-"
    if value == 0 or not math.isfinite(value):
        return f"{value:g} {unit}"
    rounded = float(f"{value:.{digits - 1}e}")
    power = 3 * math.floor(math.log10(abs(rounded)) / 3 + 1e-12)
    power = min(max(power, min(_PREFIXES)), max(_PREFIXES))
    # 3 digits at least: 380 with 2 of them is written 380, not 3.8e+02.
    return f"{rounded / 10.0**power:.{max(digits, 3)}g} {_PREFIXES[power]}{unit}"


def prefix_of(largest: float) -> tuple[str, float]:
    """Return the prefix that fits the largest of several values, and the factor onto their numbers."""
    if not 0 < largest < math.inf:
        return "", 1.0
    power = 3 * math.floor(math.log10(largest) / 3 + 1e-12)
    power = min(max(power, min(_PREFIXES)), max(_PREFIXES))
    return _PREFIXES[power], 10.0**-power


def mm2(value: float | None) -> str:
    """Write an area that is in mm2, small ones in um2."""
    if value is None:
        return "-"
    if value >= 0.01 or value == 0:
        return f"{value:.3g} mm2"
    return f"{float(f'{value:.2e}') * 1e6:,g} um2"
