"""What a search varies: axes as `--over` states them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from rxsim.errors import SettingError
from rxsim.files import parse_yaml
from rxsim.sweep import Axis

_START = re.compile(r"\s*([A-Za-z_][\w.]*(?:\s*\+\s*[A-Za-z_][\w.]*)*)\s*=(.*)", re.DOTALL)
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_RANGE = re.compile(rf"\s*({_NUMBER})\.\.({_NUMBER})(?:([+*])({_NUMBER}))?\s*")
_MOST_VALUES = 1000
_EXAMPLE = "--over adc.n_bits=4..8 or --over crossbar.rows+crossbar.cols=32,64,128"
# Of these the search would have to open the network or its data anew for each point, or compare points
# on different images.
_FIXED = ("trials", "seed", "layers", "mapping.fold", "calibration.samples")


def read_over(texts: Sequence[str]) -> list[Axis]:
    """Read axes.

    A text is NAME=VALUES, or several with commas between them; NAME may be several names with a plus
    between them, whose settings change together. VALUES are values with commas between them: plain
    ones, `4..8` (whole steps), `4..16+4` (other steps), `16..256*2` (equal factors).

    Args:
        texts: as the command line takes them.

    Raises:
        SettingError: a text is malformed, or a setting stands on two axes or can't stand on any.
    """
    axes: list[tuple[str, list[Any]]] = []
    for text in texts:
        for number, piece in enumerate(text.split(",")):
            start = _START.fullmatch(piece)
            if start is not None:
                names = [name.strip() for name in start[1].split("+")]
                axes.append((",".join(names), []))
                piece = start[2]
            elif number == 0:
                raise SettingError(
                    f"--over: found {text!r}, expected NAME=VALUES, such as {_EXAMPLE}"
                )
            axes[-1][1].extend(_values(piece, axes[-1][0]))
    _check_names([name for key, _ in axes for name in key.split(",")])
    return [Axis(key, _without_repeats(values)) for key, values in axes]


def _values(text: str, key: str) -> list[Any]:
    """Read one value, or the values of one range."""
    match = _RANGE.fullmatch(text)
    if match is None:
        value = parse_yaml(text, f"--over {key}") if text.strip() else ""
        if value is not None and not isinstance(value, str | int | float):
            value = ""
        if value == "" or (isinstance(value, str) and ".." in value):
            raise SettingError(
                f"--over {key}: found {text.strip()!r}, expected values such as 4,5,6 or a range "
                "such as 4..8, 4..16+4 or 16..256*2"
            )
        return [value]
    first, last = _as_number(match[1]), _as_number(match[2])
    is_factor, step = match[3] == "*", _as_number(match[4] or "1")
    rises = (first > 0 and step > 1) if is_factor else step > 0
    if not (first <= last and rises):
        raise SettingError(
            f"--over {key}: found {text.strip()!r}, expected a range that rises, such as 4..8, 4..16+4 "
            "or 16..256*2"
        )
    values: list[float] = []
    value = first
    while value <= last * (1 + 1e-9) or value <= last:
        values.append(_tidy(value))
        if len(values) > _MOST_VALUES:
            raise SettingError(
                f"--over {key}: found more than {_MOST_VALUES:,} values in {text.strip()!r}, expected "
                "fewer; take a larger step"
            )
        count = len(values)
        value = first * step**count if is_factor else first + step * count
    return values


def _as_number(text: str) -> float:
    return int(text) if re.fullmatch(r"[+-]?\d+", text) else float(text)


def _tidy(value: float) -> float:
    """A tenth is 0.1 in a table, not 0.09999999999999999; whole numbers stay whole."""
    return value if isinstance(value, int) else float(f"{value:.12g}")


def _without_repeats(values: list[Any]) -> list[Any]:
    return list({repr(value): value for value in values}.values())


def _check_names(names: Sequence[str]) -> None:
    if not names:
        raise SettingError(f"--over is missing, expected what is varied, such as {_EXAMPLE}")
    for name in names:
        if names.count(name) > 1:
            raise SettingError(
                f"--over: found {name} twice, expected each setting on one axis; join its values"
            )
        if name in _FIXED or name.startswith("layers."):
            raise SettingError(
                f"--over: found {name}, expected another setting: points are compared on the same "
                "network, images and chips; use --set or its option"
            )
