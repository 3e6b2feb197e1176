"""An explanation in words: values, changes with their errors, and the verdict in plain sentences."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rxsim.counted import counted
from rxsim.explain.estimate import Estimate
from rxsim.explain.quantity import Quantity
from rxsim.explain.result import EffectRow, Explanation, LayerRow
from rxsim.report.json_values import as_number, as_text, at
from rxsim.report.labels import shortened, within_text

LONGEST = 60
"""Letters of a layer's or an effect's name in a sentence or a cell."""
LONGEST_REMEDY = 240
"""Letters of a remedy's title there; several remedies together are one."""
TOGETHER = " + "
"""Between the titles of remedies that are taken together."""
MOST_NOISE_BY = "most noise by"
"""Heading of the effect that makes most of a layer's noise."""
LAYER_NOTES = {
    "output noise": "the mean of what this layer makes alone and of what goes without it; layers share "
    "noise, so they need not add up to 100 %, and where errors cancel it can be negative",
    MOST_NOISE_BY: "of the noise at the layer's own output; a loss that all its columns share is noise "
    "too, though it need not cost accuracy",
}
"""By column of the layers' table what its numbers are."""
NOTHING_TO_MEND = "Nothing was lost, so there is nothing to mend."
_MARKED = 3  # layers that stand out, a third of them at most


@dataclass(frozen=True, slots=True)
class Wording:
    """How numbers of a quantity are written.

    Attributes:
        quantity: what is explained.
        typographic: with a true minus and plus-minus, as on a page; else ASCII, as on a terminal.
    """

    quantity: Quantity
    typographic: bool = False

    @property
    def unit(self) -> str:
        """Unit of changes: points for percent; empty for numbers without a unit."""
        unit = self.quantity.metric.unit
        return "points" if unit == "%" else unit

    @property
    def name(self) -> str:
        """The quantity and the unit of its changes, for a heading."""
        label = self.quantity.metric.label
        return f"{label} ({self.unit})" if self.unit else label

    def value(self, value: float, *, unit: bool = True) -> str:
        """Write a value of the quantity."""
        text = self._signed(value)
        return f"{text} {self.quantity.metric.unit}".rstrip() if unit else text

    def change(self, change: float, *, unit: bool = False) -> str:
        """Write a change with its sign."""
        text = self._signed(change, plus="+")
        return f"{text} {self.unit}".rstrip() if unit else text

    def maybe(self, change: Estimate | None) -> str:
        """Write the mean of a change; a dash where there is none."""
        return "-" if change is None else self.change(change.mean)

    def with_error(
        self, change: Estimate | None, sampling: float = 0.0, *, unit: bool = False
    ) -> str:
        """Write a change with its standard error, sampled orders included."""
        if change is None:
            return "-"
        text = self.change(change.mean)
        if change.standard_error is not None:
            error = math.hypot(change.standard_error, sampling)
            text += f" {'±' if self.typographic else '+-'} {self._signed(error)}"
        return f"{text} {self.unit}".rstrip() if unit else text

    def span(self, low: float | None, high: float | None, *, plus: str = "") -> str:
        """Write an interval; a dash where there is none."""
        if low is None or high is None:
            return "-"
        return f"{self._signed(low, plus=plus)} to {self._signed(high, plus=plus)}"

    def interval(self, change: Estimate) -> str:
        """Write the 95 % interval of a change."""
        return self.span(change.low, change.high, plus="+")

    def _signed(self, value: float, plus: str = "") -> str:
        text = self.quantity.metric.figure_text(abs(value))
        if float(text) == 0:
            return text
        minus = "\N{MINUS SIGN}" if self.typographic else "-"
        return (minus if value < 0 else plus) + text


