"""What a network costs, as tables on the terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console

from rxsim.cost.price.network import NetworkCost
from rxsim.counted import counted
from rxsim.report.console import print_seconds, standard_console
from rxsim.report.cost_headline import headline, told_cost
from rxsim.report.cost_tables import print_components, print_layers, print_steps
from rxsim.report.cost_words import adc_lines, array_energy, spread_lines
from rxsim.report.si_units import si


def print_cost(
    model: str,
    cost: NetworkCost,
    seconds: Mapping[str, float],
    console: Console | None = None,
) -> None:
    """Print totals, components, layers, and what the numbers leave out.

    Args:
        model: the network's file.
        cost: of the network.
        seconds: wall time by stage.
        console: where to; standard output where left out.
    """
    console = console or standard_console()
    for line in headline(model, cost).splitlines():
        _print(console, line)
    print_components(cost, console)
    print_layers(cost.layers, console)
    if cost.steps:
        print_steps(cost.steps, console)
    for line in facts(cost):
        _print(console, line)
    print_seconds(seconds, console)


def facts(cost: NetworkCost) -> list[str]:
    """Say what else a reader must know: scopes, the spread of ADC models, writing, what is left out."""
    told = told_cost(cost)
    return [
        array_energy(told),
        *adc_lines(told),
        *layout_lines(cost),
        *spread_lines(told),
        *writing_lines(cost),
        *(f"Note: {note}." for note in cost.notes),
    ]


def layout_lines(cost: NetworkCost) -> list[str]:
    """Say how many chips the network lies on, and what moves between these and between tiles."""
    layout = cost.layout
    if layout is None:
        return []
    outer = layout.outermost
    mib = [layout.weight_bytes / 2**20, outer.used * layout.holds_bytes / 2**20]
    bits = cost.chosen.technology.product.weight_bits
    fits = "Fits 1" if outer.used == 1 else f"Lies on {outer.used:,}"
    lines = [
        f"{fits} of {cost.chosen.name}'s {outer.name}s: {layout.units:,} of "
        f"{outer.used * outer.holds_units:,.0f} {layout.unit}s, {mib[0]:.3g} of {mib[1]:.3g} MiB of "
        f"{bits}-bit weights."
    ]
    told = [
        f"{si(level.bits, 'bit')} between {level.name}s"
        for level in reversed(layout.levels)
        if level.used > 1
    ]
    if told:
        lines.append(f"Moved in an inference: {', '.join(told)}.")
    unknown = dict.fromkeys(name for level in layout.levels for name in level.unknown)
    if unknown:
        lines.append(f"Moved besides, of unknown size: {', '.join(unknown)}.")
    return lines


def writing_lines(cost: NetworkCost) -> list[str]:
    """Say what writing the network takes, and testing a chip."""
    writing = cost.writing
    told = f"Writing once: {counted(writing.cells, 'cell')}, {writing.pulses:,.0f} pulses"
    if writing.programmed:
        error = writing.pulses_error
        margin = f" (+- {error:,.0f})" if error else ""
        told += (
            f"{margin}, as program-and-verify took on {writing.programmed:,} of "
            f"{counted(writing.programmed_of, 'array')} of the first chip"
        )
    if writing.energy_j is not None:
        told += f", {si(writing.energy_j, 'J')} in {si(writing.seconds, 's')}, arrays side by side"
    lines = [f"{told}."]
    if writing.test_reads or writing.test_cell_reads:
        lines.append(
            f"Compensation's tests of a chip: {counted(writing.test_reads, 'product')} read "
            f"({si(writing.test_energy_j, 'J')}), {counted(writing.test_cell_reads, 'cell')} read one "
            "by one."
        )
    return lines


def _print(console: Console, text: str) -> None:
    console.print(text, soft_wrap=not console.is_terminal, markup=False)
