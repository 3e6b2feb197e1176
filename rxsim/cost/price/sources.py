"""Every number of a technology that prices a network: what it is, where it is from, how sure it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rxsim.config import Settings
from rxsim.cost.price.chosen import ChosenTechnology
from rxsim.cost.technology import Component, Sourced, Status

_OF_COMPONENT = (
    *("energy_j", "power_w", "leakage_w", "area_mm2", "rate_hz", "time_s"),
    *("bits", "together"),
)
_OF_PRODUCT = ("rows", "cols", "stage_s", "read_s", "stages")
_OF_WRITE = ("energy_j", "time_s", "cells_at_once")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcedNumbers:
    """Numbers that share a source.

    Attributes:
        entry: the component, or product or write, as the technology's file calls it.
        about: what it is, in one line.
        numbers: by key of the file, SI units but areas (mm2).
        node_nm: that they hold for, nm; None: not of a component.
        source: paper, table or section.
        status: P printed, D derived, R reconstructed.
    """

    entry: str
    about: str
    numbers: Mapping[str, float]
    node_nm: float | None
    source: str
    status: Status

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**values, "numbers": dict(self.numbers)}


def sources_of(
    chosen: ChosenTechnology, settings: Mapping[str, Settings]
) -> tuple[SourcedNumbers, ...]:
    """List the numbers of a technology with their sources.

    Args:
        chosen: the technology.
        settings: of each layer; layers with different ADCs have an entry for each of these.

    Raises:
        InputError: the ADC model does not hold for a layer's ADC.
    """
    return tuple(_entries(chosen, settings))


def _entries(
    chosen: ChosenTechnology, settings: Mapping[str, Settings]
) -> Iterator[SourcedNumbers]:
    technology = chosen.technology
    for name, component in technology.components.items():
        each = [component]
        if name == technology.adc_name:
            each = [chosen.at_layer(of_layer).adc for of_layer in settings.values()] or each
        told = [_of_component(name, one) for one in each]
        yield from (one for place, one in enumerate(told) if one not in told[:place])
    yield _numbers("product", "how arrays carry out a product", technology.product, _OF_PRODUCT)
    if technology.write is not None:
        yield _numbers("write", "a pulse that writes a cell", technology.write, _OF_WRITE)


def _of_component(name: str, component: Component) -> SourcedNumbers:
    return _numbers(name, component.about, component, _OF_COMPONENT, component.node_nm)


def _numbers(
    entry: str, about: str, given: Sourced, names: tuple[str, ...], node_nm: float | None = None
) -> SourcedNumbers:
    values = {name: getattr(given, name) for name in names}
    return SourcedNumbers(
        entry=entry,
        about=about,
        numbers={n: v for n, v in values.items() if v is not None and (n, v) != ("together", 1)},
        node_nm=node_nm,
        source=given.source,
        status=given.status,
    )
