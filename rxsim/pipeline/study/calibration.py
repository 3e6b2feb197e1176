"""A calibration: the ranges that calibration inputs gave a study, what they depend on, its file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from rxsim.calibrate import InputRange
from rxsim.converters import MeasuredAdc, Steps, levels_of
from rxsim.errors import InputError, SettingError
from rxsim.files import read_json
from rxsim.numerics import NUMERICS
from rxsim.schema import in_yaml, validated
from rxsim.sealed import check_kind, hash_of, is_whole, sealed
from rxsim.version import __version__

T = TypeVar("T")
KIND = "rxsim calibration"
SCHEMA_VERSION = 1
AGAIN = "run 'rxsim calibrate' again"
CALIBRATED = ("ideal", "nonideal")
"""Rungs whose ADCs have ranges of their own: perfect wires; wires. Both with nominal devices."""

# Assumption: no file of a real network comes near (ResNet-50 with adc.scope: column: some 20 MB).
_LARGEST_FILE = 512 * 2**20
# Assumption: no activation of one input has more values (1 GiB).
_LARGEST_TENSOR = 2**28
# Assumption: activations and currents are float32, and those of a working network stay far below.
_SMALLEST, _LARGEST = 1e-45, 1e20

_Size = Annotated[float, Field(ge=_SMALLEST, le=_LARGEST, allow_inf_nan=False)]
_Range = Annotated[float, Field(ge=0, le=_LARGEST, allow_inf_nan=False)]
_Count = Annotated[int, Field(ge=0, lt=2**63)]


class _Record(BaseModel):
    """Base of what the file holds: values must have their types; what is unknown is left out."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class ModelRecord(_Record):
    """The network: its file's name and SHA-256 (weights beside it included)."""

    name: str
    sha256: str


class DataRecord(_Record):
    """The calibration inputs.

    Attributes:
        made_up: whether they were made up.
        own: whether they came from data of their own (`--calibrate`), not from the evaluated data.
        name: of their data, for messages.
        sha256: of their data; None where made up.
        samples: how many.
        indices: their places in the data; None where made up.
        input: the network's input that they feed.
        preprocess: what turned samples into inputs.
        stated: what the user stated of the network's inputs; None where nothing.
    """

    made_up: bool
    own: bool
    name: str
    sha256: str | None
    samples: _Count
    indices: list[_Count] | None
    input: str | None
    preprocess: dict[str, Any] | None
    stated: dict[str, Any] | None = None


def _bounded(shape: list[int]) -> list[int]:
    """Refuse a shape that no activation has."""
    if len(shape) > 8 or math.prod(shape) > _LARGEST_TENSOR:
        raise ValueError(f"found {in_yaml(shape)}, expected at most {_LARGEST_TENSOR:,} values")
    return shape


class _AdcRecord(_Record):
    ideal: list[_Range]
    nonideal: list[_Range]


_Codes = Annotated[float, Field(ge=-(2**24), le=2**24, allow_inf_nan=False)]


class _StepsRecord(_Record):
    thresholds: list[_Codes]
    values: Annotated[list[_Codes], Field(min_length=1)]


class _AdcStepsRecord(_Record):
    ideal: list[_StepsRecord]
    nonideal: list[_StepsRecord]


class _PointRecord(_Record):
    volt: _Size
    activity: Annotated[float, Field(gt=0, le=1)] | None


class _LayerRecord(_Record):
    name: str
    x_max: _Size
    signed: bool
    shape: Annotated[list[Annotated[int, Field(ge=1)]], AfterValidator(_bounded)]
    point: _PointRecord | None
    adc: _AdcRecord | None
    adc_steps: _AdcStepsRecord | None = None


