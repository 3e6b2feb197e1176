"""What programming and verifying the cells took, by layer and in all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rxsim.report.html.page_blocks import Table
from rxsim.report.json_values import as_number, as_text, at
from rxsim.report.labels import shortened

_MOST_ROWS = 400


def programming_table(details: Any, layers: Sequence[Mapping[str, Any]]) -> Table | None:
    """Return what programming took; None where cells are not verified.

    Args:
        details: of the point.
        layers: the layers among them.
    """
    total = at(details, "programming")
    if not isinstance(total, Mapping):
        return None
    rows = [("all", *_cells(total))]
    for layer in layers[:_MOST_ROWS]:
        taken = at(layer, "programming")
        if isinstance(taken, Mapping):
            rows.append((shortened(as_text(at(layer, "name")) or "-", 120), *_cells(taken)))
    head = ("layer", "cells", "pulses per cell", "at worst", "not accepted", "of cells (%)")
    return Table(caption="Programming (first chip)", head=head, rows=rows)


def _cells(taken: Mapping[str, Any]) -> tuple[str, ...]:
    cells, missed = as_number(taken.get("cells")), as_number(taken.get("not_accepted"))
    each = as_number(taken.get("pulses_per_cell"))
    share = None if cells is None or missed is None or cells <= 0 else 100 * missed / cells
    return (
        _whole(cells),
        "-" if each is None else f"{each:.3g}",
        _whole(as_number(taken.get("worst"))),
        _whole(missed),
        "-" if share is None else f"{share:.3g}",
    )


def _whole(number: float | None) -> str:
    return "-" if number is None else f"{number:,.0f}"
