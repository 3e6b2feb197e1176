"""What a network would take with each published model of its ADCs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rxsim.config import Settings
from rxsim.cost.adc import ADC_MODELS, conversion
from rxsim.cost.price.chosen import ChosenTechnology
from rxsim.cost.price.layer import LayerCost
from rxsim.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class AdcSpread:
    """Energy of all conversions of an inference by ADC model.

    Attributes:
        energy_j: by model, J, those that hold for every layer's ADC.
        left_out: reasons by model of the others, sentences.
    """

    energy_j: Mapping[str, float]
    left_out: Mapping[str, str]

    @property
    def ratio(self) -> float | None:
        """Largest energy over smallest; None: no two models, or no conversions."""
        values = self.energy_j.values()
        return max(values) / min(values) if len(values) > 1 and min(values) > 0 else None

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "energy_j": dict(self.energy_j),
            "ratio": self.ratio,
            "left_out": dict(self.left_out),
        }


def adc_spread(
    layers: Iterable[LayerCost], settings: Mapping[str, Settings], chosen: ChosenTechnology
) -> AdcSpread:
    """Price all conversions by every model, at the technology's rate.

    Args:
        layers: priced.
        settings: of each layer.
        chosen: the technology.
    """
    conversions: dict[Any, int] = {}
    for layer in layers:
        design = chosen.adc_design(settings[layer.name])
        if design is not None:
            conversions[design] = conversions.get(design, 0) + layer.counts.actions.conversions
    energy: dict[str, float] = {}
    left_out: dict[str, str] = {}
    for name in ADC_MODELS.names:
        try:
            energy[name] = sum(
                number * conversion(name, design, scale_node=chosen.cost.scale_adc).energy_j
                for design, number in conversions.items()
            )
        except InputError as error:
            left_out[name] = str(error)
    return AdcSpread(energy_j=energy if conversions else {}, left_out=left_out)
