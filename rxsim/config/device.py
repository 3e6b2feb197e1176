"""The memory cell: its conductances, its levels, its errors, and its current-voltage curve."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, InstanceOf, model_validator

from rxsim.config.fault_file import FaultFile, known_faults, or_file_name, read_faults
from rxsim.config.iv import IV
from rxsim.config.presets import (
    Preset,
    Step,
    is_preset_file,
    named_preset,
    preset_names,
    read_preset_file,
)
from rxsim.config.write_verify import WriteVerify
from rxsim.durations import written
from rxsim.errors import InputError
from rxsim.schema import (
    AtMost,
    Duration,
    LongerThanZero,
    Number,
    Relative,
    Section,
    in_yaml,
    validated,
    whole,
)

# Source: Jain et al., IBM J. Res. Dev. 63(6), 2019, Fig. 9: R_min 200k, R_max 1.4M, 64x64, 6 bits.
R_ON_OHM = 200e3
R_OFF_OHM = 1.4e6

_SHARE = (
    "it is a share of g_on - g_off (with {}: relative, of the cell's own g); five percent is "
    "0.05 or 5%"
)
# Assumption: an error as large as the whole range leaves nothing of a weight.
_WRITE_SIGMA = AtMost(1, _SHARE.format("write_unit"))
_READ_SIGMA = AtMost(1, _SHARE.format("read_unit"))
# Assumption: at 2 two thirds of the cells lie between 1/7 and 7 times their target.
_LOG_SIGMA = AtMost(
    2, "it is the sigma of ln g; 0.1 or 10% spreads conductances by about ten percent"
)
_ROUNDING = 1e-12  # of a time, in multiples of the time between refreshes
LogSigma = Annotated[Relative, _LOG_SIGMA]


def _with_resistances(schema: dict[str, Any]) -> None:
    """Add r_on and r_off, which are no fields, to a JSON schema."""
    for name in ("on", "off"):
        schema["properties"][f"r_{name}"] = {
            "type": "number",
            "exclusiveMinimum": 0,
            "description": f"1/g_{name}, ohm; instead of g_{name}",
        }


def _known_model(given: Any) -> Any:
    """Refuse a value that is no preset, before pydantic tries every type."""
    if not isinstance(given, str | Preset):
        raise ValueError(f"found {in_yaml(given)}, expected a preset's name or file")
    if isinstance(given, str):
        try:
            named_preset(given)
        except InputError as error:
            raise ValueError(str(error)) from None
    return given


class Device(Section):
    """The memory cell: its conductance range, its levels and its programming errors."""

    model_config = ConfigDict(json_schema_extra=_with_resistances)

    g_on: Number = Field(1 / R_ON_OHM, gt=0, description="largest conductance, siemens")
    g_off: Number = Field(1 / R_OFF_OHM, ge=0, description="smallest conductance, siemens")
    n_bits: Annotated[int, Field(ge=1, le=24), BeforeValidator(whole)] | None = Field(
        6, description="2**n_bits levels; null: continuous"
    )
    n_levels: Annotated[int, Field(ge=2), BeforeValidator(whole)] | None = Field(
        None, description="number of levels, instead of n_bits"
    )
    model: Annotated[str | InstanceOf[Preset], BeforeValidator(_known_model)] = Field(
        "ideal", description="a published device, or a preset file; see 'rxsim presets'"
    )
    without: tuple[Step, ...] = Field(
        (), description="steps of the preset's laws that are left out, such as [drift, read_noise]"
    )
    write_sigma: Annotated[Relative, _WRITE_SIGMA] = Field(
        0.0, ge=0, description="standard deviation of the write error"
    )
    write_unit: Literal["range", "relative"] = Field(
        "range", description="write_sigma is a share of g_on - g_off, or of the cell's own g"
    )
    verify: WriteVerify | None = Field(
        None, description="cells are written again until a reading of them is near enough"
    )
    d2d_sigma: LogSigma = Field(0.0, ge=0, description="sigma of the log-normal variation")
    array_sigma: LogSigma = Field(
        0.0, ge=0, description="sigma of a log-normal factor that the cells of an array share"
    )
    chip_sigma: LogSigma = Field(
        0.0, ge=0, description="sigma of a log-normal factor that all cells of a chip share"
    )
    gradient: LogSigma = Field(
        0.0, ge=0, description="sigma of the change of ln g along each side of an array, a plane"
    )
    stuck_lrs: Relative = Field(0.0, ge=0, le=1, description="share of cells stuck at g_on")
    stuck_hrs: Relative = Field(0.0, ge=0, le=1, description="share of cells stuck at g_off")
    time: Duration = Field(
        0.0, description="from programming to the read, seconds or text such as 1h, 1d, 1y"
    )
    refresh: LongerThanZero | None = Field(
        None, description="cells are programmed anew each time so long has passed; null: never"
    )
    read_noise: Literal["frozen", "fresh"] = Field(
        "frozen",
        description="drawn once a chip, or (its quick part) for every product in the graph",
    )
    run_time: LongerThanZero = Field(
        1.0, description="duration of a run: slower parts of read noise are frozen in it"
    )
    read_sigma: Annotated[Relative, _READ_SIGMA] = Field(
        0.0, ge=0, description="standard deviation of the read noise, where no preset states it"
    )
    read_unit: Literal["range", "relative"] = Field(
        "range", description="read_sigma is a share of g_on - g_off, or of the cell's own g"
    )
    dead_rows: Relative = Field(
        0.0, ge=0, le=1, description="share of wordlines whose cells are open"
    )
    dead_cols: Relative = Field(
        0.0, ge=0, le=1, description="share of bitlines whose cells are open"
    )
    faults: Annotated[FaultFile | None, BeforeValidator(known_faults)] = Field(
        None,
        description="name of a defect map, a file that numpy.savez wrote",
        json_schema_extra=or_file_name,
    )
    iv: IV = Field(IV(), description="current-voltage curve of the cell")

    @model_validator(mode="before")
    @classmethod
    def _resolve(cls, values: Any) -> Any:
        """Accept r_on and r_off in place of g_on and g_off, and fill in what a preset gives."""
        if not isinstance(values, dict):
            return values
        values = cls._from_resistance(read_device(values, Path()))
        model = values.get("model", "ideal")
        try:
            preset = named_preset(model) if isinstance(model, str) else model
        except InputError:
            return values  # the field itself refuses it, by its own name
        if not isinstance(preset, Preset):
            return values
        given = cls._from_resistance(preset.given())
        if "n_bits" in values:
            given.pop("n_levels", None)  # the other name of the same quantity
        return {**given, **values}

    @staticmethod
    def _from_resistance(values: dict[str, Any]) -> dict[str, Any]:
        for name in ("on", "off"):
            if f"r_{name}" not in values:
                continue
            resistance = values.pop(f"r_{name}")
            if f"g_{name}" in values:
                raise ValueError(
                    f"found both r_{name} and g_{name}, expected one of them; remove the other"
                )
            try:
                ohm = float("nan") if isinstance(resistance, bool) else float(resistance)
            except (TypeError, ValueError):
                ohm = float("nan")
            if not 0 < ohm < float("inf"):
                raise ValueError(
                    f"found r_{name} {in_yaml(resistance)}, expected a resistance above 0 ohm"
                    + (" (for an open cell write g_off: 0)" if name == "off" else "")
                )
            values[f"g_{name}"] = 1 / ohm
        if values.get("n_levels") is not None:
            if values.get("n_bits") is not None:
                raise ValueError("found both n_bits and n_levels, expected one; remove the other")
            values["n_bits"] = None
        return values

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.g_off >= self.g_on:
            raise ValueError(
                f"found g_off {self.g_off:g} S and g_on {self.g_on:g} S, expected g_off below g_on "
                "(r_off above r_on)"
            )
        self._check_preset()
        self._check_time()
        if self.stuck_lrs + self.stuck_hrs > 1:
            raise ValueError("found stuck_lrs + stuck_hrs above 1, expected at most 1 together")
        return self

    def _check_preset(self) -> None:
        """Refuse a range beyond a preset's measurements, and errors counted twice."""
        preset, slack = self.preset, 1 + 1e-9
        name = self.model if isinstance(self.model, str) else f"{preset.about!r}"
        if self.g_off * slack < preset.low or self.g_on > preset.high * slack:
            raise ValueError(
                f"found {self.g_off:g} to {self.g_on:g} S, expected a range within the "
                f"{preset.low:g} to {preset.high:g} S that {name} was measured in"
            )
        for setting in preset.held(self.without):
            if getattr(self, setting):
                held = "read noise" if setting == "read_sigma" else "write error and variation"
                raise ValueError(
                    f"found {setting} together with model: {name}, expected one of them; the "
                    f"preset's deviation already holds {held}"
                )

    def _check_time(self) -> None:
        """Refuse a time for which the device was not measured."""
        preset, age = self.preset, self.age
        if is_measured_at(preset, age, self.without):
            return
        name = self.model if isinstance(self.model, str) else f"{preset.about!r}"
        where = f"found time {written(age)}" + (
            f" ({written(self.time)} with refresh {written(self.refresh)})" if self.refresh else ""
        )
        if not preset.knows_time and "drift" not in self.without:
            known = [name for name in preset_names() if named_preset(name).knows_time]
            raise ValueError(
                f"{where} with model: {name}, which does not say what time does, expected 0 or a model "
                f"that does: {', '.join(known)} or a preset file with a law of drift"
            )
        also = "" if preset.times is None or preset.times.hold(0) else "0 or "
        raise ValueError(
            f"{where}, expected {also}{preset.times}: for these times {name} was measured"
        )

    @property
    def age(self) -> float:
        """Seconds from the last programming to the read."""
        return age_at(self.time, self.refresh)

    @property
    def refreshes(self) -> int:
        """How often the cells were programmed anew before the read."""
        return _refreshes(self.time, self.refresh)

    @property
    def preset(self) -> Preset:
        """The preset of the cell's model."""
        return named_preset(self.model) if isinstance(self.model, str) else self.model

    @property
    def levels(self) -> int | None:
        """Number of conductance levels, or None for a continuous device."""
        return self.n_levels if self.n_bits is None else 2**self.n_bits


