"""What a network costs: totals, components and layers, with charts."""

from __future__ import annotations

from matplotlib.figure import Figure

from rxsim.counted import counted
from rxsim.report.cost_charts import (
    COST_QUANTITIES,
    draw_cost_layers,
    draw_cost_parts,
    shown_cost_layers,
    shown_parts,
)
from rxsim.report.cost_values import CostTold, LayerTold, PartTold, amount, read_cost
from rxsim.report.cost_words import (
    array_energy,
    at_least,
    at_most,
    digital_share,
    left_out,
    powered_throughout,
    second_hand,
    whole_levels,
)
from rxsim.report.html.cost_background import adc_models, adc_scopes, notes, sources, writing
from rxsim.report.html.cost_layout import layout, published_ratios, steps
from rxsim.report.html.page_blocks import Block, Chart, Heading, Paragraph, Section, Table, Terms
from rxsim.report.html.svg import SvgMaker
from rxsim.report.json_values import as_list, as_text, at
from rxsim.report.labels import shortened
from rxsim.report.material import Material
from rxsim.report.si_units import mm2, si
from rxsim.report.style import figure_style
from rxsim.report.work_shares import percent

BASES = {
    "circuit": "solved circuit",
    "action": "acts x energy",
    "power": "power x time",
    "unknown": "not stated",
}
"""Where an energy is from, in words."""
_MOST_ROWS, _MOST_LEVELS = 400, 20
_LONGEST = 120
_LINE = 0.19


def cost_section(material: Material, maker: SvgMaker) -> Section | None:
    """Return the cost of the chosen point; None where it was not priced."""
    if material.chosen is None:
        return None
    details = material.chosen.point.details
    cost = read_cost(at(details, "cost"))
    return None if cost is None else section_of(cost, maker)


def section_of(cost: CostTold, maker: SvgMaker) -> Section:
    """Return a section with all that is known of a cost."""
    blocks: list[Block] = [
        Paragraph(_what(cost)),
        Terms(_figures(cost), large=True),
        *(Paragraph(text, note=True) for text in _conventions(cost)),
        *_parts(cost, maker),
        *adc_scopes(cost),
        *_layers(cost, maker),
        *steps(cost),
        *layout(cost),
        *adc_models(cost),
        *writing(cost),
        *notes(cost),
        *published_ratios(cost),
        *sources(cost),
    ]
    return Section("cost", "What it costs", blocks)


def _what(cost: CostTold) -> str:
    name = shortened(cost.text("technology") or "an unnamed technology", 80)
    about, node = shortened(cost.text("about"), 200), cost.number("node_nm")
    told = f"{name} ({node:g} nm)" if node else name
    model = shortened(cost.text("adc_model") or "unknown", 40)
    return f"Priced in {told}{f': {about}' if about else ''}. ADC model: {model}."


def _figures(cost: CostTold) -> list[tuple[str, str]]:
    energy = si(cost.number("energy_j"), "J")
    if error := cost.number("energy_error_j"):
        energy += f"\n± {si(error, 'J', 2)} by sampling"
    pairs = [
        ("energy of an inference on crossbars", energy),
        ("power", _power(cost)),
        ("area in use", f"{at_least(cost)}{mm2(cost.number('area_mm2'))}"),
        ("time of an inference", si(cost.number("latency_s"), "s")),
        ("pipelined, one every", si(cost.number("interval_s"), "s")),
        ("energy efficiency", si(cost.number("ops_per_j"), "OPS/W")),
        (
            "throughput by area",
            f"{at_most(cost)}{si(cost.number('ops_per_s_mm2'), 'OPS/mm2')}",
        ),
    ]
    arrays, used = cost.number("arrays"), cost.number("utilisation")
    hardware = [] if arrays is None else [f"{arrays:,.0f} arrays"]
    hardware += [] if used is None else [f"{percent(used)} of cells used"]
    return [*pairs, ("hardware", "\n".join(hardware) or "-")]


def _power(cost: CostTold) -> str:
    pipelined = cost.number("pipelined_power_w")
    told = si(cost.number("power_w"), "W")
    return told if pipelined is None else f"{told}\n{si(pipelined, 'W')} pipelined"


def _conventions(cost: CostTold) -> list[str]:
    told = ["Time is that of arrays and converters, without digital operators and transfers."]
    if convention := cost.text("convention"):
        told.append(f"Throughputs count {shortened(convention, 200)}, those on crossbars.")
    if reconstructed := second_hand(cost):
        told.append(f"Energy is {reconstructed}.")
    elif at(cost.values, "reconstructed") is True:
        told.append("Totals are in part from numbers that were read second-hand (status R).")
    told += [
        f"{text}."
        for text in (*powered_throughout(cost), digital_share(cost), left_out(cost))
        if text
    ]
    told.append(array_energy(cost))
    levels = [
        counted(int(number), shortened(as_text(at(level, "name")) or "level", 40))
        for level in as_list(at(cost.values, "levels"))[:_MOST_LEVELS]
        if (number := amount(at(level, "needed"))) is not None
    ]
    if levels:
        whole = whole_levels(cost)
        told.append(
            f"Filled, the last one in part: {', '.join(levels)}{f'; {whole}' if whole else ''}."
        )
    return told


