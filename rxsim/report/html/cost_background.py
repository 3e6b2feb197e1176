"""What stands behind the numbers of a cost: scopes of shares, ADC models, writing, notes, sources."""

from __future__ import annotations

from rxsim.report.cost_values import CostTold, SourceTold
from rxsim.report.html.page_blocks import Block, Heading, Paragraph, Table, Terms
from rxsim.report.json_values import at
from rxsim.report.labels import shortened
from rxsim.report.si_units import mm2, si
from rxsim.report.work_shares import percent

_STATUS = (
    "Status: P printed in the source, D derived from printed numbers, R reconstructed: read "
    "second-hand, but part of a total that a source prints."
)
_UNITS = {"j": "J", "w": "W", "hz": "Hz", "s": "s"}
"""How keys of a technology's file end -> their unit."""
_MOST_ROWS, _MOST_SENTENCES = 400, 50
_LONGEST, _LONGEST_SENTENCE = 120, 1000


def adc_scopes(cost: CostTold) -> list[Block]:
    """Return the ADCs' shares level by level; nothing where there are none."""
    scopes = [scope for scope in cost.adc_scopes if scope[1] or scope[2]]
    if not scopes:
        return []
    rows = [
        (f"all within one {shortened(name, 40)}", _percent(energy), _percent(area))
        for name, energy, area in scopes
    ]
    head = ("scope", "share of energy", "share of area")
    return [Table(caption="What the ADCs take, by scope", head=head, rows=rows)]


def adc_models(cost: CostTold) -> list[Block]:
    """Return what published models make of the same conversions; nothing without conversions."""
    energies = cost.amounts("adc_models", "energy_j")
    if not energies:
        return []
    chosen, least = cost.text("adc_model"), min(energies.values())
    names, wholes = list(energies)[:_MOST_ROWS], cost.amounts("adc_models", "inference_j")
    rows = [
        (
            *(shortened(name, 40), si(energies[name], "J")),
            f"{energies[name] / least:.3g}" if least else "-",
            si(wholes.get(name), "J"),
        )
        for name in names
    ]
    left = at(cost.values, "adc_models", "left_out")
    reasons = left.items() if isinstance(left, dict) else ()
    return [
        Heading("ADC models"),
        Table(
            caption="Energy of all conversions by published model; the chosen one is marked",
            head=("model", "energy", "over the least", "all components with it"),
            rows=rows,
            marked=frozenset(place for place, name in enumerate(names) if name == chosen),
        ),
        *(
            Paragraph(f"Not for this ADC: {shortened(str(why), _LONGEST_SENTENCE)}.", note=True)
            for _, why in list(reasons)[:_MOST_SENTENCES]
        ),
    ]


def writing(cost: CostTold) -> list[Block]:
    """Return what it takes to write the network, and to test a chip."""
    cells, pulses = cost.number("writing", "cells"), cost.number("writing", "pulses")
    if cells is None or pulses is None:
        return []
    pairs = [
        ("cells", f"{cells:,.0f}"),
        ("pulses", f"{pulses:,.0f}"),
        ("energy", si(cost.number("writing", "energy_j"), "J")),
        ("time, arrays side by side", si(cost.number("writing", "seconds"), "s")),
    ]
    reads = cost.number("writing", "test_reads")
    if reads:
        energy = si(cost.number("writing", "test_energy_j"), "J")
        pairs.append(("compensation's test of a chip", f"{reads:,.0f} products\n{energy}"))
    if single := cost.number("writing", "test_cell_reads"):
        pairs.append(("cells read one by one", f"{single:,.0f}"))
    return [Heading("Writing the network once"), Terms(pairs)]


def notes(cost: CostTold) -> list[Block]:
    """Return what the numbers leave out or assume."""
    sentences = cost.sentences("notes")[:_MOST_SENTENCES]
    if not sentences:
        return []
    name = cost.text("technology")
    begun = [text if name and text.startswith(name) else _capital(text) for text in sentences]
    told = [Paragraph(f"{shortened(text, _LONGEST_SENTENCE)}.") for text in begun]
    return [Heading("What the numbers leave out or assume"), *told]


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def sources(cost: CostTold) -> list[Block]:
    """Return every number of the technology with its source and status."""
    if not cost.sources:
        return []
    table = Table(
        caption="Every number of the technology",
        head=("entry", "what it is", "numbers", "node (nm)", "status", "source"),
        rows=[_source_cells(source) for source in cost.sources[:_MOST_ROWS]],
        text_columns=frozenset({0, 1, 2, 4, 5}),
    )
    return [Heading("Sources"), Paragraph(_STATUS, note=True), table]


def _source_cells(source: SourceTold) -> tuple[str, ...]:
    numbers = ", ".join(_number(name, value) for name, value in source.numbers.items())
    return (
        shortened(source.entry, _LONGEST),
        shortened(source.about, 200),
        shortened(numbers, 300),
        "-" if source.node_nm is None else f"{source.node_nm:g}",
        shortened(source.status, 10) or "-",
        shortened(source.source, 400) or "-",
    )


def _number(key: str, value: float) -> str:
    """Write a number of a technology's file in the unit that its key ends with."""
    words, _, end = key.rpartition("_")
    if end == "mm2":
        return f"{words} {mm2(value)}"
    if end in _UNITS:
        return f"{words} {si(value, _UNITS[end], 4)}"
    return f"{key.replace('_', ' ')} {value:g}"


def _percent(value: float | None) -> str:
    return "-" if value is None else percent(value)
