"""Options that commands share, and what they turn into."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from rxsim.commands.arguments import FILE, progress_options
from rxsim.commands.compensate_option import compensate_option, read_steps
from rxsim.commands.resource_options import read_memory, resource_options, take_providers
from rxsim.config import AUTO, Settings, fault_files, load_settings, preset_files
from rxsim.devices import check_preset_files
from rxsim.errors import SettingError
from rxsim.metrics import metric_options
from rxsim.pipeline import (
    DataOptions,
    StatedInputs,
    Study,
    files_of_card,
    open_study,
    read_calibration,
    with_chosen_steps,
)
from rxsim.stages import Stages

F = TypeVar("F", bound=Callable[..., Any])
_Decorator = Callable[[Any], Any]
_FILE_NAMES = (
    *("data", "calibrate", "calibration", "card", "config"),
    *("classes", "label_file", "label_map"),
)
_OPTION_NAMES = (
    *("data", "calibrate", "card", "limit", "classes", "images", "label_file"),
    *("label_offset", "label_map", "input", "metric"),
)
"""Options that are fields of `DataOptions` under the same name."""


def _stack(function: F, options: Sequence[Callable[[Any], Any]]) -> F:
    for option in reversed(options):
        function = option(function)
    return function


def settings_options(function: F) -> F:
    """Add --xbar, --config, --set and --compensate."""
    return _stack(
        function,
        [
            click.option("--xbar", metavar="RxC", help="Array size, wordlines x bitlines."),
            click.option("--config", type=FILE, metavar="FILE", help="Settings file (YAML)."),
            click.option(
                "--set",
                "assignments",
                multiple=True,
                metavar="KEY=VALUE",
                help="One setting by its dotted name; may be repeated.",
            ),
            compensate_option,
        ],
    )


def study_options(function: F) -> F:
    """Add everything that says which network runs on which data with which settings.

    `--output NAME` is left out for commands whose `--output` is a file.
    """
    taken = {name for option in getattr(function, "__click_params__", ()) for name in option.opts}
    options = [
        *_data_options(),
        *_shape_options(),
        *_input_options(),
        *_preprocess_options(),
        *_run_options(),
    ]
    if "--output" not in taken:
        what = "The output, or any inner tensor, that is evaluated; default: the first of numbers."
        options.append(click.option("--output", "output_name", metavar="NAME", help=what))
    if "--workers" not in taken:  # which run networks in processes of their own
        options += resource_options()
    return _stack(settings_options(progress_options(function)), options)


def shape_options(function: F) -> F:
    """Add --input-shape, --fix-axis and --batch-axis."""
    return _stack(function, [*_shape_options(), _batch_axis_option()])


def read_stated(given: dict[str, Any]) -> StatedInputs:
    """Read what a command with `shape_options` states of the inputs."""
    return StatedInputs(
        shapes=_read_shapes(given["input_shapes"]),
        axes=_read_axes(given["fix_axes"]),
        batch_axes=_read_batch_axes(given["batch_axes"])["input_batch_axes"],
    )


def calibration_option(function: F) -> F:
    """Add --calibration."""
    what = "What 'rxsim calibrate' wrote: no range is measured then."
    return _stack(
        function, [click.option("--calibration", type=FILE, metavar="CAL.json", help=what)]
    )


def _data_options() -> list[_Decorator]:
    return [
        click.option(
            "--data",
            type=FILE,
            metavar="PATH",
            help="Data: npz (x, y), folder of images by class, CSV of file,label, IDX, CIFAR-10 bin.",
        ),
        click.option(
            "--calibrate", type=FILE, metavar="PATH", help="Data that fix converter ranges."
        ),
        click.option(
            "--card", type=FILE, metavar="FILE", help="Card in place of MODEL.yaml beside it."
        ),
        click.option(
            "--classes", type=FILE, metavar="FILE", help="Class names, one a line, in label order."
        ),
        click.option("--images", type=FILE, metavar="FOLDER", help="Where the files of a CSV lie."),
        click.option(
            "--labels", "label_file", type=FILE, metavar="FILE", help="Labels of IDX images."
        ),
        click.option(
            "--label-offset", type=int, metavar="K", help="Added to every label to get its output."
        ),
        click.option(
            "--label-map", type=FILE, metavar="FILE", help="Line i (from 0): the output of label i."
        ),
        click.option("--input", metavar="NAME", help="The input that the data feed."),
        click.option(
            "--metric",
            type=click.Choice(metric_options()),
            help="What is measured; none needs no labels.",
        ),
    ]


def _shape_options() -> list[_Decorator]:
    return [
        click.option(
            "--input-shape",
            "input_shapes",
            multiple=True,
            metavar="[NAME=]N,N..",
            help="Shape of an input where the model leaves axes free: NAME=1,3,48,320, or 3,224,224 "
            "for one input of the only one; repeatable.",
        ),
        click.option(
            "--fix-axis",
            "fix_axes",
            multiple=True,
            metavar="NAME=N",
            help="Length of a free axis by its name in the model; repeatable.",
        ),
    ]


def _input_options() -> list[_Decorator]:
    return [
        click.option(
            "--input-value",
            "input_values",
            multiple=True,
            metavar="NAME=V[,V..]",
            help="Value of an input, which needs no data then; repeatable.",
        ),
        _batch_axis_option(),
    ]


def _batch_axis_option() -> _Decorator:
    return click.option(
        "--batch-axis",
        "batch_axes",
        multiple=True,
        metavar="[NAME=]K",
        help="Which axis of the output, or of the input NAME, is the batch (none: it has none); "
        "repeatable.",
    )


def _preprocess_options() -> list[_Decorator]:
    layouts, colors = click.Choice(["NCHW", "NHWC", "NHW"]), click.Choice(["RGB", "BGR", "gray"])
    return [
        click.option("--data-layout", type=layouts, help="Axes of the data."),
        click.option("--model-layout", type=layouts, help="Axes of the model's input."),
        click.option("--data-color", type=colors, help="Colours of the data."),
        click.option("--model-color", type=colors, help="Colours it expects."),
        click.option("--scale", metavar="X", help="Factor on the data, such as 1/255."),
        click.option("--mean", metavar="X[,X..]", help="Subtracted after scaling."),
        click.option("--std", metavar="X[,X..]", help="Divides last."),
        click.option("--flatten", is_flag=True, help="The model takes a row of values."),
    ]


def _run_options() -> list[_Decorator]:
    count = click.IntRange(min=1)
    return [
        click.option("--seed", type=int, help="Seed of every random draw."),
        click.option(
            "--limit", type=count, metavar="N", help="Evaluate a seeded, class-balanced sample."
        ),
        click.option(
            "--threads", type=count, metavar="N", help="Work done side by side; changes no result."
        ),
    ]


def read_settings(given: dict[str, Any]) -> Settings:
    """Resolve the settings from a command's options."""
    settings = load_settings(
        given["config"],
        xbar=given["xbar"],
        assignments=given["assignments"],
        overrides={
            **{name: given.get(name) for name in ("trials", "seed")},
            "compensate": read_steps(given),
        },
    )
    check_preset_files(preset_files(given["config"], given["assignments"]))
    return settings