def _parts(cost: CostTold, maker: SvgMaker) -> list[Block]:
    rows = [_part_cells(part, cost) for part in cost.parts[:_MOST_ROWS]]
    table = Table(
        caption="Components, for one inference",
        head=(
            *("component", "in a", "energy", "share", "area", "share of area", "acts"),
            *("energy is", "status"),
        ),
        rows=rows,
        text_columns=frozenset({0, 1, 7, 8}),
    )
    blocks: list[Block] = [Heading("By component")]
    parts = shown_parts(cost)
    if parts:
        title = "Energy and area by component"
        with figure_style(9.0, svg__fonttype="none"):
            size = (7.2, 0.9 + _LINE * max(len(parts), 3))
            figure = Figure(figsize=size, layout="constrained")
            draw_cost_parts(figure, cost)
            said = ", ".join(f"{shortened(p.name, 40)} {si(p.energy_j, 'J')}" for p in parts[:6])
            svg = maker.markup(figure, title, f"{title}: {said}. The table beneath has all.")
        blocks.append(Chart(svg, f"{title}, the largest energy first."))
    return [*blocks, table]


def _part_cells(part: PartTold, cost: CostTold) -> tuple[str, ...]:
    energy, area = cost.number("energy_j"), cost.number("area_mm2")
    return (
        shortened(part.name, _LONGEST),
        shortened(part.level, 20) or "-",
        *(si(part.energy_j, "J"), _share(part.energy_j, energy)),
        *_area_cells(part, area),
        _count(part.acts),
        BASES.get(part.basis, "-"),
        shortened(part.status, 10) or "-",
    )


def _area_cells(part: PartTold, whole: float | None) -> tuple[str, str]:
    """Write a component's area; what stands at a level without one lies within another component."""
    if part.area_within:
        return f"in {shortened(part.area_within, 40)}", "-"
    if part.area_mm2 == 0 and part.level:  # as files of earlier versions tell it
        return "in another", "-"
    return mm2(part.area_mm2), _share(part.area_mm2, whole)


def _layers(cost: CostTold, maker: SvgMaker) -> list[Block]:
    if not cost.layers:
        return []
    shown = cost.layers[:_MOST_ROWS]
    rows = [_layer_cells(layer, cost) for layer in shown]
    energy, area = cost.outside_layers
    if energy or area:
        share = _share(energy, cost.number("energy_j"))
        first = ("digital operators", "", "-", "-", "-")
        rows.append((*first, si(energy, "J"), share, mm2(area), "-", "-"))
    caption = "Layers, for one inference"
    if len(shown) < len(cost.layers):
        caption += f" (the first {len(shown)} of {len(cost.layers)})"
    table = Table(
        caption=caption,
        head=(
            *("layer", "operator", "arrays", "copies", "used", "energy", "share", "area", "time"),
            "conversions",
        ),
        rows=rows,
        text_columns=frozenset({0, 1}),
    )
    return [Heading("By layer"), _layers_chart(cost, maker), table]


def _layers_chart(cost: CostTold, maker: SvgMaker) -> Chart:
    quantity = COST_QUANTITIES["energy"]
    layers = shown_cost_layers(cost, quantity)
    title = "Energy of each layer by component"
    with figure_style(9.0, svg__fonttype="none"):
        size = (7.2, 1.4 + _LINE * max(len(layers), 3))
        figure = Figure(figsize=size, layout="constrained")
        draw_cost_layers(figure.subplots(), cost, quantity)
        said = f"{counted(len(layers), 'layer')}. The table beneath has all numbers."
        svg = maker.markup(figure, title, f"{title}: {said}")
    caption = f"{title}, for one inference."
    if len(layers) < len(cost.layers):
        caption += f" The {len(layers)} of {len(cost.layers)} layers with the most are drawn."
    return Chart(svg, caption)


def _layer_cells(layer: LayerTold, cost: CostTold) -> tuple[str, ...]:
    arrays = f"of {shortened(layer.shared_with, 40)}" if layer.shared_with else None
    return (
        shortened(layer.name, _LONGEST),
        shortened(layer.op, 40),
        arrays or _count(layer.arrays),
        _count(layer.replicas),
        _percent(layer.utilisation),
        si(layer.energy_j, "J"),
        _share(layer.energy_j, cost.number("energy_j")),
        mm2(layer.area_mm2),
        si(layer.seconds, "s"),
        _count(layer.conversions),
    )


def _share(value: float | None, whole: float | None) -> str:
    return "-" if value is None or not whole else percent(value / whole)


def _percent(value: float | None) -> str:
    return "-" if value is None else percent(value)


def _count(value: float | None) -> str:
    """Write a count, large ones with a prefix."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value < 1e5 else si(value, "").strip()
