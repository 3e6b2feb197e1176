"""Units that measured tables come in: conductances, resistances, times."""

from __future__ import annotations

import re

import numpy as np

from rxsim.durations import SECONDS
from rxsim.errors import InputError

CONDUCTANCES = {"S": 1.0, "mS": 1e-3, "uS": 1e-6, "nS": 1e-9, "pS": 1e-12}
RESISTANCES = {"ohm": 1.0, "kohm": 1e3, "Mohm": 1e6, "Gohm": 1e9}
_MORE_TIMES = {
    **dict.fromkeys(("sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("hr", "hrs", "hour", "hours"), 3600.0),
    **dict.fromkeys(("day", "days"), 86400.0),
}


def plain_unit(text: str) -> str:
    """Write a unit in plain letters: the Greek mu as u, the ohm sign as ohm."""
    for sign, letters in (("µ", "u"), ("μ", "u"), ("Ω", "ohm"), ("Ω", "ohm")):
        text = text.replace(sign, letters)
    return re.sub(r"(?i)ohms?$", "ohm", text.strip())


def in_siemens(values: np.ndarray, unit: str) -> np.ndarray:
    """Turn values of a known unit into siemens."""
    if unit in CONDUCTANCES:
        return values * CONDUCTANCES[unit]
    with np.errstate(divide="ignore"):
        return np.asarray(1 / (values * RESISTANCES[unit]))


def conductance_unit(text: str) -> str | None:
    """Return the canonical name of a unit of conductance or resistance; None: it is none."""
    plain = plain_unit(text)
    known = (*CONDUCTANCES, *RESISTANCES)
    if plain in known:
        return plain
    # A small m of an ohm would be milli: not taken for mega, whatever was meant.
    near = [name for name in known if name.lower() == plain.lower() and name != "Mohm"]
    return near[0] if near else None


def time_unit(text: str) -> float | None:
    """Return the seconds of a unit of time; None: it is none."""
    plain = plain_unit(text)
    return SECONDS.get(plain) or SECONDS.get(plain.lower()) or _MORE_TIMES.get(plain.lower())


def check_units(unit: str | None, unit_of_time: str | None) -> None:
    """Refuse units that are unknown.

    Raises:
        InputError: naming the option and the units that there are.
    """
    if unit is not None and conductance_unit(unit) is None:
        raise InputError(
            f"--unit: found {unit[:40]!r}, expected one of {', '.join((*CONDUCTANCES, *RESISTANCES))}"
        )
    if unit_of_time is not None and time_unit(unit_of_time) is None:
        raise InputError(
            f"--time-unit: found {unit_of_time[:40]!r}, expected one of {', '.join(SECONDS)}"
        )


PRESET_UNITS = {"siemens": "S", "millisiemens": "mS", "microsiemens": "uS", "nanosiemens": "nS"}
"""Units that a preset may have, by their names there."""


def preset_unit(of_target: str, highest: float) -> str:
    """Return the unit of a preset for a table: the table's own, else one in which numbers are handy.

    Args:
        of_target: unit of the targets.
        highest: largest target, siemens.
    """
    for word, short in PRESET_UNITS.items():
        if short == of_target != "S":
            return word
    return "microsiemens" if highest >= CONDUCTANCES["uS"] / 10 else "nanosiemens"