def head_line(explanation: Explanation) -> str:
    """Say what was run: network, arrays, data, chips."""
    provenance, crossbar = explanation.provenance, at(explanation.settings, "crossbar")
    network = shortened(as_text(at(provenance, "model", "name")) or "unnamed network", LONGEST)
    rows, columns = as_number(at(crossbar, "rows")), as_number(at(crossbar, "cols"))
    arrays = "" if rows is None or columns is None else f" on {rows:.0f}x{columns:.0f} arrays"
    data = as_text(at(provenance, "data", "name"))
    inputs = (
        counted(explanation.images, "made-up input")
        if data is None
        else f"{counted(explanation.images, 'sample')} of {shortened(data, LONGEST)}"
    )
    return f"{network}{arrays}; {inputs}; {counted(explanation.chips, 'chip')}"


def verdict(explanation: Explanation, words: Wording) -> list[str]:
    """Say in plain sentences what happened, which effect and layer cost most, and what helped."""
    said = [_what_happened(explanation, words)]
    if nothing_was_lost(explanation):
        return said
    for sentence in (
        _worst_effect(explanation, words),
        _worst_layer(explanation, words),
        _best_remedy(explanation, words),
    ):
        if sentence:
            said.append(sentence)
    return said


def nothing_was_lost(explanation: Explanation) -> bool:
    """Tell whether the built chips do as well as the float network."""
    return explanation.quantity.sign * (explanation.all - explanation.floating) >= 0


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


def effect_size(row: EffectRow) -> float:
    """Return what an effect changes: its Shapley value, else the mean of alone and left out."""
    if row.shapley is not None:
        return row.shapley.mean
    return (row.alone.mean + row.left_out.mean) / 2


def _worst_effect(explanation: Explanation, words: Wording) -> str:
    table, sign = explanation.effects, explanation.quantity.sign
    if table is None or not table.rows:
        return ""
    if explanation.quantity.name == "snr_db" and table.rows[0].noise_share is not None:
        noisiest = max(table.rows, key=lambda row: row.noise_share or 0.0)
        title, share = shortened(noisiest.title, LONGEST), percent_of(noisiest.noise_share)
        return f"The largest part of the noise comes from {title} ({share} % of its power)."
    worst = min(table.rows, key=lambda row: sign * effect_size(row))
    size = effect_size(worst)
    estimates = [worst.alone, worst.left_out] if worst.shapley is None else [worst.shapley]
    if sign * size >= 0 or not any(estimate.is_proven for estimate in estimates):
        return "No effect takes more than the errors of these numbers."
    whole = explanation.all - explanation.floating
    part = "Most of it comes" if size / whole > 0.5 else "The largest part comes"
    title = shortened(worst.title, LONGEST)
    if worst.shapley is None:
        alone, left_out = (words.change(change.mean) for change in (worst.alone, worst.left_out))
        numbers = f"alone {alone}, where all others are on {left_out} {words.unit}".rstrip()
    else:
        numbers = f"Shapley {words.with_error(worst.shapley, worst.sampling_error, unit=True)}"
    return f"{part} from {title} ({numbers})."


def _worst_layer(explanation: Explanation, words: Wording) -> str:
    row = worst_layer(explanation)
    if row is None:
        return ""
    name = shortened(row.name, LONGEST)
    if row.all_but is None:
        return _noisiest_layer(explanation)
    if explanation.quantity.sign * row.all_but.mean >= 0 or not row.all_but.is_proven:
        said = "No single layer gives back more than the errors of these numbers"
        noisiest = max(explanation.layers.rows, key=_output_noise) if explanation.layers else row
        if _output_noise(noisiest) <= 0:
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


def worst_layer(explanation: Explanation) -> LayerRow | None:
    """Return the layer that costs most; None where layers were not looked at."""
    layers = explanation.layers
    if layers is None or not layers.worst_first:
        return None
    return next(row for row in layers.rows if row.name == layers.worst_first[0])


