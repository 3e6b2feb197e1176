"""A figure of an explanation for a paper: the waterfall, the layers, or the remedies."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rxsim.errors import InputError
from rxsim.explain.result import Explanation
from rxsim.report.drawing import LETTER
from rxsim.report.explanation_charts import WIDE_INCHES, draw_layers, shown_layers
from rxsim.report.explanation_words import Wording
from rxsim.report.figure import check_form
from rxsim.report.labels import shortened
from rxsim.report.remedies_chart import draw_remedies, lines_of_remedies
from rxsim.report.style import figure_bytes, figure_style
from rxsim.report.waterfall import draw_waterfall, waterfall_steps

_POINTS = 8.0
_LINE, _AROUND = 0.165, 0.8  # inches: of a line, and of what stands above and below
_INCH_MM = 25.4
_NARROWEST_MM = 75.0


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of figure.

    Attributes:
        lines: how many it takes, in a wide figure or a narrow one; 0 where the explanation does not
            hold what it shows.
        draw: draws it.
        lacks: what the explanation has to hold.
        above: inches that a legend takes above its lines.
    """

    lines: Callable[[Explanation, bool], float]
    draw: Callable[[Figure, Explanation, Wording], None]
    lacks: str
    above: float = 0.0


def _waterfall(figure: Figure, explanation: Explanation, words: Wording) -> None:
    draw_waterfall(figure.subplots(), explanation, words)


def _remedies(figure: Figure, explanation: Explanation, words: Wording) -> None:
    draw_remedies(figure.subplots(), explanation, words)


_KINDS = {
    "effects": _Kind(
        lambda told, _: len(waterfall_steps(told)) if told.effects else 0, _waterfall, "effects"
    ),
    "layers": _Kind(
        lambda told, _: len(shown_layers(told.layers)) if told.layers else 0,
        draw_layers,
        "layers",
        0.5,
    ),
    "remedies": _Kind(
        lambda told, wide: lines_of_remedies(told, wide=wide), _remedies, "remedies", 0.15
    ),
}
KINDS = tuple(_KINDS)
"""What a figure may show; the first where nothing is said."""


def check_explanation_figure(kind: str, width_mm: float, form: str) -> None:
    """Refuse options that are wrong whatever the explanation is.

    Raises:
        InputError: an unknown kind of figure or of file, or a width that fits no page.
    """
    if kind not in _KINDS:
        raise InputError(
            f"--x: found {shortened(kind)!r}, expected one of {', '.join(KINDS)} for an explanation"
        )
    check_form(form, width_mm)
    if width_mm < _NARROWEST_MM:
        raise InputError(
            f"--width: found {width_mm:g}, expected at least {_NARROWEST_MM:g} mm for an explanation: "
            "names stand beside its bars"
        )


def draw_explanation(
    explanation: Explanation, kind: str, form: str, *, width_mm: float, title: str | None = None
) -> bytes:
    """Draw a figure of an explanation.

    Args:
        explanation: what is shown.
        kind: effects (the waterfall), layers or remedies.
        form: pdf, svg or png.
        width_mm: of the figure.
        title: above it.

    Returns:
        The file's bytes, the same for the same explanation.

    Raises:
        InputError: the explanation does not hold what the figure shows.
    """
    chosen = _KINDS[kind]
    width = width_mm / _INCH_MM
    wide = width >= WIDE_INCHES
    lines = chosen.lines(explanation, wide)
    if not lines:
        others = [name for name, other in _KINDS.items() if other.lines(explanation, wide)]
        hint = f"choose --x {' or '.join(others)}" if others else "explain more"
        raise InputError(f"--x: the explanation holds no {chosen.lacks}, expected some; {hint}")
    with figure_style(_POINTS, figure__facecolor="white", svg__fonttype="path"):
        figure = Figure(
            figsize=(width, _AROUND + chosen.above + _LINE * max(lines, 3)), layout="constrained"
        )
        FigureCanvasAgg(figure)
        chosen.draw(figure, explanation, Wording(explanation.quantity, typographic=True))
        if title:
            letters = int(width * 72 / (_POINTS * LETTER))
            figure.suptitle(textwrap.fill(shortened(title), letters), fontsize=_POINTS)
        return figure_bytes(figure, form)
