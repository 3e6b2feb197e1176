"""Settings from their sources: file, then command-line options, then `--set`; later ones win."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rxsim.config.device import read_device
from rxsim.config.overlay import overlay
from rxsim.config.presets import is_preset_file
from rxsim.config.settings import Settings, check_layers
from rxsim.dotted import at, nested
from rxsim.errors import SettingError
from rxsim.files import parse_yaml, read_yaml_mapping
from rxsim.schema import validated


def load_settings(
    path: Path | None = None,
    *,
    xbar: str | None = None,
    assignments: Iterable[str] = (),
    overrides: Mapping[str, Any] | None = None,
    folder: Path = Path(),
) -> Settings:
    """Resolve the settings of a run.

    Args:
        path: a settings file, or None for the defaults.
        xbar: the array's size as `ROWSxCOLS`.
        assignments: `dotted.name=value` strings, the value read as YAML.
        overrides: top-level settings given by options (such as trials and seed); None is left out.
        folder: where relative paths in the assignments start (a preset's file, a defect map); those in
            a settings file start from its own folder.

    Raises:
        SettingError: a setting is unknown, of the wrong type or out of range.
        InputError: the file can't be read.
    """
    values: dict[str, Any] = {}
    if path is not None:
        values = read_settings_file(path)
        validated(Settings, values, f"settings file {path}")
    if xbar is not None:
        rows, cols = parse_xbar(xbar)
        values = overlay(values, {"crossbar": {"rows": rows, "cols": cols}})
    for name, value in (overrides or {}).items():
        if value is not None:
            values = overlay(values, {name: value})
    given: dict[str, Any] = {}
    for assignment in assignments:
        _assign(given, _parse_assignment(assignment))
    settings = validated(Settings, overlay(values, _presets_read(given, folder)), "settings")
    check_layers(settings)
    return settings


def read_settings_file(path: Path) -> dict[str, Any]:
    """Read a settings file without checking it; preset files that it names are read too.

    Raises:
        InputError: a file can't be read.
        SettingError: a preset file holds no preset.
    """
    return _presets_read(read_yaml_mapping(path, "the settings file"), path.parent)


def settings_with(
    base: Mapping[str, Any], changes: Mapping[str, Any], where: str, folder: Path = Path()
) -> Settings:
    """Lay values by dotted name over the values of a settings file.

    Args:
        base: nested values, as `read_settings_file` returns them.
        changes: values by dotted name, such as {"adc.n_bits": 8}.
        where: name of the source in messages.
        folder: where relative paths in the changes start.

    Raises:
        SettingError: a setting is unknown, of the wrong type or out of range.
    """
    given: dict[str, Any] = {}
    for name, value in changes.items():
        _assign(given, nested(name.split("."), value))
    settings = validated(Settings, overlay(base, _presets_read(given, folder)), where)
    check_layers(settings)
    return settings


def settings_changed(settings: Settings, changes: Mapping[str, Any], where: str) -> Settings:
    """Return resolved settings with changed values at dotted names, checked as a whole.

    Args:
        settings: resolved.
        changes: values by dotted name, such as {"adc.n_bits": None}.
        where: name of the result in messages.

    Raises:
        SettingError: the values contradict each other.
    """
    if all(at(settings, name) == value for name, value in changes.items()):
        return settings
    values = settings.model_dump()
    for name, value in changes.items():
        _assign(values, nested(name.split("."), value))
    return validated(Settings, values, where)


def parse_xbar(text: str) -> tuple[int, int]:
    """Read an array size such as `64x64`: wordlines, then bitlines.

    Raises:
        SettingError: the text is not two whole numbers above zero with an x between them.
    """
    match = re.fullmatch(r"\s*([0-9]{1,9})\s*[xX]\s*([0-9]{1,9})\s*", text)
    if match is None or 0 in (int(match[1]), int(match[2])):
        raise SettingError(
            f"--xbar: found {text!r}, expected ROWSxCOLS with both above 0, such as 64x64"
        )
    return int(match[1]), int(match[2])


def preset_files(
    path: Path | None, assignments: Iterable[str], folder: Path = Path()
) -> list[Path]:
    """List the files of presets that settings name; the arguments are those of `load_settings`.

    Raises:
        InputError: the settings file can't be read, or an assignment is malformed.
    """
    named = _device_values("model", path, assignments, folder)
    return [place / str(model) for model, place in named if is_preset_file(model)]


def fault_files(path: Path | None, assignments: Iterable[str], folder: Path = Path()) -> list[Path]:
    """List the defect maps that settings name; the arguments are those of `load_settings`.

    Raises:
        InputError: the settings file can't be read, or an assignment is malformed.
    """
    files = []
    for given, place in _device_values("faults", path, assignments, folder):
        # Settings that were written out state the file beside its hash.
        name = given.get("file") if isinstance(given, Mapping) else given
        if isinstance(name, str):
            files.append(place / name)
    return files


def _device_values(
    key: str, path: Path | None, assignments: Iterable[str], folder: Path
) -> Iterator[tuple[Any, Path]]:
    """Yield what sections `device` say of a key, also those of single layers, and their folders."""
    sources = [] if path is None else [(read_yaml_mapping(path, "the settings file"), path.parent)]
    sources += [(_parse_assignment(text), folder) for text in assignments]
    for values, place in sources:
        layers = values.get("layers")
        inner = layers.values() if isinstance(layers, Mapping) else ()
        for section in (values, *inner):
            device = section.get("device") if isinstance(section, Mapping) else None
            if isinstance(device, Mapping) and key in device:
                yield device[key], place


def _presets_read(values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Read the preset files that sections `device` name, also those of single layers.

    The file of a technology stays a file, found from the folder.
    """
    read = {name: _device_read(value, name, folder) for name, value in values.items()}
    cost = read.get("cost")
    if isinstance(cost, Mapping) and _is_file(cost.get("technology")):
        read["cost"] = {**cost, "technology": str(folder / cost["technology"])}
    layers = values.get("layers")
    if isinstance(layers, Mapping):
        read["layers"] = {
            pattern: {name: _device_read(value, name, folder) for name, value in layer.items()}
            if isinstance(layer, Mapping)
            else layer
            for pattern, layer in layers.items()
        }
    return read


def _is_file(technology: Any) -> bool:
    return isinstance(technology, str) and technology.lower().endswith((".yaml", ".yml"))


def _device_read(value: Any, name: Any, folder: Path) -> Any:
    is_device = name == "device" and isinstance(value, Mapping)
    return read_device(value, folder) if is_device else value


def _assign(given: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Add an assignment to earlier ones; two names of a quantity both stay, to be refused later."""
    for name, value in more.items():
        if isinstance(value, Mapping) and isinstance(given.get(name), dict):
            _assign(given[name], value)
        else:
            given[name] = dict(value) if isinstance(value, Mapping) else value


def _parse_assignment(text: str) -> dict[str, Any]:
    name, separator, value = text.partition("=")
    parts = name.strip().split(".")
    if not separator or not all(parts):
        raise SettingError(
            f"--set: found {text!r}, expected name=value, such as adc.n_bits=8 or seed=1"
        )
    return nested(parts, parse_yaml(value, f"--set {name.strip()}"))
