"""`rxsim results show|merge|query|export`."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from rxsim.commands.arguments import FILE, new_images_option
from rxsim.commands.no_gc import nothing_collected
from rxsim.counted import counted
from rxsim.metrics import all_metrics
from rxsim.report.results_table import SHOWN_POINTS, arranged, print_rows, print_summary
from rxsim.store import Query, export_results, failures, merge_results, open_results, summarise

_SCHEMA_VERSION = 1


@click.group("results")
def command() -> None:
    """Show, merge, query or export the results of sweeps."""


@command.command("show")
@click.argument("file", type=FILE)
@click.option("--sweep", metavar="NAME", help="Only the points of one sweep, in its order.")
@click.option("--quantity", metavar="NAME", help=f"One of {', '.join(all_metrics())}.")
@click.option(
    "--sort", metavar="NAME", help="A setting, mean, energy_j, ...; -NAME turns it round."
)
@click.option("--top", type=click.IntRange(1), metavar="N", help="Only the N best (or first).")
@click.option("--all", "everything", is_flag=True, help=f"More than {SHOWN_POINTS} points.")
@new_images_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, all points.")
@nothing_collected()
def show(
    file: Path,
    sweep: str | None,
    quantity: str | None,
    sort: str | None,
    top: int | None,
    everything: bool,
    new_images: bool,
    as_json: bool,
) -> None:
    """Print what FILE holds, a line a point: settings that vary, trials, mean, interval.

    The interval is of the mean over chips for these very images, 95 %.
    """
    with open_results(file) as results:
        summary = summarise(results, sweep=sweep, quantity=quantity, images=new_images)
        failed = failures(results, sweep)
    points = arranged(summary, sort, top)
    if as_json:
        document = {
            "schema_version": _SCHEMA_VERSION,
            "quantity": summary.quantity,
            "names": summary.names,
            "more": summary.more,
            "points": [asdict(point) for point in points],
            "failures": [{"error": error, "trials": count} for error, count in failed],
        }
        click.echo(json.dumps(document, separators=(",", ":"), default=_plain))
        return
    most = None if everything or top is not None else SHOWN_POINTS
    print_summary(summary, points, failed, most=most)


@command.command("merge")
@click.argument("into", type=FILE)
@click.argument("sources", type=FILE, nargs=-1, required=True, metavar="FROM...")
def merge(into: Path, sources: tuple[Path, ...]) -> None:
    """Put the results of FROM... into INTO, which may be new: all of them or nothing."""
    done = merge_results(into, sources)
    click.echo(
        f"{into}: new: {counted(done.points, 'point')} and {counted(done.trials, 'trial')}; replaced: "
        f"{counted(done.replaced, 'failed trial')}; there already: {counted(done.present, 'trial')}"
    )


@command.command("query")
@click.argument("file", type=FILE)
@click.argument("sql")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines, all rows.")
def query(file: Path, sql: str, as_json: bool) -> None:
    """Answer an SQL statement that only reads.

    The view `results` has a row a trial, the settings of its point as JSON:

    rxsim results query FILE "SELECT json_extract(settings, '$.adc.n_bits') AS bits, avg(accuracy)
    FROM results GROUP BY bits"
    """
    with Query(file, sql) as answer:
        if not as_json:
            print_rows(answer.names, answer.rows())
            return
        for row in answer.rows():
            values = {name: _plain(value) for name, value in zip(answer.names, row, strict=True)}
            click.echo(json.dumps(values, separators=(",", ":")))


@command.command("export")
@click.argument("file", type=FILE)
@click.option(
    *("-o", "--output"),
    type=FILE,
    required=True,
    metavar="OUT",
    help="OUT.csv, OUT.jsonl or OUT.parquet (pip install pyarrow).",
)
def export(file: Path, output: Path) -> None:
    """Write FILE as a table: a row a trial, every setting a column."""
    with open_results(file) as results:
        rows = export_results(results, output)
    click.echo(f"{output}: {counted(rows, 'trial')}")


def _plain(value: Any) -> Any:
    """Write what JSON does not know: bytes as hexadecimal digits, no infinity."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
