"""An evaluation as tables on the terminal."""

from __future__ import annotations

import math
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rxsim.config import Settings
from rxsim.pipeline import Evaluation, Inventory, LayerPlace, LayerReport

_WIDTH_WITHOUT_TERMINAL = 120


def print_evaluation(result: Evaluation, console: Console | None = None) -> None:
    """Print the ladder, the layers, what stayed digital, and the seconds per stage."""
    console = console or _console()
    _print_head(result, console)
    console.print(_ladder_table(result))
    _print_notes(result, console)
    console.print(_layer_table(result))
    _print_rest(result.inventory, console)
    seconds = ", ".join(f"{stage} {value:.1f}" for stage, value in result.seconds.items())
    console.print(f"Seconds by stage: {seconds}", soft_wrap=True)


def print_inventory(
    name: str, settings: Settings, inventory: Inventory, console: Console | None = None
) -> None:
    """Print what a network puts onto crossbars and what stays digital."""
    console = console or _console()
    crossbar = settings.crossbar
    console.print(escape(f"{name} on {crossbar.rows}x{crossbar.cols} arrays"), soft_wrap=True)
    table = Table(title="By layer", title_justify="left")
    table.add_column("layer", overflow="fold")
    table.add_column("operator")
    for title in ("matrix", "arrays", "used", "weights", "MACs", "share"):
        table.add_column(title, justify="right")
    for place in inventory.layers:
        first, *rest = _place_cells(place)
        macs = "-" if place.macs is None else f"{place.macs:,}"
        table.add_row(first, place.op, *rest[:-1], f"{place.parameters:,}", macs, rest[-1])
    console.print(table)
    _print_rest(inventory, console)


def _console() -> Console:
    console = Console(highlight=False)
    if console.is_terminal:
        return console
    return Console(highlight=False, width=_WIDTH_WITHOUT_TERMINAL)


def _print_head(result: Evaluation, console: Console) -> None:
    crossbar, device = result.settings["crossbar"], result.settings["device"]
    data = result.provenance["data"]
    evaluated = result.provenance["evaluated"]
    source = "made-up inputs" if data is None else f"samples of {data['name']}"
    console.print(
        escape(
            f"{result.provenance['model']['name']} on {crossbar['rows']}x{crossbar['cols']} arrays, "
            f"{_kilo_ohm(device['g_on'])} to {_kilo_ohm(device['g_off'])} kohm; "
            f"{evaluated} {source}"
        ),
        soft_wrap=True,
    )


def _kilo_ohm(siemens: float) -> str:
    return f"{1e-3 / siemens:g}" if siemens > 0 else "open"


def _ladder_table(result: Evaluation) -> Table:
    measured = result.labels is not None
    top5 = any(rung.hits_top5 is not None for rung in result.ladder)
    table = Table(title="The ladder", title_justify="left")
    table.add_column("rung")
    if measured:
        table.add_column("accuracy", justify="right")
        table.add_column("std", justify="right")
        table.add_column("95 % these images", justify="right")
        table.add_column("95 % new images", justify="right")
    if top5:
        table.add_column("top-5", justify="right")
    table.add_column("agreement", justify="right")
    table.add_column("SNR dB", justify="right")
    for rung in result.ladder:
        summary = rung.summary()
        row = [rung.name]
        if measured:
            accuracy = summary["accuracy"]
            row += [
                f"{accuracy['mean']:.4f}",
                "-" if accuracy["std"] is None else f"{accuracy['std']:.4f}",
                _bounds(accuracy["interval_these_images"]),
                _bounds(accuracy["interval_new_images"]),
            ]
        if top5:
            row.append(f"{summary['top5']['mean']:.4f}" if summary["top5"] else "-")
        row += [f"{summary['agreement']['mean']:.4f}", _decibel(summary["snr_db"]["mean"])]
        table.add_row(*row)
    return table


def _print_notes(result: Evaluation, console: Console) -> None:
    """Say what the numbers above do not."""
    if result.labels is None:
        console.print(
            "No accuracy was measured: the inputs are made up. Agreement and SNR compare with the "
            "float network.",
            soft_wrap=True,
        )
    overlap = result.provenance["calibration"]["overlap"]
    if overlap:
        console.print(
            f"Note: {overlap} of {result.provenance['calibration']['samples']} calibration inputs are "
            "among the evaluated ones; give --calibrate or --limit for disjoint ones.",
            soft_wrap=True,
        )
    trials = result.settings["trials"]
    if result.deterministic and trials > 1:
        console.print(
            f"Note: nothing in these settings is random, so all {trials} trials are the same chip.",
            soft_wrap=True,
        )


def _layer_table(result: Evaluation) -> Table:
    table = Table(
        title=f"By layer (SNR and clipping of the first chip, {result.diagnosed} inputs)",
        title_justify="left",
    )
    table.add_column("layer", overflow="fold")
    for name in ("matrix", "arrays", "used", "MACs", "SNR ideal", "SNR", "clipped"):
        table.add_column(name, justify="right")
    for row in result.layers:
        table.add_row(*_layer_row(row))
    return table


def _layer_row(row: LayerReport) -> list[str]:
    return [
        *_place_cells(row.place),
        _decibel(row.snr_db_ideal),
        _decibel(row.snr_db),
        "-" if row.clipping is None else _percent(row.clipping),
    ]


def _place_cells(place: LayerPlace) -> list[str]:
    """Write a layer's name, matrix, arrays, utilisation and share of multiply-accumulates."""
    matrix = f"{place.rows}x{place.cols}"
    return [
        escape(place.name),
        matrix if place.groups == 1 else f"{place.groups} of {matrix}",
        f"{place.arrays:,}",
        _percent(place.utilisation),
        "-" if place.mac_share is None else _percent(place.mac_share),
    ]


def _print_rest(inventory: Inventory, console: Console) -> None:
    """Print the shares of the network on crossbars, and what is not there."""
    arrays = sum(place.arrays for place in inventory.layers)
    shares = {
        name: "an unknown share" if value is None else _percent(value)
        for name, value in inventory.shares.items()
    }
    console.print(
        f"On crossbars: {len(inventory.layers)} layers, {arrays:,} arrays, "
        f"{shares['macs_mapped']} of multiply-accumulates, "
        f"{shares['parameters_mapped']} of parameters.",
        soft_wrap=True,
    )
    if not inventory.digital:
        return
    table = Table(title="Stays digital", title_justify="left")
    table.add_column("operator")
    table.add_column("nodes", justify="right")
    table.add_column("MACs", justify="right")
    table.add_column("why")
    for row in inventory.digital:
        work = f"{row['macs']:,}" if row["macs"] else "-"
        table.add_row(escape(row["op"]), str(row["nodes"]), work, escape(row["reason"]))
    console.print(table)


def _bounds(bounds: list[float] | None) -> str:
    return "-" if bounds is None else f"{bounds[0]:.4f} .. {bounds[1]:.4f}"


def _decibel(value: Any) -> str:
    number = float(value)
    return f"{number:.1f}" if math.isfinite(number) else str(value)


def _percent(share: float) -> str:
    """Write a share in percent with three significant digits."""
    percent = 100 * share
    return "<0.01 %" if 0 < percent < 0.01 else f"{percent:.3g} %"
