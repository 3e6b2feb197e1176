"""Tables that stay readable on narrow consoles: columns are left out, then rows are lines of text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table

_LONGEST_NAME = 24  # letters of a row's name before it is folded
_AROUND = 3  # a column's padding and rule
_EMPTY = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column beside the names of rows.

    Attributes:
        title: above it.
        cells: of all rows, plain text.
        leaves: narrow consoles leave columns out in this order; None: it always stays.
        is_text: whether it holds words, which stand left.
    """

    title: str
    cells: Sequence[str]
    leaves: int | None = None
    is_text: bool = False

    @property
    def width(self) -> int:
        """Letters of its widest cell."""
        return max(cell_len(text) for text in (self.title, *self.cells))


def print_fitting(
    title: str, first: str, names: Sequence[str], columns: Sequence[Column], console: Console
) -> None:
    """Print a table as wide as the console allows, or lines of text where no table fits.

    Args:
        title: above it.
        first: title of the column of names.
        names: of the rows, plain text.
        columns: the others, each with a cell a row.
        console: where to.
    """
    shown = fitting(first, names, columns, console.width)
    if shown is None:
        _print_lines(title, names, columns, console)
        return
    console.print(_table(title, first, names, shown))
    left = [column.title for column in columns if column not in shown]
    if left:
        told = f"(Wider than {console.width} columns it also has: {', '.join(left)}.)"
        console.print(told, markup=False, soft_wrap=not console.is_terminal)


def fitting(
    first: str, names: Sequence[str], columns: Sequence[Column], width: int
) -> list[Column] | None:
    """Return the columns that a width has room for; None: not even for those that always stay."""
    longest = max((cell_len(name) for name in names), default=0)
    of_names = max(cell_len(first), min(longest, _LONGEST_NAME)) + _AROUND + 1
    shown = list(columns)
    order = sorted(
        (each for each in columns if each.leaves is not None), key=lambda each: each.leaves or 0
    )
    while of_names + sum(column.width + _AROUND for column in shown) > width:
        if not order:
            return None
        shown.remove(order.pop(0))
    return shown


def _table(title: str, first: str, names: Sequence[str], columns: Sequence[Column]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(first, overflow="fold")
    for column in columns:
        justify = "left" if column.is_text else "right"
        table.add_column(column.title, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for place, name in enumerate(names):
        table.add_row(escape(name), *(escape(column.cells[place]) for column in columns))
    return table


def _print_lines(
    title: str, names: Sequence[str], columns: Sequence[Column], console: Console
) -> None:
    console.print(title, markup=False)
    for place, name in enumerate(names):
        told = [
            f"{column.title} {column.cells[place]}"
            for column in columns
            if column.cells[place] != _EMPTY
        ]
        text = f"- {name}: {', '.join(told)}"
        console.print(text, markup=False, soft_wrap=not console.is_terminal)
