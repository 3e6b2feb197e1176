"""ADC models: what a conversion costs, by published models, and how far these differ.

A model is one file of `rxsim/cost/adc_models`, which holds it as `MODEL`. Numbers hold for the node
that a model says; they are not scaled to another unless asked, as analog circuits scale otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from rxsim.cost.scaling import area_factor, energy_ratio
from rxsim.cost.technology import Component
from rxsim.errors import InputError
from rxsim.folders import Folder


@dataclass(frozen=True, slots=True, kw_only=True)
class AdcDesign:
    """What an ADC is asked for.

    Attributes:
        bits: its bits.
        rate_hz: conversions a second of one ADC; models with one rate of their own do not read it.
        node_nm: node, nm.
        rows: wordlines of the array; None: unknown, and times that need it are not given.
        column_ohm: resistance of a column, ohm; None: unknown.
        v_read: read voltage, V; None: unknown.
        stated: the ADC that the technology states; None: none.
        carried_by: model that carries the stated ADC to other bits; None: refused.
    """

    bits: int
    rate_hz: float
    node_nm: float
    rows: int | None = None
    column_ohm: float | None = None
    v_read: float | None = None
    stated: Component | None = None
    carried_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """What one ADC costs.

    Attributes:
        energy_j: energy of a conversion, J.
        area_mm2: area of the ADC, mm2; None: the model gives none.
        time_s: time of a conversion, s; None: the model gives none, 1 / rate.
        node_nm: node that the numbers hold for, nm.
    """

    energy_j: float
    area_mm2: float | None
    time_s: float | None
    node_nm: float


class AdcModel(Protocol):
    """A published model of ADCs.

    Attributes:
        source: the publication.
    """

    source: str

    def conversion(self, design: AdcDesign) -> Conversion:
        """Return what a conversion costs.

        Raises:
            InputError: the design lies outside the range that the model holds for, or does not say
                what the model needs.
        """
        ...


ADC_MODELS: Folder[AdcModel] = Folder("rxsim.cost.adc_models", "MODEL")


def conversion(name: str, design: AdcDesign, *, scale_node: bool = False) -> Conversion:
    """Return what a conversion costs after a model.

    Args:
        name: the model.
        design: what is asked for.
        scale_node: scale energy and area to the design's node as digital circuits scale.

    Raises:
        InputError: there is no such model, or the design lies outside its range.
    """
    cost = ADC_MODELS[name].conversion(design)
    if not scale_node or cost.node_nm == design.node_nm:
        return cost
    factor = area_factor(cost.node_nm, design.node_nm)
    return Conversion(
        energy_j=cost.energy_j * energy_ratio(cost.node_nm, design.node_nm),
        area_mm2=None if cost.area_mm2 is None else cost.area_mm2 * factor,
        time_s=cost.time_s,
        node_nm=design.node_nm,
    )


@dataclass(frozen=True, slots=True)
class Spread:
    """What published models say of the same ADC.

    Attributes:
        conversions: by name of the model, those that hold for it.
        left_out: reasons by name of the others, sentences.
    """

    conversions: dict[str, Conversion]
    left_out: dict[str, str]

    @property
    def energy_ratio(self) -> float | None:
        """Largest energy over smallest; None: no two models."""
        return _ratio([cost.energy_j for cost in self.conversions.values()])

    @property
    def area_ratio(self) -> float | None:
        """Largest area over smallest; None: no two models that give one."""
        areas = [cost.area_mm2 for cost in self.conversions.values()]
        return _ratio([area for area in areas if area is not None])


def spread(design: AdcDesign, names: Iterable[str] | None = None) -> Spread:
    """Ask every model for the same ADC.

    Args:
        design: what is asked for.
        names: the models; None: all.
    """
    conversions, left_out = {}, {}
    for name in ADC_MODELS.names if names is None else names:
        model = ADC_MODELS[name]
        try:
            conversions[name] = model.conversion(design)
        except InputError as error:
            left_out[name] = str(error)
    return Spread(conversions, left_out)


def check_bits(model: str, bits: int, least: int, most: int) -> None:
    """Refuse bits that a model does not hold for.

    Raises:
        InputError: naming the model and its range.
    """
    if not least <= bits <= most:
        held = str(least) if least == most else f"{least} to {most}"
        raise InputError(
            f"ADC model {model}: found {bits} bits, expected {held}; choose others or another model"
        )


def _ratio(values: list[float]) -> float | None:
    return max(values) / min(values) if len(values) > 1 and min(values) > 0 else None
