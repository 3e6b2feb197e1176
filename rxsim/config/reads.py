"""The settings that a stage reads: each stage states them once, and identities derive from that.

A cached result, a calibration and a count of hardware depend only on the settings that their stages
read. A test runs the stages and sees that none reads more than it states.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from rxsim.config.identity import canonical
from rxsim.config.settings import Settings
from rxsim.dotted import flat


@dataclass(frozen=True, slots=True)
class Reads:
    """Names of settings: whole sections or single keys, without excluded keys.

    Attributes:
        names: sections (`mapping`), keys (`crossbar.rows`) or top-level settings (`seed`).
        but: excluded keys, or beginnings of keys.
    """

    names: tuple[str, ...]
    but: tuple[str, ...] = ()

    def __or__(self, other: Reads) -> Reads:
        """Return all settings that either of two stages reads."""
        but = tuple(name for name in self.but if not other.covers(name))
        but += tuple(name for name in other.but if not self.covers(name))
        return Reads(self.names + other.names, tuple(dict.fromkeys(but)))

    def less(self, names: Iterable[str]) -> Reads:
        """Return the same settings without the given keys."""
        return Reads(self.names, (*self.but, *names))

    def covers(self, name: str) -> bool:
        """Tell whether the key of a dotted name is read."""
        return _under(name, self.names) and not _under(name, self.but)

    def of(self, settings: Settings) -> dict[str, Any]:
        """Return the values that are read, plain, by dotted name."""
        values = flat_settings(settings)
        return {name: values[name] for name in _covered(self, tuple(values))}


@cache
def _covered(reads: Reads, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(filter(reads.covers, names))


def _under(name: str, places: tuple[str, ...]) -> bool:
    return f"{name}.".startswith(_beginnings(places))


@cache
def _beginnings(places: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{place}." for place in places)


def flat_settings(settings: Settings) -> dict[str, Any]:
    """Return a layer's settings by dotted name, plain."""
    plain = canonical(settings)
    del plain["layers"]
    return dict(flat(plain))


def pinned(off: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the names in several mappings from names of settings to values, without duplicates."""
    return tuple(dict.fromkeys(name for settings in off for name in settings))
