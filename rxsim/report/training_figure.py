"""A figure of a training for a paper: its losses or its right outputs against iterations."""

from __future__ import annotations

import textwrap

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rxsim.errors import InputError
from rxsim.report.drawing import LETTER
from rxsim.report.figure import check_form
from rxsim.report.labels import shortened
from rxsim.report.style import figure_bytes, figure_style
from rxsim.report.training_charts import TRAINING_QUANTITIES, draw_training, has_line
from rxsim.report.training_values import read_training

_POINTS = 8.0
_INCH_MM = 25.4
_HIGH = 0.62  # height over width


def check_training_figure(x: str | None, quantity: str, width_mm: float, form: str) -> None:
    """Refuse options that are wrong whatever the training is.

    Raises:
        InputError: another axis, an unknown quantity or kind of file, or a width that fits no page.
    """
    if x not in (None, "iteration"):
        raise InputError(f"--x: found {shortened(x)!r}, expected iteration for a training")
    if quantity not in TRAINING_QUANTITIES:
        raise InputError(
            f"--y: found {shortened(quantity)!r}, expected {' or '.join(TRAINING_QUANTITIES)} for a "
            "training"
        )
    check_form(form, width_mm)


def draw_training_figure(
    content: object,
    where: str,
    quantity: str,
    form: str,
    *,
    width_mm: float,
    title: str | None = None,
) -> bytes:
    """Draw a figure of a training.

    Args:
        content: JSON as `rxsim retrain --json` writes it, parsed.
        where: name of its file.
        quantity: loss or accuracy.
        form: pdf, svg or png.
        width_mm: of the figure.
        title: above it.

    Returns:
        The file's bytes, the same for the same training.

    Raises:
        InputError: there is nothing to draw.
    """
    training, shown = read_training(content), TRAINING_QUANTITIES[quantity]
    if training is None or not has_line(training, shown):
        raise InputError(
            f"{where}: found a training without a curve of {quantity}, expected one; write it anew "
            "with 'rxsim retrain --json'"
        )
    width = width_mm / _INCH_MM
    with figure_style(_POINTS, figure__facecolor="white", svg__fonttype="path"):
        figure = Figure(figsize=(width, width * _HIGH), layout="constrained")
        FigureCanvasAgg(figure)
        draw_training(figure.subplots(), training, shown)
        if title:
            letters = int(width * 72 / (_POINTS * LETTER))
            figure.suptitle(textwrap.fill(shortened(title), letters), fontsize=_POINTS)
        return figure_bytes(figure, form)
