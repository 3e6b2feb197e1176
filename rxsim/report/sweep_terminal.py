"""A sweep on the terminal: its plan, its progress, its end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from rxsim.counted import counted
from rxsim.report.console import print_seconds, standard_console
from rxsim.report.labels import label_of, setting_text
from rxsim.report.results_table import arranged, print_summary
from rxsim.store import Results, failures, summarise
from rxsim.sweep import Estimate, Plan, SweepEnd, SweepProgress, describe

_MOST_ROWS = 40


def in_words(seconds: float) -> str:
    """Return a time as people say it: 40 s, 12 min, 3.5 h."""
    if seconds < 100:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"


def left_in_words(now: SweepProgress) -> str:
    """Return a line about a sweep's progress."""
    parts = [f"{now.done:,} of {counted(now.total, 'trial')} done"]
    if now.failed:
        parts.append(f"{now.failed} failed")
    if now.best is not None:
        parts.append(f"best {now.best:.4f} ({describe(now.best_values)})")
    if now.seconds_left is not None and now.done < now.total:
        parts.append(f"about {in_words(now.seconds_left)} left")
    return ", ".join(parts)


def print_plan(plan: Plan, estimate: Estimate, workers: int) -> None:
    """Print a sweep's points, and how long they would take."""
    console = standard_console()
    names = list(dict.fromkeys(name for planned in plan.points for name in planned.values))
    table = Table(
        title=f"{escape(plan.name)}: {counted(len(plan.points), 'point')}", title_justify="left"
    )
    table.add_column("point", justify="right")
    for name in names:
        table.add_column(escape(name), justify="right")
    table.add_column("trials", justify="right")
    for number, planned in enumerate(plan.points[:_MOST_ROWS], 1):
        trials = plan.trials if planned.is_random else 1
        table.add_row(str(number), *_cells(planned.values, names), str(trials))
    console.print(table)
    if len(plan.points) > _MOST_ROWS:
        console.print(f".. and {len(plan.points) - _MOST_ROWS:,} more")
    if not estimate.trials:
        console.print("All of their trials are done.")
        return
    source = f"measured on {counted(estimate.measured, 'trial')}"
    console.print(
        f"Left: at most {counted(estimate.trials, 'trial')}, about {in_words(estimate.seconds)} on "
        f"{counted(workers, 'worker')} ({source} of the plan's ends: {estimate.first:.1f} s "
        "for the first of a point, "
        f"{estimate.further:.1f} s for others; points in between may take longer)",
        soft_wrap=True,
    )


def _cells(values: Mapping[str, Any], names: list[str]) -> list[str]:
    return [escape(_cell(name, values[name])) if name in values else "-" for name in names]


def _cell(name: str, value: Any) -> str:
    return setting_text(name, value) if label_of(name).duration else f"{value}"


def print_sweep(plan: Plan, end: SweepEnd, results: Results, path: Path) -> None:
    """Print a sweep's results, and how many trials ran, were known, or failed."""
    console = standard_console()
    summary = summarise(results, sweep=plan.name)
    failed = failures(results, sweep=plan.name)
    print_summary(summary, arranged(summary, None, None), failed, console=console)
    parts = [f"{counted(end.new, 'trial')} in {in_words(end.seconds)}"]
    if end.known:
        parts.append(f"{end.known:,} known before")
    if end.lent:
        parts.append(f"{end.lent:,} with the scores of a point that differs in cost alone")
    if end.skipped:
        parts.append(f"{end.skipped:,} not needed")
    if end.failed:
        parts.append(f"{end.failed} failed")
    hits, misses = end.cached
    if hits:
        parts.append(f"{hits:,} of {counted(hits + misses, 'partial result')} taken from the cache")
    console.print(f"{escape(str(path))}: {', '.join(parts)}.", soft_wrap=True)
    if end.stages:
        print_seconds(end.stages, console)
