"""Names and units of settings and measured quantities in figures."""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rxsim.durations import written
from rxsim.metrics import all_metrics

LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Label:
    """Name and unit of a setting on an axis.

    Attributes:
        text: in words.
        unit: of the numbers on the axis; empty for counts and ratios.
        factor: from the setting's value to the number on the axis.
        duration: whether the numbers are seconds that readers see as 1 h or 1 d.
    """

    text: str
    unit: str = ""
    factor: float = 1.0
    duration: bool = False

    @property
    def full(self) -> str:
        """The words, with the unit in brackets."""
        return f"{self.text} ({self.unit})" if self.unit else self.text


@dataclass(frozen=True, slots=True)
class Quantity:
    """A measured number that is compared.

    Attributes:
        name: as `--y` takes it.
        label: words, unit and factor on an axis.
        higher: whether more is better.
        low: smallest value that it can take, before the factor.
        high: largest value, likewise.
    """

    name: str
    label: Label
    higher: bool = True
    low: float = -math.inf
    high: float = math.inf

    def text(self, value: float | None, *, unit: bool = True) -> str:
        """Write a value in the label's unit; a dash where there is none."""
        if value is None:
            return "-"
        number = all_metrics()[self.name].figure_text(value)
        return f"{number} {self.label.unit}" if unit and self.label.unit else number

    def span(self, bounds: tuple[float, float] | None) -> str:
        """Write an interval without its unit; a dash where there is none."""
        if bounds is None:
            return "-"
        low, high = (self.text(bound, unit=False) for bound in bounds)
        return f"{low} to {high}"


QUANTITIES: dict[str, Quantity] = {
    name: Quantity(
        name,
        Label(metric.label, metric.unit, metric.factor),
        higher=metric.higher_is_better,
        low=metric.low,
        high=metric.high,
    )
    for name, metric in all_metrics().items()
}
"""Name -> what is measured for every chip."""

