"""Where steps measure: calibration inputs through the converters of a chip, or of the design.

No bench shows evaluated inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from rxsim.mapping import MappedLayer


class RangeBench(Protocol):
    """Measures what other ranges of converters do to each layer's output, on nominal devices."""

    @property
    def layers(self) -> tuple[MappedLayer, ...]:
        """The layers."""

    @property
    def with_dac(self) -> frozenset[str]:
        """Names of the layers whose input range can be chosen."""

    @property
    def with_adc(self) -> frozenset[str]:
        """Names of the layers whose ADC range can be chosen."""

    def on(self, inputs: int) -> RangeBench:
        """Return the bench with at most so many of the calibration inputs."""

    def square_errors(
        self,
        layers: Collection[str],
        dac: Mapping[str, float],
        adc: Mapping[str, float] | None,
    ) -> Mapping[str, np.ndarray]:
        """Measure the square errors of layers' outputs against the float network's.

        Each layer sees what the float network brings to it. Ranges of ADCs follow from the input ranges
        by the rule of the settings, and are multiplied then.

        Args:
            layers: names of those that are asked for.
            dac: factor on x_max by layer name, 1 where left out; also of other layers, whose inputs
                reach the ADCs of those behind them.
            adc: factor on the ADC's ranges, 1 where left out; None: without ADCs.

        Returns:
            By layer name the error in each block of calibration inputs, as a share of the output's mean
            square over all of them, float64 (blocks,).
        """


@dataclass(frozen=True, slots=True, eq=False)
class PartialSums:
    """The partial sums of a layer over a batch of calibration inputs.

    Attributes:
        layer: its name.
        wanted: of the float weights, float64 (row tiles, places, groups * N).
        measured: through the converters, likewise.
    """

    layer: str
    wanted: np.ndarray
    measured: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class ChannelMoments:
    """Mean and standard deviation of each output channel of a layer over the calibration inputs.

    Attributes:
        mean: float64 (channels,).
        std: float64 (channels,).
        count: values of each channel.
    """

    mean: np.ndarray
    std: np.ndarray
    count: int


Normalise = Callable[[str, ChannelMoments, ChannelMoments], tuple[np.ndarray, np.ndarray]]
"""`normalise(layer, wanted, measured)`: gain and addition of each output channel."""


class OutputBench(Protocol):
    """Measures a chip, or nominal hardware, on calibration inputs through its converters."""

    @property
    def layers(self) -> tuple[MappedLayer, ...]:
        """The layers, in topological order."""

    def partial_sums(self, *, nominal: bool = False) -> Iterator[PartialSums]:
        """Yield every layer's partial sums, batch by batch.

        Each layer sees what the float network brings to it.

        Args:
            nominal: of nominal devices instead of this chip.
        """

    def normalised(self, *, spread: bool) -> Mapping[str, tuple[ChannelMoments, ChannelMoments]]:
        """Measure each channel, layer by layer in topological order.

        Each layer is measured after those before it are brought to the float network's moments.

        Args:
            spread: bring the standard deviation to the float network's too, not only the mean.

        Returns:
            By layer name the float network's moments, and those of the chip before its own correction.
        """

    def stuck_weights(self) -> Mapping[str, np.ndarray]:
        """Return what this chip's stuck cells and dead lines change in weights, without wires.

        By layer name, float64 (groups, K, N) of its tiling: between packed groups, too.
        """

    def rest_inputs(self) -> Mapping[str, float]:
        """Return the input that an input of 0 drives besides what it stands for, by layer name."""