def _refreshes(time: float, refresh: float | None) -> int:
    if refresh is None:
        return 0
    # A time that is a multiple but for rounding is the moment of a refresh.
    return math.floor(time / refresh * (1 + _ROUNDING))


def age_at(time: float, refresh: float | None) -> float:
    """Return the seconds from the last programming to the read.

    Args:
        time: seconds from the first programming to the read.
        refresh: seconds between programmings; None: there is only one.
    """
    age = time - _refreshes(time, refresh) * (refresh or 0.0)
    return age if age > _ROUNDING * time else 0.0


def is_measured_at(preset: Preset, age: float, without: Iterable[str] = ()) -> bool:
    """Tell whether a preset says what its cells are at an age.

    Args:
        preset: the preset.
        age: seconds after programming; 0 is always known.
        without: steps whose laws are left out: without drift, one that knows no time is told nothing
            of it.
    """
    if age == 0:
        return True
    if preset.times is not None and not preset.times.hold(age):
        return False
    return preset.knows_time or "drift" in without


def read_device(values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Replace a preset that a section `device` gives as a file or a mapping by its content.

    A defect map is replaced by its name and the hash of its content.

    So settings hold everything that they depend on: their identity follows from the content of a
    file, not from its place, and settings that were written out can be read anywhere.

    Args:
        values: the section as YAML gave it.
        folder: where relative paths start.

    Raises:
        InputError: the file can't be read.
        SettingError: the file or mapping holds no preset.
    """
    values = {**values}
    if "faults" in values:
        values["faults"] = read_faults(values["faults"], folder)
    given = values.get("model")
    if is_preset_file(given):
        path = folder / str(given)
        where, preset = f"preset file {path}", read_preset_file(path)
    elif isinstance(given, Mapping):
        where, preset = "device.model", validated(Preset, given, "device.model")
    else:
        return values
    return {**values, "model": _canonical(preset, where)}


def _canonical(preset: Preset, where: str) -> Preset:
    """Check the settings that a preset gives, and bring them to their canonical form."""
    plain = validated(Device, {"model": preset}, where).model_dump(mode="json")
    names = {"r_on": "g_on", "r_off": "g_off"}
    device = {names.get(name, name): plain[names.get(name, name)] for name in preset.device}
    return preset.model_copy(update={"device": device})
