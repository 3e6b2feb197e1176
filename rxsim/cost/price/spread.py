"""What a network would take with each published model of its ADCs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rxsim.config import Settings
from rxsim.cost.adc import ADC_MODELS, conversion
from rxsim.cost.price.chosen import ChosenTechnology
from rxsim.cost.price.layer import LayerCost
from rxsim.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class AdcSpread:
    """Energy of all conversions of an inference, and of the inference, by ADC model.

    Attributes:
        energy_j: of conversions by model, J, those that hold for every layer's ADC.
        inference_j: of an inference with each of them in place of the chosen one, J; empty where the
            technology prices no conversion.
        left_out: reasons by model of the others, sentences.
    """

    energy_j: Mapping[str, float]
    inference_j: Mapping[str, float]
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
            "inference_j": dict(self.inference_j),
            "ratio": self.ratio,
            "left_out": dict(self.left_out),
        }


def adc_spread(
    layers: Sequence[LayerCost],
    settings: Mapping[str, Settings],
    chosen: ChosenTechnology,
    digital_j: float = 0.0,
) -> AdcSpread:
    """Price all conversions by every model, at the technology's rate.

    Args:
        layers: priced.
        settings: of each layer.
        chosen: the technology.
        digital_j: energy of an inference outside of layers, J.
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
    if not conversions:
        return AdcSpread(energy_j={}, inference_j={}, left_out=left_out)
    used = energy.get(chosen.cost.adc_model)
    if used is None or not all(map(_prices_conversions, layers)):
        return AdcSpread(energy_j=energy, inference_j={}, left_out=left_out)
    rest = digital_j + sum(layer.energy_j for layer in layers) - used
    inference = {name: rest + of_model for name, of_model in energy.items()}
    return AdcSpread(energy_j=energy, inference_j=inference, left_out=left_out)


def _prices_conversions(layer: LayerCost) -> bool:
    """Whether a layer's energy holds its conversions: a technology may have ADCs at no level."""
    has_adc = any(each.action == "conversion" for each in layer.components)
    return has_adc or not layer.counts.actions.conversions
