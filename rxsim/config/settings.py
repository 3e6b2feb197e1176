"""All settings of a run, and the changed settings of single layers."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from collections.abc import Mapping as AnyMapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from rxsim.config.carried import carried, reading_of
from rxsim.config.compensation import StepList
from rxsim.config.cost import Cost
from rxsim.config.device import Device, read_device
from rxsim.config.models import Adc, Calibration, Crossbar, Dac, Input, Mapping
from rxsim.config.overlay import overlay
from rxsim.config.together import check_together
from rxsim.errors import SettingError
from rxsim.schema import Integer, Section, validated


class LayerSettings(Section):
    """What differs for some layers: any sections, each with only the keys that change."""

    digital: bool = Field(False, description="the layer stays off the crossbars")
    crossbar: dict[str, Any] = Field({}, description="as above")
    device: dict[str, Any] = Field({}, description="as above")
    mapping: dict[str, Any] = Field({}, description="as above")
    input: dict[str, Any] = Field({}, description="as above")
    dac: dict[str, Any] = Field({}, description="as above")
    adc: dict[str, Any] = Field({}, description="as above")

    @field_validator("device")
    @classmethod
    def _read_preset(cls, values: dict[str, Any]) -> dict[str, Any]:
        return read_device(values, Path())


class Settings(Section):
    """All settings of an evaluation; `configs/rxnn-64.yaml` holds the defaults."""

    crossbar: Crossbar = Crossbar()
    device: Device = Device()
    mapping: Mapping = Mapping()
    input: Input = Input()
    dac: Dac = Dac()
    adc: Adc = Adc()
    calibration: Calibration = Calibration()
    compensate: StepList = Field(
        (), description="steps that give accuracy back without training, in their order, or auto"
    )
    drift_compensation: Literal["none", "layer", "column"] = Field(
        "none",
        description="a factor at reading time that brings the mean output of each layer, or of each of "
        "its columns, back to what it was after programming",
    )
    cost: Cost | None = Field(
        None, description="the technology that prices the hardware; null: nothing is priced"
    )
    trials: Integer = Field(1, ge=1, description="programmed chips")
    seed: Integer = Field(0, ge=0, description="seed of every random draw")

    layers: dict[str, LayerSettings] = Field(
        {}, description="settings of single layers, by name or pattern such as conv*"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_together(self.crossbar, self.device, self.mapping, self.input, self.dac, self.adc)
        return self


def layer_settings(settings: Settings, name: str) -> Settings | None:
    """Resolve the settings of a layer; None where it stays digital.

    Every pattern that matches the name applies, in the order of the file. A device model starts from
    its preset, not from the device of all layers; when and how cells are read carries over to it
    (`rxsim.config.carried`).

    Raises:
        SettingError: a change is impossible.
    """
    resolved = settings.model_copy(update={"layers": {}})
    reading = reading_of(settings.device)
    for pattern, layer in settings.layers.items():
        if not matches(name, pattern):
            continue
        if layer.digital:
            return None
        reading |= {key: layer.device[key] for key in reading if key in layer.device}
        resolved = _changed(resolved, pattern, layer, reading)
    return resolved


def matches(name: str, pattern: str) -> bool:
    """Tell whether a pattern means a layer: it is its name, whatever characters that has, or a glob."""
    return name == pattern or fnmatch.fnmatchcase(name, pattern)


def _changed(
    settings: Settings, pattern: str, layer: LayerSettings, reading: AnyMapping[str, Any]
) -> Settings:
    """Lay the settings of a pattern over a layer's.

    Args:
        settings: the layer's so far.
        pattern: names it in messages.
        layer: what the pattern changes.
        reading: when and how the layer's cells are read, for a device model that starts anew.
    """
    values = settings.model_dump()
    for section, changes in layer.model_dump(exclude={"digital"}).items():
        base = values[section]
        if section == "device" and "model" in changes:
            base = carried(reading, changes)
        values[section] = overlay(base, changes)
    return validated(Settings, values, f"layers.{pattern}")


def check_layers(settings: Settings, names: Iterable[str] | None = None) -> None:
    """Check the settings of single layers: their values, and that their patterns match layers.

    Args:
        settings: all settings.
        names: the network's layers, where they are known.

    Raises:
        SettingError: a change is impossible, or a pattern matches no layer.
    """
    known = None if names is None else list(names)
    for pattern, layer in settings.layers.items():
        if "fold" in layer.mapping:
            raise SettingError(
                f"layers.{pattern}.mapping.fold: found {layer.mapping['fold']}, expected it for all "
                "layers only: it decides what a layer is; set mapping.fold for the whole network"
            )
        reading = reading_of(settings.device)
        _changed(settings.model_copy(update={"layers": {}}), pattern, layer, reading)
        # Settings that were written out name every section, also an empty one.
        if layer.digital and any(layer.model_dump(exclude={"digital"}).values()):
            raise SettingError(
                f"layers.{pattern}: found digital: true beside other settings, expected it alone; "
                "leave the others out"
            )
        if known is not None and not any(matches(name, pattern) for name in known):
            examples = ", ".join(known[:3]) + (", .." if len(known) > 3 else "")
            raise SettingError(
                f"layers.{pattern}: no layer has such a name, expected one of {examples}; "
                "see 'rxsim map'"
            )
