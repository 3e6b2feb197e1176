"""A calibration as a table on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rxsim.counted import counted
from rxsim.pipeline import Calibration
from rxsim.report.console import print_calibrated_instead, print_seconds, standard_console


def print_calibration(
    calibration: Calibration,
    seconds: Mapping[str, float],
    path: Path,
    console: Console | None = None,
    calibrated_instead: Sequence[str] = (),
) -> None:
    """Print the ranges of every layer, what they were measured on, and the seconds by stage.

    Args:
        calibration: the calibration.
        seconds: wall time by stage.
        path: the file that holds it.
        console: where to; standard output where left out.
        calibrated_instead: layers whose range was to be the model's, which states none.
    """
    console = console or standard_console()
    data = calibration.data
    source = counted(data.samples, "made-up input")
    if not data.made_up:
        source = f"{counted(data.samples, 'sample')} of {data.name}"
    console.print(
        escape(f"{path}: {calibration.model.name}, calibrated on {source}"),
        soft_wrap=True,
    )
    table = Table(title="Ranges by layer", title_justify="left")
    table.add_column("layer", overflow="fold")
    for title in ("x_max", "signed", "ADC ideal, A", "ADC nonideal, A"):
        table.add_column(title, justify="right")
    for name, measured in calibration.input_ranges.items():
        ranges = (calibration.adc_ranges[rung].get(name) for rung in ("ideal", "nonideal"))
        signed = "yes" if measured.signed else "no"
        table.add_row(escape(name), f"{measured.x_max:.4g}", signed, *map(_ends, ranges))
    console.print(table)
    if any(name not in calibration.adc_ranges["ideal"] for name in calibration.input_ranges):
        console.print(
            "- : no ADC, or a range that follows from the settings (adc.range).", soft_wrap=True
        )
    print_calibrated_instead(calibrated_instead, console)
    print_seconds(seconds, console)


def _ends(ranges: np.ndarray | None) -> str:
    """Write the smallest and the largest range."""
    if ranges is None:
        return "-"
    low, high = (f"{value:.3e}" for value in (ranges.min(), ranges.max()))
    return low if low == high else f"{low} .. {high}"
