"""A gate's verdicts on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rxsim.gate import Check, Record
from rxsim.report import gate_text as text
from rxsim.report.console import standard_console

_STYLES = {"passed": "green", "regression": "bold red", "undecided": "bold yellow"}


def print_check(check: Check, console: Console | None = None) -> None:
    """Print the table of cases, then a sentence for each that changed."""
    console = console or standard_console()
    table = Table(title=text.headline(check), title_justify="left")
    table.add_column("case", overflow="fold")
    for title in ("before", "after", "change", text.interval_title(check), "matters", "p"):
        table.add_column(title, justify="right")
    table.add_column("verdict")
    for case in check.cases:
        verdict = case.verdict
        table.add_row(
            escape(case.name),
            text.accuracy(case.before.accuracy),
            text.accuracy(case.after.accuracy),
            text.change(case),
            text.interval(case),
            text.points(verdict.smallest),
            f"{verdict.p:.2g}",
            text.outcome(case),
            style=None if verdict.outcome == "passed" else _STYLES[verdict.outcome],
        )
    console.print(table)
    console.print(
        f"Change, interval and the smallest drop that matters: points of accuracy. Level: "
        f"{check.level:g} over all cases.",
        soft_wrap=True,
    )
    unchecked = text.unchecked(check)
    if unchecked is not None:
        console.print(f"[{_STYLES['undecided']}]{escape(unchecked)}[/].", soft_wrap=True)
    for case in check.cases:
        if case.verdict.drop.differing == 0 and not case.changes:
            continue
        style = _STYLES[case.verdict.outcome]
        head = f"[{style}]{escape(case.name)}[/]: "
        console.print(head + escape(text.sentence(case, check)) + ".", soft_wrap=True)
        if case.verdict.outcome != "passed":
            console.print(escape(f"  ladder: {text.ladder(case)}"), soft_wrap=True)
        for line in case.changes:
            console.print(escape(text.one_line(f"  {line}")), soft_wrap=True)


def print_update(
    before: Mapping[str, Record], after: Sequence[Record], console: Console | None = None
) -> None:
    """Print the old and the new accuracy of each case of a new baseline, and cases that left it."""
    console = console or standard_console()
    table = Table(title="The new baseline", title_justify="left")
    table.add_column("case", overflow="fold")
    for title in ("old", "new", "images", "chips"):
        table.add_column(title, justify="right")
    for record in after:
        old = before.get(record.name)
        chips, images = record.hits.shape
        table.add_row(
            escape(record.name),
            "-" if old is None else text.accuracy(old.accuracy),
            text.accuracy(record.accuracy),
            f"{images:,}",
            str(chips),
        )
    console.print(table)
    gone = [name for name in before if name not in {record.name for record in after}]
    if gone:
        names = ", ".join(map(text.one_line, gone))
        console.print(escape(f"No longer in it: {names}"), soft_wrap=True)
