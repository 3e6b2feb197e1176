"""The curves of a preset as text: a small table for each chart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rxsim.devices import Chart, Line
from rxsim.durations import written


def chart_lines(charts: Iterable[Chart]) -> Iterator[str]:
    """Yield the lines of a table for each chart: a row a point, a column a curve."""
    for chart in charts:
        yield f"{chart.title}:"
        yield from _table(chart)


def _table(chart: Chart) -> Iterator[str]:
    quantity, _, unit = chart.y_label.partition(" (")
    labels = [_head(line.label, quantity, unit.removesuffix(")")) for line in chart.lines]
    rows = [
        [
            written(float(x)) if chart.seconds else f"{x:.4g}",
            *(_cell(line, i) for line in chart.lines),
        ]
        for i, x in enumerate(chart.x)
    ]
    table = [[chart.x_label, *labels], *rows]
    widths = [max(len(row[k]) for row in table) for k in range(len(table[0]))]
    for row in table:
        cells = (text.rjust(width) for text, width in zip(row, widths, strict=True))
        yield f"  {'  '.join(cells)}".rstrip()


def _head(label: str, quantity: str, unit: str) -> str:
    """Head a column: a quantity's name and unit, or the level that a curve belongs to."""
    named = label.startswith(quantity.split()[0]) or not quantity
    text = label if named else f"{quantity} at {label}"
    return f"{text} ({unit})" if unit else text


def _cell(line: Line, i: int) -> str:
    text = f"{line.y[i]:.3g}"
    return text if line.spread is None else f"{text} +- {line.spread[i]:.2g}"
