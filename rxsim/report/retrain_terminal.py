"""A training as a table on the terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from rxsim.report.console import print_seconds, standard_console
from rxsim.retrain.result import Training

_SHOWN = 5
_MOST_ROWS = 20


def print_training(
    training: Training, output: str, seconds: Mapping[str, float], console: Console | None = None
) -> None:
    """Print the curve, and which weights were written.

    Args:
        training: the training.
        output: the file that holds the weights.
        seconds: wall time by stage.
        console: where to; standard output where left out.
    """
    console = console or standard_console()
    table = Table(title="At each refresh", title_justify="left")
    for title in ("iteration", "loss", "held out: loss", "held out: right", "seconds"):
        table.add_column(title, justify="right")
    shown = _rows(len(training.points), training.best)
    for at in shown:
        point = training.points[at]
        table.add_row(
            str(point.iteration),
            "-" if point.loss is None else f"{point.loss:.4f}",
            f"{point.held_out_loss:.4f}" + (" *" if at == training.best else ""),
            f"{point.held_out_accuracy:.4f}",
            f"{point.seconds:.0f}",
        )
    console.print(table)
    if len(shown) < len(training.points):
        console.print(f"{len(shown)} of {len(training.points)} refreshes are shown (--json: all).")
    best = training.points[training.best]
    told = (
        f"{output}: the weights of iteration {best.iteration} (*), least loss on what is held out"
    )
    if training.stopped:
        told += f"; ended early: {training.stopped}"
    console.print(told, soft_wrap=True, markup=False)
    _print_before(training, console)
    if not best.iteration and training.before is None:
        console.print(
            "Note: training found nothing better than the network's own weights; try another "
            "--learning-rate, or more --iterations.",
            soft_wrap=True,
        )
    left = training.told.get("not_trained") or {}
    for name, why in list(left.items())[:_SHOWN]:
        console.print(f"Note: layer {name}: {why}.", soft_wrap=True, markup=False)
    if len(left) > _SHOWN:
        console.print(
            f"Note: {len(left) - _SHOWN} more layers are not trained as a whole (--json)."
        )
    if seconds:
        print_seconds(seconds, console)


def _print_before(training: Training, console: Console) -> None:
    """Print what the network was on the chip before its channels were matched."""
    before = training.before
    if before is None:
        return
    told = (
        f"Before channels were matched: loss {before.held_out_loss:.4f}, right "
        f"{before.held_out_accuracy:.4f} on what is held out."
    )
    if training.points[training.best].held_out_loss >= before.held_out_loss:
        told += " That is less loss than the result has: train with --start file."
    console.print(told, soft_wrap=True)


def _rows(count: int, best: int) -> list[int]:
    """Choose the refreshes that a table shows: evenly spaced, the last and the best among them."""
    step = -(-count // _MOST_ROWS)
    return sorted({*range(0, count, step), count - 1, best})
