"""An explanation in words: values, and changes with their errors."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rxsim.counted import counted
from rxsim.estimate import Estimate
from rxsim.explain.quantity import HIGHEST_DB, Quantity
from rxsim.explain.result import Attempt, EffectRow, Explanation, LayerRow
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
    "noise, so they need not add up to 100 %; where errors of layers cancel it can be negative, and "
    "far below 0 or above 100 % it says nothing: errors cancel",
    MOST_NOISE_BY: "of the noise at the layer's own output; a loss that all its columns share is noise "
    "too, though it need not cost accuracy",
}
"""By column of the layers' table what its numbers are."""
EFFECTS_NOISE_NOTE = (
    "where errors of effects cancel in the network's output, a part of its noise can be negative; far "
    "below 0 or above 100 % it says nothing: errors cancel"
)
"""What parts of effects in the output's noise are where some are negative or say nothing."""
HIGHEST_DB_NOTE = (
    f"hardware without errors counts as {HIGHEST_DB:g} dB, where the rounding of float32 ends: how "
    "many decibels an effect takes depends on this, parts of the noise do not"
)
"""The caveat of decibels that effects take."""
NOTHING_TO_MEND = "Nothing was lost, so there is nothing to mend."
CANCELLED = "errors cancel"
_ROOM = 0.05  # shares so far outside of 0 to 1 are told; Assumption: a few percent mislead nobody
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


def nothing_was_lost(explanation: Explanation) -> bool:
    """Tell whether the built chips do as well as the float network."""
    return explanation.quantity.sign * (explanation.all - explanation.floating) >= 0


def effect_size(row: EffectRow) -> float:
    """Return what an effect changes: its Shapley value, else the mean of alone and left out."""
    if row.shapley is not None:
        return row.shapley.mean
    return (row.alone.mean + row.left_out.mean) / 2


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
        harm = {row.name for row in layers.rows if (row.output_noise or 0.0) > 0}
    worst = layers.worst_first[: max(min(_MARKED, len(layers.rows) // 3), 1)]
    return frozenset(name for name in worst if name in harm)


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
    confirmed = [a for a in explanation.attempts or () if a.confirmed is not None]
    fresh = max((attempt.fresh_chips or 0 for attempt in confirmed), default=0)
    chips = f" on {counted(fresh, 'other chip')}" if fresh else ""
    finalists = counted(len(confirmed), "finalist")
    return (
        f"gain is of the half of the images that chooses, confirmed of the other half{chips} "
        f"({finalists}), {value} of all images."
    )


def gain_to_quote(attempt: Attempt) -> Estimate:
    """Return the gain that had no part in the choice, where there is one."""
    return attempt.gain if attempt.confirmed is None else attempt.confirmed


def where_confirmed(attempt: Attempt) -> str:
    """Say what the gain to quote was measured on; empty where on the inputs that chose."""
    if attempt.confirmed is None:
        return ""
    if attempt.fresh_chips is None:
        return "on images that had no part in the choice"
    if attempt.fresh_chips:
        return (
            f"on images and {counted(attempt.fresh_chips, 'chip')} that had no part in the choice"
        )
    return "on images that had no part in the choice, but on the chips that had"


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


def is_told(share: float | None) -> bool:
    """Tell whether a part of the noise says anything: errors that cancel may leave any number."""
    return share is not None and -_ROOM <= share <= 1 + _ROOM


def noise_part(share: float | None) -> str:
    """Write a part of the noise in percent without the sign; a dash where not known."""
    return percent_of(share) if share is None or is_told(share) else CANCELLED


def needs_noise_note(explanation: Explanation) -> bool:
    """Tell whether errors of effects cancel so that a part of the noise is negative or too large."""
    rows = () if explanation.effects is None else explanation.effects.rows
    shares = [row.noise_share for row in rows if row.noise_share is not None]
    return any(share < 0 or not is_told(share) for share in shares)


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
