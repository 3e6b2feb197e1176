"""What the functions of the interface accept for a model, settings, data and a calibration."""

from __future__ import annotations

import json
import re
import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from rxsim.config import AUTO, Settings, load_settings, parse_xbar, preset_files, settings_with
from rxsim.devices import check_preset_files, check_presets
from rxsim.dotted import flat
from rxsim.errors import ModelError, SettingError
from rxsim.files import check_destination
from rxsim.given import as_count, as_path, check_type
from rxsim.memory import read_size
from rxsim.pipeline import (
    Calibration,
    DataOptions,
    Study,
    open_study,
    read_calibration,
    with_chosen_steps,
)
from rxsim.schema import Section

AnyModel = str | Path | onnx.ModelProto
"""An ONNX file, or a model in memory."""
AnySettings = str | Path | Mapping[str, Any] | Settings
"""An array's size such as "64x64", a settings file, a mapping of settings, or `Settings`."""
AnyArrays = np.ndarray | tuple[Any, Any] | Mapping[str, Any]
"""Samples, a pair (samples, labels), or arrays by name."""
AnyData = str | Path | AnyArrays | DataOptions
"""What `--data` takes, arrays in memory, or `DataOptions`."""

_SUFFIXES = (".yaml", ".yml")
_SIZE = re.compile(r"\s*\d+\s*[xX]\s*\d+\s*")


def settings(
    config: AnySettings | None = None,
    *,
    xbar: str | None = None,
    changes: Mapping[str, Any] | None = None,
    trials: int | None = None,
    seed: int | None = None,
) -> Settings:
    """Resolve settings as `--config`, `--xbar`, `--set`, `--trials` and `--seed` do; later ones win.

    Args:
        config: a settings file; or an array's size, a mapping of settings, or `Settings`.
        xbar: the array's size, such as "64x64".
        changes: values by dotted name, such as {"adc.n_bits": 8}, or nested as in a settings file.
        trials: programmed chips.
        seed: of every random draw.

    Raises:
        SettingError: a setting is unknown, of the wrong type or out of range.
        InputError: the file can't be read.

    Example:
        >>> rxsim.settings("64x64", changes={"adc.n_bits": 8, "device.write_sigma": 0.05})
    """
    size = {} if xbar is None else _size(xbar)
    numbers = {"trials": trials, "seed": seed}
    counts = {name: as_count(v, name, None) for name, v in numbers.items() if v is not None}
    further = _plain(changes or {}, "changes")
    if isinstance(config, Mapping):
        config = settings_with({}, _plain(config, "settings"), "settings")
    if isinstance(config, Settings):
        more = {**size, **counts, **further}
        resolved = settings_with(_below(config, more), more, "settings") if more else config
    else:
        path, text = _file_or_size(config)
        assignments = [f"{name}={json.dumps(value)}" for name, value in further.items()]
        resolved = load_settings(path, xbar=xbar or text, assignments=assignments, overrides=counts)
        check_preset_files(preset_files(path, assignments))
    check_presets(resolved)
    return resolved


def _size(xbar: Any) -> dict[str, int]:
    check_type(xbar, "xbar", str, "an array size such as '64x64'")
    rows, cols = parse_xbar(xbar)
    return {"crossbar.rows": rows, "crossbar.cols": cols}


