"""Where a network lies on chips, what moves between these, and what steps of compensation ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rxsim.report.cost_values import CostTold, amount
from rxsim.report.html.page_blocks import Block, Heading, Paragraph, Table
from rxsim.report.json_values import as_list, as_text, at
from rxsim.report.labels import shortened
from rxsim.report.si_units import mm2, si

_MOST_LEVELS, _MOST_LAYERS, _MOST_STEPS, _MOST_NAMES = 20, 400, 50, 20
_LONGEST = 120


def layout(cost: CostTold) -> list[Block]:
    """Return the chips, tiles and cores in use with what moves between them; nothing without."""
    levels = _mappings(at(cost.values, "layout", "levels"))[:_MOST_LEVELS]
    if not levels:
        return []
    weights, holds = cost.number("layout", "weight_bytes"), cost.number("layout", "holds_bytes")
    outer = shortened(as_text(levels[-1].get("name")) or "level", 40)
    blocks: list[Block] = [Heading("Where it lies")]
    if weights is not None and holds is not None:
        told = (
            f"Weights of {weights / 2**20:.3g} MiB at the technology's bits of a weight; one {outer} "
            f"holds {holds / 2**20:.3g} MiB. What fits is decided by arrays: settings that take more "
            f"cells for a weight than the technology fill a {outer} before."
        )
        blocks.append(Paragraph(told, note=True))
    table = Table(
        caption="What is in use, and what moves in an inference",
        head=(
            "level",
            "in use",
            "moved between them",
            "inputs of layers",
            "partial sums",
            "digital",
        ),
        rows=[_level_cells(level) for level in levels],
    )
    unknown = dict.fromkeys(
        name for level in levels for name in as_list(level.get("unknown")) if isinstance(name, str)
    )
    if unknown:
        names = ", ".join(shortened(name, 80) for name in list(unknown)[:_MOST_NAMES])
        blocks.append(Paragraph(f"Moved besides, of unknown size: {names}.", note=True))
    return [*blocks, table, *_layers(cost, [as_text(level.get("name")) or "" for level in levels])]


def _level_cells(level: Mapping[str, Any]) -> tuple[str, ...]:
    bits = ("bits", "activation_bits", "partial_sum_bits", "digital_bits")
    used = amount(level.get("used"))
    return (
        shortened(as_text(level.get("name")) or "level", 40),
        "-" if used is None else f"{used:,.0f}",
        *(si(amount(level.get(name)), "bit") for name in bits),
    )


def _layers(cost: CostTold, names: list[str]) -> list[Block]:
    layers = _mappings(at(cost.values, "layout", "layers"))[:_MOST_LAYERS]
    if not layers:
        return []
    unit = shortened(cost.text("layout", "unit") or "unit", 40)
    return [
        Table(
            caption="Where layers lie, numbered from 0",
            head=("layer", f"first {unit}", f"{unit}s", *(shortened(n, 40) for n in names)),
            rows=[
                (
                    shortened(as_text(layer.get("name")) or "unnamed", _LONGEST),
                    _count(layer.get("first_unit")),
                    _count(layer.get("units")),
                    *(_span(at(layer, "spans", name)) for name in names),
                )
                for layer in layers
            ],
            folded=True,
        )
    ]


def _span(value: Any) -> str:
    ends = [amount(end) for end in as_list(value)]
    if len(ends) != 2 or ends[0] is None or ends[1] is None:
        return "-"
    first, last = f"{ends[0]:,.0f}", f"{ends[1]:,.0f}"
    return first if first == last else f"{first} to {last}"


def _count(value: Any) -> str:
    number = amount(value)
    return "-" if number is None else f"{number:,.0f}"


def steps(cost: CostTold) -> list[Block]:
    """Return what each step of compensation asks for beyond those before it; nothing without."""
    rows = _mappings(at(cost.values, "compensation"))[:_MOST_STEPS]
    if not rows:
        return []
    head = (
        *("step", "multiply", "add", "energy", "stored", "spare columns", "their area"),
        *("products of a test", "their energy", "cells of a test"),
    )
    told = "For one inference; the tests are those of a chip, before it works."
    caption = "What each step asks for, beyond those above it"
    return [
        Heading("Compensation, step by step"),
        Paragraph(told, note=True),
        Table(caption=caption, head=head, rows=[_step_cells(row) for row in rows]),
    ]


def _step_cells(step: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        shortened(as_text(step.get("name")) or "unnamed", _LONGEST),
        _count(step.get("multiplications")),
        _count(step.get("additions")),
        si(amount(step.get("energy_j")), "J"),
        si(amount(step.get("stored_bits")), "bit"),
        _count(step.get("spare_columns")),
        mm2(amount(step.get("spare_area_mm2"))),
        _count(step.get("test_reads")),
        si(amount(step.get("test_energy_j")), "J"),
        _count(step.get("test_cell_reads")),
    )


def published_ratios(cost: CostTold) -> list[Block]:
    """Return what the technology's source prints beside other hardware; nothing without."""
    rows = _mappings(at(cost.values, "comparisons"))[:_MOST_LAYERS]
    if not rows:
        return []
    name = shortened(cost.text("technology") or "The technology", 80)
    told = (
        f"{name}'s source prints these ratios, of its own networks. They are no part of the numbers "
        "above, and follow from none of them."
    )
    return [
        Heading("Published beside other hardware"),
        Paragraph(told, note=True),
        Table(
            caption=f"How many times less {name} takes, as printed",
            head=("against", "what", "networks", "from", "to", "source"),
            rows=[_ratio_cells(row) for row in rows],
            text_columns=frozenset({0, 1, 2, 5}),
            folded=True,
        ),
    ]


def _ratio_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    texts = [
        shortened(as_text(row.get(key)) or "-", _LONGEST)
        for key in ("against", "measure", "network")
    ]
    ends = [amount(row.get(key)) for key in ("low", "high")]
    numbers = ["-" if end is None else f"{end:,.6g}" for end in ends]
    return (*texts, *numbers, shortened(as_text(row.get("source")) or "-", 400))


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [entry for entry in as_list(value) if isinstance(entry, Mapping)]
