"""Where steps measure: calibration inputs through the converters of a chip, or of the design.

No bench shows evaluated inputs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
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


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PartialSums:
    """Sums over all partial sums that a layer's calibration inputs give: enough for least squares.

    Partial sums of a row tile are x as its arrays give them, converted and decoded, and y as the float
    weights of its rows give them. A product that occurs several times counts each time, and every
    place of a convolution counts. Channels are those of the layer, groups one after the other.

    Attributes:
        count: pairs (x, y) of each row tile and channel.
        measured: sum of x, float64 (row tiles, channels).
        wanted: sum of y, likewise.
        measured_squares: sum of x^2, likewise.
        wanted_squares: sum of y^2, likewise.
        products: sum of x y, likewise.
        output_squares: sum of the squares of the sum over row tiles of y: of float outputs before any
            bias, less what is computed digitally, float64 (channels,).
        added: what earlier steps add to an output, which no partial sum holds, float64 (channels,).
    """

    count: int
    measured: np.ndarray
    wanted: np.ndarray
    measured_squares: np.ndarray
    wanted_squares: np.ndarray
    products: np.ndarray
    output_squares: np.ndarray
    added: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class ChannelMoments:
    """Mean and standard deviation of each output channel of a layer over the calibration inputs.

    Outputs are decoded products before any bias.

    Attributes:
        mean: float64 (channels,).
        std: float64 (channels,).
        count: values of each channel.
    """

    mean: np.ndarray
    std: np.ndarray
    count: int


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class NormalisedLayer:
    """A layer whose channels are brought to the float network's moments.

    output = gain * (decoded outputs) + added

    Attributes:
        gain: float64 (channels,).
        added: float64 (channels,).
        wanted: moments of the float network.
        before: of the chip, layers before this one corrected, this one not.
        after: of the chip, this one corrected too.
    """

    gain: np.ndarray
    added: np.ndarray
    wanted: ChannelMoments
    before: ChannelMoments
    after: ChannelMoments


class OutputBench(Protocol):
    """Measures a chip, or nominal hardware, on calibration inputs through its converters."""

    @property
    def layers(self) -> tuple[MappedLayer, ...]:
        """The layers, in topological order."""

    def partial_sums(self, *, nominal: bool = False) -> Mapping[str, PartialSums]:
        """Sum up the partial sums of every layer, by its name.

        Each layer sees what the float network brings to it.

        Args:
            nominal: of nominal devices instead of this chip.
        """

    def normalised(self, *, spread: bool) -> Mapping[str, NormalisedLayer]:
        """Bring each channel to the float network's moments, by layer name.

        Layers are measured in topological order, each after those before it are corrected.

        Args:
            spread: bring the standard deviation to the float network's too, not only the mean.
        """

    def stuck_weights(self) -> Mapping[str, np.ndarray]:
        """Return what this chip's stuck cells and dead lines change in weights, without wires.

        By layer name, float64 (groups, K, N) of its tiling: between packed groups, too.
        """

    def rest_inputs(self) -> Mapping[str, float]:
        """Return the input that an input of 0 drives besides what it stands for, by layer name."""
