"""Remedies that were tried, on the terminal: the best, and all that are proven."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rxsim.counted import counted
from rxsim.explain.result import Attempt, Explanation
from rxsim.report.explanation_words import (
    LONGEST_REMEDY,
    NOTHING_TO_MEND,
    Wording,
    any_confirmed,
    as_sentence,
    gain_to_quote,
    gains_note,
    nothing_was_lost,
    remedy_titles,
)
from rxsim.report.labels import shortened

_WIDE = 110  # columns that take the quantity's value too
_NARROW, _NARROW_CONFIRMED = 76, 96  # below these remedies are lines of text
_BEST = 12  # remedies that are shown whether they help or not


def print_remedies(explanation: Explanation, words: Wording, console: Console) -> None:
    """Print the best remedies; where nothing was lost, only that.

    Args:
        explanation: what is told.
        words: how numbers are written.
        console: where.
    """
    attempts = explanation.attempts
    if attempts is None:
        return
    if nothing_was_lost(explanation):
        _say(NOTHING_TO_MEND, console)
        return
    changing = [attempt for attempt in attempts if attempt.changes_anything]
    shown = [
        attempt for at, attempt in enumerate(changing) if at < _BEST or is_proven_gain(attempt)
    ]
    narrow = _NARROW_CONFIRMED if any_confirmed(explanation) else _NARROW
    if shown and console.width >= narrow:
        console.print(_table(shown, explanation, words, console.width))
    elif shown:
        _print_lines(shown, explanation, words, console)
    if note := gains_note(explanation):
        _say(as_sentence(note), console)
    told = []
    if len(shown) > _BEST:
        told.append(f"Shown are the best {_BEST}, and others whose gain is proven.")
    if more := len(changing) - len(shown):
        told.append(f"{counted(more, 'more remedy', 'more remedies')} tried: --json holds all.")
    if idle := len(attempts) - len(changing):
        told.append(f"{counted(idle, 'remedy', 'remedies')} changed nothing and left no row.")
    if told:
        _say(" ".join(told), console)


def is_proven_gain(attempt: Attempt) -> bool:
    """Tell whether a remedy is proven to help, by the images that confirm where there are such."""
    gain = gain_to_quote(attempt)
    return gain.is_proven and gain.mean > 0


def _print_lines(
    attempts: Sequence[Attempt], explanation: Explanation, words: Wording, console: Console
) -> None:
    titles = remedy_titles(explanation)
    _say(f"Remedies tried, best first: gain of {words.name}", console)
    for attempt in attempts:
        numbers = [f"{words.change(attempt.gain.mean)} (95 % {words.interval(attempt.gain)})"]
        if attempt.confirmed is not None:
            numbers.append(f"confirmed {words.with_error(attempt.confirmed)}")
        if attempt.arrays is not None:
            numbers.append(counted(attempt.arrays, "array"))
        if attempt.conversions is not None:
            numbers.append(counted(attempt.conversions, "ADC conversion"))
        title = shortened(titles[attempt.title], LONGEST_REMEDY)
        _say(f"- {title}: {', '.join(numbers)}", console)


def _table(
    attempts: Sequence[Attempt], explanation: Explanation, words: Wording, width: int
) -> Table:
    titles = remedy_titles(explanation)
    table = Table(title=f"Remedies tried, best first: gain of {words.name}", title_justify="left")
    table.add_column("remedy", overflow="fold")
    columns: dict[str, Callable[[Attempt], str]] = {
        "gain": lambda attempt: words.change(attempt.gain.mean),
        "95 %": lambda attempt: words.interval(attempt.gain),
        "confirmed": lambda attempt: words.with_error(attempt.confirmed),
        explanation.quantity.metric.title: lambda attempt: words.value(attempt.value, unit=False),
        "arrays": lambda attempt: "-" if attempt.arrays is None else f"{attempt.arrays:,}",
        "ADC conversions": lambda attempt: (
            "-" if attempt.conversions is None else f"{attempt.conversions:,}"
        ),
    }
    if not any_confirmed(explanation):
        del columns["confirmed"]
    if width < _WIDE:  # it follows from the gain
        del columns[explanation.quantity.metric.title]
    for title in columns:
        table.add_column(
            title, justify="right", overflow="fold", no_wrap=title != "ADC conversions"
        )
    for attempt in attempts:
        title = escape(shortened(titles[attempt.title], LONGEST_REMEDY))
        table.add_row(title, *(write(attempt) for write in columns.values()))
    return table


def _say(text: str, console: Console) -> None:
    console.print(text, markup=False, soft_wrap=not console.is_terminal)