def marked_layers(explanation: Explanation) -> frozenset[str]:
    """Return names of layers that stand out: the worst few, and only those that do harm."""
    layers, sign = explanation.layers, explanation.quantity.sign
    if layers is None:
        return frozenset()
    measured = {row.name: row.all_but for row in layers.rows if row.all_but is not None}
    harm = {name for name, cost in measured.items() if sign * cost.mean < 0}
    if not measured:
        known = ((row.name, row.snr_clean_db) for row in layers.rows)
        harm = {name for name, ratio in known if ratio is not None and math.isfinite(ratio)}
    elif not any(measured[name].is_proven for name in harm):
        harm = {row.name for row in layers.rows if _output_noise(row) > 0}
    worst = layers.worst_first[: max(min(_MARKED, len(layers.rows) // 3), 1)]
    return frozenset(name for name in worst if name in harm)


def _best_remedy(explanation: Explanation, words: Wording) -> str:
    if not explanation.attempts:
        return ""
    best = explanation.attempts[0]
    tried = counted(len(explanation.attempts), "remedy", "remedies")
    if explanation.better is None:
        return f"Of {tried} tried, none is proven to help."
    gain = best.gain if best.confirmed is None else best.confirmed
    numbers = words.change(gain.mean, unit=True)
    if gain.low is not None:
        numbers += f" (95 % {words.interval(gain)})"
    title = shortened(best.title, LONGEST_REMEDY)
    where = "" if best.confirmed is None else " on images that had no part in the choice"
    return f"Of {tried} tried, the best is: {title}, {numbers}{where}."


def remedy_titles(explanation: Explanation) -> dict[str, str]:
    """Return what each remedy is called where all are listed: of the best and one more, only that."""
    titles = [attempt.title for attempt in explanation.attempts or ()]
    prefix = f"{titles[0]}{TOGETHER}" if titles else ""
    return {
        title: f"the first{TOGETHER}{title.removeprefix(prefix)}"
        if title.startswith(prefix)
        else title
        for title in titles
    }


def gains_note(explanation: Explanation) -> str:
    """Say which images gains are of; empty where all of them."""
    if not any_confirmed(explanation):
        return ""
    value = within_text(explanation.quantity.metric.label)
    return (
        f"gain is of the half of the images that chooses, confirmed of the other half, "
        f"{value} of all images."
    )


def any_confirmed(explanation: Explanation) -> bool:
    """Tell whether a remedy was run on images that had no part in the choice."""
    return any(attempt.confirmed is not None for attempt in explanation.attempts or ())


def errors_note(explanation: Explanation, words: Wording) -> str:
    """Say what intervals and errors of the tables mean."""
    sign = "±" if words.typographic else "+-"
    table = explanation.effects
    orders = (
        f", with that of {counted(table.orders, 'sampled order')}"
        if table is not None and table.method == "sampled"
        else ""
    )
    return (
        "Intervals are 95 %, chips and images both samples; behind "
        f"{sign} stands one standard error of the same kind{orders}."
    )


def as_sentence(text: str) -> str:
    """Begin a remark with a capital and end it with a full stop."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


def percent_of(share: float | None) -> str:
    """Write a share in percent without the sign; a dash where there is none."""
    if share is None:
        return "-"
    return "<0.01" if 0 < share < 1e-4 else f"{100 * share:z.3g}"


def decibel_of(ratio: float | None) -> str:
    """Write a ratio in decibel; a dash where it is not known, or not to be compared."""
    return "-" if ratio is None or not math.isfinite(ratio) else f"{ratio:z.1f}"


def effect_titles(explanation: Explanation) -> dict[str, str]:
    """Return the title of each effect of the table, by name."""
    rows = () if explanation.effects is None else explanation.effects.rows
    return {row.name: row.title for row in rows}


def title_of_effect(name: str, titles: dict[str, str]) -> str:
    """Name an effect for readers; "-" for none."""
    return shortened(titles.get(name) or name.replace("_", " ") or "-", LONGEST)
