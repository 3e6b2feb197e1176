"""Why accuracy fell, as one HTML page."""

from __future__ import annotations

from rxsim.explain.result import Explanation
from rxsim.report.explanation_verdict import verdict
from rxsim.report.explanation_words import (
    LONGEST,
    Wording,
    as_sentence,
    effect_titles,
    errors_note,
    head_line,
    title_of_effect,
)
from rxsim.report.html.effects_section import effects_section
from rxsim.report.html.layer_costs_section import arrays_section, layer_costs_section
from rxsim.report.html.page import render
from rxsim.report.html.page_blocks import Block, Box, Code, Heading, Paragraph, Section, Terms
from rxsim.report.html.remedies_section import remedies_section
from rxsim.report.html.settings_section import origin_pairs, settings_tables
from rxsim.report.html.svg import SvgMaker
from rxsim.report.json_values import as_text, at
from rxsim.report.labels import clean, flat, shortened, within_text

_LONGEST_SENTENCE = 1000
_MOST_SENTENCES = 50


def build_explanation_page(
    explanation: Explanation, source: str, command: str = "rxsim report"
) -> str:
    """Write the page.

    Args:
        explanation: what is told.
        source: name of the file that it comes from.
        command: how the page was made, as it is shown.

    Returns:
        The page; the same bytes for the same explanation and command.
    """
    maker = SvgMaker()
    words = Wording(explanation.quantity, typographic=True)
    sections = [
        _summary(explanation, words),
        _traps(explanation),
        effects_section(explanation, words, maker),
        layer_costs_section(explanation, words, maker),
        arrays_section(explanation, maker),
        remedies_section(explanation, words, maker),
        _settings(explanation),
        _provenance(explanation, command),
    ]
    name = shortened(as_text(at(explanation.provenance, "model", "name")) or "the network", 80)
    title = f"Why {within_text(explanation.quantity.metric.label)} of {name} changed on crossbars"
    return render(title, source, [section for section in sections if section is not None])


def _summary(explanation: Explanation, words: Wording) -> Section:
    built = words.value(explanation.all)
    if explanation.interval is not None:
        built += f"\n95 % {words.span(*explanation.interval)}"
    figures = [
        ("float32", words.value(explanation.floating)),
        ("hardware without effects", words.value(explanation.none)),
        ("built chips", built),
    ]
    blocks: list[Block] = [
        Paragraph(f"{head_line(explanation)}."),
        Paragraph(" ".join(verdict(explanation, words))),
        Terms(figures, large=True),
        Paragraph(errors_note(explanation, words), note=True),
    ]
    blocks += [Paragraph(text, note=True) for text in _not_told(explanation)]
    sentences = explanation.left_out[:_MOST_SENTENCES]
    if sentences:
        blocks.append(Heading("Remarks"))
        blocks += [Paragraph(shortened(as_sentence(text), _LONGEST_SENTENCE)) for text in sentences]
    return Section("summary", "Summary", blocks)


def _not_told(explanation: Explanation) -> list[str]:
    """Say why a table is not there."""
    said = []
    if explanation.effects is None:
        said.append("Effects were not asked for.")
    elif not explanation.effects.rows:
        said.append("No effect is on in these settings.")
    if explanation.layers is None:
        said.append("Layers were not asked for.")
    elif not explanation.layers.rows:
        said.append("No layer is on crossbars.")
    if explanation.attempts is None:
        said.append("Remedies were not asked for.")
    return said


def _traps(explanation: Explanation) -> Section | None:
    traps = explanation.traps[:_MOST_SENTENCES]
    if not traps:
        return None
    return Section(
        "traps",
        "Known mistakes that were seen",
        [
            Box(
                shortened(trap.name.replace("_", " "), LONGEST),
                shortened(trap.sentence, _LONGEST_SENTENCE),
            )
            for trap in traps
        ],
    )


def _settings(explanation: Explanation) -> Section | None:
    if not explanation.settings:
        return None
    return Section("settings", "Settings", [settings_tables(flat(explanation.settings))])


def _provenance(explanation: Explanation, command: str) -> Section:
    titles = effect_titles(explanation)
    notes = {} if explanation.effects is None else explanation.effects.notes
    pairs = [
        *origin_pairs(explanation.provenance),
        ("networks run over the inputs", f"{explanation.runs:,}"),
        *(
            (f"seconds: {shortened(stage, 40)}", f"{seconds:.1f}")
            for stage, seconds in explanation.seconds.items()
        ),
    ]
    remarks: list[Block] = [
        Paragraph(
            f"Switching off {title_of_effect(name, titles)}: "
            + shortened(as_sentence(note), _LONGEST_SENTENCE),
            note=True,
        )
        for name, note in list(notes.items())[:_MOST_SENTENCES]
    ]
    blocks = [Terms(pairs), *remarks, Heading("Command"), Code("", clean(command))]
    return Section("provenance", "Provenance", blocks)
