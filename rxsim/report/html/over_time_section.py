"""The built chips at several times after programming, for an evaluation that has them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup
from matplotlib.figure import Figure

from rxsim.durations import written
from rxsim.report.curves import Curve, Mean
from rxsim.report.drawing import draw_curves, draw_range, draw_reference
from rxsim.report.html.ladder_section import RungNumbers, numbers_of, signed
from rxsim.report.html.page_blocks import Block, Chart, Paragraph, Section, Table
from rxsim.report.html.svg import SvgMaker
from rxsim.report.json_values import as_list, as_number, as_text, at
from rxsim.report.labels import Quantity, clean, setting_text, shortened, within_text
from rxsim.report.material import Material
from rxsim.report.scales import Axis, axis_of
from rxsim.report.style import figure_style

_MOST_TIMES = 200


def over_time_section(material: Material, maker: SvgMaker) -> Section | None:
    """Return the built chips at each time; None where there are not several times."""
    point = None if material.chosen is None else material.chosen.point
    quantity = material.quantity
    rungs = _by_time(None if point is None else at(point.details, "over_time"), quantity)
    if point is None or len(rungs) < 2:
        return None
    floating = at(point.details, "ladder", "float32", quantity.name, "mean")
    blocks: list[Block] = [Paragraph(_circumstances(point.settings))]
    known = {seconds: rung for seconds, rung in rungs.items() if rung.mean is not None}
    if len(known) > 1:
        axis = axis_of("device.time", known)
        title = f"{quantity.label.text} against {within_text(axis.label.text)}"
        svg = _chart(axis, known, quantity, as_number(floating), maker, title)
        blocks.append(Chart(svg, f"{title}, with 95 % intervals for these images."))
    blocks.append(_table(rungs, as_number(floating), quantity))
    return Section("over-time", "Over time", blocks)


def _by_time(stored: Any, quantity: Quantity) -> dict[float, RungNumbers]:
    """Read what an evaluation holds, by time, rising; what can't be read is left out."""
    rungs = {}
    for item in as_list(stored)[:_MOST_TIMES]:
        seconds = as_number(at(item, "time"))
        if seconds is not None and math.isfinite(seconds) and seconds >= 0:
            rungs[seconds] = numbers_of(written(seconds), item, quantity)
    return dict(sorted(rungs.items()))


def _circumstances(settings: Mapping[str, Any]) -> str:
    """Say what holds at all times, as the terminal does."""
    compensation = as_text(at(settings, "drift_compensation")) or "none"
    refresh = as_number(at(settings, "device", "refresh"))
    again = "never" if refresh is None else f"every {setting_text('device.refresh', refresh)}"
    return (
        f"The same chips at each time. Drift compensation: {shortened(compensation, 40)}; programmed "
        f"anew: {again}."
    )


def _chart(
    axis: Axis,
    rungs: Mapping[float, RungNumbers],
    quantity: Quantity,
    reference: float | None,
    maker: SvgMaker,
    title: str,
) -> Markup:
    means = {
        place: Mean(rung.mean or 0.0, rung.these, 1, len(rung.each))
        for place, rung in enumerate(rungs.values())
    }
    ends = [bound for mean in means.values() for bound in (mean.bounds or (mean.mean,))]
    with figure_style(9.0, svg__fonttype="none"):
        figure = Figure(figsize=(7.2, 3.2), layout="constrained")
        axes = figure.subplots()
        draw_curves(axes, axis, [Curve("", means)], quantity)
        draw_reference(axes, reference, quantity)
        draw_range(axes, ends + ([] if reference is None else [reference]), quantity)
        texts = [
            f"{time} {quantity.text(mean.mean)}"
            for time, mean in zip(axis.tick_texts, means.values(), strict=True)
        ]
        return maker.markup(figure, title, f"{title}: {', '.join(texts)}.")


def _table(rungs: Mapping[float, RungNumbers], floating: float | None, quantity: Quantity) -> Table:
    start = rungs[0.0].mean if 0.0 in rungs else floating
    against = "0 s" if 0.0 in rungs else "float32"
    head = (
        *("time", clean(quantity.label.full), f"against {against}", "std over chips"),
        *("95 %, these images", "95 %, new images too", "chips"),
    )
    rows: list[Sequence[str]] = []
    for rung in rungs.values():
        change = None if rung.mean is None or start is None else rung.mean - start
        rows.append(
            (
                rung.name,
                quantity.text(rung.mean, unit=False),
                "-" if change is None else signed(change, quantity),
                quantity.text(rung.std, unit=False),
                quantity.span(rung.these),
                quantity.span(rung.new),
                f"{len(rung.each):,}",
            )
        )
    return Table(caption="The times", head=head, rows=rows)
