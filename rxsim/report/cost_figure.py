"""A figure of a cost for a paper: stacks of components by layer, or bars by component."""

from __future__ import annotations

import textwrap

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rxsim.errors import InputError
from rxsim.report.cost_charts import (
    COST_QUANTITIES,
    draw_cost_layers,
    draw_parts,
    legend_lines,
    shown_cost_layers,
    shown_parts,
)
from rxsim.report.cost_values import CostTold, read_cost
from rxsim.report.cost_words import second_hand
from rxsim.report.drawing import LETTER
from rxsim.report.figure import check_form
from rxsim.report.labels import shortened
from rxsim.report.style import SERIES, figure_bytes, figure_style

COST_KINDS = ("layers", "components")
"""What bars stand for; the first where nothing is said."""
_POINTS = 8.0
_LINE, _AROUND, _LEGEND = 0.165, 0.6, 0.15  # inches
_TITLE = 0.15
_INCH_MM = 25.4
_NARROWEST_MM = 75.0


def check_cost_figure(kind: str, quantity: str, width_mm: float, form: str) -> None:
    """Refuse options that are wrong whatever the cost is.

    Raises:
        InputError: an unknown kind of figure, quantity or file, or a width that fits no page.
    """
    for option, given, known in (
        ("--x", kind, COST_KINDS),
        ("--y", quantity, tuple(COST_QUANTITIES)),
    ):
        if given not in known:
            raise InputError(
                f"{option}: found {shortened(given)!r}, expected {' or '.join(known)} for a cost"
            )
    check_form(form, width_mm)
    if width_mm < _NARROWEST_MM:
        raise InputError(
            f"--width: found {width_mm:g}, expected at least {_NARROWEST_MM:g} mm for a cost: names "
            "stand beside its bars"
        )


def draw_cost(
    content: object,
    where: str,
    kind: str,
    quantity: str,
    form: str,
    *,
    width_mm: float,
    title: str | None = None,
) -> bytes:
    """Draw a figure of a cost.

    Args:
        content: JSON as `rxsim.cost.price.network.NetworkCost` writes it, parsed.
        where: name of its file.
        kind: layers (stacks of components) or components.
        quantity: energy or area.
        form: pdf, svg or png.
        width_mm: of the figure.
        title: above it; None: what the cost is priced with; empty: none.

    Returns:
        The file's bytes, the same for the same cost.

    Raises:
        InputError: there is nothing to draw.
    """
    cost, shown = read_cost(content), COST_QUANTITIES[quantity]
    parts = () if cost is None else shown_parts(cost, shown)
    layers = () if cost is None else shown_cost_layers(cost, shown)
    lines = len(layers) if kind == "layers" else len(parts)
    if cost is None or not lines:
        raise InputError(
            f"{where}: found a cost without {kind}, expected some; write it anew with "
            "'rxsim cost --json' or 'rxsim eval --cost --json'"
        )
    width = width_mm / _INCH_MM
    told = _priced_with(cost) if title is None else shortened(title)
    above = textwrap.wrap(told, int(width * 72 / (_POINTS * LETTER)))
    with figure_style(_POINTS, figure__facecolor="white", svg__fonttype="path"):
        height = _AROUND + _LINE * max(lines, 3) + _TITLE * len(above)
        if kind == "layers":
            height += _LEGEND * (1 + legend_lines(cost, shown, width))
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        if kind == "layers":
            draw_cost_layers(axes, cost, shown)
        else:
            draw_parts(axes, parts, shown, SERIES[0])
        if above:
            figure.suptitle("\n".join(above), fontsize=_POINTS)
        return figure_bytes(figure, form)


def _priced_with(cost: CostTold) -> str:
    """Name the technology and the ADC model, and say whether numbers of status R are in it."""
    technology = shortened(cost.text("technology") or "unnamed technology")
    told = [technology, f"ADC model {shortened(cost.text('adc_model') or 'unknown')}"]
    if second_hand(cost):
        told.append("in part second-hand (R)")
    return ", ".join(told)
