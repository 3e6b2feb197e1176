"""What a caller of the Python interface gives, checked: paths, whole numbers, values of one type."""

from __future__ import annotations

import operator
from pathlib import Path
from typing import Any

import numpy as np

from rxsim.errors import DataError, InputError


def as_path(value: Any, name: str) -> Path:
    """Take a path given as text or as a Path.

    Args:
        value: the path.
        name: what messages call the argument.

    Raises:
        InputError: it is of another type, empty, or no name that a file can have.
    """
    if not isinstance(value, str | Path):
        raise InputError(
            f"{name}: found {_told(value)}, expected a path as text or as a Path; give one"
        )
    if not str(value) or "\0" in str(value):
        raise InputError(f"{name}: found {str(value)!r}, expected the name of a file; give one")
    path = Path(value)
    try:
        path.exists()
    except OSError as error:  # a name too long, or a folder that may not be searched
        raise InputError(
            f"{name}: {str(value)[:80]} can't be used: {error.strerror or error}; check the path"
        ) from None
    return path


def as_count(value: Any, name: str, least: int | None = 1) -> int:
    """Take a whole number, numpy's too.

    Args:
        value: the number.
        name: what messages call the argument.
        least: the smallest that is allowed; None: any.

    Raises:
        InputError: it is no whole number, or too small.
    """
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None:
        bound = "" if least is None else f", {least} or above"
        raise InputError(f"{name}: found {_told(value)}, expected a whole number{bound}; give one")
    if least is not None and number < least:
        raise InputError(f"{name}: found {number}, expected {least} or above; give more")
    return number


def check_type(value: Any, name: str, kind: Any, expected: str) -> None:
    """Refuse a value of another type.

    Args:
        value: the value.
        name: what messages call the argument.
        kind: its type, or a union of types.
        expected: the same in words.

    Raises:
        InputError: it is of another type.
    """
    if not isinstance(value, kind):
        raise InputError(f"{name}: found {_told(value)}, expected {expected}; give that")


def _told(value: Any) -> str:
    """Write a short value, or the type of a long one."""
    if isinstance(value, str | int | float | None):
        return repr(value)[:60]
    return f"a value of type {type(value).__name__}"


def refuse_impossible(
    values: np.ndarray, what: str, noun: str, unit: str, *, least: float | None
) -> None:
    """Refuse numbers that can't be, by the place of the first one.

    Args:
        values: voltages by row, or conductances by row and column.
        what: what messages call the array.
        noun: what one of them is called.
        unit: its unit.
        least: the smallest that is allowed; None: any finite number.

    Raises:
        DataError: one is NaN, infinite or too small.
    """
    good = np.isfinite(values)
    good &= True if least is None else values >= least
    if good.all():
        return
    at = np.unravel_index(int((~good).argmax()), values.shape)
    place = ", ".join(
        f"{name} {number}" for name, number in zip(("row", "column"), at, strict=False)
    )
    expected = "a finite number" if least is None else f"a finite number of {least:g} or above"
    raise DataError(
        f"{what}: found the {noun} {values[at]:g} {unit} at {place} (from 0), expected {expected}; "
        "clean the data"
    )
