"""Which effect is to blame, in a sentence: what is proven comes first, and near-ties are told so."""

from __future__ import annotations

from collections.abc import Sequence

from rxsim.counted import counted
from rxsim.estimate import widened
from rxsim.explain.result import EffectRow, EffectsTable, Explanation
from rxsim.report.explanation_words import (
    LONGEST,
    Wording,
    effect_size,
    is_told,
    percent_of,
)
from rxsim.report.labels import shortened

_MOST = 3  # effects that a sentence names
_NOTHING = "No effect takes more than the errors of these numbers"


def worst_effect(explanation: Explanation, words: Wording) -> str:
    """Say which effect costs most; empty where effects were not looked at.

    Args:
        explanation: what is told.
        words: how numbers are written.
    """
    table = explanation.effects
    if table is None or not table.rows:
        return ""
    if explanation.quantity.name == "snr_db" and table.rows[0].noise_share is not None:
        return _noisiest(table)
    harmful = _harmful(explanation, table)
    if not harmful:
        return f"{_NOTHING}."
    first = harmful[0]
    leading = _leading(harmful, table)
    if not leading:
        proven = [row for row in harmful if _is_proven(row, table)]
        are = "is" if len(proven) == 1 else "are"
        said = f"Proven {are} {_listed(proven, words)}" if proven else _NOTHING
        return f"{said}; {_unproven(first, explanation, words)}."
    if len(leading) > 1:
        return f"It comes most from {_listed(leading, words)}, not told apart here{_by_noise(leading)}."
    size, whole = effect_size(first), explanation.all - explanation.floating
    part = "Most of it comes" if size / whole > 0.5 else "The largest part comes"
    return f"{part} from {_with_numbers(first, words)}."


def leading_effects(explanation: Explanation) -> frozenset[str]:
    """Name the effects that are to blame: the first, if proven, and those not told apart from it."""
    table = explanation.effects
    if table is None:
        return frozenset()
    return frozenset(row.name for row in _leading(_harmful(explanation, table), table))


def _harmful(explanation: Explanation, table: EffectsTable) -> list[EffectRow]:
    sign = explanation.quantity.sign
    rows = sorted(table.rows, key=lambda row: sign * effect_size(row))
    return [row for row in rows if sign * effect_size(row) < 0]


def _leading(harmful: Sequence[EffectRow], table: EffectsTable) -> list[EffectRow]:
    if not harmful or not _is_proven(harmful[0], table):
        return []
    close = [row for row in harmful[1:] if row.behind is not None and not row.behind.is_proven]
    return [harmful[0], *close]


def _is_proven(row: EffectRow, table: EffectsTable) -> bool:
    """Tell whether what an effect takes is proven; errors of sampled orders count too."""
    if row.shapley is None:
        ends = (row.alone, row.left_out)
        return any(end.is_proven and end.mean * effect_size(row) > 0 for end in ends)
    return widened(row.shapley, row.sampling_error, max(table.orders // 2 - 1, 1)).is_proven


def _unproven(row: EffectRow, explanation: Explanation, words: Wording) -> str:
    """Say what looks largest and is not proven."""
    share = f", {percent_of(row.noise_share)} % of the output's noise" if _is_part(row) else ""
    on = (
        counted(explanation.chips, "chip")
        if explanation.chips > 1
        else counted(explanation.images, "image")
    )
    numbers = f"{_numbers(row, words)}{share}"
    return f"{_title(row)} looks largest ({numbers}) but is not proven with {on}; take more"


def _by_noise(rows: Sequence[EffectRow]) -> str:
    """Say which of several effects makes most of the output's noise; empty where not known."""
    if not all(_is_part(row) for row in rows):
        return ""
    noisiest = max(rows, key=lambda row: row.noise_share or 0.0)
    share = percent_of(noisiest.noise_share)
    return f"; by noise {_title(noisiest)} comes first ({share} % of the output's)"


def _noisiest(table: EffectsTable) -> str:
    if not all(row.noise_share is None or is_told(row.noise_share) for row in table.rows):
        return (
            "Errors of effects cancel in the output, so no part of its noise is of a single effect."
        )
    noisiest = max(table.rows, key=lambda row: row.noise_share or 0.0)
    share = percent_of(noisiest.noise_share)
    return f"The largest part of the noise comes from {_title(noisiest)} ({share} % of its power)."


def _is_part(row: EffectRow) -> bool:
    return row.noise_share is not None and row.noise_share > 0 and is_told(row.noise_share)


def _listed(rows: Sequence[EffectRow], words: Wording) -> str:
    named = [_with_numbers(row, words) for row in rows[:_MOST]]
    if more := len(rows) - len(named):
        named.append(f"{more} more")
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"


def _with_numbers(row: EffectRow, words: Wording) -> str:
    return f"{_title(row)} ({_numbers(row, words)})"


def _numbers(row: EffectRow, words: Wording) -> str:
    if row.shapley is None:
        alone, left_out = (words.change(change.mean) for change in (row.alone, row.left_out))
        return f"alone {alone}, where all others are on {left_out} {words.unit}".rstrip()
    return f"Shapley {words.with_error(row.shapley, row.sampling_error, unit=True)}"


def _title(row: EffectRow) -> str:
    return shortened(row.title, LONGEST)
