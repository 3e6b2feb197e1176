"""What a network costs, as tables on the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rxsim.cost.price.component import ComponentCost
from rxsim.cost.price.layer import LayerCost
from rxsim.cost.price.network import NetworkCost
from rxsim.cost.price.steps import StepCost
from rxsim.counted import counted
from rxsim.report.console import print_seconds, standard_console
from rxsim.report.si_units import mm2, si
from rxsim.report.work_shares import percent

_BASES = {
    "circuit": "solved circuit",
    "action": "acts x energy",
    "power": "power x time",
    "unknown": "left out",
}


def print_cost(
    model: str,
    cost: NetworkCost,
    inputs: str,
    seconds: Mapping[str, float],
    console: Console | None = None,
) -> None:
    """Print totals, components, layers, and what the numbers leave out.

    Args:
        model: the network's file.
        cost: of the network.
        inputs: on which the arrays' energy is taken, such as "made-up inputs"; empty without any.
        seconds: wall time by stage.
        console: where to; standard output where left out.
    """
    console = console or standard_console()
    _print(console, headline(model, cost))
    console.print(components_table(cost))
    console.print(layers_table(cost.layers))
    if cost.steps:
        console.print(steps_table(cost.steps))
    for line in facts(cost, inputs):
        _print(console, line)
    print_seconds(seconds, console)


def headline(model: str, cost: NetworkCost) -> str:
    """Say what an inference costs, in a few lines."""
    chosen = cost.chosen
    error = cost.energy_error_j
    margin = "" if not error else f" (+- {si(error, 'J', 2)} by sampling)"
    reconstructed = ", in part from numbers read second-hand (R)" if cost.is_reconstructed else ""
    return (
        f"{model} in {chosen.name} ({chosen.technology.node_nm:g} nm), ADC model "
        f"{chosen.cost.adc_model}\n"
        f"Energy of an inference {si(cost.energy_j, 'J')}{margin}{reconstructed}\n"
        f"Area in use {mm2(cost.area_mm2)}; {levels_text(cost)}\n"
        f"Time of an inference {si(cost.latency_s, 's')}; pipelined, one every "
        f"{si(cost.interval_s, 's')}\n"
        f"{si(cost.ops_per_j, 'OPS/W')}; {si(cost.ops_per_s_mm2, 'OPS/mm2')} pipelined "
        f"(2 operations a multiply-accumulate, {si(cost.macs, 'MAC')} on crossbars)"
    )


def levels_text(cost: NetworkCost) -> str:
    """Count what the network fills, from arrays outwards."""
    arrays = sum(
        layer.counts.hardware.arrays * layer.replicas
        for layer in cost.layers
        if layer.counts.shared_with is None
    )
    rest = [level for level in cost.filled if level.name != "array"]
    filled = [
        counted(arrays, "array"),
        *(counted(level.needed, level.name) for level in rest),
    ]
    return (
        f"{', '.join(filled)}; {percent(cost.counts.hardware.utilisation)} of cells carry weights"
    )


def components_table(cost: NetworkCost) -> Table:
    """Return a row for each component, the largest energy first."""
    table = Table(title="By component, for one inference", title_justify="left")
    table.add_column("component", overflow="fold")
    table.add_column("in a")
    for title in ("energy", "share", "area", "share", "acts"):
        table.add_column(title, justify="right")
    table.add_column("energy is")
    table.add_column("status")
    for each in cost.components:
        table.add_row(*_component(each, cost))
    return table


def _component(each: ComponentCost, cost: NetworkCost) -> list[str]:
    return [
        escape(each.name),
        each.level or "-",
        si(each.energy_j, "J"),
        _share(each.energy_j, cost.energy_j),
        mm2(each.area_mm2),
        _share(each.area_mm2, cost.area_mm2),
        "-" if each.actions is None else si(each.actions, "").strip(),
        _BASES[each.basis],
        each.status or "-",
    ]


def _share(value: float | None, whole: float) -> str:
    return "-" if value is None or not whole else percent(value / whole)


def layers_table(layers: Iterable[LayerCost]) -> Table:
    """Return a row for each layer on crossbars."""
    table = Table(title="By layer, for one inference", title_justify="left")
    table.add_column("layer", overflow="fold")
    for title in ("arrays", "copies", "used", "energy", "area", "time", "conversions"):
        table.add_column(title, justify="right")
    for layer in layers:
        counts = layer.counts
        shared = counts.shared_with
        table.add_row(
            escape(layer.name),
            f"{counts.hardware.arrays:,}" if shared is None else f"of {escape(shared)}",
            f"{layer.replicas:,}",
            percent(counts.hardware.utilisation),
            si(layer.energy_j, "J"),
            mm2(layer.area_mm2),
            si(layer.seconds, "s"),
            si(counts.actions.conversions, "").strip(),
        )
    return table


def steps_table(steps: Iterable[StepCost]) -> Table:
    """Return a row for each step of compensation: what it asks for beyond the steps before it."""
    table = Table(title="Compensation, step by step", title_justify="left")
    table.add_column("step", overflow="fold")
    for title in (
        "multiply",
        "add",
        "energy",
        "stored",
        "spare columns",
        "their area",
        "tests of a chip",
    ):
        table.add_column(title, justify="right")
    table.add_column("their energy", justify="right")
    for step in steps:
        table.add_row(
            escape(step.name),
            _count(step.multiplications),
            _count(step.additions),
            si(step.energy_j, "J") if step.energy_j != 0 else "-",
            si(step.stored_bits, "bit") if step.stored_bits else "-",
            _count(step.spare_columns),
            mm2(step.spare_area_mm2) if step.spare_area_mm2 else "-",
            _tests(step),
            si(step.test_energy_j, "J") if step.test_reads else "-",
        )
    return table


def _tests(step: StepCost) -> str:
    told = []
    if step.test_reads:
        told.append(counted(step.test_reads, "product"))
    if step.test_cell_reads:
        told.append(counted(step.test_cell_reads, "cell"))
    return ", ".join(told) or "-"


def _count(number: int) -> str:
    return si(number, "").strip() if number else "-"


def facts(cost: NetworkCost, inputs: str) -> list[str]:
    """Say what else a reader must know: scopes, the spread of ADC models, writing, what is left out."""
    lines = []
    if inputs:
        lines.append(f"Energy of the arrays: of their solved circuits, on {inputs}.")
    else:
        lines.append(
            "Energy of the arrays: the technology's number; --array-energy circuit solves them."
        )
    scopes = [
        f"{share} of the energy within {'an' if name == 'array' else 'a'} {name}"
        for name in cost.chosen.technology.level_names
        if (share := adc_share(cost, name))
    ]
    if scopes:
        lines.append(f"ADCs: {', '.join(scopes)}.")
    lines.extend(layout_lines(cost))
    lines.extend(spread_lines(cost))
    lines.extend(writing_lines(cost))
    lines.extend(f"Note: {note}." for note in cost.notes)
    return lines


def adc_share(cost: NetworkCost, level: str) -> str:
    """Write the ADCs' share of the energy within a level; empty where there is none."""
    within = cost.energy_within(level)  # type: ignore[arg-type]
    adc = sum(each.energy_j or 0 for each in cost.components if each.action == "conversion")
    return percent(adc / within) if within and adc else ""


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


def spread_lines(cost: NetworkCost) -> list[str]:
    """Say what the published ADC models make of the same conversions."""
    spread = cost.spread
    if not spread.energy_j:
        return []
    told = ", ".join(f"{name} {si(value, 'J')}" for name, value in spread.energy_j.items())
    ratio = "" if spread.ratio is None else f", apart by {spread.ratio:.3g}"
    left = f" (not for this ADC: {', '.join(spread.left_out)})" if spread.left_out else ""
    return [f"Conversions by ADC model: {told}{ratio}{left}."]


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
    console.print(text, soft_wrap=True, markup=False)
