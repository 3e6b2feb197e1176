"""Options that state what a model leaves open of its inputs: lengths, values, the batch axis."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import click

from rxsim.commands.arguments import with_options
from rxsim.errors import SettingError
from rxsim.pipeline import StatedInputs

F = TypeVar("F", bound=Callable[..., Any])
_Decorator = Callable[[Any], Any]


def stated_options(function: F) -> F:
    """Add --input-shape, --fix-axis and --batch-axis."""
    return with_options(function, [*_shape_options(), _batch_axis_option()])


def read_stated(given: dict[str, Any]) -> StatedInputs:
    """Read what a command with `stated_options` states of the inputs."""
    return StatedInputs(
        shapes=_read_shapes(given["input_shapes"]),
        axes=_read_axes(given["fix_axes"]),
        batch_axes=_read_batch_axes(given["batch_axes"])["input_batch_axes"],
    )


def input_options() -> list[_Decorator]:
    """Return --input-shape, --fix-axis, --input-value and --batch-axis."""
    return [*_shape_options(), _value_option(), _batch_axis_option()]


def read_inputs(given: dict[str, Any]) -> dict[str, Any]:
    """Read what a command with `input_options` states, as fields of `DataOptions`."""
    return {
        "input_shapes": _read_shapes(given["input_shapes"]),
        "fix_axes": _read_axes(given["fix_axes"]),
        "input_values": _read_values(given["input_values"]),
        **_read_batch_axes(given["batch_axes"]),
    }


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


def _value_option() -> _Decorator:
    return click.option(
        "--input-value",
        "input_values",
        multiple=True,
        metavar="NAME=V[,V..]",
        help="Value of an input, which needs no data then; repeatable.",
    )


def _batch_axis_option() -> _Decorator:
    return click.option(
        "--batch-axis",
        "batch_axes",
        multiple=True,
        metavar="[NAME=]K",
        help="Which axis of the output, or of the input NAME, is the batch (none: it has none); "
        "repeatable.",
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