_OHM, _BITS, _MICRO_SIEMENS = "Ω", "bits", "µS"
LABELS: dict[str, Label] = {
    "model": Label("Network"),
    "data": Label("Data"),
    "images": Label("Evaluated inputs"),
    "config": Label("Settings file"),
    "point": Label("Point"),
    "seed": Label("Seed"),
    "crossbar.rows": Label("Array rows"),
    "crossbar.cols": Label("Array columns"),
    "crossbar.r_wire_wl": Label("Wordline resistance per cell", _OHM),
    "crossbar.r_wire_bl": Label("Bitline resistance per cell", _OHM),
    "crossbar.r_driver": Label("Driver resistance", _OHM),
    "crossbar.r_sense": Label("Sense resistance", _OHM),
    "crossbar.r_access": Label("Access resistance per cell", _OHM),
    "crossbar.r_driver_far": Label("Far driver resistance", _OHM),
    "crossbar.r_sense_far": Label("Far sense resistance", _OHM),
    "crossbar.topology": Label("Topology"),
    "crossbar.drive_side": Label("Driven side"),
    "crossbar.sense_side": Label("Sensed side"),
    "device.g_on": Label("On conductance", _MICRO_SIEMENS, 1e6),
    "device.g_off": Label("Off conductance", _MICRO_SIEMENS, 1e6),
    "device.n_bits": Label("Cell resolution", _BITS),
    "device.n_levels": Label("Conductance levels"),
    "device.model": Label("Device"),
    "device.write_sigma": Label("Write error, standard deviation"),
    "device.write_unit": Label("Unit of the write error"),
    "device.d2d_sigma": Label("Device variation, sigma"),
    "device.stuck_lrs": Label("Cells stuck on", "%", 100.0),
    "device.stuck_hrs": Label("Cells stuck off", "%", 100.0),
    "device.time": Label("Time after programming", duration=True),
    "device.refresh": Label("Refresh interval", duration=True),
    "device.run_time": Label("Duration of a run", duration=True),
    "drift_compensation": Label("Drift compensation"),
    "device.iv.form": Label("Current-voltage curve"),
    "device.iv.v0": Label("Scale of the sinh", "V"),
    "device.iv.cubic": Label("Cubic loss of conductance", "1/V²"),
    "mapping.scheme": Label("Weight scheme"),
    "mapping.w_percentile": Label("Weight percentile", "%"),
    "mapping.weight_bits": Label("Weight resolution", _BITS),
    "mapping.bits_per_cell": Label("Weight bits per cell", _BITS),
    "mapping.spare_cols": Label("Spare columns"),
    "input.encoding": Label("Input encoding"),
    "input.v_read": Label("Read voltage", "V"),
    "input.percentile": Label("Input percentile", "%"),
    "input.bits_per_pulse": Label("Bits per pulse", _BITS),
    "input.pulses": Label("Pulses per input"),
    "dac.n_bits": Label("DAC resolution", _BITS),
    "dac.gain_sigma": Label("DAC gain error, standard deviation"),
    "dac.offset_sigma": Label("DAC offset, standard deviation", "LSB"),
    "dac.inl": Label("DAC integral non-linearity", "LSB"),
    "dac.dnl": Label("DAC differential non-linearity", "LSB"),
    "dac.noise": Label("DAC noise, standard deviation", "LSB"),
    "adc.n_bits": Label("ADC resolution", _BITS),
    "adc.where": Label("ADC conversion"),
    "adc.range": Label("ADC range"),
    "adc.range.amperes": Label("ADC range", "µA", 1e6),
    "adc.scope": Label("ADC range scope"),
    "adc.percentile": Label("ADC range percentile", "%"),
    "adc.criterion": Label("ADC range criterion"),
    "adc.gain_sigma": Label("ADC gain error, standard deviation"),
    "adc.offset_sigma": Label("ADC offset, standard deviation", "LSB"),
    "adc.inl": Label("ADC integral non-linearity", "LSB"),
    "adc.dnl": Label("ADC differential non-linearity", "LSB"),
    "adc.noise": Label("ADC noise, standard deviation", "LSB"),
    "adc.thresholds": Label("ADC thresholds"),
    "adc.share": Label("Columns per ADC"),
    "calibration.samples": Label("Calibration inputs"),
    "cost.technology": Label("Technology"),
    "cost.adc_model": Label("ADC model"),
    "cost.adc_share": Label("Columns per ADC"),
    "cost.node_nm": Label("Node", "nm"),
}
"""Dotted name of a setting -> its label; what is not here is called by its dotted name."""


def label_of(name: str) -> Label:
    """Return the label of a setting."""
    return LABELS.get(name) or Label(shortened(name, 40))


def clean(text: str) -> str:
    """Make text from outside safe to show: control and direction marks become a visible sign.

    A name must not reorder the page's text, and a lone surrogate can't be encoded at all.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join("\N{REPLACEMENT CHARACTER}" if _hidden(sign) else sign for sign in text)


def _hidden(sign: str) -> bool:
    category = unicodedata.category(sign)
    return category in ("Cc", "Cs", "Co", "Cn", "Zl", "Zp") or (
        category == "Cf" and sign not in "\u200c\u200d"
    )


def shortened(text: str, most: int = LONGEST_NAME) -> str:
    """Clean text and cut long text in the middle, where names differ least."""
    if len(text) > most:
        head = most // 2
        text = f"{text[:head]}…{text[-(most - head - 1) :]}"
    return clean(text)


def within_text(text: str) -> str:
    """Write words as they stand inside a sentence; abbreviations keep their capitals."""
    return text if text[1:2].isupper() else f"{text[:1].lower()}{text[1:]}"


def value_text(value: Any) -> str:
    """Write a setting's value as it stands in YAML, on a single line."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str | int):
        return shortened(str(value))
    return shortened(json.dumps(value, sort_keys=True, default=str))


def setting_text(name: str, value: Any) -> str:
    """Write a setting's value for readers: lengths of time as 1 h or 1 d, all else as in YAML."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and label_of(name).duration and math.isfinite(value):
        return written(float(value))
    return value_text(value)


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings by dotted name; an empty mapping stays a value."""
    by_name: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            by_name.update(flat(value, f"{prefix}{name}."))
        else:
            by_name[f"{prefix}{name}"] = value
    return by_name
