"""Whether a calibration is one of this study: the same model, settings and calibration data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from rxsim.calibrate import INPUT_RANGES
from rxsim.config import Reads, Settings, layer_settings, pinned
from rxsim.converters.read_settings import ADC_RANGES, INPUTS
from rxsim.counted import counted
from rxsim.data import GivenArrays
from rxsim.effects import effects
from rxsim.errors import InputError
from rxsim.load import Network
from rxsim.pipeline.study.calibration import AGAIN, Calibration, DataRecord, ModelRecord
from rxsim.pipeline.study.choice import DataChoice, DataOptions
from rxsim.pipeline.study.provenance import CalibrationData, Provenance
from rxsim.pipeline.study.study_data import StudyData
from rxsim.schema import in_yaml
from rxsim.tiles import TILES

_NOTHING = object()
Plain = Mapping[str, Any]


class AbsentInputs:
    """Calibration inputs that are not at hand: whoever asks for them is told."""

    def __init__(self, kept: Calibration) -> None:
        """Stand for the inputs that a calibration was measured on."""
        self._what = (
            f"{kept.name} was measured on {_samples(kept.data)}, which are not at hand and are needed "
            "here; give them with --data and --calibrate"
        )

    def __len__(self) -> int:
        """Never return.

        Raises:
            InputError: always.
        """
        raise InputError(self._what)

    def subset(self, positions: np.ndarray) -> AbsentInputs:
        """Never return.

        Raises:
            InputError: always.
        """
        raise InputError(self._what)

    def feeds(self, start: int, stop: int, size: int | None = None) -> dict[str, np.ndarray]:
        """Never return.

        Raises:
            InputError: always.
        """
        raise InputError(self._what)


@cache
def calibrated_by() -> Reads:
    """Return the settings that can change what calibration measures.

    They are what its stages read, less what nominal hardware does not have: the effects that are drawn
    for each chip, and a preset's laws (what it gives besides is in the settings). Compensation is off
    in the rungs that it measures.
    """
    stages = INPUT_RANGES | TILES | INPUTS | ADC_RANGES | Reads(("calibration", "seed"))
    drawn = pinned(effect.off for effect in effects().values() if effect.per_chip)
    return stages.less((*drawn, "device.model", "device.without", "compensate"))


def model_record(network: Network) -> ModelRecord:
    """Return what identifies a network."""
    return ModelRecord(name=network.path.name, sha256=network.identity)


def settings_record(network: Network, settings: Settings) -> tuple[Plain, dict[str, Plain]]:
    """Return the settings that can change a calibration, and what of them single layers change.

    Args:
        network: the network, without layers that the settings leave digital.
        settings: resolved settings.
    """
    base = calibrated_by().of(settings)
    changes: dict[str, Plain] = {}
    for layer in network.layers:
        of_layer = layer_settings(settings, layer.name)
        assert of_layer is not None
        values = calibrated_by().of(of_layer)
        changes[layer.name] = {k: v for k, v in values.items() if base.get(k, _NOTHING) != v}
    return base, changes


def data_record(provenance: Provenance) -> DataRecord:
    """Return what identifies the calibration inputs of a study."""
    source, preprocess = provenance.calibration, provenance.preprocess
    return DataRecord(
        made_up=provenance.made_up,
        own=source.sha256 != provenance.data_sha256,
        name=source.name,
        sha256=source.sha256,
        samples=source.samples,
        indices=None if source.indices is None else list(source.indices),
        input=provenance.input,
        preprocess=None if preprocess is None else dict(preprocess),
        stated=dict(provenance.stated) or None,
    )


def check_model_and_settings(kept: Calibration, network: Network, settings: Settings) -> None:
    """Refuse a calibration of another model, or with other settings.

    Args:
        kept: the calibration.
        network: the network, without layers that the settings leave digital.
        settings: resolved settings.

    Raises:
        InputError: naming what differs.
    """
    here = model_record(network)
    if kept.model.sha256 != here.sha256:
        raise InputError(
            f"{kept.name} belongs to another model: {_named(kept.model)} there, {_named(here)} here; "
            f"{AGAIN} with this one"
        )
    _check_shapes(kept, network)
    base, changes = settings_record(network, settings)
    digital = [name for name in kept.layer_settings if name not in changes]
    for name in (*changes, *digital):
        if name not in kept.layer_settings or name not in changes:
            places = ("digital", "on crossbars") if name in changes else ("on crossbars", "digital")
            raise _other_settings(kept, f"layer {name} is {places[0]} there, {places[1]} here")
        kept_changes = kept.layer_settings[name]
        different = _first_difference(
            {**kept.settings, **kept_changes},
            {**base, **changes[name]},
        )
        if different is not None:
            key = different[0]
            of_layer = key in kept_changes or key in changes[name]
            text = _told(different)
            raise _other_settings(kept, f"layer {name}: {text}" if of_layer else text)


def _check_shapes(kept: Calibration, network: Network) -> None:
    """Refuse input shapes that a convolution can't have."""
    for layer in network.layers:
        measured = kept.input_ranges.get(layer.name)
        axes, channels = layer.layout.spatial_axes, layer.input_channels
        if measured is None or not axes:
            continue
        if len(measured.shape) != 1 + axes or measured.shape[0] != channels:
            raise InputError(
                f"{kept.name}: layer {layer.name}: found inputs of shape {list(measured.shape)}, "
                f"expected {counted(channels, 'channel')} and {counted(axes, 'axis', 'axes')} "
                f"more; it is damaged: {AGAIN}"
            )


