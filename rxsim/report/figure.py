"""A figure for a two-column paper: a quantity along one setting, a line for each value of another."""

from __future__ import annotations

import difflib
import json
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rxsim.counted import counted
from rxsim.durations import seconds_of
from rxsim.errors import InputError
from rxsim.report.curves import Curve, curve, curves_by, grouped, levels_of
from rxsim.report.drawing import LETTER, draw_curves, draw_range, draw_reference, shared_reference
from rxsim.report.labels import QUANTITIES, Quantity, label_of, setting_text, shortened, value_text
from rxsim.report.material import Material, Row, common_settings
from rxsim.report.scales import Axis
from rxsim.report.style import SERIES, figure_bytes, figure_style, legend
from rxsim.report.tied import tied_label, with_tied
from rxsim.store import level_key

COLUMN_MM = 89.0
"""Width of a column of Nature and of IEEE Transactions."""
FORMATS = ("pdf", "svg", "png")
_INCH_MM = 25.4
_INCH_POINTS = 72.0
_POINTS = 8.0
# Assumption: the share of the figure's width that a title has above axes with labels to their left.
_TITLE = 0.8
_SMALLEST_MM, _LARGEST_MM = 30.0, 1000.0


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Plot:
    """What a figure shows.

    Attributes:
        x: setting along the horizontal axis.
        y: quantity along the vertical axis.
        by: setting with a line for each of its values; None: a single line.
        where: value of a setting as text -> only points with it.
        mean: average over the other settings that vary.
        width_mm: of the figure.
        title: above it.
        log: force a logarithmic or a linear x axis; None: as the values lie.
    """

    x: str
    y: str = "accuracy"
    by: str | None = None
    where: tuple[tuple[str, str], ...] = ()
    mean: bool = False
    width_mm: float = COLUMN_MM
    title: str | None = None
    log: bool | None = None


def check_plot(plot: Plot, form: str) -> None:
    """Refuse options that are wrong whatever the results are.

    Raises:
        InputError: an unknown quantity or kind of file, or a width that fits no page.
    """
    if plot.y not in QUANTITIES:
        near = difflib.get_close_matches(plot.y, QUANTITIES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(QUANTITIES)}"
        raise InputError(f"--y: found {shortened(plot.y)!r}, which is no measured quantity; {hint}")
    check_form(form, plot.width_mm)
    if plot.by == plot.x:
        raise InputError(f"--by: found {plot.x}, which is --x as well; leave --by out")


def check_form(form: str, width_mm: float) -> None:
    """Refuse kinds of files that can't be drawn, and widths that fit no page.

    Raises:
        InputError: it is one of these.
    """
    if form not in FORMATS:
        raise InputError(
            f"-o: found a file name that ends in {shortened(form)!r}, expected .pdf, .svg or .png"
        )
    if not _SMALLEST_MM <= width_mm <= _LARGEST_MM:
        raise InputError(
            f"--width: found {width_mm:g}, expected {_SMALLEST_MM:g} to {_LARGEST_MM:g} mm"
        )


def draw_figure(material: Material, plot: Plot, form: str) -> bytes:
    """Draw a figure of a results file.

    Args:
        material: with the quantity of `plot.y`.
        plot: what is shown.
        form: pdf, svg or png.

    Returns:
        The file's bytes, the same for the same points.

    Raises:
        InputError: a name is unknown or does not vary, or points differ in more than x and by.
    """
    chosen = chosen_rows(material, plot)
    rows = [row for row in chosen if row.mean is not None]
    if not rows:
        failed = any(row.failed for row in chosen)
        raise InputError(
            f"--y: no chosen point has a value of {plot.y}, expected one at least; choose another "
            "--y or --where" + (", or see the failures with 'rxsim report'" if failed else "")
        )
    axis = with_tied(levels_of(rows, plot.x, log=plot.log), rows, material.more)
    if plot.log and not axis.numeric:
        raise InputError(f"--log-x: found {plot.x} with values that are no numbers; leave it out")
    if plot.log and axis.places[0] <= 0:
        raise InputError(
            f"--log-x: found {axis.texts[0]} among the values of {plot.x}, expected all above 0; "
            "use --linear-x, or leave it out with --where"
        )
    if plot.by is None:
        curves = [curve(rows, axis, material.quantity)]
    else:
        curves = curves_by(rows, axis, [plot.by], material.quantity)
        if len(curves) > len(SERIES):
            raise InputError(
                f"--by: found {counted(len(curves), 'value')} of {plot.by}, expected at most "
                f"{len(SERIES)} to "
                "tell apart; choose some with --where, or exchange --x and --by"
            )
    reference = shared_reference([row.reference for row in rows])
    by = "" if plot.by is None else tied_label(rows, plot.by, material.more).text
    return _drawn(axis, curves, material.quantity, reference, plot, by, form)


