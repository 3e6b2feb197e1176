"""Tables of the terminal as text, as HTML of a notebook, and numbers as a pandas table."""

from __future__ import annotations

import html
import importlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rxsim.errors import InputError

_WIDTH = 120
_BOUNDS = ("low", "high")


def as_text(tables: Sequence[Table]) -> str:
    """Write tables as plain text."""

    def show(console: Console) -> None:
        for table in tables:
            console.print(table)

    return printed(show)


def printed(show: Callable[[Console], None]) -> str:
    """Return what is printed on a console as plain text."""
    console = Console(file=io.StringIO(), width=_WIDTH, highlight=False, color_system=None)
    show(console)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())


def as_html(tables: Sequence[Table]) -> str:
    """Write tables as HTML; every text in them is escaped."""
    return "".join(_html_table(table) for table in tables)


def _html_table(table: Table) -> str:
    rows = zip(*(column.cells for column in table.columns), strict=True)
    sides = [column.justify if column.justify == "right" else "left" for column in table.columns]
    head = "".join(f"<th>{_plain(column.header)}</th>" for column in table.columns)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td style="text-align:{side}">{_plain(cell)}</td>'
            for side, cell in zip(sides, row, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return (
        f"<table><caption>{_plain(table.title or '')}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )


def _plain(cell: Any) -> str:
    """Return a cell's text without the marks of the terminal, escaped."""
    text = cell.plain if isinstance(cell, Text) else Text.from_markup(str(cell)).plain
    return html.escape(text)


def as_frame(records: Sequence[Mapping[str, Any]], index: str) -> Any:
    """Return records as a pandas table, a row each.

    Args:
        records: plain values. Nested values get columns of names such as accuracy.std; lists with a
            value for each run are left out.
        index: the name whose values name the rows.

    Raises:
        InputError: pandas is not installed.
    """
    try:
        pandas = importlib.import_module("pandas")
    except ImportError:
        raise InputError(
            "to_frame: pandas is not installed, expected it beside rxsim; run 'pip install pandas'"
        ) from None
    rows = [dict(_flat(record)) for record in records]
    return pandas.DataFrame(rows).set_index(index)


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield plain values by column: a mean under the name itself, an interval as its two ends."""
    for name, value in values.items():
        column = prefix.removesuffix(".") if name == "mean" else f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{column}.")
        elif name.startswith("interval"):
            bounds = (None, None) if value is None else value
            yield from ((f"{column}.{end}", v) for end, v in zip(_BOUNDS, bounds, strict=True))
        elif not isinstance(value, list | tuple):
            yield column, value
