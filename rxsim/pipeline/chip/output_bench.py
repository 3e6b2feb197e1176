"""A chip on the bench: its partial sums and outputs over calibration inputs, no evaluated ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from rxsim.compensate import Correction, NormalisedLayer, PartialSums
from rxsim.mapping import MappedLayer
from rxsim.patch import LayerHardware
from rxsim.pipeline.chip.normalising import normalised_layers
from rxsim.pipeline.chip.partial_sums import partial_sums
from rxsim.pipeline.study.study import Study


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ChipBench:
    """A chip on the bench; see `rxsim.compensate.OutputBench`.

    Attributes:
        study: whose network and calibration inputs.
        layers: its layers on their arrays.
        hardware: their analog form on this chip, with converters.
        nominal: makes the same of nominal devices and converters.
        stuck: finds what stuck cells change in each layer's weights.
    """

    study: Study
    layers: tuple[MappedLayer, ...]
    hardware: tuple[LayerHardware, ...]
    nominal: Callable[[], tuple[LayerHardware, ...]]
    stuck: Callable[[], Mapping[str, np.ndarray]]

    def corrected(self, corrections: Mapping[str, Correction]) -> ChipBench:
        """Return the bench of the chip with corrections, by layer name."""
        return replace(
            self,
            hardware=tuple(with_correction(item, corrections) for item in self.hardware),
        )

    def partial_sums(self, *, nominal: bool = False) -> Mapping[str, PartialSums]:
        """Sum up the partial sums of every layer, by its name."""
        return partial_sums(self.study, self.nominal() if nominal else self.hardware)

    def normalised(self, *, spread: bool) -> Mapping[str, NormalisedLayer]:
        """Bring each channel to the float network's moments, layer by layer."""
        return normalised_layers(self.study, self.hardware, spread=spread)

    def stuck_weights(self) -> Mapping[str, np.ndarray]:
        """Return what this chip's stuck cells change in each layer's weights."""
        return self.stuck()

    def rest_inputs(self) -> Mapping[str, float]:
        """Return the input that an input of 0 drives besides what it stands for, by layer name."""
        plans = {item.layer.name: item.input_plan for item in self.hardware}
        return {name: plan.rest_volt * plan.x_per_volt for name, plan in plans.items()}


def with_correction(
    hardware: LayerHardware, corrections: Mapping[str, Correction]
) -> LayerHardware:
    """Return a layer's analog form with its correction, if it has any."""
    found = corrections.get(hardware.layer.name)
    if found is None:
        return hardware
    return hardware.corrected(found.gain, found.added, found.output_gain, found.weights)
