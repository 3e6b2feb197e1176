"""What each step of compensation did, on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rxsim.pipeline import Compensation
from rxsim.report.compensation_rows import CAPTION, head, notes, step_rows


def print_compensation(told: Compensation | None, console: Console) -> None:
    """Print the steps and what they gave together, where there are any."""
    if told is None:
        return
    console.print(compensation_table(told))
    for note in compensation_notes(told):
        console.print(escape(note), soft_wrap=True)


def compensation_table(told: Compensation) -> Table:
    """Return the steps in their order."""
    block = told.as_json()
    table = Table(title=CAPTION, title_justify="left")
    for title in head(block):
        numbers = title.startswith("gain") or title.endswith("%")
        table.add_column(title, justify="right" if numbers else "left", overflow="fold")
    for row in step_rows(block):
        table.add_row(*map(escape, row.cells))
    return table


def compensation_notes(told: Compensation) -> list[str]:
    """Say what all steps gave together, and where residuals are worst."""
    return notes(told.as_json())
