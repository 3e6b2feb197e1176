"""Options that commands share, and what they turn into."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from rxsim.commands.arguments import FILE, progress_options, with_options
from rxsim.commands.compensate_option import compensate_option, read_steps
from rxsim.commands.resource_options import read_memory, resource_options, take_providers
from rxsim.commands.stated_options import input_options, read_inputs
from rxsim.config import AUTO, Settings, fault_files, load_settings, preset_files
from rxsim.devices import check_preset_files
from rxsim.errors import SettingError
from rxsim.metrics import metric_options
from rxsim.pipeline import (
    DataOptions,
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


def settings_options(function: F) -> F:
    """Add --xbar, --config, --set and --compensate."""
    return with_options(
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
        *input_options(),
        *_preprocess_options(),
        *_run_options(),
    ]
    if "--output" not in taken:
        what = "The output, or any inner tensor, that is evaluated; default: the first of numbers."
        options.append(click.option("--output", "output_name", metavar="NAME", help=what))
    if "--workers" not in taken:  # which run networks in processes of their own
        options += resource_options()
    return with_options(settings_options(progress_options(function)), options)


def calibration_option(function: F) -> F:
    """Add --calibration."""
    what = "What 'rxsim calibrate' wrote: no range is measured then."
    return with_options(
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
        **read_inputs(given),
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
