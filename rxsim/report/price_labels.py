"""Prices of points in tables and on axes: words, units and prefixes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from rxsim.report.si_units import mm2, si


@dataclass(frozen=True, slots=True)
class PriceLabel:
    """How a price is written.

    Attributes:
        title: heading of a column on the terminal.
        text: words on an axis or in a caption.
        unit: without prefix; empty for shares.
        write: writes a value with its unit.
    """

    title: str
    text: str
    unit: str
    write: Callable[[float], str]


def _percent(value: float) -> str:
    return f"{100 * value:.3g} %"


PRICES: dict[str, PriceLabel] = {
    "energy_j": PriceLabel("energy", "Energy of an inference", "J", lambda v: si(v, "J")),
    "area_mm2": PriceLabel("area", "Area", "mm²", mm2),
    "latency_s": PriceLabel("latency", "Time of an inference", "s", lambda v: si(v, "s")),
    "interval_s": PriceLabel("interval", "Time between inferences", "s", lambda v: si(v, "s")),
    "ops_per_j": PriceLabel("op/J", "Operations per joule", "op/J", lambda v: si(v, "op/J")),
    "adc_energy_share": PriceLabel("ADC energy", "Energy share of ADCs", "", _percent),
    "adc_area_share": PriceLabel("ADC area", "Area share of ADCs", "", _percent),
}
"""By the names of `rxsim.store.COST_NAMES`."""

MINIMAL_PRICES = ("energy_j", "area_mm2", "latency_s", "interval_s")
"""Prices of which less is better, for points that do the same work."""

_PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}


def on_axis(name: str, values: Iterable[float]) -> tuple[float, str]:
    """Return a factor that brings a price's values to 1 to 999, and the label with its unit.

    Areas keep mm2.
    """
    label = PRICES[name]
    largest = max((abs(value) for value in values), default=0.0)
    power = 0
    if label.unit not in ("", "mm²") and largest > 0 and math.isfinite(largest):
        power = 3 * math.floor(math.log10(largest) / 3 + 1e-12)
        power = min(max(power, min(_PREFIXES)), max(_PREFIXES))
    factor = 100.0 if not label.unit else 10.0**-power
    return factor, f"{label.text} ({_PREFIXES[power]}{label.unit or '%'})"
