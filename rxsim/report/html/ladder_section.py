"""From float32 to the crossbars rung by rung, for one point."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from rxsim.report.drawing import draw_range
from rxsim.report.html.compensation_blocks import compensation_blocks
from rxsim.report.html.page_blocks import Block, Chart, Paragraph, Section, Table
from rxsim.report.html.svg import SvgMaker
from rxsim.report.json_values import as_list, as_number, at
from rxsim.report.labels import QUANTITIES, Quantity, clean, shortened
from rxsim.report.material import Chosen, Material
from rxsim.report.style import INK, MUTED, SERIES, figure_style
from rxsim.statistics import chip_interval, population_interval, within

_RUNGS = {
    "float32": "float32",
    "weights": "+ weight levels",
    "ideal": "+ ideal arrays and converters",
    "nonideal": "+ wires and devices",
    "compensated": "+ compensation",
}
_EXPLANATION = (
    "float32 is the network as it came. weights: its weights take the cells' conductance levels. "
    "ideal: arrays, DACs and ADCs with perfect wires and devices. nonideal: programmed chips, wires "
    "solved."
)
_OF_STEPS = (
    " compensated: the same chips with all steps of compensation; each rung with a plus takes one "
    "step more."
)
_AFTER_STEP = "+ "
"""How the rungs after single steps of compensation begin."""

_MOST_RUNGS = 12
_TICK_LETTERS, _TILTED_FROM = 18, 8
# Share of the axes' height that the value below a point takes.
_TEXT_BELOW = 0.06


@dataclass(frozen=True, slots=True, kw_only=True)
class RungNumbers:
    """The numbers of a rung.

    Attributes:
        name: float32, weights, ideal, nonideal, compensated, or that of another scenario.
        mean: of the quantity.
        std: over chips.
        these: 95 % interval for these images.
        new: 95 % interval for new images too.
        each: the value of each chip.
        agreement: with the float network, a share.
        snr_db: of the outputs; None where they are equal or it is not known.
    """

    name: str
    mean: float | None
    std: float | None
    these: tuple[float, float] | None
    new: tuple[float, float] | None
    each: tuple[float, ...]
    agreement: float | None
    snr_db: float | None


def ladder_section(material: Material, maker: SvgMaker) -> Section | None:
    """Return the ladder of the chosen point; None where nothing is known of it."""
    if material.chosen is None:
        return None
    rungs = ladder_numbers(material.chosen, material.quantity)
    if not rungs:
        return None
    steps = compensation_blocks(material.chosen.point.details)
    blocks: list[Block] = [Paragraph(_EXPLANATION + (_OF_STEPS if steps else ""), note=True)]
    table = _table(rungs, material.quantity)
    drawn = [rung for rung in rungs if rung.mean is not None]
    if len(drawn) > 1:
        texts = ", ".join(
            f"{shortened(r.name, 40)} {material.quantity.text(r.mean)}" for r in drawn
        )
        title = f"{material.quantity.label.text} from float32 to the crossbars"
        svg = _chart(drawn, material.quantity, maker, title, texts)
        blocks.append(
            Chart(
                svg,
                f"{title}. Bars are 95 % intervals, for new images too where labels are kept; small "
                "dots are single chips.",
            )
        )
    blocks += [table, *steps]
    return Section("ladder", "The ladder", blocks)


def ladder_numbers(chosen: Chosen, quantity: Quantity) -> list[RungNumbers]:
    """Gather the rungs that are known of a point, float32 first."""
    stored = at(chosen.point.details, "ladder")
    summaries = dict(stored) if isinstance(stored, Mapping) else {}
    if chosen.built is not None:
        summaries[chosen.rung] = chosen.built
    elif chosen.trials:
        summaries[chosen.rung] = None
    known = [name for name in summaries if name in _RUNGS]
    others = [name for name in summaries if name not in _RUNGS][: _MOST_RUNGS - len(known)]
    names = sorted([*known, *others], key=_place)  # rungs of the same place stay in order
    rungs = []
    for name in names:
        if isinstance(summaries[name], Mapping):
            rungs.append(numbers_of(name, summaries[name], quantity))
        elif name == chosen.rung and chosen.trials:
            rungs.append(_from_trials(chosen, quantity))
    return rungs


def _place(name: str) -> int:
    """Return the place of a rung in the ladder; unknown rungs come last."""
    if name.startswith(_AFTER_STEP):
        return 2 * list(_RUNGS).index("nonideal") + 1
    return 2 * list(_RUNGS).index(name) if name in _RUNGS else 2 * len(_RUNGS)


def numbers_of(name: str, summary: Any, quantity: Quantity) -> RungNumbers:
    """Read the numbers of a rung as an evaluation's JSON holds them."""
    measured = at(summary, quantity.name)
    each = [as_number(value) for value in as_list(at(measured, "per_trial"))]
    return RungNumbers(
        name=name,
        mean=as_number(at(measured, "mean")),
        std=as_number(at(measured, "std")),
        these=_bounds(at(measured, "interval_these_images")),
        new=_bounds(at(measured, "interval_new_images")),
        each=tuple(value for value in each if value is not None),
        agreement=as_number(at(summary, "agreement", "mean")),
        snr_db=as_number(at(summary, "snr_db", "mean")),
    )


