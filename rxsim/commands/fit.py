"""`rxsim fit`."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import click

from rxsim.commands.arguments import FILE
from rxsim.durations import seconds_of
from rxsim.errors import InputError
from rxsim.fitting import FitOptions, fit_device
from rxsim.fitting.columns import ROLES
from rxsim.fitting.fit_values import fit_values
from rxsim.fitting.outliers import BOUND
from rxsim.report.console import standard_console
from rxsim.report.fit_files import check_places, write_fit
from rxsim.report.fit_terminal import print_fit


def _column_options(function: Any) -> Any:
    for role, what in reversed(ROLES.items()):
        text = f"Column: {what}; its name, or its number from 1."
        function = click.option(f"--{role}", metavar="COLUMN", help=text)(function)
    return function


@click.command("fit")
@click.argument("data", type=FILE, metavar="DATA.csv")
@click.option(
    "-o", "--output", type=FILE, required=True, metavar="DEVICE.yaml", help="The preset's file."
)
@_column_options
@click.option(
    "--unit", metavar="UNIT", help="Of conductances without one in the header: uS, kohm.."
)
@click.option(
    "--time-unit", metavar="UNIT", help="Of times without one in the header. [default: s]"
)
@click.option(
    "--outliers",
    type=click.Choice(["report", "drop"]),
    default="report",
    show_default=True,
    help="Rows far from their level: only told, or left out of the fit too.",
)
@click.option(
    "--outlier-bound",
    type=float,
    default=BOUND,
    show_default=True,
    metavar="Z",
    help="Robust deviations from the level's median beyond which a row is an outlier.",
)
@click.option(
    "--t0", metavar="TIME", help="From programming to achieved, such as 20s. [default: fitted]"
)
@click.option(
    "--read-time", metavar="TIME", help="What a reading lasts, such as 1us. [default: 250ns]"
)
@click.option("--plot", type=FILE, metavar="FILE.png", help="Data and curves; or .pdf, .svg.")
@click.option("--json", "json_path", metavar="FILE|-", help="Write all numbers as JSON.")
def command(
    data: Path,
    output: Path,
    unit: str | None,
    time_unit: str | None,
    outliers: Any,
    outlier_bound: float,
    t0: str | None,
    read_time: str | None,
    plot: Path | None,
    json_path: str | None,
    **columns: str | None,
) -> None:
    """Turn measured rows of DATA.csv into a preset: write error, drift and read noise.

    Its columns are target (conductance aimed at) and achieved (right after programming), and any of
    time, read (the conductance at that time) and cell. Without read, achieved is the conductance at
    time. Names and units are read from the header.
    """
    places = {"preset": ("-o", output)}
    if plot is not None:
        places["plot"] = ("--plot", plot)
    if json_path not in (None, "-"):
        places["json"] = ("--json", Path(str(json_path)))
    check_places(places, data)
    options = FitOptions(
        columns={role: name for role, name in columns.items() if name is not None},
        unit=unit,
        time_unit=time_unit,
        outliers=outliers,
        outlier_bound=outlier_bound,
        t0=_seconds("--t0", t0),
        read_time=_seconds("--read-time", read_time),
    )
    fit = fit_device(data, options)
    write_fit(fit, places)
    if json_path == "-":
        click.echo(json.dumps(fit_values(fit), indent=1))
        return
    print_fit(fit, standard_console())
    chosen = shlex.quote(f"device.model={output}")
    click.echo(
        f"{output}: written. Next, with your network: rxsim eval NETWORK.onnx --set {chosen}"
    )


def _seconds(option: str, text: str | None) -> float | None:
    if text is None:
        return None
    seconds = seconds_of(text)
    if seconds is None:
        raise InputError(
            f"{option}: found {text[:40]!r}, expected a time in seconds, or with a unit, such as 250ns"
        )
    return seconds
