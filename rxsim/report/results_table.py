"""A results file as tables on the terminal: points with their numbers, answers to queries."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rxsim.counted import counted
from rxsim.errors import InputError
from rxsim.metrics import all_metrics
from rxsim.report.console import standard_console
from rxsim.report.labels import label_of, setting_text
from rxsim.report.price_labels import PRICES
from rxsim.store import COST_NAMES, PointSummary, Summary, sort_key

SHOWN_POINTS = 40
SHOWN_ROWS = 1000
"""Rows of an answer on the terminal; more take long to lay out, and nobody reads them."""
_SHOWN_FAILURES = 5
_LONGEST = 300
_FOLDED = 24
"""A column of settings may be folded to this width, so that others have room."""
_EDGE, _BETWEEN = 1, 3
"""Letters of a table's border, once and with each column."""
_SHOWN_PRICES = ("energy_j", "area_mm2", "latency_s")
_PRICE_TITLES = {PRICES[name].title for name in _SHOWN_PRICES}
_Columns = dict[str, Callable[[PointSummary], str]]
"""What is told of a point's results, by heading."""
_NUMBERS = ("mean", "std", "done", "failed", "seconds")


def arranged(summary: Summary, sort: str | None, top: int | None) -> tuple[PointSummary, ...]:
    """Return a summary's points in the wanted order, the best first by their mean.

    Args:
        summary: the points.
        sort: a setting that varies, a price, or mean, std, done, failed or seconds; a minus before it
            turns the order round. The summary's own order where left out, or the mean for `top`.
        top: how many are kept; all where left out.

    Raises:
        InputError: nothing of that name varies.
    """
    points = list(summary.points)
    if sort is None and top is not None:
        sort = "mean"
    if sort is not None:
        name = sort.removeprefix("-")
        prices = [price for price in COST_NAMES if any(price in point.costs for point in points)]
        known = (*summary.names, *summary.more, *_NUMBERS, *prices)
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise InputError(
                f"--sort: found {name!r}, expected one of {', '.join(known)}; "
                + (f"did you mean {near[0]}?" if near else "choose one of them")
            )
        downwards = (name == "mean" and all_metrics()[summary.quantity].higher_is_better) != (
            sort != name
        )
        missing = [point for point in points if _sorted_by(point, name) is None]
        present = [point for point in points if _sorted_by(point, name) is not None]
        present.sort(key=lambda point: sort_key(_sorted_by(point, name)), reverse=downwards)
        points = present + missing
    return tuple(points[:top])


def _sorted_by(point: PointSummary, name: str) -> Any:
    if name in point.values:
        return point.values[name]
    return point.costs.get(name) if name in COST_NAMES else getattr(point, name, None)


def print_summary(
    summary: Summary,
    points: Sequence[PointSummary],
    failed: Sequence[tuple[str, int]],
    *,
    most: int | None = SHOWN_POINTS,
    console: Console | None = None,
) -> None:
    """Print the points' table, and why trials failed.

    Args:
        summary: what the points are of.
        points: those to show, in order; see `arranged`.
        failed: sentences with how many trials each stopped.
        most: how many points are printed; all where None.
        console: where to; standard output where left out.
    """
    console = console or standard_console()
    console.print(_head(summary), soft_wrap=True)
    if points:
        shown = points if most is None else points[:most]
        columns = _result_columns(summary)
        names = _that_fit(summary, shown, columns, console.width)
        while len(names) < len(summary.names) and columns.keys() & _PRICE_TITLES:
            columns.popitem()  # prices give way to what names a point
            names = _that_fit(summary, shown, columns, console.width)
        # Wider than the terminal only if the results alone are: they are never cut.
        usual = console.width
        console.width = max(usual, _results_width(columns, shown))
        console.print(_table(summary, shown, names, columns), crop=False)
        console.width = usual
        if len(names) < len(summary.names):
            left = ", ".join(map(_safe, summary.names[: len(summary.names) - len(names)]))
            console.print(
                f"Also vary: {left}; --json or a wider terminal shows them.", soft_wrap=True
            )
        if len(shown) < len(points):
            console.print(
                f"{len(points) - len(shown):,} more points; --all shows them, --top N the best.",
                soft_wrap=True,
            )
    for sentence, count in failed[:_SHOWN_FAILURES]:
        console.print(f"Failed, {counted(count, 'trial')}: {_safe(sentence)}", soft_wrap=True)
    if len(failed) > _SHOWN_FAILURES:
        rest = failed[_SHOWN_FAILURES:]
        console.print(
            f"Failed for {counted(len(rest), 'other reason')}: "
            f"{counted(sum(count for _, count in rest), 'trial')}; 'rxsim results query FILE "
            '"SELECT error, count(*) FROM results GROUP BY error"\' lists them.',
            soft_wrap=True,
        )


