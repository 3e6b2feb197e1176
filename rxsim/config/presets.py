"""Published devices as data: the schema of a preset's file, and the presets that rxsim brings.

A preset is a YAML file: the measured conductance range, the settings that follow from it, and the
laws that its cells obey, with numbers as their source prints them. `device.model` names a file in
`rxsim/devices/presets`, or a user's file with the same schema. A user's key wins over the preset's.
A range beyond the measured range is refused, because nothing is extrapolated.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from rxsim.durations import written
from rxsim.errors import InputError
from rxsim.files import read_yaml_mapping
from rxsim.folders import folder_of, names_in
from rxsim.schema import (
    ChoiceIn,
    Duration,
    LongerThanZero,
    NotNegative,
    Positive,
    Section,
    in_yaml,
    validated,
)

FOLDER = "rxsim.devices.presets"
"""Folder of the presets that rxsim brings; they are read as files, nothing is imported."""

Step = Literal["write_error", "variation", "drift", "read_noise", "faults"]
"""What happens to a cell between its level and its reading, in this order.

Source: docs/concepts/model.md section 4.
"""
STEPS: tuple[Step, ...] = get_args(Step)

_LESS = 1 - 1e-9  # ends of ranges are met but for rounding

# A published deviation was measured over many devices, so it includes these errors already.
_HELD: dict[Step, tuple[str, ...]] = {
    "write_error": ("write_sigma", "d2d_sigma"),
    "read_noise": ("read_sigma",),
}

_SIEMENS = {"siemens": 1.0, "millisiemens": 1e-3, "microsiemens": 1e-6, "nanosiemens": 1e-9}
_SHORT = {"siemens": "S", "millisiemens": "mS", "microsiemens": "uS", "nanosiemens": "nS"}


def _given_number(value: Any) -> Any:
    """Bring a law's numbers to a canonical form: 25, 25.0 and "2.5e1" are the same, also in lists."""
    if isinstance(value, list | tuple):
        return tuple(_given_number(part) for part in value)
    if isinstance(value, Mapping):
        return {str(name): _given_number(part) for name, part in value.items()}
    if isinstance(value, bool):
        return value  # a switch of a law, such as power_drift's `absolute`
    if not isinstance(value, int | float | str):
        raise ValueError(
            f"found {in_yaml(value)}, expected numbers, words, or lists or mappings of them"
        )
    try:
        number = float(value)
    except ValueError:
        return value
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"found {in_yaml(value)}, expected a finite number")
    return number + 0.0


class LawChoice(BaseModel):
    """A law at one step, and the numbers that it computes with."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, Annotated[Any, BeforeValidator(_given_number)]]

    law: Annotated[str, ChoiceIn("rxsim.devices.laws")] = Field(
        description="a file of rxsim/devices/laws; the keys beside it are its numbers"
    )
    source: str | None = Field(None, description="where its numbers are from, if not the preset's")

    @property
    def numbers(self) -> dict[str, Any]:
        """The numbers by name, as the file gives them."""
        return dict(self.__pydantic_extra__ or {})


class MeasuredRange(Section):
    """Conductances between which a device was measured, in the preset's unit."""

    low: NotNegative = Field(description="smallest conductance; g_off where the user gives none")
    high: Positive = Field(description="largest conductance; g_on where the user gives none")


class MeasuredTimes(Section):
    """Times after programming for which a device was measured: from low to high, or single ones."""

    low: Duration = Field(0.0, description="smallest time, seconds")
    high: Duration | None = Field(None, description="largest time, seconds; null: no end")
    at: tuple[LongerThanZero, ...] | None = Field(
        None, description="seconds; the only times, instead of low and high"
    )

    def hold(self, seconds: float) -> bool:
        """Tell whether a time above 0 is one of them."""
        if self.at is not None:
            return any(math.isclose(seconds, time, rel_tol=1e-9) for time in self.at)
        return self.low * _LESS <= seconds <= (math.inf if self.high is None else self.high) / _LESS

    def __str__(self) -> str:
        """Write them for a message."""
        if self.at is not None:
            return " or ".join(written(time) for time in self.at)
        end = "" if self.high is None else f" to {written(self.high)}"
        return f"{written(self.low)}{end or ' or more'}"