def _below(base: Settings, more: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings to lay others over: a new device model starts from its preset."""
    values = base.model_dump()
    device = more.get("device")
    if "device.model" in more or (isinstance(device, Mapping) and "model" in device):
        values["device"] = {}
    return values


def _file_or_size(given: Any) -> tuple[Path | None, str | None]:
    """Tell a settings file from an array's size."""
    if given is None:
        return None, None
    if isinstance(given, Path) or (isinstance(given, str) and given.lower().endswith(_SUFFIXES)):
        return as_path(given, "settings"), None
    if isinstance(given, str) and _SIZE.fullmatch(given):
        return None, given
    shown = (
        repr(given[:60]) if isinstance(given, str) else f"a value of type {type(given).__name__}"
    )
    raise SettingError(
        f"settings: found {shown}, expected an array size such as '64x64', a settings file (.yaml), a "
        "mapping such as {'adc.n_bits': 8}, or rxsim.settings(..); give one of them"
    )


def _plain(values: Any, what: str) -> dict[str, Any]:
    """Return a mapping of settings in plain values, numpy's made Python's."""
    check_type(values, what, Mapping, "a mapping such as {'adc.n_bits': 8}")
    for name in values:
        check_type(name, f"a name in {what}", str, "text such as 'adc.n_bits'")
    try:
        plain = json.loads(json.dumps(dict(values), default=_as_python))
    except (TypeError, ValueError, RecursionError) as error:
        raise SettingError(
            f"{what}: found a value that no settings file could hold ({error}), expected numbers, "
            "text, lists and mappings; convert it"
        ) from None
    assert isinstance(plain, dict)
    _refuse_twice(plain, what)
    return plain


def _refuse_twice(values: Mapping[str, Any], what: str) -> None:
    """Refuse a setting that is given by its dotted name and in its section too.

    Raises:
        SettingError: naming it.
    """
    names = Counter(name for name, _ in flat(values))
    twice = next((name for name, count in names.items() if count > 1), None)
    if twice is not None:
        raise SettingError(
            f"{what}: found {twice} twice (by its dotted name and in its section), expected it once; "
            "leave one out"
        )


def _as_python(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Section):
        return value.model_dump()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"of type {type(value).__name__}")


def as_model(model: Any) -> Path | onnx.ModelProto:
    """Take a model file or a model in memory.

    Raises:
        ModelError: it is something else.
    """
    if isinstance(model, onnx.ModelProto):
        return model
    if isinstance(model, str | Path):
        return as_path(model, "model")
    raise ModelError(
        f"model: found a value of type {type(model).__name__}, expected the path of an ONNX file or an "
        "onnx.ModelProto; give one of them"
    )


def as_data(data: Any, limit: int | None = None) -> DataOptions:
    """Take data, with a limit that wins over theirs.

    Raises:
        InputError: neither data nor options for them.
    """
    options = data if isinstance(data, DataOptions) else DataOptions(data=data)
    return options if limit is None else replace(options, limit=limit)


def _as_calibration(given: Any) -> Calibration | None:
    if given is None or isinstance(given, Calibration):
        return given
    return read_calibration(as_path(given, "calibration"))


def as_bytes(memory: Any) -> int | None:
    """Take a size such as "3GB"; None: it is left out.

    Raises:
        InputError: it is no such text.
    """
    if memory is None:
        return None
    check_type(memory, "memory", str, "a size with its unit, such as '3GB'")
    return read_size(memory, "memory")


def opened(
    model: AnyModel,
    given: AnySettings | None,
    data: AnyData | None,
    *,
    trials: int | None = None,
    seed: int | None = None,
    limit: int | None = None,
    threads: int | None = None,
    memory: str | None = None,
    calibration: Calibration | str | Path | None = None,
    evaluates: bool = True,
    takes_steps: bool = True,
) -> Study:
    """Open the study that the arguments of a function describe; see `rxsim.pipeline.open_study`.

    With `takes_steps` false no steps of compensation are chosen: they would change nothing.

    Raises:
        InputError: an argument is of another kind than expected, or can't be used.
    """
    chosen = settings(given, trials=trials, seed=seed)
    if not takes_steps and chosen.compensate == AUTO:
        chosen = chosen.model_copy(update={"compensate": ()})
    study = open_study(
        as_model(model),
        chosen,
        as_data(data, limit),
        threads=None if threads is None else as_count(threads, "threads"),
        memory=as_bytes(memory),
        calibration=_as_calibration(calibration),
        evaluates=evaluates,
    )
    study = with_chosen_steps(study)
    warn(study.warning, depth=3)
    return study


def warn(warning: str | None, depth: int) -> None:
    """Warn the user's code, if there is anything to be warned of.

    Args:
        warning: the sentence, or None.
        depth: how many calls above this function the user's code stands.
    """
    if warning is not None:
        warnings.warn(warning, UserWarning, stacklevel=depth + 1)


def as_destination(output: Any, model: AnyModel) -> Path | None:
    """Take the file that a result goes to, refused early where it can't be written.

    Raises:
        InputError: it is no path, or the place can't be written.
    """
    if output is None:
        return None
    path = as_path(output, "output")
    check_destination(path, [Path(model)] if isinstance(model, str | Path) else [])
    return path
