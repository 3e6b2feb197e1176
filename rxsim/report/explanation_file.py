"""An explanation out of its JSON form, which anybody may have written: each part is checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from rxsim.config import Settings
from rxsim.errors import InputError
from rxsim.estimate import Estimate
from rxsim.explain.quantity import Quantity
from rxsim.explain.result import (
    SCHEMA_VERSION,
    ArrayMap,
    Attempt,
    EffectRow,
    EffectsTable,
    Explanation,
    LayerRow,
    LayersTable,
    Trap,
    Untried,
)
from rxsim.metrics import all_metrics
from rxsim.report.json_values import as_number
from rxsim.report.labels import shortened

_Read = TypeVar("_Read")
# Assumption: no quantity, noise or current comes near; sums and squares of such numbers stay finite.
_LARGEST = 1e100


def explanation_of(content: object, where: str) -> Explanation:
    """Read an explanation.

    Args:
        content: parsed JSON, see `Explanation.as_json`; entries that are not known are ignored.
        where: name of its source in messages.

    Raises:
        InputError: a part is missing or not what it should be; the first such part is named.
    """
    try:
        return _explanation(_Part(content, ""))
    except _Malformed as problem:
        raise InputError(
            f"{where} holds an explanation that can't be read: {problem}; write it anew with "
            "'rxsim explain --json'"
        ) from None


class _Malformed(Exception):
    """A part that is not what it should be."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A value of the JSON and where it stands."""

    value: Any
    place: str

    def wrong(self, expected: str) -> _Malformed:
        """Return the sentence's part that says what was found."""
        found = {dict: "a mapping", list: "a list", str: "text", type(None): "nothing"}
        kind = found.get(type(self.value), shortened(repr(self.value), 40))
        name = shortened(self.place, 120) or "the whole"
        return _Malformed(f"{name} is {kind}, expected {expected}")

    def at(self, name: str) -> _Part:
        """Return an entry; nothing where it is missing."""
        if not isinstance(self.value, Mapping):
            raise self.wrong("a mapping")
        place = f"{self.place}.{name}" if self.place else name
        return _Part(self.value.get(name), place)

    def parts(self) -> tuple[_Part, ...]:
        """Return the entries of a list."""
        if not isinstance(self.value, list):
            raise self.wrong("a list")
        return tuple(_Part(part, f"{self.place}[{at}]") for at, part in enumerate(self.value))

    def mapping(self) -> Mapping[str, Any]:
        """Return a mapping as it is."""
        if not isinstance(self.value, Mapping):
            raise self.wrong("a mapping")
        return self.value

    def number(self) -> float:
        """Return a finite number."""
        number = as_number(self.value)
        if number is None or abs(number) > _LARGEST:
            raise self.wrong("a number")
        return number

    def count(self) -> int:
        """Return a whole number that is not negative."""
        number = as_number(self.value)
        if number is None or number < 0 or number != int(number):
            raise self.wrong("a count")
        return int(number)

    def text(self) -> str:
        """Return text."""
        if not isinstance(self.value, str):
            raise self.wrong("text")
        return self.value

    def maybe(self, read: Callable[[_Part], _Read]) -> _Read | None:
        """Return what is read of it; None for null and for what is missing."""
        return None if self.value is None else read(self)

    def by_name(self, read: Callable[[_Part], _Read]) -> dict[str, _Read]:
        """Return what is read of each entry of a mapping."""
        return {name: read(self.at(name)) for name in self.mapping()}

    def bounds(self) -> tuple[float, float]:
        """Return the bounds of an interval."""
        numbers = tuple(part.number() for part in self.parts())
        if len(numbers) != 2 or numbers[0] > numbers[1]:
            raise self.wrong("two numbers in order")
        return numbers[0], numbers[1]


def _explanation(whole: _Part) -> Explanation:
    version = whole.at("schema_version")
    if version.count() != SCHEMA_VERSION:
        raise version.wrong(f"{SCHEMA_VERSION}, which this version of rxsim reads")
    quantity = whole.at("quantity")
    if quantity.text() not in all_metrics():
        raise quantity.wrong(f"one of {', '.join(all_metrics())}")
    return Explanation(
        quantity=Quantity(quantity.text()),
        floating=whole.at("float32").number(),
        none=whole.at("none").number(),
        all=whole.at("all").number(),
        interval=whole.at("interval_new_images").maybe(_Part.bounds),
        chips=whole.at("chips").count(),
        images=whole.at("images").count(),
        effects=whole.at("effects").maybe(_effects),
        layers=whole.at("layers").maybe(_layers),
        attempts=whole.at("attempts").maybe(lambda part: tuple(map(_attempt, part.parts()))),
        untried=whole.at("untried").maybe(_untried),
        traps=tuple(
            Trap(name=name, sentence=sentence)
            for name, sentence in whole.at("traps").by_name(_Part.text).items()
        ),
        left_out=tuple(part.text() for part in whole.at("left_out").parts()),
        settings=whole.at("settings").mapping(),
        better=whole.at("better").maybe(_settings),
        provenance=whole.at("provenance").mapping(),
        runs=whole.at("runs").count(),
        seconds=whole.at("timing").at("seconds").by_name(_Part.number),
    )


