"""Remedies that were tried, with what they bring and what they take."""

from __future__ import annotations

from matplotlib.figure import Figure

from rxsim.counted import counted
from rxsim.explain.result import Attempt, Explanation
from rxsim.report.explanation_words import (
    LONGEST,
    LONGEST_REMEDY,
    NOTHING_TO_MEND,
    Wording,
    any_confirmed,
    as_sentence,
    gains_note,
    nothing_was_lost,
)
from rxsim.report.html.page_blocks import Block, Chart, Paragraph, Section, Table
from rxsim.report.html.svg import SvgMaker
from rxsim.report.labels import flat, setting_text, shortened
from rxsim.report.remedies_chart import draw_remedies, lines_of_remedies, shown_remedies
from rxsim.report.style import figure_style

_MOST_ROWS = 200
_MOST_CHANGES = 100
_LINE = 0.165  # inches of a line of text


def remedies_section(explanation: Explanation, words: Wording, maker: SvgMaker) -> Section | None:
    """Return the remedies; None where none was asked for."""
    attempts = explanation.attempts
    if attempts is None:
        return None
    if nothing_was_lost(explanation):
        return Section("remedies", "Remedies", [Paragraph(NOTHING_TO_MEND)])
    if not attempts:
        return Section("remedies", "Remedies", [Paragraph("No remedy applies here.")])
    shown = shown_remedies(attempts)
    title = "Gain of each remedy over the settings as they are"
    with figure_style(9.0, svg__fonttype="none"):
        lines = lines_of_remedies(explanation, wide=True)
        figure = Figure(figsize=(7.2, 0.95 + _LINE * max(lines, 4)), layout="constrained")
        draw_remedies(figure.subplots(), explanation, words)
        said = ", ".join(
            f"{shortened(a.title, LONGEST)} {words.change(a.gain.mean, unit=True)}" for a in shown
        )
        svg = maker.markup(figure, title, f"{title}: {said}.")
    caption = (
        f"{title}, each a run of its own on the same chips and images; thin lines are 95 % intervals. "
        "Beside stand arrays, and ADC conversions for an input."
    )
    if len(shown) < len(attempts):
        caption += f" The best {len(shown)} of {len(attempts)} are drawn."
    if any_confirmed(explanation):
        caption += " A diamond is the confirmed gain."
    blocks: list[Block] = [Chart(svg, caption), _table(explanation, attempts, words)]
    if any_confirmed(explanation):
        blocks.append(
            Paragraph(
                "The best of many tries is flattered by luck; confirmed is the gain on images that had "
                "no part in the choice. It is the number to quote. "
                + as_sentence(gains_note(explanation)),
                note=True,
            )
        )
    if explanation.better is not None:
        blocks.append(_changes(attempts[0], explanation))
    else:
        blocks.append(
            Paragraph("None of them is proven to be better than the settings as they are.")
        )
    return Section("remedies", "Remedies", blocks)


def _table(explanation: Explanation, attempts: tuple[Attempt, ...], words: Wording) -> Table:
    metric = explanation.quantity.metric
    value = f"{metric.label} ({metric.unit})" if metric.unit else metric.label
    gain = f"gain ({words.unit})" if words.unit else "gain"
    confirmed = any_confirmed(explanation)
    changing = [attempt for attempt in attempts if attempt.changes_anything]
    rows = [
        (
            shortened(attempt.title, LONGEST_REMEDY),
            words.change(attempt.gain.mean),
            words.interval(attempt.gain),
            *(_confirmed(attempt, words) if confirmed else ()),
            words.value(attempt.value, unit=False),
            "-" if attempt.arrays is None else f"{attempt.arrays:,}",
            "-" if attempt.conversions is None else f"{attempt.conversions:,}",
        )
        for attempt in changing[:_MOST_ROWS]
    ]
    caption = f"{counted(len(attempts), 'remedy', 'remedies').capitalize()} tried, best first"
    if idle := len(attempts) - len(changing):
        caption += f"; {idle} changed nothing and have no row"
    return Table(
        caption=caption,
        head=(
            *("remedy", gain, "95 %", *(("confirmed", "95 %") if confirmed else ())),
            *(value, "arrays", "ADC conversions"),
        ),
        rows=rows,
        marked=frozenset({0} if explanation.better is not None and changing else ()),
    )


def _confirmed(attempt: Attempt, words: Wording) -> tuple[str, str]:
    gain = attempt.confirmed
    return ("-", "-") if gain is None else (words.change(gain.mean), words.interval(gain))


def _changes(best: Attempt, explanation: Explanation) -> Table:
    """Return what the best remedy changes."""
    before = flat(explanation.settings)
    after = dict(list(flat(best.changes).items())[:_MOST_CHANGES])
    return Table(
        caption=f"What it changes: {shortened(best.title, LONGEST_REMEDY)}",
        head=("setting", "was", "becomes"),
        rows=[
            (
                shortened(name, 80),
                setting_text(name, before[name]) if name in before else _unsaid(name),
                setting_text(name, value),
            )
            for name, value in after.items()
        ],
        text_columns=frozenset({0, 1, 2}),
    )


def _unsaid(name: str) -> str:
    """Say what a setting was that the settings do not hold."""
    return "as in other layers" if name.startswith("layers.") else "its default"
