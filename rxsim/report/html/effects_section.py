"""What each effect does: the waterfall and its numbers."""

from __future__ import annotations

from matplotlib.figure import Figure

from rxsim.counted import counted
from rxsim.explain.result import EffectsTable, Explanation
from rxsim.report.effects_verdict import leading_effects
from rxsim.report.explanation_words import HIGHEST_DB_NOTE, LONGEST, Wording, as_sentence
from rxsim.report.html.page_blocks import Block, Chart, Paragraph, Section, Table
from rxsim.report.html.svg import SvgMaker
from rxsim.report.labels import shortened
from rxsim.report.style import figure_style
from rxsim.report.waterfall import by_shapley, draw_waterfall, waterfall_steps

_MOST_ROWS = 100
_METHODS = {
    "exact": "Shapley values are exact: every set of effects was run.",
    "none": "There was no time for Shapley values: effects stand in the order of being added.",
}


def effects_section(explanation: Explanation, words: Wording, maker: SvgMaker) -> Section | None:
    """Return the effects; None where they were not looked at."""
    effects = explanation.effects
    if effects is None or not effects.rows:
        return None
    steps = waterfall_steps(explanation)
    label = explanation.quantity.metric.label
    title = f"{label} from float32 to the built chips, effect by effect"
    with figure_style(9.0, svg__fonttype="none"):
        figure = Figure(figsize=(7.2, 0.7 + 0.25 * len(steps)), layout="constrained")
        draw_waterfall(figure.subplots(), explanation, words)
        said = ", ".join(
            f"{shortened(step.title, LONGEST)} {words.value(step.end)}" for step in steps
        )
        svg = maker.markup(figure, title, f"{title}: {said}.")
    order = (
        "Bars are Shapley values, what costs most first"
        if by_shapley(explanation)
        else "Bars are what each effect changes where it is added to those before it"
    )
    caveat = f" {as_sentence(HIGHEST_DB_NOTE)}" if explanation.quantity.name == "snr_db" else ""
    blocks: list[Block] = [
        Paragraph(
            "alone: only this effect is on. left out: what it changes where all others are on. added: "
            "what it changes after those above it. Shapley: the mean over all orders of adding.",
            note=True,
        ),
        Chart(svg, f"{title}. {order}; thin lines are 95 % intervals.{caveat}"),
        _table(explanation, effects, words),
        Paragraph(_method(effects), note=True),
    ]
    return Section("effects", "By effect", blocks)


def _method(effects: EffectsTable) -> str:
    sets = f" {counted(effects.coalitions, 'set')} of effects in all."
    if effects.method == "sampled":
        return (
            f"Shapley values come from {counted(effects.orders, 'order')} of adding, each with its "
            f"reverse; their error has a column.{sets}"
        )
    return _METHODS.get(effects.method, "") + sets


def _table(explanation: Explanation, effects: EffectsTable, words: Wording) -> Table:
    sampled = effects.method == "sampled"
    head = (
        *("effect", "alone", "left out", "added", "Shapley", "standard error", "95 %"),
        *(("error of the orders",) if sampled else ()),
    )
    rows = []
    shown = effects.rows[:_MOST_ROWS]
    for row in shown:
        value = row.shapley
        error = None if value is None else value.standard_error
        rows.append(
            (
                shortened(row.title, LONGEST),
                *(words.change(change.mean) for change in (row.alone, row.left_out, row.added)),
                words.maybe(value),
                "-" if error is None else words.value(error, unit=False),
                "-" if value is None else words.interval(value),
                *((words.value(row.sampling_error, unit=False),) if sampled else ()),
            )
        )
    whole = words.change(explanation.all - explanation.none)
    shapley = whole if by_shapley(explanation) else "-"
    empty = ("",) * (3 if sampled else 2)
    rows.append(("all of them", "", "", whole, shapley, *empty))
    leading = leading_effects(explanation)
    marked = frozenset(place for place, row in enumerate(shown) if row.name in leading)
    caption = f"What each effect changes: {words.name}"
    if len(shown) < len(effects.rows):
        caption += f" (the first {len(shown)} of {len(effects.rows)})"
    return Table(caption=caption, head=head, rows=rows, marked=marked)
