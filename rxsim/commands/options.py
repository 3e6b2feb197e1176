"""Options that commands share, and what they turn into."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from rxsim.config import Settings, load_settings
from rxsim.errors import SettingError
from rxsim.pipeline import DataOptions

F = TypeVar("F", bound=Callable[..., Any])
FILE = click.Path(path_type=Path)


def _stack(function: F, options: list[Callable[[F], F]]) -> F:
    for option in reversed(options):
        function = option(function)
    return function


def settings_options(function: F) -> F:
    """Add --xbar, --config and --set."""
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
        ],
    )


def study_options(function: F) -> F:
    """Add everything that says which network runs on which data with which settings."""
    choice = click.Choice
    return _stack(
        settings_options(function),
        [
            click.option("--data", type=FILE, metavar="FILE.npz", help="Labelled data: x and y."),
            click.option(
                "--calibrate", type=FILE, metavar="FILE.npz", help="Data that fix converter ranges."
            ),
            click.option(
                "--card", type=FILE, metavar="FILE", help="Card in place of MODEL.yaml beside it."
            ),
            click.option(
                "--data-layout", type=choice(["NCHW", "NHWC", "NHW"]), help="Axes of the data."
            ),
            click.option(
                "--model-layout", type=choice(["NCHW", "NHWC"]), help="Axes of the model's input."
            ),
            click.option("--data-color", type=choice(["RGB", "BGR"]), help="Colours of the data."),
            click.option("--model-color", type=choice(["RGB", "BGR"]), help="Colours it expects."),
            click.option("--scale", metavar="X", help="Factor on the data, such as 1/255."),
            click.option("--mean", metavar="X[,X..]", help="Subtracted after scaling."),
            click.option("--std", metavar="X[,X..]", help="Divides last."),
            click.option("--seed", type=int, help="Seed of every random draw."),
            click.option(
                "--limit",
                type=click.IntRange(min=1),
                metavar="N",
                help="Evaluate a seeded, class-balanced sample.",
            ),
            click.option(
                "--threads",
                type=click.IntRange(min=1),
                metavar="N",
                help="Work done side by side; changes no result.",
            ),
        ],
    )


def read_settings(given: dict[str, Any]) -> Settings:
    """Resolve the settings from a command's options."""
    return load_settings(
        given["config"],
        xbar=given["xbar"],
        assignments=given["assignments"],
        overrides={name: given.get(name) for name in ("trials", "seed")},
    )


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
    return DataOptions(given["data"], given["calibrate"], given["card"], preprocess, given["limit"])


def files_read(model: Path, given: dict[str, Any]) -> list[Path | None]:
    """List the files that a command reads: no output may take the place of one."""
    named = [given.get(name) for name in ("data", "calibrate", "card", "config")]
    card = model.with_suffix(".yaml") if model.name else None
    return [model, card, *named]


def _numbers(text: str, name: str) -> list[str]:
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise SettingError(
            f"--{name}: found {text!r}, expected numbers with commas between them, "
            "such as 0.5,0.5,0.5"
        )
    return parts
