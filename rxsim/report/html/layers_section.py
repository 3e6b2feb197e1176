"""The layers of one point: signal to noise, clipping, use of the arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from rxsim.counted import counted
from rxsim.report.compensation_rows import built_rung
from rxsim.report.html.page_blocks import Block, Chart, Paragraph, Section, Table
from rxsim.report.html.programming_table import programming_table
from rxsim.report.html.svg import SvgMaker
from rxsim.report.json_values import as_list, as_number, as_text, at
from rxsim.report.labels import shortened
from rxsim.report.material import Material
from rxsim.report.style import MUTED, SERIES, figure_style
from rxsim.report.work_shares import work_share

_MOST_DRAWN = 80
_MOST_ROWS = 400
_LONGEST = 26
_FLOOR = 1e-3  # percent; smaller shares are drawn at the edge of a logarithmic axis


def layers_section(material: Material, maker: SvgMaker) -> Section | None:
    """Return the layers of the chosen point; None where nothing is known of them."""
    details = None if material.chosen is None else material.chosen.point.details
    layers = [row for row in as_list(at(details, "layers")) if isinstance(row, Mapping)]
    if not layers:
        return None
    drawn = layers[:_MOST_DRAWN]
    more = len(layers) - len(drawn)
    inputs = as_number(at(details, "layers_from_inputs"))
    of_what = "the first chip" + ("" if inputs is None else f", {counted(round(inputs), 'input')}")
    title = "Signal to noise, clipping and use of the arrays by layer"
    caption = (
        f"{title} ({of_what}). SNR ideal has perfect wires and devices; a clipped value is one that "
        "saturates its converter."
    )
    if more:
        caption += f" The first {len(drawn)} of {len(layers)} layers are drawn."
    programming = programming_table(details, layers)
    blocks: list[Block] = [
        Chart(_chart(drawn, maker, title, shortened(built_rung(details), 40)), caption),
        _table(layers),
        *([] if programming is None else [programming]),
        *_digital(details),
    ]
    return Section("layers", "By layer", blocks)


def _table(layers: Sequence[Mapping[str, Any]]) -> Table:
    head = (
        *("layer", "matrix", "arrays", "used (%)", "MACs (%)"),
        *("SNR ideal (dB)", "SNR (dB)", "DAC clips (%)", "ADC clips (%)"),
    )
    rows = []
    for row in layers[:_MOST_ROWS]:
        matrix = f"{_count(row, 'rows')}x{_count(row, 'cols')}"
        groups = as_number(row.get("groups"))
        if groups is not None and groups > 1:
            matrix = f"{groups:.0f} of {matrix}"
        rows.append(
            (
                *(_name(row, 120), matrix, _count(row, "arrays")),
                *(_percent(row.get(name)) for name in ("utilisation", "mac_share")),
                *(_decibel(row.get(name)) for name in ("snr_db_ideal", "snr_db")),
                *(_percent(row.get(name)) for name in ("dac_clipping", "adc_clipping")),
            )
        )
    caption = "The layers on crossbars"
    if len(layers) > _MOST_ROWS:
        caption += f" (the first {_MOST_ROWS} of {len(layers)})"
    return Table(caption=caption, head=head, rows=rows)


def _digital(details: Any) -> list[Block]:
    """Say which share of the network is on crossbars, and list what is not."""
    shares = at(details, "shares")
    blocks: list[Block] = []
    keys = ("macs_mapped", "macs_mapped_at_least", "macs_mapped_at_most")
    known = {key: as_number(at(shares, key)) for key in keys}
    parameters = as_number(at(shares, "parameters_mapped"))
    digital = as_list(at(details, "digital"))
    if parameters is not None:
        blocks.append(
            Paragraph(
                f"On crossbars: {work_share(known)} of multiply-accumulates and "
                f"{_percent(parameters)} % of parameters."
            )
        )
    rows = [
        (_name(row, 80, "op"), _count(row, "nodes"), _count(row, "macs"), _name(row, 200, "reason"))
        for row in digital[:_MOST_ROWS]
    ]
    if rows:
        head = ("operator", "nodes", "MACs", "why")
        blocks.append(
            Table(
                caption="What stays digital",
                head=head,
                rows=rows,
                text_columns=frozenset({0, 3}),
                folded=True,
            )
        )
    return blocks


def _name(row: Any, most: int, entry: str = "name") -> str:
    return shortened(as_text(at(row, entry)) or "-", most)


def _count(row: Any, name: str) -> str:
    value = as_number(at(row, name))
    return "-" if value is None else f"{value:,.0f}"


def _percent(value: Any) -> str:
    share = as_number(value)
    if share is None:
        return "-"
    return "<0.01" if 0 < share < 1e-4 else f"{100 * share:.3g}"


def _decibel(value: Any) -> str:
    number = as_number(value)
    return "-" if number is None else f"{number:z.1f}"


def _column(layers: Sequence[Mapping[str, Any]], name: str, factor: float = 1.0) -> np.ndarray:
    values = [as_number(row.get(name)) for row in layers]
    return np.array([np.nan if value is None else value * factor for value in values])


def _chart(layers: Sequence[Mapping[str, Any]], maker: SvgMaker, title: str, built: str) -> Markup:
    places = np.arange(len(layers))
    ideal, real = _column(layers, "snr_db_ideal"), _column(layers, "snr_db")
    with figure_style(9.0, svg__fonttype="none"):
        figure = Figure(figsize=(7.2, 1.15 + 0.19 * max(len(layers), 3)), layout="constrained")
        noise, clips, used = figure.subplots(1, 3, sharey=True, width_ratios=(1.5, 1, 1))
        noise.hlines(places, real, ideal, color=MUTED, linewidth=1.0)
        noise.plot(ideal, places, "o", color=SERIES[0], label="ideal", markersize=4.5)
        noise.plot(real, places, "s", color=SERIES[1], label=built, markersize=4.0)
        noise.set_xlabel("SNR (dB)")
        for number, (name, word) in enumerate((("dac_clipping", "DAC"), ("adc_clipping", "ADC"))):
            share = _column(layers, name, 100.0)
            clips.plot(
                np.where(share > 0, np.maximum(share, _FLOOR), share),
                places,
                "^v"[number],
                color=SERIES[2 + number],
                label=word,
                markersize=4.5,
                clip_on=False,
            )
        clips.set_xscale("symlog", linthresh=_FLOOR, linscale=0.4)
        clips.set_xlim(-_FLOOR * 0.1, 100)
        clips.set_xticks([0, 0.01, 1, 100], ["0", "0.01", "1", "100"])
        clips.minorticks_off()
        clips.set_xlabel("Clipped (%)")
        used.barh(places, _column(layers, "utilisation", 100.0), height=0.6, color=SERIES[5])
        for place, row in zip(places, layers, strict=True):
            count = _count(row, "arrays")
            used.annotate(
                count,
                (1.02, place),
                xycoords=("axes fraction", "data"),
                va="center",
                annotation_clip=False,
                color=MUTED,
                fontsize=8,
            )
        used.set_xlim(0, 100)
        used.set_xlabel("Cells in use (%)")
        used.annotate("arrays", (1.02, 1.01), xycoords="axes fraction", color=MUTED, fontsize=8)
        noise.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        noise.set_yticks(places, [_name(row, _LONGEST) for row in layers])
        noise.set_ylim(len(layers) - 0.4, -0.6)
        for axes in (noise, clips):
            axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, handletextpad=0.2)
        for axes in (noise, clips, used):
            axes.grid(False, axis="y")
            axes.tick_params(axis="y", length=0)
        return maker.markup(figure, title, _description(layers, ideal, real, built))


def _description(
    layers: Sequence[Mapping[str, Any]], ideal: np.ndarray, real: np.ndarray, built: str
) -> str:
    said = f"{counted(len(layers), 'layer')}."
    if np.isfinite(real).any():
        worst = int(np.nanargmin(real))
        said += (
            f" The {built} SNR is lowest in {_name(layers[worst], 80)}, {real[worst]:.1f} dB"
            + (f" (ideal {ideal[worst]:.1f} dB)." if np.isfinite(ideal[worst]) else ".")
        )
    return said + " The table beneath has all numbers."
