"""The verdict of an explanation in plain sentences: what happened, what costs most, and what helps."""

from __future__ import annotations

import math

from rxsim.counted import counted
from rxsim.explain.result import Explanation, LayerRow
from rxsim.report.effects_verdict import worst_effect
from rxsim.report.explanation_words import (
    LONGEST,
    LONGEST_REMEDY,
    Wording,
    gain_to_quote,
    is_told,
    nothing_was_lost,
    percent_of,
    where_confirmed,
    worst_layer,
)
from rxsim.report.labels import shortened


def verdict(explanation: Explanation, words: Wording) -> list[str]:
    """Say in plain sentences what happened, which effect and layer cost most, and what helped."""
    said = [_what_happened(explanation, words)]
    if nothing_was_lost(explanation):
        return said
    for sentence in (
        worst_effect(explanation, words),
        _worst_layer(explanation, words),
        _best_remedy(explanation, words),
        *_remedies_of_traps(explanation, words),
    ):
        if sentence:
            said.append(sentence)
    return said


def _what_happened(explanation: Explanation, words: Wording) -> str:
    label = explanation.quantity.metric.label
    before, after = explanation.floating, explanation.all
    first, last = words.value(before, unit=False), words.value(after)
    if nothing_was_lost(explanation):
        return f"{label} did not get worse: {first} as float32, {last} on the built chips."
    if explanation.quantity.name == "snr_db":
        return f"{label} is {last} on the built chips (float32 counts as {first})."
    verb = "fell" if after < before else "rose"
    sentence = f"{label} {verb} from {first} to {last}"
    if explanation.interval is not None:
        sentence += f" (95 % {words.span(*explanation.interval)})"
    return f"{sentence}."


def _worst_layer(explanation: Explanation, words: Wording) -> str:
    row = worst_layer(explanation)
    if row is None:
        return ""
    name = shortened(row.name, LONGEST)
    if row.all_but is None:
        return _noisiest_layer(explanation)
    if explanation.quantity.sign * row.all_but.mean >= 0 or not row.all_but.is_proven:
        said = "No single layer gives back more than the errors of these numbers"
        told = explanation.layers.rows if explanation.layers else (row,)
        noisiest = max(told, key=_output_noise)
        if _output_noise(noisiest) <= 0 or not is_told(noisiest.output_noise):
            return f"{said}."
        share = percent_of(noisiest.output_noise)
        name = shortened(noisiest.name, LONGEST)
        return f"{said}; layer {name} adds most noise to the output ({share} %)."
    back = f"{words.value(abs(row.all_but.mean), unit=False)} {words.unit}".rstrip()
    return f"Layer {name} costs most: digital, it gives {back} back."


def _noisiest_layer(explanation: Explanation) -> str:
    """Name the layer that adds most noise itself: what came in is not in its SNR with clean inputs."""
    rows = () if explanation.layers is None else explanation.layers.rows
    known = {row.name: row.snr_clean_db for row in rows if row.snr_clean_db is not None}
    name = min(known, key=lambda each: known[each], default="")
    if not name or not math.isfinite(known[name]):
        return ""
    shown = shortened(name, LONGEST)
    return f"Layer {shown} has the lowest SNR with clean inputs ({known[name]:.1f} dB)."


def _output_noise(row: LayerRow) -> float:
    return row.output_noise or 0.0


def _best_remedy(explanation: Explanation, words: Wording) -> str:
    if not explanation.attempts:
        return ""
    best = explanation.attempts[0]
    tried = counted(len(explanation.attempts), "remedy", "remedies")
    finalists = sum(attempt.confirmed is not None for attempt in explanation.attempts)
    of = f"Of {tried} tried" + (
        f" and {counted(finalists, 'finalist')} confirmed" if finalists else ""
    )
    if explanation.better is None:
        return f"{of}, none is proven to help."
    gain = gain_to_quote(best)
    numbers = words.change(gain.mean, unit=True)
    if gain.low is not None:
        numbers += f" (95 % {words.interval(gain)})"
    title = shortened(best.title, LONGEST_REMEDY)
    return f"{of}, the best is: {title}, {numbers} {where_confirmed(best)}".rstrip() + "."


def _remedies_of_traps(explanation: Explanation, words: Wording) -> list[str]:
    """Say what comes of each remedy that a trap advises."""
    said = []
    for attempt in explanation.attempts or ():
        if attempt.trap:
            trap = shortened(attempt.trap.replace("_", " "), LONGEST)
            title = shortened(attempt.title, LONGEST_REMEDY)
            before = words.value(explanation.all, unit=False)
            gain = gain_to_quote(attempt)
            proven = gain.is_proven and gain.mean > 0
            said.append(
                f"The remedy of the trap {trap}: {title}, {before} -> {words.value(attempt.value)}"
                f"{'' if proven else ' (not proven)'}."
            )
    return said
