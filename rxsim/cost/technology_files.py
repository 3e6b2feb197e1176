"""Technologies by name, or from a user's file that is laid over one of them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from rxsim.config.overlay import overlay
from rxsim.cost.technology import Component, Instructions, Product, Sourced, Technology, Write
from rxsim.errors import InputError, SettingError
from rxsim.files import read_yaml_mapping
from rxsim.folders import folder_of, names_in
from rxsim.schema import in_yaml, validated

FOLDER = "rxsim.cost.technologies"
"""Folder of the technologies that rxsim brings; they are read as files, nothing is imported."""

_OF_ALL = ("area_mm2", "power_w", "leakage_w")  # numbers of `together` instances
# Entries with numbers beside the components.
_SOURCED: dict[str, type[Sourced]] = {
    "product": Product,
    "instructions": Instructions,
    "write": Write,
}
# Two ways to say the same; the new number replaces the other one below it.
_INSTEAD = {
    "energy_j": "power_w",
    "power_w": "energy_j",
    "area_mm2": "area_within",
    "area_within": "area_mm2",
    "rate_hz": "time_s",
}


def technology_names() -> tuple[str, ...]:
    """Name the technologies that rxsim brings, sorted."""
    return names_in(FOLDER, ".yaml")


@cache
def named_technology(name: str) -> Technology:
    """Return a technology that rxsim brings.

    Raises:
        InputError: there is none of this name.
    """
    return validated(Technology, _named_values(name), f"technology {name}")


def read_technology(given: str | Path) -> Technology:
    """Return a technology by its name, or from a file (a name that ends in .yaml or .yml).

    A file with `base: NAME` is laid over that technology: its entries replace those of the base, and
    null takes a component or a part away. Without a base it holds a whole technology.

    Raises:
        InputError: there is no such technology, or the file can't be read.
        SettingError: an entry is unknown, missing, of the wrong type or out of range.
    """
    text = str(given)
    if not text.lower().endswith((".yaml", ".yml")):
        return named_technology(text)
    where = f"technology file {text}"
    values = read_yaml_mapping(Path(text), "the technology file")
    base = values.pop("base", None)
    if base is not None:
        if not isinstance(base, str):
            raise SettingError(
                f"{where}: base: found {in_yaml(base)}, expected a technology's name"
            )
        values = _laid_over(_named_values(base, f"{where}: base: "), values, where)
    return validated(Technology, values, where)


def _named_values(name: str, where: str = "") -> dict[str, Any]:
    if name not in technology_names():
        near = difflib.get_close_matches(name, technology_names(), n=1)
        hint = (
            f"did you mean {near[0]}?" if near else f"choose one of {', '.join(technology_names())}"
        )
        raise InputError(
            f"{where}found {name!r}, expected a technology's name or, with .yaml at its end, its file; "
            f"{hint}"
        )
    return read_yaml_mapping(folder_of(FOLDER) / f"{name}.yaml", "the technology")


def _laid_over(base: dict[str, Any], top: dict[str, Any], where: str) -> dict[str, Any]:
    """Lay a file's entries over a base; the totals that a base's source prints are no longer its."""
    for level in base["levels"].values():
        level.pop("printed", None)
    for name, entry_type in _SOURCED.items():
        entry, below = top.get(name), base.get(name)
        if isinstance(entry, Mapping) and isinstance(below, Mapping):
            _check_sourced(entry, below, entry_type, f"{where}: {name}")
    components = top.get("components")
    for name, entry in components.items() if isinstance(components, Mapping) else ():
        below = base["components"].get(name)
        if isinstance(entry, Mapping) and below is not None:
            _check_sourced(entry, below, Component, f"{where}: components.{name}")
            _check_together(entry, below, f"{where}: components.{name}")
            for key, other in _INSTEAD.items():
                if key in entry and other not in entry:
                    below.pop(other, None)
    values = overlay(base, top)
    if isinstance(values.get("components"), Mapping):
        values["components"] = _without_nulls(values["components"])
    levels = values.get("levels")
    for level in levels.values() if isinstance(levels, Mapping) else ():
        if isinstance(level, dict) and isinstance(level.get("parts"), Mapping):
            level["parts"] = _without_nulls(level["parts"])
    return values


def _check_sourced(
    entry: Mapping[Any, Any], below: Mapping[str, Any], entry_type: type[Sourced], where: str
) -> None:
    """Refuse what would stand under the source of other numbers, or make them surer than they are."""
    keys = [name for name in entry_type.model_fields if name not in ("about", "source")]
    changed = [
        key for key in (*keys, "source") if key in entry and _differs(entry[key], below.get(key))
    ]
    missing = [key for key in ("source", "status") if entry.get(key) is None]
    if changed and missing:
        end = "add both" if len(missing) == 2 else "add it"
        raise SettingError(
            f"{where}: found a new {changed[0]}, expected its {' and '.join(missing)} beside it; "
            f"{end}"
        )


def _differs(value: Any, below: Any) -> bool:
    """Whether a value, or one of a mapping's, is another than the one below."""
    if isinstance(value, Mapping) and isinstance(below, Mapping):
        return any(_differs(each, below.get(key)) for key, each in value.items())
    return bool(value != below)


def _check_together(entry: Mapping[Any, Any], below: Mapping[str, Any], where: str) -> None:
    """Refuse a number that would be divided by the count of those below."""
    changed = [key for key in _OF_ALL if key in entry and entry[key] != below.get(key)]
    if changed and below.get("together", 1) != 1 and "together" not in entry:
        raise SettingError(
            f"{where}.{changed[0]}: found a new number, but those below it are of {below['together']} "
            "together; state together beside it"
        )


def _without_nulls(entries: Mapping[str, Any]) -> dict[str, Any]:
    return {name: entry for name, entry in entries.items() if entry is not None}