def read_data_options(given: dict[str, Any]) -> DataOptions:
    """Gather the data options of a command."""
    preprocess: dict[str, Any] = {
        name: given[name]
        for name in ("data_layout", "model_layout", "data_color", "model_color", "scale")
        if given[name] is not None
    }
    for name in ("mean", "std"):
        if given[name] is not None:
            preprocess[name] = _numbers(given[name], name)
    if given["flatten"]:
        preprocess["flatten"] = True
    return DataOptions(
        **{name: given[name] for name in _OPTION_NAMES},
        preprocess=preprocess,
        output=given.get("output_name"),
        input_shapes=_read_shapes(given["input_shapes"]),
        fix_axes=_read_axes(given["fix_axes"]),
        input_values=_read_values(given["input_values"]),
        **_read_batch_axes(given["batch_axes"]),
    )


def _read_shapes(texts: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Read shapes by input name; under "" where none is given."""
    shapes: dict[str, tuple[int, ...]] = {}
    for text in texts:
        name, _, lengths = text.rpartition("=")
        parts = lengths.replace("x", ",").split(",")
        if not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
            raise SettingError(
                f"--input-shape: found {text!r}, expected whole numbers above 0, such as 3,224,224 or "
                "NAME=1,3,224,224"
            )
        _check_once(name, shapes, "input-shape")
        shapes[name] = tuple(int(part) for part in parts)
    return shapes


def _read_axes(texts: Sequence[str]) -> dict[str, int]:
    """Read lengths of axes by their name."""
    lengths: dict[str, int] = {}
    for name, text in _named(texts, "fix-axis", "48"):
        if not text.strip().isdecimal() or int(text) < 1:
            raise SettingError(
                f"--fix-axis: found {name}={text}, expected a whole number above 0, such as {name}=48"
            )
        lengths[name] = int(text)
    return lengths


def _read_values(texts: Sequence[str]) -> dict[str, list[float]]:
    """Read values of inputs by name."""
    values: dict[str, list[float]] = {}
    for name, text in _named(texts, "input-value", "1"):
        try:
            values[name] = [float(part) for part in text.split(",")]
        except ValueError:
            raise SettingError(
                f"--input-value: found {name}={text}, expected a number, or several with commas "
                "between them"
            ) from None
    return values


def _read_batch_axes(texts: Sequence[str]) -> dict[str, Any]:
    """Read the batch axes of the output (without a name) and of inputs, as fields of `DataOptions`."""
    axes: dict[str, int | None] = {}
    for text in texts:
        name, _, number = text.rpartition("=")
        _check_once(name, axes, "batch-axis")
        whole = number.removeprefix("-" if not name else "").isdecimal()
        if not (whole or (name and number == "none")):
            raise SettingError(
                f"--batch-axis: found {text!r}, expected the number of an axis of the output from 0, "
                "or NAME=K or NAME=none for an input"
            )
        axes[name] = None if number == "none" else int(number)
    output = axes.pop("", None)
    return {"batch_axis": output, "input_batch_axes": axes}


def _named(texts: Sequence[str], option: str, example: str) -> list[tuple[str, str]]:
    """Take NAME=VALUE apart."""
    pairs: dict[str, str] = {}
    for text in texts:
        name, sign, value = text.rpartition("=")
        if not name or not sign or not value.strip():
            raise SettingError(
                f"--{option}: found {text!r}, expected NAME=VALUE, such as --{option} NAME={example}"
            )
        _check_once(name, pairs, option)
        pairs[name] = value
    return list(pairs.items())


def _check_once(name: str, known: Iterable[str], option: str) -> None:
    if name in known:
        raise SettingError(
            f"--{option}: found {name or 'a value without NAME='} twice, expected each once; leave "
            "one out"
        )


def open_given(
    model: Path,
    given: dict[str, Any],
    stages: Stages,
    *,
    evaluates: bool = True,
    takes_steps: bool = True,
    times: Sequence[float] = (),
) -> Study:
    """Open the study that a command's options describe; see `open_study`.

    Args:
        model: the ONNX file.
        given: the command's parameters.
        stages: take the time.
        evaluates: whether inputs are evaluated.
        takes_steps: whether steps of compensation change what the command does; else none is chosen.
        times: at which chips are read.
    """
    take_providers(given)
    settings = read_settings(given)
    if not takes_steps and settings.compensate == AUTO:
        settings = settings.model_copy(update={"compensate": ()})
    path = given.get("calibration")
    study = open_study(
        model,
        settings,
        read_data_options(given),
        threads=given["threads"],
        stages=stages,
        calibration=None if path is None else read_calibration(path),
        evaluates=evaluates,
        times=times,
        memory=read_memory(given),
    )
    study = with_chosen_steps(study)
    warn(study.warning, given)
    if not given["quiet"]:
        for note in study.notes:
            click.echo(note, err=True)
    return study


def warn(warning: str | None, given: dict[str, Any]) -> None:
    """Say on standard error what a user is to be warned of, if anything, unless --quiet is given."""
    if warning is not None and not given["quiet"]:
        click.echo(f"warning: {warning}", err=True)


def files_read(model: Path, given: dict[str, Any]) -> list[Path | None]:
    """List the files that a command reads: no output may overwrite them."""
    named = [given.get(name) for name in _FILE_NAMES]
    card = model.with_suffix(".yaml") if model.name else None
    settings = given.get("config"), given.get("assignments", ())
    devices = [*preset_files(*settings), *fault_files(*settings)]
    return [model, card, *named, *devices, *files_of_card(model, given.get("card"))]


def _numbers(text: str, name: str) -> list[str]:
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise SettingError(
            f"--{name}: found {text!r}, expected numbers with commas between them, "
            "such as 0.5,0.5,0.5"
        )
    return parts
