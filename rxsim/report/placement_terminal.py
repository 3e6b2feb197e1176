"""Layers after the design steps of compensation, as a table on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rxsim.compensate import STEPS
from rxsim.config import Settings, step_name
from rxsim.pipeline import LayerPlacement
from rxsim.report.console import standard_console
from rxsim.report.work_shares import percent


def print_placement(
    settings: Settings, placement: Sequence[LayerPlacement], console: Console | None = None
) -> None:
    """Print where rows and columns went, spare columns, and the errors that steps work on."""
    console = console or standard_console()
    if placement:
        console.print(placement_table(placement))
        if any(not layer.arrays for layer in placement):
            console.print(
                "Cells of layers without numbers are not linear: their steps follow calibration "
                "inputs, which 'rxsim eval' has.",
                soft_wrap=True,
            )
    names = [step_name(entry) for entry in settings.compensate]
    later = [name for name in names if name in STEPS.names and STEPS[name].place != "design"]
    if later:
        console.print(
            f"Behind the design, with data only ('rxsim eval'): {', '.join(later)}.",
            soft_wrap=True,
        )


def placement_table(placement: Sequence[LayerPlacement]) -> Table:
    """Return a row for each layer."""
    table = Table(title="After the design steps of compensation", title_justify="left")
    table.add_column("layer", overflow="fold")
    for title in ("arrays", "rows moved", "columns moved", "spare columns"):
        table.add_column(title, justify="right")
    table.add_column("error that steps work on", overflow="fold")
    for layer in placement:
        table.add_row(escape(layer.name), *_numbers(layer), _residuals(layer))
    return table


def _numbers(layer: LayerPlacement) -> list[str]:
    arrays = layer.arrays
    if not arrays:
        return ["-"] * 4
    rows = sum(int((array.rows >= 0).sum()) for array in arrays)
    cols = sum(int((array.cols >= 0).sum()) for array in arrays)
    return [
        f"{len(arrays):,}",
        percent(sum(array.moved_rows for array in arrays) / max(rows, 1)),
        percent(sum(array.moved_cols for array in arrays) / max(cols, 1)),
        f"{sum(array.spare_cols for array in arrays):,}",
    ]


def _residuals(layer: LayerPlacement) -> str:
    told = [
        f"{step}: {each.before:.2g} -> {each.after:.2g} {each.unit}"
        for step, each in layer.residuals.items()
    ]
    return escape("; ".join(told)) or "-"