class Preset(Section):
    """A device as data; the schema of a preset's file."""

    schema_version: Literal[1] = Field(description="of this schema")
    about: str = Field(min_length=1, description="what it is, in one line")
    source: str = Field(min_length=1, description="paper, figure, and whose fit; - for none")
    status: Literal["measured", "fit", "assumption"] = Field(
        description="numbers as measured, a curve that was fitted to a figure, or nothing measured"
    )
    unit: Literal["siemens", "millisiemens", "microsiemens", "nanosiemens"] = Field(
        "microsiemens", description="of the range and of the laws' conductances"
    )
    range: MeasuredRange | None = Field(None, description="conductances that were measured")
    times: MeasuredTimes | None = Field(
        None, description="times after programming that were measured, besides 0"
    )
    device: dict[str, Any] = Field({}, description="settings of the section device that it gives")
    laws: dict[Step, LawChoice] = Field({}, description="what happens to its cells, step by step")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.range is not None and self.range.low >= self.range.high:
            raise ValueError(
                f"found range.low {self.range.low:g} and range.high {self.range.high:g}, expected low "
                "below high"
            )
        if "model" in self.device:
            raise ValueError("found device.model, expected no preset in a preset; leave it out")
        return self

    @property
    def siemens(self) -> float:
        """Its unit in siemens."""
        return _SIEMENS[self.unit]

    @property
    def short_unit(self) -> str:
        """Its unit as figures write it, such as uS."""
        return _SHORT[self.unit]

    @property
    def low(self) -> float:
        """Smallest measured conductance, siemens."""
        return 0.0 if self.range is None else self.range.low * self.siemens

    @property
    def high(self) -> float:
        """Largest measured conductance, siemens."""
        return math.inf if self.range is None else self.range.high * self.siemens

    def given(self) -> dict[str, Any]:
        """Return the settings of the section `device` that it gives, conductances in siemens."""
        measured = {} if self.range is None else {"on": self.high, "off": self.low}
        ends = {f"g_{end}": g for end, g in measured.items() if f"r_{end}" not in self.device}
        return {**ends, **self.device}

    def held(self, without: Iterable[Step] = ()) -> tuple[str, ...]:
        """Name the settings of errors that its laws include already, of steps that are not left out."""
        steps = [step for step in self.laws if step not in without]
        return tuple(name for step in steps for name in _HELD.get(step, ()))

    @property
    def knows_time(self) -> bool:
        """Whether it says what cells do after programming."""
        return "drift" in self.laws or self.times is not None


def preset_names() -> tuple[str, ...]:
    """Name the presets that rxsim brings, sorted."""
    return names_in(FOLDER, ".yaml")


@cache
def named_preset(name: str) -> Preset:
    """Return a preset that rxsim brings; only its own file is read.

    Raises:
        InputError: there is none of this name.
    """
    if name not in preset_names():
        near = difflib.get_close_matches(name, preset_names(), n=1)
        hint = f"did you mean {near[0]}?" if near else "see 'rxsim presets'"
        raise InputError(f"found {name!r}, expected a preset's name or file; {hint}")
    text = (folder_of(FOLDER) / f"{name}.yaml").read_text(encoding="utf-8")
    # The C loader reads a file in a tenth of the time; every command reads one.
    values = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return validated(Preset, values, f"preset {name}")


def is_preset_file(given: Any) -> bool:
    """Tell whether a value of `device.model` is the file name of a preset."""
    return isinstance(given, str) and given.lower().endswith((".yaml", ".yml"))


def read_preset_file(path: Path) -> Preset:
    """Read a preset's file; `rxsim.config.device` checks the settings that it gives.

    Raises:
        InputError: it can't be read.
        SettingError: a key is unknown, missing, of the wrong type or out of range.
    """
    return validated(Preset, read_yaml_mapping(path, "the preset file"), f"preset file {path}")