def _untried(part: _Part) -> Untried:
    try:
        return Untried(part.text())
    except ValueError:
        raise part.wrong(f"one of {', '.join(Untried)}") from None


def _settings(part: _Part) -> Settings:
    try:
        return Settings.model_validate(dict(part.mapping()))
    except (ValueError, InputError):
        raise part.wrong("settings that this version of rxsim knows") from None


def _estimate(part: _Part) -> Estimate:
    bounds = part.at("interval").maybe(_Part.bounds)
    return Estimate(
        mean=part.at("mean").number(),
        standard_error=part.at("standard_error").maybe(_Part.number),
        low=None if bounds is None else bounds[0],
        high=None if bounds is None else bounds[1],
    )


def _effects(part: _Part) -> EffectsTable:
    return EffectsTable(
        rows=tuple(map(_effect, part.at("rows").parts())),
        method=part.at("method").text(),
        orders=part.at("orders").count(),
        coalitions=part.at("coalitions").count(),
        notes=part.at("notes").by_name(_Part.text),
        sets=dict(_set(each) for each in part.at("sets").maybe(_Part.parts) or ()),
    )


def _set(part: _Part) -> tuple[tuple[str, ...], float]:
    return tuple(name.text() for name in part.at("on").parts()), part.at("mean").number()


def _effect(part: _Part) -> EffectRow:
    return EffectRow(
        name=part.at("name").text(),
        title=part.at("title").text(),
        alone=_estimate(part.at("alone")),
        left_out=_estimate(part.at("left_out")),
        added=_estimate(part.at("added")),
        shapley=part.at("shapley").maybe(_estimate),
        sampling_error=part.at("sampling_error").number(),
        noise_share=part.at("noise_share").maybe(_Part.number),
        behind=part.at("behind").maybe(_estimate),
    )


def _layers(part: _Part) -> LayersTable:
    rows = tuple(map(_layer, part.at("rows").parts()))
    names = {row.name for row in rows}
    for worst in part.at("worst_first").parts():
        if worst.text() not in names:
            raise worst.wrong("the name of a layer of the table")
    return LayersTable(
        rows=rows,
        worst_first=tuple(worst.text() for worst in part.at("worst_first").parts()),
        arrays=tuple(map(_array, part.at("arrays").parts())),
        inputs=part.at("inputs").count(),
    )


def _layer(part: _Part) -> LayerRow:
    def maybe(name: str) -> float | None:
        return part.at(name).maybe(_Part.number)

    return LayerRow(
        name=part.at("name").text(),
        op=part.at("op").text(),
        only=part.at("only").maybe(_estimate),
        all_but=part.at("all_but").maybe(_estimate),
        output_noise=maybe("output_noise"),
        snr_clean_db=maybe("snr_clean_db"),
        snr_db=maybe("snr_db"),
        dac_clipping=maybe("dac_clipping"),
        adc_clipping=maybe("adc_clipping"),
        noise_alone=part.at("noise_alone").by_name(_noise),
        noise_left_out=part.at("noise_left_out").by_name(_noise),
        dominant=part.at("dominant").text(),
    )


def _noise(part: _Part) -> float:
    """Read a noise; null stands for what is not finite."""
    return np.nan if part.value is None else part.number()


def _array(part: _Part) -> ArrayMap:
    ratio, error = _table(part.at("ratio")), _table(part.at("error"))
    if ratio.shape != error.shape:
        raise part.at("error").wrong("a table of the shape of ratio")
    return ArrayMap(
        layer=part.at("layer").text(),
        array=part.at("array").count(),
        loss=part.at("loss").number(),
        ratio=ratio,
        error=error,
    )


def _table(part: _Part) -> np.ndarray:
    """Read rows of numbers, float64 (rows, columns); null is NaN."""
    rows = [[_noise(cell) for cell in row.parts()] for row in part.parts()]
    if not rows or not rows[0] or len({len(row) for row in rows}) != 1:
        raise _Malformed(f"{part.place} is no table, expected rows of equal length")
    return np.array(rows, dtype=np.float64)


def _attempt(part: _Part) -> Attempt:
    return Attempt(
        remedy=part.at("remedy").text(),
        title=part.at("title").text(),
        changes=part.at("changes").mapping(),
        value=part.at("value").number(),
        gain=_estimate(part.at("gain")),
        confirmed=part.at("confirmed").maybe(_estimate),
        arrays=part.at("arrays").maybe(_Part.count),
        conversions=part.at("conversions").maybe(_Part.count),
        combined=tuple(name.text() for name in part.at("combined").parts()),
        fresh_chips=part.at("fresh_chips").maybe(_Part.count),
        trap=part.at("trap").maybe(_Part.text) or "",
    )
