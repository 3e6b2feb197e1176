"""The console that reports are printed to, and the seconds that all of them end with."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from rich.console import Console

_WIDTH_WITHOUT_TERMINAL = 120
_LEAST_WIDTH = 40  # narrower tables can't be read


def standard_console() -> Console:
    """Return standard output as a console; where it is no terminal, COLUMNS wide, or a fixed width."""
    console = Console(highlight=False)
    if console.is_terminal:
        return console
    columns = os.environ.get("COLUMNS", "")
    asked = int(columns) if columns.isdecimal() and len(columns) < 6 else 0
    return Console(
        highlight=False, width=max(asked, _LEAST_WIDTH) if asked else _WIDTH_WITHOUT_TERMINAL
    )


def print_calibrated_instead(layers: Sequence[str], console: Console) -> None:
    """Name the layers whose range was to be the model's, which states none; nothing for none."""
    if layers:
        shown = ", ".join(layers[:5]) + (", .." if len(layers) > 5 else "")
        console.print(
            f"Note: input.range: model, but the model states no range for the inputs of {shown} (no "
            "DequantizeLinear of one constant scale in front): calibrated instead.",
            soft_wrap=True,
            markup=False,
        )


def print_seconds(seconds: Mapping[str, float], console: Console) -> None:
    """Print the wall time of each stage on one line."""
    listed = ", ".join(f"{stage} {value:.1f}" for stage, value in seconds.items())
    console.print(f"Seconds by stage: {listed}", soft_wrap=True)
