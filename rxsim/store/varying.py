"""Names that tell points apart: networks, data and images, axes of a sweep, settings that vary."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

_Path = tuple[str, ...]
_DIGITS = 8
"""Digits of a hash or a key that stand for it; more where these are not enough."""
_NOT_SETTINGS = ("model", "data", "images", "point")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Head:
    """A point with trials: its row of the table, its network and data, its settings.

    Attributes:
        images: how many inputs were evaluated; None where that is not known.
    """

    row: int
    key: str
    model: str
    model_sha256: str
    data: str | None
    data_sha256: str | None
    metric: str
    settings: dict[str, Any]
    images: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Varying:
    """The settings that differ between points; no two points are alike in all names.

    Attributes:
        names: settings (and network, data) that tell them apart, see `rxsim.store.Summary`.
        more: other settings that vary.
        columns: for each of `names` and `more` the value of each point.
    """

    names: tuple[str, ...]
    more: tuple[str, ...]
    columns: dict[str, list[Any]]


def find_varying(heads: Sequence[Head], axes: Sequence[Mapping[str, Any]] | None) -> Varying:
    """Find what differs between points.

    Args:
        heads: the points.
        axes: what the axes of a sweep set for each; None: settings take their place.
    """
    paths = _varying_settings(heads)
    settings = {name: _values(heads, path) for name, path in paths.items()}
    columns = _other_columns(heads)
    if axes is None:
        columns |= settings
    else:
        columns |= _axis_columns(axes, settings)
    numbers = np.zeros(len(heads), dtype=np.int64)
    for column in columns.values():
        numbers = _refined(numbers, column)
    # Runs of a sweep file that was changed in between differ in more than its axes.
    for name, column in settings.items():
        finer = numbers if name in columns else _refined(numbers, column)
        if finer.max(initial=0) > numbers.max(initial=0):
            columns[name], numbers = column, finer
    if numbers.max(initial=0) + 1 < len(heads):
        columns["point"] = _beginnings([head.key for head in heads])
    more = tuple(name for name in settings if name not in columns)
    return Varying(tuple(columns), more, {**settings, **columns})


def level_key(value: Any) -> tuple[str, Any]:
    """Return what tells two values of a setting apart: hashable, and sorted within its kind."""
    if isinstance(value, bool):
        return "bool", value
    if isinstance(value, int | float):
        return "number", float(value)
    if isinstance(value, str):
        return "text", value
    if value is None:
        return "none", 0  # no converter, no limit: behind the numbers and before texts
    return "other", json.dumps(value, sort_keys=True, default=str)


def _other_columns(heads: Sequence[Head]) -> dict[str, list[Any]]:
    """Return what no setting tells: networks and data by content, and how many images."""
    columns: dict[str, list[Any]] = {
        "model": _named([(head.model, head.model_sha256) for head in heads]),
        "data": _named([(head.data, head.data_sha256) for head in heads]),
        "images": [head.images for head in heads],
    }
    known = {name: set(values) for name, values in columns.items()}
    known["images"].discard(None)  # points that failed tell nothing
    return {name: values for name, values in columns.items() if len(known[name]) > 1}


def _named(files: Sequence[tuple[str | None, str | None]]) -> list[str | None]:
    """Name files by their content: a name for each hash, with digits of the hash where names repeat."""
    names: dict[str, str | None] = {}
    for name, sha256 in sorted(set(files), key=lambda file: (file[0] or "", file[1] or "")):
        names.setdefault(_content(name, sha256), name)
    shown = list(names.values())
    digits = dict(zip(names, _beginnings(list(names)), strict=True))
    said = {
        content: name if shown.count(name) == 1 else f"{name}@{digits[content]}"
        for content, name in names.items()
    }
    return [said[_content(name, sha256)] for name, sha256 in files]


def _content(name: str | None, sha256: str | None) -> str:
    return sha256 or f"without a hash: {name}"


def _beginnings(keys: Sequence[str]) -> list[str]:
    """Cut keys where they are still different."""
    count, length = len(set(keys)), _DIGITS
    while len({key[:length] for key in keys}) < count:
        length += 1
    return [key[:length] for key in keys]


def _axis_columns(
    axes: Sequence[Mapping[str, Any]], settings: Mapping[str, list[Any]]
) -> dict[str, list[Any]]:
    """Return the axes whose values vary; a point whose axis was not set takes the setting's value."""
    columns = {}
    for name in dict.fromkeys(name for values in axes for name in values):
        others = settings.get(name, [None] * len(axes))
        column = [values.get(name, other) for values, other in zip(axes, others, strict=True)]
        if name not in _NOT_SETTINGS and len(set(map(level_key, column))) > 1:
            columns[name] = column
    return columns


def _refined(numbers: np.ndarray, column: Sequence[Any]) -> np.ndarray:
    """Split groups of points by a value: equal numbers where group and value are equal."""
    levels: dict[Any, int] = {}
    keys = [levels.setdefault(level_key(value), len(levels)) for value in column]
    mixed = numbers * max(len(levels), 1) + np.array(keys, dtype=np.int64)
    return np.unique(mixed, return_inverse=True)[1].astype(np.int64)


def _varying_settings(heads: Sequence[Head]) -> dict[str, _Path]:
    """Return the paths of the settings that differ by dotted name, in the settings' order."""
    if not heads:
        return {}
    first = heads[0].settings
    differing: dict[_Path, None] = {}
    compared: set[tuple[str, int]] = set()  # points share their sections, see SettingsReader
    for head in heads:
        if head.settings.keys() != first.keys():
            differing.update(dict.fromkeys(_differences(first, head.settings)))
            continue
        new = set(zip(head.settings, map(id, head.settings.values()), strict=True)) - compared
        compared |= new
        for name, _ in new:
            if head.settings[name] != first[name]:
                paths_here = _differences(first[name], head.settings[name], (name,))
                differing.update(dict.fromkeys(paths_here))
    order = {path: place for place, path in enumerate(_paths(first))}
    paths = sorted(differing, key=lambda path: (order.get(path, len(order)), path))
    return {".".join(path): path for path in paths}


def _differences(first: Any, other: Any, path: _Path = ()) -> Iterator[_Path]:
    """Yield the paths of values that differ; equal sections cost a single comparison."""
    if not isinstance(first, dict) or not isinstance(other, dict):
        yield from {**dict.fromkeys(_paths(first, path)), **dict.fromkeys(_paths(other, path))}
        return
    for name in first if first.keys() == other.keys() else {**first, **other}:
        inner, other_inner = first.get(name, {}), other.get(name, {})
        if inner != other_inner:
            yield from _differences(inner, other_inner, (*path, name))


def _paths(value: Any, path: _Path = ()) -> Iterator[_Path]:
    """Yield the path of every single value."""
    if not isinstance(value, dict):
        yield path
        return
    for name, inner in value.items():
        yield from _paths(inner, (*path, name))


def _values(heads: Sequence[Head], path: _Path) -> list[Any]:
    """Return the values of a setting; None where there is no such setting."""
    sections = [head.settings.get(path[0]) for head in heads]
    # Sections are shared by points and read once each; the heads keep them, so no id is used twice.
    values = {id(section): _value(section, path[1:]) for section in _distinct(sections)}
    return [values[id(section)] for section in sections]


def _distinct(values: Sequence[Any]) -> Iterable[Any]:
    return {id(value): value for value in values}.values()


def _value(value: Any, path: _Path) -> Any:
    """Return what stands at a path; None for nothing, or for a section."""
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return None if isinstance(value, dict) else value
