"""A verification as a table on the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rxsim.counted import counted
from rxsim.pipeline import Verification
from rxsim.report.console import print_seconds, standard_console
from rxsim.verify import ArrayCheck

_NAMES = {"ngspice": "ngspice", "sparse": "refined sparse solve"}


def print_verification(result: Verification, console: Console | None = None) -> None:
    """Print the errors by layer and in all, and the arrays that were solved by two references."""
    console = console or standard_console()
    crossbar = result.settings["crossbar"]
    console.print(
        escape(
            f"{result.model} on {crossbar['rows']}x{crossbar['cols']} arrays, chip {result.trial}: "
            f"{len(result.checks):,} of {counted(result.arrays, 'array')}, "
            f"{counted(len(result.samples), 'real input vector')} each"
        ),
        soft_wrap=True,
    )
    console.print(verification_table(result))
    console.print(
        "Error: |i_rxsim - i_reference| over the largest |i_reference| of the array's columns; "
        f"allowed: {result.tolerance:g}.",
        soft_wrap=True,
    )
    for check in result.checks:
        _print_second_opinion(check, console)
    idle = sum(check.idle for check in result.checks)
    if idle:
        total = len(result.checks) * len(result.samples)
        console.print(
            f"Note: no row of their array is driven by {idle} of {counted(total, 'vector')}: "
            "they prove nothing.",
            soft_wrap=True,
        )
    print_seconds(result.seconds, console)


def verification_table(result: Verification) -> Table:
    """Return the errors by layer and in all."""
    table = Table(title="i_out against an independent solver", title_justify="left")
    table.add_column("layer", overflow="fold")
    for title in ("arrays", "vectors"):
        table.add_column(title, justify="right")
    table.add_column("reference")
    for title in ("max error", "mean error"):
        table.add_column(title, justify="right")
    by_layer: dict[str, list[ArrayCheck]] = {}
    for check in result.checks:
        by_layer.setdefault(check.layer, []).append(check)
    for layer, checks in by_layer.items():
        table.add_row(escape(layer), *_cells(checks))
    table.add_section()
    table.add_row("total", *_cells(result.checks))
    return table


def _cells(checks: Sequence[ArrayCheck]) -> list[str]:
    references: dict[str, None] = {}
    for check in checks:
        references.setdefault(check.reference)
        if check.refined is not None:
            references.setdefault("sparse")
    errors = np.concatenate([check.decisive.ravel() for check in checks])
    return [
        str(len(checks)),
        str(sum(len(check.decisive) for check in checks)),
        " + ".join(_NAMES[name] for name in references),
        number(float(errors.max())),
        number(float(errors.mean())),
    ]


def _print_second_opinion(check: ArrayCheck, console: Console) -> None:
    """Print how ngspice and the refined sparse solve compare with rxsim where both were run."""
    if check.refined is None:
        return
    difference = f"ngspice and rxsim differ by {number(float(check.errors.max()))}"
    if check.note:
        difference = f"no currents from ngspice ({check.note})"
    console.print(
        escape(
            f"Note: layer {check.layer}, array {check.array}: {difference}; the refined sparse solve "
            f"and rxsim differ by {number(check.worst)}, which decides."
        ),
        soft_wrap=True,
    )


def number(error: float) -> str:
    """Write an error with two digits."""
    return f"{error:.1e}" if math.isfinite(error) and error > 0 else f"{error:g}"
