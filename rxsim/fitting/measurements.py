"""Measured rows as numbers: conductances in siemens, times in seconds, each checked.

`target` is the conductance aimed at, `achieved` that right after programming, `time` the seconds from
programming to the reading in `read`. Without `read`, `achieved` is the conductance at `time`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rxsim.counted import counted
from rxsim.errors import DataError
from rxsim.fitting.columns import Column, find_columns
from rxsim.fitting.text_table import column_of, read_bytes, read_text_table
from rxsim.fitting.units import CONDUCTANCES, check_units, in_siemens, preset_unit

LEAST_ROWS = 20
"""Fewest rows that a deviation is taken from. Assumption: an error of 16 % is the most to be of use."""
# Cells of crossbars lie far inside these bounds; a unit that is off by 10^3 or more leaves them.
_LARGEST, _SMALLEST = 1.0, 1e-12
# Assumption: cells are programmed and drift by less than this factor; units differ by 10^3 (31.6^2).
_ANOTHER_UNIT = 31.6


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Measurements:
    """Rows of a table, by their values: the order of the table has no part in what is fitted.

    Attributes:
        name: of the file, without its folder.
        sha256: of its bytes.
        unit: unit of conductance that suits the numbers: siemens, millisiemens, ..
        line: number of each row's line in the file, from 1, (n,).
        target: siemens, (n,).
        achieved: siemens, (n,).
        time: seconds, (n,); None where no column tells it.
        read: siemens, (n,), likewise.
        cell: number of each row's cell, (n,), likewise.
        unused: names of the columns that are none of these.
    """

    name: str
    sha256: str
    unit: str
    line: np.ndarray
    target: np.ndarray
    achieved: np.ndarray
    time: np.ndarray | None
    read: np.ndarray | None
    cell: np.ndarray | None
    unused: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.target)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableOptions:
    """What a user says of a table.

    Attributes:
        columns: what a column is (target, achieved, time, read, cell) -> its name or number from 1.
        unit: of conductances whose header states none.
        time_unit: of times whose header states none; None: seconds.
    """

    columns: Mapping[str, str]
    unit: str | None = None
    time_unit: str | None = None


def read_measurements(path: Path, options: TableOptions) -> Measurements:
    """Read a CSV of measured rows.

    Raises:
        DataError: it can't be read, a column is missing, or a number can't be; naming the line.
        InputError: an option can't be right.
    """
    check_units(options.unit, options.time_unit)
    content, where = read_bytes(path), str(path)
    table = read_text_table(content, where)
    if not table.header and not {"target", "achieved"} <= set(options.columns):
        raise DataError(
            f"{where}, line {table.lines[0]}: found numbers in the first line, expected a header that "
            "names the columns, such as target_uS,achieved_uS; add it, or number them with --target 1 "
            "--achieved 2"
        )
    header = table.header or [str(place + 1) for place in range(len(table.rows[0]))]
    columns = _columns(header, where, options)
    texts = {role: column_of(table, column.place) for role, column in columns.items()}
    lines = np.asarray(table.lines)
    digest = hashlib.sha256(content).hexdigest()
    rows = _measured(texts, columns, lines, where, path.name, digest)
    return replace(rows, unused=_unused(header, columns))


def given_measurements(values: Mapping[str, Any], options: TableOptions) -> Measurements:
    """Take columns in memory: names as a header writes them -> numbers.

    Raises:
        DataError: as `read_measurements`; rows count from 1.
    """
    check_units(options.unit, options.time_unit)
    arrays = {str(name): np.asarray(column) for name, column in values.items()}
    lengths = {len(a) if a.ndim == 1 else -1 for a in arrays.values()}
    if len(lengths) != 1 or lengths <= {-1, 0}:
        raise DataError(
            "data: found columns of different lengths or none, expected a mapping of names to lists of "
            "numbers, all of one length; correct them"
        )
    columns = _columns(list(arrays), "data", options)
    texts = {role: arrays[column.name].tolist() for role, column in columns.items()}
    digest = hashlib.sha256()
    for name, column in arrays.items():
        digest.update(f"{name} {column.dtype.str}\n".encode() + _bytes_of(column))
    lines = np.arange(1, lengths.pop() + 1)
    rows = _measured(texts, columns, lines, "data", "arrays in memory", digest.hexdigest())
    return replace(rows, unused=_unused(list(arrays), columns))


def _unused(header: Sequence[str], columns: Mapping[str, Column]) -> tuple[str, ...]:
    places = {column.place for column in columns.values()}
    return tuple(name for place, name in enumerate(header) if place not in places)


def _bytes_of(column: np.ndarray) -> bytes:
    return column.tobytes() if column.dtype.kind in "fiub" else str(column.tolist()).encode()


def _columns(header: Sequence[str], where: str, options: TableOptions) -> dict[str, Column]:
    return find_columns(
        header,
        where,
        named=options.columns,
        unit=options.unit,
        unit_of_time=options.time_unit,
    )


def _measured(
    texts: Mapping[str, Sequence[Any]],
    columns: Mapping[str, Column],
    lines: np.ndarray,
    where: str,
    name: str,
    sha256: str,
) -> Measurements:
    numbers: dict[str, np.ndarray] = {}
    for role in ("target", "achieved", "read"):
        if role in columns:
            numbers[role] = _conductances(
                texts[role], columns[role], lines, where, column_is_read=role != "target"
            )
    if "time" in columns:
        numbers["time"] = _times(texts["time"], columns["time"], lines, where)
    if "cell" in columns:
        numbers["cell"] = np.unique(np.asarray(texts["cell"], dtype=str), return_inverse=True)[1]
    _check_magnitude(numbers, where)
    _check_variety(numbers, where)
    keys = [
        numbers[role] for role in ("read", "time", "cell", "achieved", "target") if role in numbers
    ]
    order = np.lexsort(keys)
    numbers = {role: values[order] for role, values in numbers.items()}
    return Measurements(
        name=name,
        sha256=sha256,
        unit=preset_unit(columns["target"].unit, float(numbers["target"].max())),
        line=lines[order],
        target=numbers["target"],
        achieved=numbers["achieved"],
        time=numbers.get("time"),
        read=numbers.get("read"),
        cell=numbers.get("cell"),
    )


def _numbers(values: Sequence[Any], column: Column, lines: np.ndarray, where: str) -> np.ndarray:
    try:
        return np.asarray(values, dtype=float)
    except (ValueError, TypeError):
        pass
    for line, value in zip(lines, values, strict=True):
        try:
            float(value)
        except (ValueError, TypeError):
            comma = "; write a decimal point, not a comma" if "," in str(value) else ""
            raise DataError(
                f"{where}, line {line}: found {str(value)[:40]!r} in the column {column.name!r}, "
                f"expected a number{comma}; correct the line"
            ) from None
    raise AssertionError("one of them is no number")


# Rows of 0 count with the probability of lying at or below 0 (rxsim/fitting/likelihood.py).
_BELOW_0 = (
    "subtract the instrument's offset from all rows, and write 0 where a reading still is below 0: the "
    "fit takes 0 for anywhere at or below, while leaving such rows out would bias it"
)


def _refuse(
    bad: np.ndarray,
    values: np.ndarray,
    lines: np.ndarray,
    where: str,
    column: Column,
    expected: str,
    advice: str = "correct or remove the line",
) -> None:
    if not bad.any():
        return
    first = int(bad.argmax())
    more = f" (and in {counted(int(bad.sum()) - 1, 'more line')})" if bad.sum() > 1 else ""
    raise DataError(
        f"{where}, line {lines[first]}: found {values[first]:g} in the column {column.name!r}{more}, "
        f"expected {expected}; {advice}"
    )


def _conductances(
    values: Sequence[Any], column: Column, lines: np.ndarray, where: str, *, column_is_read: bool
) -> np.ndarray:
    numbers = _numbers(values, column, lines, where)
    if column.unit in CONDUCTANCES:
        good = np.isfinite(numbers) & (numbers >= 0)
        expected = "a finite conductance of 0 or above"
        below = column_is_read & np.isfinite(numbers) & (numbers < 0)
        _refuse(below, numbers, lines, where, column, expected, _BELOW_0)
        _refuse(~good, numbers, lines, where, column, expected)
    else:
        good = np.isfinite(numbers) & (numbers > 0)
        below = column_is_read & np.isfinite(numbers) & (numbers <= 0)
        expected = "a finite resistance above 0"
        _refuse(
            below, numbers, lines, where, column, expected, f"convert to siemens, and {_BELOW_0}"
        )
        _refuse(~good, numbers, lines, where, column, expected)
    siemens = in_siemens(numbers, column.unit)
    large = siemens > _LARGEST
    if large.any() and not large.all():
        _refuse(large, numbers, lines, where, column, "a conductance of a memory cell, at most 1 S")
    return siemens


def _times(values: Sequence[Any], column: Column, lines: np.ndarray, where: str) -> np.ndarray:
    numbers = _numbers(values, column, lines, where)
    good = np.isfinite(numbers) & (numbers >= 0)
    _refuse(~good, numbers, lines, where, column, "a time after programming, 0 or above")
    return numbers * column.seconds


def _check_magnitude(numbers: Mapping[str, np.ndarray], where: str) -> None:
    """Refuse conductances that no cell has: their unit is another."""
    for role in ("target", "achieved"):
        known = numbers[role][numbers[role] > 0]
        if len(known) and (known.min() > _LARGEST or known.max() < _SMALLEST):
            size = "above 1 S" if known.min() > _LARGEST else "below 1 pS"
            raise DataError(
                f"{where}: found {role} conductances that all are {size} ({known[0]:.3g} S first), "
                "expected those of memory cells; the unit is probably wrong: correct the header or "
                "--unit"
            )
    _check_ratio(numbers, "achieved", "target", where)
    if "read" in numbers:
        _check_ratio(numbers, "read", "achieved", where)


def _check_ratio(numbers: Mapping[str, np.ndarray], role: str, other: str, where: str) -> None:
    """Refuse two columns of different magnitude; judged by large conductances, which are met best."""
    value, beside, target = numbers[role], numbers[other], numbers["target"]
    rows = (value > 0) & (beside > 0) & (target >= np.median(target))
    if not rows.any():
        return
    ratio = float(np.median(value[rows] / beside[rows]))
    if not 1 / _ANOTHER_UNIT < ratio < _ANOTHER_UNIT:
        raise DataError(
            f"{where}: found {role} conductances that are {ratio:.3g} times {other} (median of "
            f"the upper half of the targets), expected the same magnitude; the unit of one "
            "column is probably wrong: correct the header or --unit"
        )


def _check_variety(numbers: Mapping[str, np.ndarray], where: str) -> None:
    """Refuse a table that tells nothing of a curve over the conductance."""
    target, achieved = numbers["target"], numbers["achieved"]
    if len(target) < LEAST_ROWS:
        raise DataError(
            f"{where}: found {counted(len(target), 'row')}, expected at least {LEAST_ROWS}: a spread "
            "can't be told from fewer; measure more cells"
        )
    if np.ptp(target) <= 1e-9 * target.max():
        raise DataError(
            f"{where}: found {target[0] * 1e6:.6g} uS as the target of every row, expected two targets "
            "at least: how the error depends on the conductance can't be told from one; measure more"
        )
    if (target == achieved).all():
        raise DataError(
            f"{where}: found achieved equal to target in every row, expected measured conductances; "
            "name the right columns with --target and --achieved"
        )