class _File(_Record):
    rxsim: str
    model: ModelRecord
    data: DataRecord
    settings_sha256: str
    settings: dict[str, Any]
    layer_settings: dict[str, dict[str, Any]]
    layers: list[_LayerRecord]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Calibration:
    """Everything that a study measures on its calibration inputs.

    Attributes:
        model: the network it was measured on.
        data: the calibration inputs.
        settings: the settings that can change it, by dotted name.
        layer_settings: for each layer on crossbars those that differ from them.
        input_ranges: of the layers' inputs, by layer name.
        points: volt and mean share of active rows (or None) at which the arrays of each layer that is
            not linear are made so, by layer name.
        adc_ranges: for each rung the calibrated ADC ranges, by layer name: ampere (a side), float64
            (n,), numbered as `rxsim.converters.range_blocks` does.
        adc_steps: likewise the Lloyd-Max steps of each range; of layers without, none.
        version: of the rxsim that measured it.
        name: what messages call it.
    """

    model: ModelRecord
    data: DataRecord
    settings: Mapping[str, Any]
    layer_settings: Mapping[str, Mapping[str, Any]]
    input_ranges: Mapping[str, InputRange]
    points: Mapping[str, tuple[float, float | None]]
    adc_ranges: Mapping[str, Mapping[str, np.ndarray]]
    adc_steps: Mapping[str, Mapping[str, tuple[Steps, ...]]] = field(default_factory=dict)
    version: str = __version__
    name: str = "the calibration"

    def input_range(self, layer: str) -> InputRange:
        """Return the range of a layer's inputs.

        Raises:
            InputError: it holds none.
        """
        return self._held(self.input_ranges, layer, "input range")

    def point(self, layer: str) -> tuple[float, float | None]:
        """Return the operating point of a layer that is not linear.

        Raises:
            InputError: it holds none.
        """
        return self._held(self.points, layer, "operating point")

    def adc(self, rung: str, layer: str, blocks: np.ndarray, *, steps: bool) -> MeasuredAdc:
        """Return the ADC ranges of a layer, and their steps where there are some.

        Args:
            rung: which rung.
            layer: the layer's name.
            blocks: which range each conversion uses, int64 (conversions, groups, readouts).
            steps: whether Lloyd-Max steps belong to the ranges.

        Raises:
            InputError: it holds none, or not as many as there are.
        """
        values = self._held(self.adc_ranges[rung], layer, f"ADC range ({rung})")
        count = int(blocks.max()) + 1
        if len(values) != count:
            raise InputError(
                f"{self.name} holds {len(values)} ADC ranges ({rung}) of layer {layer}, expected "
                f"{count}; it is damaged: {AGAIN}"
            )
        ranges = np.asarray(values[blocks])
        if not steps:
            return MeasuredAdc(ranges)
        found = self._held(self.adc_steps.get(rung, {}), layer, f"ADC thresholds ({rung})")
        if len(found) != count:
            raise InputError(
                f"{self.name} holds thresholds of {len(found)} ADC ranges ({rung}) of layer {layer}, "
                f"expected {count}; it is damaged: {AGAIN}"
            )
        return MeasuredAdc(ranges, levels_of(found, blocks))

    def _held(self, held: Mapping[str, T], layer: str, what: str) -> T:
        if layer not in held:
            raise InputError(
                f"{self.name} holds no {what} of layer {layer}, expected one; it is damaged: {AGAIN}"
            )
        return held[layer]

    def to_json(self) -> str:
        """Return the file's text: one line, every number exactly as it was measured."""
        values = {
            "kind": KIND,
            "schema_version": SCHEMA_VERSION,
            "numerics": NUMERICS,
            "rxsim": self.version,
            "model": self.model.model_dump(),
            "data": self.data.model_dump(exclude={"stated"} if self.data.stated is None else None),
            "settings_sha256": settings_sha256(self.settings, self.layer_settings),
            "settings": dict(self.settings),
            "layer_settings": {
                name: dict(changes) for name, changes in self.layer_settings.items()
            },
            "layers": [self._layer_as_json(name) for name in self.input_ranges],
        }
        return _line(sealed(values)) + "\n"

    def _layer_as_json(self, name: str) -> dict[str, Any]:
        measured, point = self.input_ranges[name], self.points.get(name)
        ranges = {
            rung: held[name].tolist() for rung, held in self.adc_ranges.items() if name in held
        }
        steps = {
            rung: [
                {"thresholds": between.tolist(), "values": values.tolist()}
                for between, values in held[name]
            ]
            for rung, held in self.adc_steps.items()
            if name in held
        }
        return {
            "name": name,
            "x_max": measured.x_max,
            "signed": measured.signed,
            "shape": list(measured.shape),
            "point": None if point is None else {"volt": point[0], "activity": point[1]},
            "adc": ranges or None,
            **({"adc_steps": steps} if steps else {}),
        }


def settings_sha256(
    settings: Mapping[str, Any], layer_settings: Mapping[str, Mapping[str, Any]]
) -> str:
    """Hash the settings that a calibration depends on."""
    return hash_of({"settings": settings, "layer_settings": layer_settings})


