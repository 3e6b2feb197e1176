"""An explanation on the terminal: the verdict first, then traps, effects, layers and remedies."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from rich.console import Console, JustifyMethod
from rich.markup import escape
from rich.table import Table

from rxsim.counted import counted
from rxsim.explain.result import EffectsTable, Explanation, LayerRow, LayersTable
from rxsim.report.console import print_seconds, standard_console
from rxsim.report.explanation_verdict import verdict
from rxsim.report.explanation_words import (
    EFFECTS_NOISE_NOTE,
    HIGHEST_DB_NOTE,
    LAYER_NOTES,
    LONGEST,
    MOST_NOISE_BY,
    Wording,
    as_sentence,
    decibel_of,
    effect_titles,
    errors_note,
    head_line,
    is_told,
    marked_layers,
    needs_noise_note,
    noise_part,
    nothing_was_lost,
    percent_of,
    title_of_effect,
)
from rxsim.report.labels import shortened
from rxsim.report.remedies_terminal import print_remedies

_ANY_WIDTH = 10_000
_SAID_ABOVE = "nothing to mend"  # the remedies' own line says so
_Columns = Mapping[str, Callable[[LayerRow], str]]


def print_explanation(explanation: Explanation, console: Console | None = None) -> None:
    """Print why accuracy fell.

    Args:
        explanation: what is told.
        console: where; standard output where left out.
    """
    console = console or standard_console()
    words = Wording(explanation.quantity)
    _say(head_line(explanation), console)
    _say(" ".join(verdict(explanation, words)), console, "bold")
    for trap in explanation.traps:
        _say(f"Trap: {trap.sentence}", console, "yellow")
    if explanation.effects is not None:
        console.print(_effects_table(explanation, explanation.effects, words))
        titles = effect_titles(explanation)
        for name, note in explanation.effects.notes.items():
            _say(f"Note on {title_of_effect(name, titles)}: {as_sentence(note)}", console)
        if needs_noise_note(explanation):
            _say(f"noise %: {EFFECTS_NOISE_NOTE}.", console)
        if explanation.quantity.name == "snr_db":
            _say(as_sentence(HIGHEST_DB_NOTE), console)
    if explanation.layers is not None:
        for table in _layer_tables(explanation, explanation.layers, words, console):
            console.print(table)
        for column, note in LAYER_NOTES.items():
            _say(f"{column}: {note}.", console)
    print_remedies(explanation, words, console)
    _say(errors_note(explanation, words), console)
    for sentence in explanation.left_out:
        if sentence.startswith(_SAID_ABOVE) and nothing_was_lost(explanation):
            continue
        _say(f"Note: {as_sentence(sentence)}", console)
    _say(f"{counted(explanation.runs, 'network')} run over the inputs.", console)
    print_seconds(explanation.seconds, console)


def _say(text: str, console: Console, style: str | None = None) -> None:
    console.print(text, style=style, markup=False, soft_wrap=not console.is_terminal)


def _effects_table(explanation: Explanation, effects: EffectsTable, words: Wording) -> Table:
    table = Table(title=f"What each effect does: {words.name}", title_justify="left")
    table.add_column("effect", overflow="fold")
    for title in ("alone", "left out", "added", "Shapley", "noise %"):
        table.add_column(title, justify="right", overflow="fold")
    for row in effects.rows:
        table.add_row(
            escape(shortened(row.title, LONGEST)),
            words.maybe(row.alone),
            words.maybe(row.left_out),
            words.maybe(row.added),
            words.with_error(row.shapley, row.sampling_error),
            noise_part(row.noise_share),
        )
    whole = words.change(explanation.all - explanation.none)
    known = effects.rows and all(row.shapley is not None for row in effects.rows)
    table.add_section()
    shares = effects.rows and all(is_told(row.noise_share) for row in effects.rows)
    table.add_row("all of them", "", "", whole, whole if known else "-", "100" if shares else "-")
    return table


def _layer_tables(
    explanation: Explanation, layers: LayersTable, words: Wording, console: Console
) -> list[Table]:
    """Return one table, or two where names and numbers do not fit beside each other."""
    titles = effect_titles(explanation)
    costs: _Columns = {
        "only it": lambda row: words.maybe(row.only),
        "all but it": lambda row: words.with_error(row.all_but),
        "output noise %": lambda row: noise_part(row.output_noise),
    }
    fares: _Columns = {
        "SNR clean": lambda row: decibel_of(row.snr_clean_db),
        "SNR": lambda row: decibel_of(row.snr_db),
        "DAC clips %": lambda row: percent_of(row.dac_clipping),
        "ADC clips %": lambda row: percent_of(row.adc_clipping),
        MOST_NOISE_BY: lambda row: escape(title_of_effect(row.dominant, titles)),
    }
    marked = marked_layers(explanation)
    costs_title = f"What each layer costs: {words.name}"
    if marked:
        costs_title += "; the worst are marked *"
    fares_title = f"How each layer fares (first chip, {counted(layers.inputs, 'input')})"
    whole = _layer_table(costs_title, layers, {**costs, **fares}, marked)
    if (
        console.measure(whole, options=console.options.update(width=_ANY_WIDTH)).maximum
        <= console.width
    ):
        return [whole]
    return [
        _layer_table(costs_title, layers, costs, marked),
        _layer_table(fares_title, layers, fares, marked),
    ]


def _layer_table(
    title: str, layers: LayersTable, columns: _Columns, marked: Collection[str]
) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("layer", overflow="fold")
    for name in columns:
        justify: JustifyMethod = "left" if name == MOST_NOISE_BY else "right"
        table.add_column(name, justify=justify, overflow="fold")
    for row in layers.rows:
        is_marked = row.name in marked
        cells = [write(row) for write in columns.values()]
        name = escape(shortened(row.name, LONGEST))
        table.add_row(
            f"* {name}" if is_marked else name, *cells, style="bold" if is_marked else None
        )
    return table
