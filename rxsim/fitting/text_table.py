"""Text of a measured table: its separator, its header, its lines."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rxsim.counted import counted
from rxsim.errors import DataError

LARGEST = 1 << 30
"""Bytes of the largest table that is read."""
_SEPARATORS = ("\t", ";", ",")


@dataclass(frozen=True, slots=True, eq=False)
class TextTable:
    """The fields of a table.

    Attributes:
        header: names of the columns; empty where the first line holds numbers already.
        lines: number of each row's line in the file, from 1.
        rows: the fields of each row.
    """

    header: tuple[str, ...]
    lines: tuple[int, ...]
    rows: tuple[tuple[str, ...], ...]


def read_bytes(path: Path) -> bytes:
    """Read a file whole.

    Raises:
        DataError: it is no file, too large, or can't be read.
    """
    try:
        if path.exists() and not path.is_file():
            raise DataError(
                f"{path} is a folder or a device, expected a CSV of measured rows; check the path"
            )
        size = path.stat().st_size
        if size > LARGEST:
            raise DataError(
                f"{path} has {size:,} bytes, expected at most {LARGEST:,}; take fewer rows"
            )
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path} can't be read: {error.strerror or error}, expected a CSV of measured rows; check "
            "the path"
        ) from None


def read_text_table(content: bytes, where: str) -> TextTable:
    """Split a table into fields: separated by comma, semicolon or tab; # begins a comment line.

    Args:
        content: the file's bytes, UTF-8 with or without a mark.
        where: its name in messages.

    Raises:
        DataError: no text, no rows, or a row of another number of fields than the header.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(
            f"{where} is not UTF-8 text, expected a CSV of measured rows; save it as CSV (UTF-8)"
        ) from None
    if "\0" in text:
        raise DataError(
            f"{where} holds zero bytes, expected a CSV of measured rows; save it as CSV"
        )
    kept = [
        (number, line)
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not kept:
        raise DataError(
            f"{where} is empty, expected a header with target and achieved, and a row for each "
            "measured cell; check the file"
        )
    separator = next((s for s in _SEPARATORS if s in kept[0][1]), ",")
    fields = [_fields(line, separator, where, number) for number, line in kept]
    numbers = [number for number, _ in kept]
    header: tuple[str, ...] = ()
    if not all(_is_number(field) for field in fields[0]):
        header, fields, numbers = fields[0], fields[1:], numbers[1:]
    width = len(header or fields[0])
    for number, row in zip(numbers, fields, strict=True):
        if len(row) != width:
            raise DataError(
                f"{where}, line {number}: found {counted(len(row), 'field')}, expected {width} as in "
                f"the first line (separated by {_told(separator)}, decimal points); correct the line"
            )
    if not fields:
        raise DataError(
            f"{where} holds a header and no row, expected a row for each measured cell; add them"
        )
    return TextTable(header, tuple(numbers), tuple(fields))


def _fields(line: str, separator: str, where: str, number: int) -> tuple[str, ...]:
    try:
        (row,) = csv.reader([line], delimiter=separator, strict=True)
    except (csv.Error, ValueError):
        raise DataError(
            f"{where}, line {number}: found a quotation that does not end, expected numbers; correct "
            "the line"
        ) from None
    return tuple(field.strip() for field in row)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _told(separator: str) -> str:
    return {"\t": "tabs", ";": "semicolons", ",": "commas"}[separator]


def column_of(table: TextTable, place: int) -> Sequence[str]:
    """Return the fields of a column, by its number from 0."""
    return [row[place] for row in table.rows]