def print_rows(
    names: Sequence[str], rows: Iterator[tuple[Any, ...]], console: Console | None = None
) -> None:
    """Print the answer to a query, or its first rows.

    Args:
        names: of its columns.
        rows: its rows.
        console: where to; standard output where left out.
    """
    console = console or standard_console()
    table = Table()
    shown = list(islice(rows, SHOWN_ROWS))
    for place, name in enumerate(names):
        is_number = all(isinstance(row[place], int | float | None) for row in shown)
        justify: Any = "right" if shown and is_number else "left"
        table.add_column(_safe(name), justify=justify, overflow="fold")
    for row in shown:
        table.add_row(*(_answer(value) for value in row))
    console.print(table)
    more = next(rows, None) is not None
    console.print(
        f"The first {SHOWN_ROWS:,} rows; --json prints all of them."
        if more
        else f"{counted(len(shown), 'row')}.",
        soft_wrap=True,
    )


def _head(summary: Summary) -> str:
    points = summary.points
    if not points:
        return "No trials yet."
    done, failed = sum(p.done for p in points), sum(p.failed for p in points)
    text = f"{counted(len(points), 'point')}, {counted(done, 'trial')} done, {failed:,} failed"
    if "model" not in summary.names:
        text += f"; {points[0].model}"
    if "data" not in summary.names:
        text += f" on {points[0].data or 'made-up inputs'}"
    return _safe(text)


def _table(
    summary: Summary, points: Sequence[PointSummary], names: Sequence[str], columns: _Columns
) -> Table:
    title = all_metrics()[summary.quantity].title
    table = Table(title=f"By point ({title}: mean over chips)", title_justify="left")
    for name in names:
        is_number = all(isinstance(p.values[name], int | float | None) for p in points)
        table.add_column(_safe(name), justify="right" if is_number else "left", overflow="fold")
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for point in points:
        cells = [_setting(name, point.values[name]) for name in names]
        table.add_row(*cells, *(write(point) for write in columns.values()))
    return table


def _result_columns(summary: Summary) -> _Columns:
    """Return what is told of each point's results, by heading.

    Where points were priced, energy, area and time of an inference take the place of what is mostly
    the same, so that a terminal has room.
    """
    quantity = summary.quantity

    def interval(point: PointSummary) -> str:
        bounds = point.interval
        return "-" if bounds is None else " .. ".join(_number(b, quantity) for b in bounds)

    columns: _Columns = {
        "done": lambda point: f"{point.done:,}",
        "failed": lambda point: f"{point.failed:,}" if point.failed else "-",
        all_metrics()[quantity].title: lambda point: _number(point.mean, quantity),
        "std": lambda point: _number(point.std, quantity),
        "95 %": interval,
        "s/trial": lambda point: f"{point.seconds:.3g}",
    }
    prices = [name for name in _SHOWN_PRICES if any(name in p.costs for p in summary.points)]
    if prices:
        del columns["std"], columns["s/trial"]
        if not any(point.failed for point in summary.points):
            del columns["failed"]
    return {**columns, **{PRICES[name].title: partial(_price, name) for name in prices}}


def _price(name: str, point: PointSummary) -> str:
    return PRICES[name].write(point.costs[name]) if name in point.costs else "-"


def _results_width(columns: _Columns, points: Sequence[PointSummary]) -> int:
    """Return the width of a table that has the results alone."""
    widths = (
        max(len(title), *(len(write(point)) for point in points))
        for title, write in columns.items()
    )
    return _EDGE + sum(width + _BETWEEN for width in widths)


def _that_fit(
    summary: Summary, points: Sequence[PointSummary], columns: _Columns, width: int
) -> tuple[str, ...]:
    """Drop names from the left until the table is no wider; long values are folded."""
    room = width - _results_width(columns, points)
    kept: list[str] = []
    for name in reversed(summary.names):
        texts = [_safe(name), *(_setting(name, point.values[name]) for point in points)]
        room -= min(max(map(cell_len, texts)), _FOLDED) + _BETWEEN
        if room < 0:
            break
        kept.insert(0, name)
    return tuple(kept)


def _number(value: float | None, quantity: str) -> str:
    return "-" if value is None else all_metrics()[quantity].text(value)


def _setting(name: str, value: Any) -> str:
    if isinstance(value, int | float) and label_of(name).duration:
        return setting_text(name, value)
    if isinstance(value, float):
        return f"{value:g}"
    return _safe(value if isinstance(value, str) else json.dumps(value))


def _answer(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bytes):
        return f"({counted(len(value), 'byte')})"
    return f"{value:.6g}" if isinstance(value, float) else _safe(str(value))


def _safe(text: str) -> str:
    """Return text as it can stand on a terminal: no markup, no control codes, not endless."""
    text = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
    return escape("".join(c if c.isprintable() else repr(c)[1:-1] for c in text))