def _from_trials(chosen: Chosen, quantity: Quantity) -> RungNumbers:
    each = _known(trial.values.get(quantity.name) for trial in chosen.trials)
    values = np.array(each)
    these = within(chip_interval(values), quantity.low, quantity.high)
    new = None
    hits = [trial.hits for trial in chosen.trials if trial.hits is not None]
    if quantity.name == "accuracy" and hits and len({len(row) for row in hits}) == 1:
        new = within(population_interval(np.stack(hits)), quantity.low, quantity.high)
    agreement = _known(trial.values.get("agreement") for trial in chosen.trials)
    snr = _known(trial.values.get("snr_db") for trial in chosen.trials)
    return RungNumbers(
        name=chosen.rung,
        mean=float(values.mean()) if each else None,
        std=float(values.std(ddof=1)) if len(each) > 1 else None,
        these=None if these is None else (these.low, these.high),
        new=None if new is None else (new.low, new.high),
        each=tuple(each),
        agreement=float(np.mean(agreement)) if agreement else None,
        snr_db=float(np.mean(snr)) if snr else None,
    )


def _known(values: Any) -> list[float]:
    numbers = [as_number(value) for value in values]
    return [number for number in numbers if number is not None]


def _bounds(value: Any) -> tuple[float, float] | None:
    numbers = [as_number(part) for part in as_list(value)]
    if len(numbers) != 2 or numbers[0] is None or numbers[1] is None:
        return None
    return numbers[0], numbers[1]


def _table(rungs: Sequence[RungNumbers], quantity: Quantity) -> Table:
    head = (
        *("rung", clean(quantity.label.full), "change", "std over chips"),
        *("95 %, these images", "95 %, new images too", "agreement (%)", "SNR (dB)"),
    )
    agreement, decibel = QUANTITIES["agreement"], QUANTITIES["snr_db"]
    rows = []
    for number, rung in enumerate(rungs):
        before = rungs[number - 1].mean if number else None
        change = None if rung.mean is None or before is None else rung.mean - before
        rows.append(
            (
                shortened(rung.name, 40),
                quantity.text(rung.mean, unit=False),
                "-" if change is None else signed(change, quantity),
                quantity.text(rung.std, unit=False),
                quantity.span(rung.these),
                quantity.span(rung.new),
                agreement.text(rung.agreement, unit=False),
                # Equal outputs have no noise: the float network against itself.
                "∞" if rung.name == "float32" else decibel.text(rung.snr_db, unit=False),
            )
        )
    return Table(caption="The rungs", head=head, rows=rows)


def signed(change: float, quantity: Quantity) -> str:
    """Write a change of a quantity without its unit."""
    text = quantity.text(abs(change), unit=False)
    if float(text) == 0:
        return text
    return ("+" if change > 0 else "\N{MINUS SIGN}") + text


def _tick(name: str) -> str:
    """Write a rung below the axis, on a few short lines."""
    return textwrap.fill(_RUNGS.get(name) or shortened(name, 40), _TICK_LETTERS)


def _colour(name: str) -> str:
    """Return the colour of a rung: without circuit, with it, and with compensation."""
    if name == "compensated" or name.startswith(_AFTER_STEP):
        return SERIES[2]
    return SERIES[1] if name == "nonideal" else SERIES[0]


def _chart(
    rungs: Sequence[RungNumbers], quantity: Quantity, maker: SvgMaker, title: str, text: str
) -> Any:
    factor = quantity.label.factor
    with figure_style(9.0, svg__fonttype="none"):
        figure = Figure(figsize=(7.2, 2.9), layout="constrained")
        axes = figure.subplots()
        places = np.arange(len(rungs))
        means = np.array([rung.mean or 0.0 for rung in rungs]) * factor
        axes.plot(places, means, color=MUTED, linewidth=0.8, linestyle=(0, (3, 2)), zorder=1)
        ends: list[float] = []
        for place, rung in zip(places, rungs, strict=True):
            assert rung.mean is not None
            colour = _colour(rung.name)
            bounds = rung.new or rung.these
            ends += [rung.mean, *(bounds or ()), *rung.each]
            if bounds is not None:
                axes.vlines(
                    place,
                    bounds[0] * factor,
                    bounds[1] * factor,
                    color=colour,
                    linewidth=5,
                    alpha=0.3,
                )
            each = np.array(rung.each[:400]) * factor
            if len(each) > 1:
                axes.plot(np.full(len(each), place + 0.1), each, ".", color=colour, markersize=3)
            axes.plot(place, rung.mean * factor, "o", color=colour, markersize=6)
            axes.annotate(
                quantity.text(rung.mean),
                (place, rung.mean * factor),
                xytext=(-7, -5),
                textcoords="offset points",
                ha="right",
                va="top",
                color=INK,
            )
        axes.set_xticks(places, [_tick(rung.name) for rung in rungs])
        if len(rungs) >= _TILTED_FROM:
            axes.tick_params(axis="x", rotation=40)
        axes.set_xlim(-0.55, len(rungs) - 0.6)
        axes.grid(False, axis="x")
        axes.set_ylabel(quantity.label.full)
        draw_range(axes, ends, quantity)
        low, high = axes.get_ylim()
        axes.set_ylim(
            low - _TEXT_BELOW * (high - low), high
        )  # the lowest point has its value below
        return maker.markup(figure, title, f"{title}: {text}.")