def read_calibration(path: Path) -> Calibration:
    """Read what `rxsim calibrate` wrote.

    Raises:
        InputError: it can't be read, is something else, damaged, or from another version.
    """
    what = f"the calibration {path}"
    return from_json(read_json(path, what, _LARGEST_FILE), what)


def from_json(values: Any, what: str = "the calibration") -> Calibration:
    """Check what a calibration file holds.

    Args:
        values: the parsed JSON.
        what: what messages call it.

    Raises:
        InputError: it is something else, damaged, or from another version.
    """
    _check_head(values, what)
    try:
        file = validated(_File, values, what)
    except SettingError as error:
        text = str(error).removesuffix("; add it")
        raise InputError(f"{text}; it is damaged: {AGAIN}") from None
    if settings_sha256(file.settings, file.layer_settings) != file.settings_sha256:
        raise InputError(f"{what} holds settings of another SHA-256 than it states; {AGAIN}")
    names = [layer.name for layer in file.layers]
    if len(set(names)) < len(names) or set(names) != set(file.layer_settings):
        raise InputError(
            f"{what} holds ranges of other layers than settings, expected each once; it is damaged: "
            f"{AGAIN}"
        )
    adc_ranges: dict[str, dict[str, np.ndarray]] = {name: {} for name in CALIBRATED}
    adc_steps: dict[str, dict[str, tuple[Steps, ...]]] = {name: {} for name in CALIBRATED}
    for layer in file.layers:
        if layer.adc is not None:
            adc_ranges["ideal"][layer.name] = _ranges(layer.adc.ideal, layer.name, what)
            adc_ranges["nonideal"][layer.name] = _ranges(layer.adc.nonideal, layer.name, what)
        if layer.adc_steps is not None:
            for rung in CALIBRATED:
                adc_steps[rung][layer.name] = _steps(
                    getattr(layer.adc_steps, rung), layer.name, what
                )
    return Calibration(
        model=file.model,
        data=file.data,
        settings=file.settings,
        layer_settings=file.layer_settings,
        input_ranges={
            layer.name: InputRange(float(layer.x_max), layer.signed, tuple(layer.shape))
            for layer in file.layers
        },
        points={
            layer.name: (layer.point.volt, layer.point.activity)
            for layer in file.layers
            if layer.point is not None
        },
        adc_ranges=adc_ranges,
        adc_steps=adc_steps,
        version=file.rxsim,
        name=what,
    )


def _check_head(values: Any, what: str) -> None:
    """Refuse other files, other versions and changed content."""
    check_kind(values, what, KIND, SCHEMA_VERSION, "rxsim calibrate", AGAIN)
    numerics = values.get("numerics")
    if numerics != NUMERICS or isinstance(numerics, bool):
        raise InputError(
            f"{what} was measured by rxsim {in_yaml(values.get('rxsim'))}, whose ranges may be others "
            f"(numerics {in_yaml(numerics)}, expected {NUMERICS}); {AGAIN}"
        )
    if not is_whole(values):
        raise InputError(
            f"{what} is damaged: its content has another SHA-256 than it states; {AGAIN}"
        )


def _ranges(values: list[float], layer: str, what: str) -> np.ndarray:
    ranges = np.array(values, dtype=np.float64)
    if not values or ((ranges > 0) & (ranges < _SMALLEST)).any():
        given = "a range next to 0" if values else "none"
        raise InputError(
            f"{what}: layer {layer}: found {given} among its ADC ranges, expected ranges of 0 or above "
            f"{_SMALLEST:g} A; it is damaged: {AGAIN}"
        )
    return ranges


def _steps(records: Sequence[_StepsRecord], layer: str, what: str) -> tuple[Steps, ...]:
    for record in records:
        rises = all(a < b for a, b in pairwise(record.thresholds))
        if not rises or len(record.values) != len(record.thresholds) + 1:
            raise InputError(
                f"{what}: layer {layer}: found ADC thresholds that do not rise, or not one value more "
                f"than thresholds; it is damaged: {AGAIN}"
            )
    return tuple(
        (np.array(each.thresholds, dtype=np.float64), np.array(each.values, dtype=np.float64))
        for each in records
    )


def _line(values: Any) -> str:
    return json.dumps(values, separators=(",", ":"), allow_nan=False)
