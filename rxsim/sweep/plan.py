"""From a sweep's file to its points: which network, data and settings, and their identity."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rxsim.cache import content_key
from rxsim.config import (
    Cost,
    Settings,
    as_plain,
    layer_settings,
    read_settings_file,
    settings_hash,
    settings_with,
)
from rxsim.dotted import at
from rxsim.durations import written
from rxsim.errors import InputError, SettingError
from rxsim.numerics import NUMERICS
from rxsim.pipeline import (
    DataOptions,
    Study,
    check_chosen,
    check_cost,
    is_random,
    open_study,
    technology_identity,
)
from rxsim.schema import in_yaml
from rxsim.store import Point
from rxsim.sweep.axes import Axis
from rxsim.sweep.design import assignments
from rxsim.sweep.sweep_file import Stop, SweepFile, read_sweep_file

_DURATIONS = ("device.time", "device.refresh", "device.run_time")
"""Settings whose values may be text such as 1h."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PlannedPoint:
    """A point that is to be evaluated.

    Attributes:
        point: its identity, as results hold it.
        model: the ONNX file.
        options: where its inputs come from.
        settings: resolved settings.
        values: values of the axes by dotted name (of settings that share a value, the first name); also
            model and config where there are several.
        is_random: whether its chips differ.
        accuracy: identity of all that its scores depend on, `cost` left out; the point's key where the
            settings have no such section, None where nothing is evaluated.
    """

    point: Point
    model: Path
    options: DataOptions
    settings: Settings
    values: Mapping[str, Any]
    is_random: bool
    accuracy: str | None

    def trial_key(self, trial: int) -> str:
        """Return the identity of a trial of the point."""
        return content_key("trial", self.point.key, trial)


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A sweep that can be run.

    Attributes:
        name: name of the sweep.
        text: the YAML of its file.
        points: the points in the order of the axes, without duplicates.
        trials: chips per point, at most.
        stop: the stopping rule; None: every point gets all its trials.
    """

    name: str
    text: str
    points: tuple[PlannedPoint, ...]
    trials: int
    stop: Stop | None


def read_plan(path: Path) -> Plan:
    """Read a sweep's file and open its networks and data.

    Raises:
        InputError: the file, a network, the data or a point's settings can't be used.
    """
    file, text = read_sweep_file(path)
    folder = path.parent
    bases: list[tuple[Path | None, dict[str, Any]]] = [
        (name, read_settings_file(folder / name)) for name in file.configs
    ] or [(None, {})]
    axes = file.read_axes()
    changes = assignments(axes, file.design, file.points, file.design_seed)
    options = file.data_options(folder.absolute())
    points: dict[str, PlannedPoint] = {}
    trials = file.trials
    only_price = file.measure == "cost"
    for model in file.models:
        study: Study | None = None
        for name, base in bases:
            for change in changes:
                settings = _settings(file, base, change, folder)
                check_chosen(settings)
                trials = trials or settings.trials
                cost = settings.cost or (Cost() if only_price else None)
                settings = settings.model_copy(update={"trials": 1, "cost": cost})
                if study is None:
                    study = open_study((folder / model).absolute(), settings, options, threads=1)
                _check_price(study, settings, change)
                values = _values(file, axes, model, name, change, settings)
                planned = planned_point(study, settings, options, values, only_price=only_price)
                points.setdefault(planned.point.key, planned)
    chips = 1 if only_price else trials or 1
    if file.stop is not None and file.stop.at_least > chips:
        raise SettingError(
            f"sweep file {path}: found stop.at_least {file.stop.at_least} above trials {chips}, "
            "expected at most as many; raise trials"
        )
    return Plan(file.name or path.stem, text, tuple(points.values()), chips, file.stop)


def _settings(
    file: SweepFile, base: Mapping[str, Any], change: Mapping[str, Any], folder: Path
) -> Settings:
    merged = {**_flat_top(file.settings), **change}
    return settings_with(base, merged, _told_change(change), folder)


def _told_change(change: Mapping[str, Any]) -> str:
    told = ", ".join(f"{name}={in_yaml(value)}" for name, value in change.items())
    return f"point {told}" if told else "settings"


def _check_price(study: Study, settings: Settings, change: Mapping[str, Any]) -> None:
    """Refuse a point that can't be priced before any is evaluated.

    Raises:
        SettingError: its technology, or an ADC in it, is out of range.
    """
    try:
        check_cost(replace(study, settings=settings))
    except InputError as error:
        raise SettingError(f"{_told_change(change)}: {error}") from None


def _flat_top(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of sections by dotted name, so that axes can replace single keys."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping) and name != "layers":
            flat.update({f"{name}.{key}": inner for key, inner in value.items()})
        else:
            flat[str(name)] = value
    return flat


def _values(
    file: SweepFile,
    axes: Sequence[Axis],
    model: Path,
    config: Path | None,
    change: Mapping[str, Any],
    settings: Settings,
) -> dict[str, Any]:
    """Return the values that name a point."""
    several = {"model": model.name} if len(file.models) > 1 else {}
    if config is not None and len(file.configs) > 1:
        several["config"] = config.stem
    return {**several, **told_values(axes, change, settings)}


def told_values(
    axes: Sequence[Axis], change: Mapping[str, Any], settings: Settings
) -> dict[str, Any]:
    """Return the values of axes that name a point; of settings that share a value the first one stands.

    Args:
        axes: the axes.
        change: what they set at the point, by dotted name.
        settings: the point's.
    """
    change = _as_numbers(change, settings)
    told: dict[str, Any] = {}
    for axis in axes:
        values = {name: change[name] for name in axis.names}
        alike = len(set(map(in_yaml, values.values()))) == 1
        told |= {axis.names[0]: values[axis.names[0]]} if alike else values
    return told


def _as_numbers(change: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """Return changes with text such as 3% or 1h as the number that it stands for."""
    numbers = dict(change)
    for name, value in change.items():
        if isinstance(value, str) and (value.rstrip().endswith("%") or name in _DURATIONS):
            meant = at(settings, name)
            numbers[name] = meant if isinstance(meant, float) else value
    return numbers


def planned_point(
    study: Study,
    settings: Settings,
    options: DataOptions,
    values: Mapping[str, Any],
    *,
    only_price: bool = False,
) -> PlannedPoint:
    """Return a point of a sweep.

    Args:
        study: the network and its data, under any settings that give the same layers and inputs.
        settings: the point's, of a single trial.
        options: where the inputs come from.
        values: what names the point.
        only_price: nothing is evaluated.

    Raises:
        InputError: the file of a technology can't be read.
    """
    provenance = study.provenance
    plain = as_plain(settings)
    del plain["trials"]
    accuracy = _identity(study, settings.model_copy(update={"cost": None}))
    identity = accuracy
    if settings.cost is not None:
        identity = _identity(study, settings, *technology_identity(settings.cost))
    if only_price:
        identity = content_key("price", identity)
    point = Point(
        key=identity,
        model=study.network.path.name,
        model_sha256=study.network.identity,
        data=None if provenance.data is None else provenance.data.name,
        data_sha256=provenance.data_sha256,
        settings=json.loads(json.dumps(plain)),
        metric=study.metric,
    )
    resolved = [layer_settings(settings, layer.name) for layer in study.network.layers]
    random = any(
        layer is not None and is_random(layer)
        for layer in (resolved if settings.layers else resolved[:1])
    )
    return PlannedPoint(
        point=point,
        model=study.network.path.absolute(),
        options=options,
        settings=settings,
        values=values,
        is_random=random and not only_price,
        accuracy=None if only_price else accuracy,
    )


def _identity(study: Study, settings: Settings, *more: str) -> str:
    return content_key(
        *("point", NUMERICS, study.network.identity, settings_hash(settings)),
        *study.provenance.point_identity(study.metric),
        *more,
    )


def describe(values: Mapping[str, Any]) -> str:
    """Name a point by the values of its axes, in a line of text."""
    return (
        ", ".join(f"{name} {_told(name, value)}" for name, value in values.items())
        or "the settings"
    )


def _told(name: str, value: Any) -> str:
    is_time = name in _DURATIONS and isinstance(value, int | float)
    return written(float(value)) if is_time else in_yaml(value)