def chosen_rows(material: Material, plot: Plot) -> list[Row]:
    """Return the points of a figure.

    Raises:
        InputError: see `draw_figure`.
    """
    names = material.names
    for option, name in (
        ("--x", plot.x),
        ("--by", plot.by),
        *(("--where", n) for n, _ in plot.where),
    ):
        if name is not None and name not in (*names, *material.more):
            raise InputError(_does_not_vary(option, name, material))
    rows = list(material.rows)
    wanted: dict[str, list[str]] = {}
    for name, text in plot.where:
        wanted.setdefault(name, []).append(text)
    for name, texts in wanted.items():
        rows = _where(rows, name, texts)
    others = [n for n in names if n not in (plot.x, plot.by) and len(levels_of(rows, n)) > 1]
    if not plot.mean:
        _check_others(rows, others, plot)
    if len(levels_of(rows, plot.x)) < 2:
        raise InputError(f"--where leaves one value of --x {plot.x}; choose more points")
    return rows


def _check_others(rows: Sequence[Row], others: Sequence[str], plot: Plot) -> None:
    """Refuse several points at the same place of a figure, which only an average could show."""
    axes = [plot.x] if plot.by is None else [plot.x, plot.by]
    crowded = [points for points in grouped(rows, axes).values() if len(points) > 1]
    if crowded:
        differing = [n for n in others if any(len(levels_of(points, n)) > 1 for points in crowded)]
        first = differing[0]
        lines = ", draw lines with --by" if plot.by is None else ""
        example = setting_text(first, rows[0].settings.get(first))
        raise InputError(
            f"points differ in {_listed(differing)} besides {_listed(axes)}; choose with "
            f"--where {first}={example}{lines}, or average with --mean"
        )


def _where(rows: Sequence[Row], name: str, texts: Sequence[str]) -> list[Row]:
    """Keep points whose value of a setting is among the given texts."""
    kept = [row for row in rows if any(_is(name, row.settings.get(name), text) for text in texts)]
    for text in texts:
        if not any(_is(name, row.settings.get(name), text) for row in rows):
            axis = levels_of(rows, name)
            values = ", ".join(axis.texts[:8]) + (", .." if len(axis) > 8 else "")
            raise InputError(
                f"--where {name}: found {shortened(text)!r}, which no chosen point has, expected one "
                f"of {values}"
            )
    return kept


def _is(name: str, value: Any, text: str) -> bool:
    """Tell whether text names a value: as it is shown, or as YAML and JSON write it."""
    if value is None:
        return text in ("none", "null")
    if isinstance(value, int | float) and not isinstance(value, bool):
        if label_of(name).duration and (seconds := seconds_of(text)) is not None:
            return level_key(value) == level_key(seconds) or setting_text(name, value) == text
        try:
            return level_key(value) == level_key(float(text)) or value_text(value) == text
        except ValueError:
            return False
    return text in (value_text(value), value) or text == json.dumps(value, default=str)


def _does_not_vary(option: str, name: str, material: Material) -> str:
    """Say why a name can't be an axis: it is unknown, or all points have the same value."""
    shown = shortened(name)
    known: dict[str, Any] = {} if material.chosen is None else _settings_of(material)
    varies = (
        f"what varies is {_listed(material.names)}"
        if material.names
        else "nothing varies in the file"
    )
    if name in known:
        return (
            f"{option}: {shown} is {setting_text(name, known[name])} in all points, expected a setting "
            f"that varies; {varies}"
        )
    near = difflib.get_close_matches(name, [*material.names, *material.more, *known], n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"{option}: found {shown!r}, which is no setting; {hint}{varies}"


def _settings_of(material: Material) -> dict[str, Any]:
    assert material.chosen is not None
    point = material.chosen.point
    return {**common_settings(material), "model": point.model, "data": point.data}


def _listed(names: Iterable[str]) -> str:
    return ", ".join(shortened(name) for name in names)


def _drawn(
    axis: Axis,
    curves: Sequence[Curve],
    quantity: Quantity,
    reference: float | None,
    plot: Plot,
    by: str,
    form: str,
) -> bytes:
    width = plot.width_mm / _INCH_MM
    with figure_style(
        _POINTS,
        figure__facecolor="white",
        svg__fonttype="path",
        lines__linewidth=1.0,
        lines__markersize=3.2,
    ):
        figure = Figure(figsize=(width, width * 0.68), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        handles = draw_curves(axes, axis, curves, quantity)
        draw_reference(axes, reference, quantity)
        means = [mean for each in curves for mean in each.means.values()]
        ends = [bound for mean in means for bound in (mean.bounds or (mean.mean,))]
        draw_range(axes, ends + ([] if reference is None else [reference]), quantity)
        if plot.by is not None:
            labels = [shortened(each.label, 32) for each in curves]
            legend(axes, handles, labels, by, loc="best")
        if plot.title:
            # Matplotlib's own wrapping reads mathematics between dollars, whatever it is told.
            letters = max(int(_TITLE * width * _INCH_POINTS / (_POINTS * LETTER)), 1)
            axes.set_title(textwrap.fill(shortened(plot.title), letters))
        return figure_bytes(figure, form)
