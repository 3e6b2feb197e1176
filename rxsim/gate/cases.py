"""The cases of a regression file (YAML): each is a network with data and settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from rxsim.config import Settings, fault_files, load_settings, preset_files
from rxsim.config.overlay import overlay
from rxsim.errors import InputError
from rxsim.files import read_yaml_mapping
from rxsim.metrics import hit_options
from rxsim.pipeline import DataOptions, DataSection, check_chosen, files_of_card
from rxsim.schema import Integer, Relative, in_yaml, validated

Level = Annotated[Relative, Field(gt=0, lt=0.5)]
Share = Annotated[Relative, Field(gt=0, lt=1)]
_Count = Annotated[Integer, Field(ge=1)]
_LONGEST_NAME = 200


class CaseDefaults(DataSection):
    """Keys of a case; at the top of the file they hold for every case without them."""

    smallest_drop: Share = Field(0.01, description="smallest drop that matters: 0.01 is one point")
    trials: _Count = Field(5, description="chips of a case whose settings are random")
    seed: Integer | None = Field(None, description="null: what config or settings say, else 0")
    config: str | None = Field(None, description="settings file")
    settings: dict[str, Any] = Field({}, description="laid over the settings file")


class CaseSection(CaseDefaults):
    """A case of the file."""

    name: str = Field(min_length=1, max_length=_LONGEST_NAME)
    model: str = Field(min_length=1, description="ONNX file, relative to the YAML file")


class RegressSection(CaseDefaults):
    """The whole file."""

    level: Level = Field(0.01, description="chance that noise alone fails the gate, over all cases")
    cases: list[dict[str, Any]] = Field(min_length=1)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Case:
    """A network on some hardware, ready to be evaluated.

    Attributes:
        name: unique in its file.
        model: the ONNX file.
        settings: resolved settings.
        options: where the inputs come from.
        smallest_drop: the smallest drop that matters, a share.
        reads: all files that the case reads.
    """

    name: str
    model: Path
    settings: Settings
    options: DataOptions
    smallest_drop: float
    reads: tuple[Path, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Cases:
    """All cases of a file.

    Attributes:
        path: the file.
        level: the chance that noise alone fails any of them.
        cases: in the order of the file.
    """

    path: Path
    level: float
    cases: tuple[Case, ...]


def read_cases(path: Path) -> Cases:
    """Read a regression file; paths in it are relative to it.

    Raises:
        InputError: it can't be read, or a key is unknown or a value out of range.
    """
    what = f"the regression file {path}"
    values = read_yaml_mapping(path, "the regression file")
    _check_keys(values, RegressSection, what, "key")
    section = validated(RegressSection, values, what)
    defaults = {name: values[name] for name in CaseDefaults.model_fields if name in values}
    cases: list[Case] = []
    for number, given in enumerate(section.cases, 1):
        where = f"{what}, case {number}"
        _check_keys(given, CaseSection, where, "key of a case")
        case = _case(path.parent, overlay(defaults, given), where)
        if case.name in [earlier.name for earlier in cases]:
            raise InputError(
                f"{where}: found the name {in_yaml(case.name)} a second time, expected one of its own; "
                "rename one"
            )
        cases.append(case)
    return Cases(path, float(section.level), tuple(cases))


def _check_keys(
    values: Mapping[Any, Any], section: type[CaseDefaults], where: str, what: str
) -> None:
    known = list(section.model_fields)
    for name in values:
        if name not in known:
            raise InputError(
                f"{where}: {in_yaml(name)} is no {what}, expected one of {', '.join(known)}; correct it"
            )


def _case(folder: Path, values: Mapping[str, Any], where: str) -> Case:
    section = validated(CaseSection, values, where)
    if not section.name.isprintable():
        raise InputError(
            f"{where}: found the name {in_yaml(section.name)}, expected one line of printable "
            "characters; rename it"
        )
    config = None if section.config is None else folder / section.config
    if section.metric is not None and section.metric not in hit_options():
        raise InputError(
            f"{where}: metric: found {in_yaml(section.metric)}, expected {' or '.join(hit_options())}: "
            "the gate counts hits; leave it out, or leave out the case"
        )
    options = section.data_options(folder)
    model = folder / section.model
    settings = _settings(section, config, where, folder)
    return Case(
        name=section.name,
        model=model,
        settings=settings,
        options=options,
        smallest_drop=float(section.smallest_drop),
        reads=(
            model,
            *([] if options.card or not model.name else [model.with_suffix(".yaml")]),
            *([] if config is None else [config]),
            *preset_files(config, _assignments(section), folder),
            *fault_files(config, _assignments(section), folder),
            *section.data_files(folder),
            *files_of_card(model, options.card),
        ),
    )


def _settings(section: CaseSection, config: Path | None, where: str, folder: Path) -> Settings:
    """Lay a case's settings over its file; names may be nested or dotted, as with `--set`."""
    try:
        settings = load_settings(
            config,
            assignments=_assignments(section),
            overrides={"trials": section.trials, "seed": section.seed},
            folder=folder,
        )
        check_chosen(settings)
        return settings
    except InputError as error:
        raise type(error)(f"{where}: {error}") from None


def _assignments(section: CaseSection) -> list[str]:
    return [f"{name}={json.dumps(value, default=str)}" for name, value in section.settings.items()]
