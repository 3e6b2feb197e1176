"""A comparison of two evaluations on the terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rxsim.comparison import Comparison
from rxsim.counted import counted
from rxsim.gate import Verdict
from rxsim.metrics import all_metrics
from rxsim.report.console import standard_console
from rxsim.report.gate_text import MARKS, one_line
from rxsim.schema import in_yaml
from rxsim.statistics import LEVEL, METHODS, Interval

_MOST_SETTINGS = 40
_STYLES = {"passed": "green", "regression": "bold red", "undecided": "bold yellow"}


def print_comparison(result: Comparison, console: Console | None = None) -> None:
    """Print both sides, the change with its intervals, the verdict, and what differs."""
    console = console or standard_console()
    for table in comparison_tables(result):
        console.print(table)
    for line in comparison_notes(result):
        console.print(escape(one_line(line)), soft_wrap=True)
    style = "bold" if result.verdict is None else _STYLES[result.verdict.outcome]
    console.print(f"[{style}]{escape(verdict_sentence(result))}[/]", soft_wrap=True)


def comparison_tables(result: Comparison) -> list[Table]:
    """Return the sides and their change, and the settings that differ where any do."""
    title = all_metrics()[result.metric].title
    pairs = f"{counted(result.chips, 'chip')} on {counted(result.images, 'image')}"
    table = Table(title=f"The {title} of {result.rung}: {pairs}", title_justify="left")
    table.add_column("", overflow="fold")
    for column in (title, "std", "95 % these images", "95 % new images"):
        table.add_column(column, justify="right")
    for side, mean in zip((result.first, result.second), result.accuracy, strict=True):
        table.add_row(escape(side.name), f"{mean:.4f}", "", "", "")
    table.add_row(
        "change in points",
        f"{100 * result.change:+.2f}",
        "-" if result.std is None else f"{100 * result.std:.2f}",
        _points(result.these_images),
        _points(result.new_images),
    )
    return [table, *([_settings_table(result)] if result.settings else [])]


def comparison_notes(result: Comparison) -> list[str]:
    """Name the methods, count the images that changed, and say what else differs."""
    told = [
        f"{title} by {METHODS[method]}"
        for title, method in (
            ("these images", result.methods["these_images"]),
            ("new images", result.methods["new_images"]),
        )
        if method is not None
    ]
    drop = result.drop
    lines = []
    if told:
        lines.append(f"Intervals of {100 * LEVEL:g} %, of paired differences: {'; '.join(told)}.")
    lines.append(
        f"{counted(drop.worse, 'image')} worse, {drop.better:,} better, over all chips; "
        f"{drop.differing:,} of {result.chips * result.images:,} pairs of chip and image differ."
    )
    if not result.drawn:
        lines.append("Nothing here is random: the change on these images is exact.")
    if not result.settings:
        lines.append("No setting differs.")
    return [*lines, *(f"Note: {note}." for note in result.notes)]


def verdict_sentence(result: Comparison) -> str:
    """Say the verdict and what it means, in one sentence."""
    verdict, criteria = result.verdict, result.criteria
    if verdict is None:
        return (
            "No verdict: no setting but the seed differs: the difference is chance, of other draws "
            "(chips, samples that calibrate)."
        )
    least = f"{100 * verdict.smallest:g} {'point' if verdict.smallest == 0.01 else 'points'}"
    mark = MARKS[verdict.outcome] + (" (improved)" if verdict.improved else "")
    where = " on these images" if criteria.these_images else ""
    if verdict.drop.differing == 0:
        return f"Verdict: {mark}: {_unchanged(result, verdict, least)}."
    if verdict.outcome == "passed":
        why = f"a drop of {least} or more{where} is ruled out"
    elif verdict.outcome == "regression":
        why = f"a drop{where} is proven (p = {verdict.p:.2g}) and {least} or more are possible"
    else:
        why = f"neither a drop{where} nor its absence is proven; " + _needed(result, verdict)
    return f"Verdict: {mark}: {why} (level {criteria.level:g})."


def _unchanged(result: Comparison, verdict: Verdict, least: str) -> str:
    """Say what hits that are all the same tell of other images, or of other chips."""
    these = result.criteria.these_images
    if these and not result.drawn:
        return "on these images every hit is the same"
    samples, what = (result.chips, "chip") if these else (result.images, "image")
    bound = f"{100 * verdict.drop.high:.2g} points (1 - {result.criteria.level:g}^(1/{samples}))"
    others = f"every hit is the same, and on new {what}s a drop of up to {bound} is possible"
    if verdict.needed is None:
        return f"{others}, one of {least} or more is ruled out"
    wanted = counted(verdict.needed[0 if these else 1], what)
    return f"{others}; {wanted} without a difference would rule {least} out"


def _needed(result: Comparison, verdict: Verdict) -> str:
    if verdict.needed is None and result.criteria.these_images:
        return "give more --trials, or a larger --smallest-drop"
    if verdict.needed is None:
        return "no number of images decides at this level: give a larger --smallest-drop"
    chips, images = verdict.needed
    more = counted(images, "image")
    if chips != result.chips:
        more += f" on {counted(chips, 'chip')}"
    return f"about {more} would decide, or a larger --smallest-drop"


def _settings_table(result: Comparison) -> Table:
    table = Table(title="Settings that differ", title_justify="left")
    for column in ("setting", result.first.name, result.second.name):
        table.add_column(escape(column), overflow="fold")
    for name, values in list(result.settings.items())[:_MOST_SETTINGS]:
        table.add_row(escape(one_line(name)), *(escape(_value(value)) for value in values))
    if len(result.settings) > _MOST_SETTINGS:
        table.add_row(f".. and {len(result.settings) - _MOST_SETTINGS} more", "", "")
    return table


def _value(value: Any) -> str:
    return one_line(value) if isinstance(value, str) else in_yaml(value)


def _points(interval: Interval | None) -> str:
    return "-" if interval is None else f"{100 * interval.low:+.2f} .. {100 * interval.high:+.2f}"
