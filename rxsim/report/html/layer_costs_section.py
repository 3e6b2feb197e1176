"""What each layer costs, which effect makes its noise, and its worst arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from rxsim.counted import counted
from rxsim.explain.result import ArrayMap, Explanation, LayerRow, LayersTable
from rxsim.report.explanation_charts import (
    draw_array,
    draw_layers,
    draw_noise_map,
    noise_table,
    shown_layers,
)
from rxsim.report.explanation_words import (
    LAYER_NOTES,
    MOST_NOISE_BY,
    Wording,
    decibel_of,
    effect_titles,
    marked_layers,
    noise_part,
    percent_of,
    title_of_effect,
)
from rxsim.report.html.page_blocks import Block, Chart, Heading, Paragraph, Section, Table
from rxsim.report.html.svg import SvgMaker
from rxsim.report.labels import shortened
from rxsim.report.style import figure_style

_MOST_ROWS = 400
_MOST_ARRAYS = 6
_LONGEST = 120
_LINE = 0.19


def layer_costs_section(
    explanation: Explanation, words: Wording, maker: SvgMaker
) -> Section | None:
    """Return the layers; None where they were not looked at."""
    layers = explanation.layers
    if layers is None or not layers.rows:
        return None
    blocks: list[Block] = [
        Paragraph(
            "only it: this layer alone is analog. all but it: what the layer changes where all others "
            "are analog; digital, it gives that back. Noise and clipping are of the first chip, "
            f"{counted(layers.inputs, 'input')}.",
            note=True,
        ),
        *(Paragraph(f"{column}: {note}.", note=True) for column, note in LAYER_NOTES.items()),
        _chart(explanation, layers, words, maker),
        _table(explanation, layers, words),
        *_noise(explanation, layers, maker),
    ]
    return Section("layers", "By layer", blocks)


def _chart(explanation: Explanation, layers: LayersTable, words: Wording, maker: SvgMaker) -> Chart:
    rows = shown_layers(layers)
    title = "What each layer gives back where it is digital, and its signal to noise"
    with figure_style(9.0, svg__fonttype="none"):
        figure = Figure(figsize=(7.2, 1.15 + _LINE * max(len(rows), 3)), layout="constrained")
        draw_layers(figure, explanation, words)
        said = f"{counted(len(rows), 'layer')}."
        if layers.worst_first:
            said += f" What costs most is {shortened(layers.worst_first[0], 80)}."
        svg = maker.markup(figure, title, f"{title}: {said} The table beneath has all numbers.")
    caption = (
        f"{title}; thin lines are 95 % intervals. Clean inputs are those of the float network; "
        "accumulated ones carry the errors of earlier layers."
    )
    if len(rows) < len(layers.rows):
        caption += f" The worst {len(rows)} of {len(layers.rows)} layers are drawn."
    return Chart(svg, caption)


def _table(explanation: Explanation, layers: LayersTable, words: Wording) -> Table:
    titles = effect_titles(explanation)
    head = (
        *("layer", "operator", "only it", "all but it", "standard error", "95 %"),
        *("output noise (%)", "SNR clean (dB)", "SNR accumulated (dB)"),
        *("DAC clips (%)", "ADC clips (%)", MOST_NOISE_BY),
    )
    shown = layers.rows[:_MOST_ROWS]
    worst = marked_layers(explanation)
    caption = f"The layers: {words.name}{'; the worst are marked' if worst else ''}"
    if len(shown) < len(layers.rows):
        caption += f" (the first {len(shown)} of {len(layers.rows)})"
    return Table(
        caption=caption,
        head=head,
        rows=[_cells(row, words, titles) for row in shown],
        text_columns=frozenset({0, 1, len(head) - 1}),
        marked=frozenset(place for place, row in enumerate(shown) if row.name in worst),
    )


def _cells(row: LayerRow, words: Wording, titles: dict[str, str]) -> tuple[str, ...]:
    error = None if row.all_but is None else row.all_but.standard_error
    return (
        *(shortened(row.name, _LONGEST), shortened(row.op, 40)),
        *(words.maybe(row.only), words.maybe(row.all_but)),
        "-" if error is None else words.value(error, unit=False),
        "-" if row.all_but is None else words.interval(row.all_but),
        noise_part(row.output_noise),
        *(decibel_of(row.snr_clean_db), decibel_of(row.snr_db)),
        *(percent_of(row.dac_clipping), percent_of(row.adc_clipping)),
        title_of_effect(row.dominant, titles),
    )


def _noise(explanation: Explanation, layers: LayersTable, maker: SvgMaker) -> list[Block]:
    """Return the map of layers and effects; nothing where no noise is known."""
    rows = shown_layers(layers)
    names, ratio = noise_table(explanation, rows)
    if not names or not np.isfinite(ratio).any():
        return []
    titles = effect_titles(explanation)
    title = "Signal to noise of each layer where a single effect is on"
    with figure_style(9.0, svg__fonttype="none", axes__grid=False):
        figure = Figure(figsize=(7.2, 1.5 + _LINE * max(len(rows), 4)), layout="constrained")
        draw_noise_map(figure, explanation)
        svg = maker.markup(
            figure,
            title,
            f"{title}: {counted(len(rows), 'layer')}, {counted(len(names), 'effect')}, from "
            f"{np.nanmin(ratio):.1f} to {np.nanmax(ratio):.1f} dB.",
        )
    table = Table(
        caption="Numbers of this map (dB)",
        head=("layer", *(title_of_effect(name, titles) for name in names)),
        rows=[
            (shortened(row.name, _LONGEST), *map(decibel_of, values))
            for row, values in zip(rows, ratio.tolist(), strict=True)
        ],
        folded=True,
    )
    caption = (
        f"{title}, inputs clean: the brighter, the more noise. A dot marks the effect that makes most "
        "of a layer's noise; empty is none."
    )
    return [Heading("Which effect makes a layer's noise"), Chart(svg, caption, table)]


def arrays_section(explanation: Explanation, maker: SvgMaker) -> Section | None:
    """Return a closer look at the worst arrays; None where there is none."""
    arrays: Sequence[ArrayMap] = () if explanation.layers is None else explanation.layers.arrays
    blocks: list[Block] = []
    for array in arrays[:_MOST_ARRAYS]:
        name = f"Array {array.array} of {shortened(array.layer, 80)}"
        title = f"{name}: conductance that is left, and errors of currents"
        with figure_style(9.0, svg__fonttype="none", axes__grid=False):
            figure = Figure(figsize=(7.2, 3.0), layout="constrained")
            draw_array(figure, array)
            svg = maker.markup(figure, title, f"{title}; {percent_of(array.loss)} % is lost.")
        caption = (
            f"Its wires take {percent_of(array.loss)} % of its current. Left: the conductance seen at "
            "the array's ends over that of the cell's target. Right: the mean current beside that of "
            "the target over the calibration inputs."
        )
        blocks += [Heading(name), Chart(svg, caption)]
    return Section("arrays", "Worst arrays", blocks) if blocks else None
