"""Which column of a table is which, and in what unit: by its header, or by the user's word."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rxsim.durations import SECONDS
from rxsim.errors import DataError, InputError
from rxsim.fitting.units import conductance_unit, plain_unit, time_unit

ROLES = {
    "target": "conductance aimed at",
    "achieved": "conductance right after programming, or at the time",
    "time": "time from programming to the reading",
    "read": "conductance at that time",
    "cell": "which cell it is",
}
"""What a column may be, and what that means."""
_NEEDED = ("target", "achieved")
_CONDUCTANCES = ("target", "achieved", "read")
_NAMES = {
    "target": "target gtarget targetg goal aim setpoint gset gwanted targetconductance rtarget",
    "achieved": "achieved gachieved achievedg measured gmeasured programmed gprogrammed gprog actual "
    "gactual conductance g r resistance",
    "time": "time t delay elapsed tread readtime timeafterprogramming",
    "read": "read gread readg reading gt readconductance",
    "cell": "cell cellid device deviceid id cellnumber",
}
# Asked for where none of the above is there.
_MORE_NAMES = {
    "target": "gtgt tgt desired gdesired wanted ideal gideal nominal gnominal targetresistance",
    "achieved": "gach gmeas meas final gfinal gwritten achievedconductance measuredconductance "
    "programmedconductance rmeasured rachieved measuredresistance",
    "time": "timesinceprogramming elapsedtime",
    "read": "rread readresistance",
    "cell": "cellno cellindex",
}
_ENCLOSED = re.compile(r"^(.*?)\s*[\[(]\s*([^\])]*?)\s*[\])]\s*$")
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Column:
    """A column that is used.

    Attributes:
        place: its number, from 0.
        name: as the header writes it.
        unit: of a conductance or resistance; empty for other columns.
        seconds: of a time's unit; 1 for other columns.
    """

    place: int
    name: str
    unit: str = ""
    seconds: float = 1.0


def find_columns(
    header: Sequence[str],
    where: str,
    *,
    named: Mapping[str, str] | None = None,
    unit: str | None = None,
    unit_of_time: str | None = None,
) -> dict[str, Column]:
    """Return the columns by what they are.

    Args:
        header: the names of all columns, units in or behind them.
        where: the table's name in messages.
        named: what a column is -> its name or its number from 1, as the user says.
        unit: of conductances whose header states none.
        unit_of_time: of times, likewise; None: seconds.

    Raises:
        InputError: a column is missing, or meant twice, or its unit is not known.
    """
    given = {role: name for role, name in (named or {}).items() if name is not None}
    places = {role: _named(header, where, role, name) for role, name in given.items()}
    for role in ROLES:
        if role not in places:
            place = _recognised(header, where, role, set(places.values()))
            places.update({} if place is None else {role: place})
    _check_places(header, where, places)
    columns = {}
    for role, place in places.items():
        stated = _split(header[place])[1]
        name = header[place]
        if role in _CONDUCTANCES:
            columns[role] = Column(place, name, unit=_conductance(name, where, stated, unit))
        elif role == "time":
            seconds = _time(name, where, stated, unit_of_time)
            columns[role] = Column(place, name, seconds=seconds)
        else:
            columns[role] = Column(place, name)
    if len({columns[role].unit.endswith("ohm") for role in _CONDUCTANCES if role in columns}) > 1:
        raise DataError(
            f"{where}: found conductances beside resistances, expected one kind in all columns; "
            "convert one, or correct the units"
        )
    return columns


def _named(header: Sequence[str], where: str, role: str, name: str) -> int:
    """Return the place of a column that the user names."""
    places = [place for place, text in enumerate(header) if text == name]
    places = places or [p for p, text in enumerate(header) if text.lower() == name.lower()]
    places = places or [p for p, text in enumerate(header) if _key(text) == _key(name)]
    if not places and name.isdecimal() and 1 <= int(name) <= len(header):
        return int(name) - 1
    if len(places) == 1:
        return places[0]
    count = f"{len(places)} columns of this name" if places else f"the columns {_listed(header)}"
    raise InputError(
        f"--{role} {name[:40]}: {where} has {count}, expected one that is called so; give its name or "
        "its number from 1"
    )


def _recognised(header: Sequence[str], where: str, role: str, taken: set[int]) -> int | None:
    """Return the place of the column whose name says what it is; the usual names come first."""
    keys = {place: _key(text) for place, text in enumerate(header) if place not in taken}
    known = _NAMES[role].split()
    for names in (known[:1], known, _MORE_NAMES[role].split()):
        places = [place for place, key in keys.items() if key in names]
        if len(places) > 1:
            raise InputError(
                f"{where}: found the columns {_listed([header[place] for place in places])}, each of "
                f"which may be the {role}; say which with --{role} NAME"
            )
        if places:
            return places[0]
    return None


def _check_places(header: Sequence[str], where: str, places: Mapping[str, int]) -> None:
    missing = [role for role in _NEEDED if role not in places]
    if missing:
        raise DataError(
            f"{where}: found the columns {_listed(header)}, expected one called {missing[0]} "
            f"({ROLES[missing[0]]}); name it with --{missing[0]} NAME"
        )
    for role, place in places.items():
        twice = [other for other in places if other != role and places[other] == place]
        if twice:
            raise InputError(
                f"{where}: found the column {header[place]!r} as {role} and as {twice[0]}, expected "
                "a column for each; name another"
            )
    if "read" in places and "time" not in places and "cell" not in places:
        raise DataError(
            f"{where}: found a column read without a time, expected time (seconds from programming "
            "to that reading) or cell (whose readings are repeated) beside it; add one"
        )


def _conductance(name: str, where: str, stated: str, given: str | None) -> str:
    inner = conductance_unit(stated) if stated else None
    outer = None if given is None else conductance_unit(given)
    if inner is not None and outer not in (None, inner):
        raise InputError(
            f"{where}: the header {name!r} says {inner}, --unit says {outer}; expected the same, "
            "leave --unit out"
        )
    unit = inner or outer
    if unit is None:
        raise DataError(
            f"{where}: found no unit in the header {name!r}, expected one such as "
            f"{name[:20]!r} [uS]; add it, or give --unit uS"
        )
    return unit


def _time(name: str, where: str, stated: str, given: str | None) -> float:
    inner = time_unit(stated) if stated else None
    outer = None if given is None else time_unit(given)
    if inner is not None and outer not in (None, inner):
        raise InputError(
            f"{where}: the header {name!r} says {stated}, --time-unit says {given}; expected the "
            "same, leave --time-unit out"
        )
    if stated and inner is None and outer is None:
        raise DataError(
            f"{where}: found {stated[:20]!r} as the unit of times in the header {name!r}, expected one "
            f"of {', '.join(SECONDS)}; correct it, or give --time-unit"
        )
    return inner or outer or 1.0


def _split(text: str) -> tuple[str, str]:
    """Return a header's name and its unit: `G [uS]`, `G (uS)`, `G_uS`, `G / uS` or `G`."""
    match = _ENCLOSED.match(text)
    if match:
        return match[1], match[2]
    start, separator, end = _last_part(text)
    known = conductance_unit(end) or time_unit(end)
    return (start, end) if separator and start and known else (text, "")


def _last_part(text: str) -> tuple[str, str, str]:
    """Split off what stands behind the last underscore, blank, slash or hyphen."""
    match = re.match(r"^(.*[^\s_/\-])([\s_/\-]+)([^\s_/\-]+)$", plain_unit(text))
    return (match[1], match[2], match[3]) if match else (text, "", "")


def _key(text: str) -> str:
    """Return a header's name without its unit, in small letters alone."""
    return re.sub(r"[^a-z0-9]", "", _split(text)[0].lower())


def _listed(names: Sequence[str]) -> str:
    more = ", .." if len(names) > _SHOWN else ""
    return ", ".join(name[:30] or "''" for name in names[:_SHOWN]) + more