def drop_missing(choice: DataChoice, options: DataOptions, *, evaluates: bool) -> DataChoice:
    """Leave out data that only the card names, that are not there, and that nothing needs.

    Args:
        choice: what card and options say; a calibration is at hand.
        options: what the options say.
        evaluates: whether the data are evaluated.
    """
    if options.calibrate is None and _is_missing(choice.calibrate):
        choice = replace(choice, calibrate=None)
    unneeded = not evaluates and options.data is None and choice.calibrate is None
    if unneeded and _is_missing(choice.data):
        choice = replace(choice, data=None)
    return choice


def _is_missing(source: Path | GivenArrays | None) -> bool:
    return isinstance(source, Path) and not source.exists()


def with_calibration(kept: Calibration, data: StudyData, *, given: bool) -> StudyData:
    """Hold a calibration's inputs against those of a study; take over which they are.

    They are compared where this study has data and either has data that calibrate besides, or the
    calibration has not: then it came from evaluated data, and so would this study's.

    Args:
        kept: the calibration.
        data: of the study, as it would calibrate by itself.
        given: whether the study has data of their own that calibrate.

    Raises:
        InputError: they are others.
    """
    here = data_record(data.provenance)
    if here.made_up:
        if not kept.data.made_up:
            return _without_inputs(kept, data, 0)
        _check_preparation(kept, here)
        return data
    if given or not kept.data.own:
        _check_data(kept, here)
        return data
    _check_preparation(kept, here)
    overlap = 0
    if kept.data.sha256 == data.provenance.data_sha256 and data.indices is not None:
        overlap = len(set(kept.data.indices or ()) & set(data.indices.tolist()))
    return _without_inputs(kept, data, overlap)


def _without_inputs(kept: Calibration, data: StudyData, overlap: int) -> StudyData:
    measured_on = CalibrationData(
        kept.data.name, kept.data.sha256, kept.data.samples, overlap, kept.data.indices
    )
    provenance = replace(data.provenance, calibration=measured_on)
    return replace(data, calibration=AbsentInputs(kept), provenance=provenance)


def _check_data(kept: Calibration, here: DataRecord) -> None:
    there = kept.data
    if there.made_up:
        raise _other_data(kept, f"made-up inputs there, {_samples(here)} here")
    if there.sha256 != here.sha256:
        raise _other_data(kept, f"{_named(there)} there, {_named(here)} here")
    _check_preparation(kept, here)
    if there.samples != here.samples:
        raise _other_data(
            kept, f"{counted(there.samples, 'sample')} of {here.name} there, {here.samples} here"
        )
    if there.indices != here.indices:
        raise _other_data(
            kept,
            f"other samples of {here.name} (those that --limit leaves over, drawn by --seed, --metric "
            "and the labels)",
        )


def _check_preparation(kept: Calibration, here: DataRecord) -> None:
    there = kept.data
    different = _first_difference(
        {"input": there.input, **_preprocess(there)}, {"input": here.input, **_preprocess(here)}
    )
    if there.made_up:
        different = None
    if different is None and there.made_up == here.made_up:
        different = _first_difference(_stated(there), _stated(here))
    if different is not None:
        raise _other_data(kept, _told(different))


def _preprocess(record: DataRecord) -> dict[str, Any]:
    return {f"preprocess.{name}": value for name, value in (record.preprocess or {}).items()}


def _stated(record: DataRecord) -> dict[str, Any]:
    stated = record.stated or {}
    return {
        f"{what} of {name}": value
        for what, values in stated.items()
        for name, value in values.items()
    }


def _first_difference(there: Plain, here: Plain) -> tuple[str, Any, Any] | None:
    """Find the first name whose values differ, those of here first."""
    for name in dict.fromkeys((*here, *there)):
        values = there.get(name, _NOTHING), here.get(name, _NOTHING)
        if values[0] is _NOTHING or values[1] is _NOTHING or values[0] != values[1]:
            return name, *values
    return None


def _told(different: tuple[str, Any, Any]) -> str:
    name, *values = different
    there, here = ("unknown" if value is _NOTHING else in_yaml(value) for value in values)
    return f"{name} is {there} there, {here} here"


def _other_settings(kept: Calibration, what: str) -> InputError:
    return InputError(
        f"{kept.name} was measured with other settings: {what}; use the same, or {AGAIN} with these"
    )


def _other_data(kept: Calibration, what: str) -> InputError:
    return InputError(
        f"{kept.name} was measured on other calibration data: {what}; give the same, or {AGAIN} with "
        "these"
    )


def _named(record: ModelRecord | DataRecord) -> str:
    return f"{record.name} (SHA-256 {(record.sha256 or 'none')[:12]})"


def _samples(record: DataRecord) -> str:
    if record.made_up:
        return counted(record.samples, "made-up input")
    return f"{counted(record.samples, 'sample')} of {record.name}"
