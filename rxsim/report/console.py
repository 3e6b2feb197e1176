"""The console that reports are printed to, and the seconds that all of them end with."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console

_WIDTH_WITHOUT_TERMINAL = 120


def standard_console() -> Console:
    """Return standard output as a console; a fixed width where it is no terminal."""
    console = Console(highlight=False)
    if console.is_terminal:
        return console
    return Console(highlight=False, width=_WIDTH_WITHOUT_TERMINAL)


def print_seconds(seconds: Mapping[str, float], console: Console) -> None:
    """Print the wall time of each stage on one line."""
    listed = ", ".join(f"{stage} {value:.1f}" for stage, value in seconds.items())
    console.print(f"Seconds by stage: {listed}", soft_wrap=True)
