"""Stochastic: random pulses at v_read; a value is the probability that a pulse comes.

A pulse comes where |q| / q_max exceeds a random threshold, the sum (modulo 1) of one uniform number for
each channel and one for each place: uniform, and any two are independent, at the cost of few constants.
The thresholds are the chip's: all inputs meet the same. The sum over the pulses is proportional to the
input in expectation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rxsim.encodings import (
    Cells,
    DacRange,
    Encoding,
    Graph,
    InputCodes,
    InputSettings,
    Part,
    Pass,
    SignedInput,
    phases,
)
from rxsim.encodings._cells import bent_by_size
from rxsim.encodings._pulses import share_load, share_volts, volts_beyond
from rxsim.encodings._units import FLOAT


@dataclass(frozen=True, slots=True, eq=False)
class Thresholds:
    """Random numbers of a layer's inputs: a pulse's threshold is the sum of two, modulo 1.

    Attributes:
        channels: of each pulse, float32 (pulses, channels, *1): along the channels.
        places: float32 (pulses, 1, *spatial): along the spatial axes.
    """

    channels: np.ndarray
    places: np.ndarray

    def of(self, number: int) -> np.ndarray:
        """Return the thresholds of one pulse, float32, of the input tensor's shape without batch."""
        level = self.channels[number] + self.places[number]
        return np.asarray(level - np.floor(level))

    def add(self, graph: Graph, number: int) -> str:
        """Add the thresholds of one pulse to a graph and return their name."""
        channels, places = self.channels[number], self.places[number]
        if places.size == 1:
            return graph.constant(f"threshold_{number}", np.mod(channels + places, 1))
        along = graph.constant(f"threshold_{number}", channels)
        across = graph.constant(f"place_{number}", places)
        total = graph.add("Add", [along, across], f"level_sum_{number}")
        whole = graph.add("Floor", [total], f"level_whole_{number}")
        return graph.add("Sub", [total, whole], f"level_{number}")


@dataclass(frozen=True, slots=True)
class RandomPulses:
    """Units of a random pulse, -1, 0 or 1; or the mean of several.

    Attributes:
        part: the part of the code that is its probability.
        steps: value of the part at probability 1.
        numbers: numbers of the pulses.
        thresholds: a chip's draw; None before a chip has drawn.
    """

    part: Part
    steps: int
    numbers: tuple[int, ...]
    thresholds: Thresholds | None = None

    @property
    def signed(self) -> bool:
        """Whether pulses of both signs occur."""
        return self.part.signed

    @property
    def rest(self) -> int:
        """Units that an input of 0 drives."""
        return 0

    @property
    def words(self) -> tuple[str, ...]:
        """Its name in words."""
        return (*self.part.words, f"random pulse {self.numbers[0]}")

    def of(self, codes: np.ndarray) -> np.ndarray:
        """Return the pulses that come, compared in float32 as in a network.

        Before a chip has drawn thresholds, the parts themselves are returned: divided by `steps`, they
        are the probabilities.

        Args:
            codes: whole numbers as float64, of the input tensor's shape.
        """
        values = self.part.of(codes)
        if self.thresholds is None:
            return values
        share = np.abs(values).astype(np.float32) * np.float32(1 / self.steps)
        come = np.zeros(values.shape)
        for number in self.numbers:
            come += share > self.thresholds.of(number)
        return np.where(come > 0, np.sign(values) * come / len(self.numbers), 0.0)

    def largest(self, code: int | None) -> int | None:
        """Return the largest unit."""
        del code
        return 1

    def add(self, graph: Graph, codes: str, *, less_rest: bool) -> str:
        """Add the nodes of one pulse, or of the mean of several."""
        assert self.thresholds is not None
        value = self.part.add(graph, codes, less_rest=less_rest)
        size = graph.add("Abs", [value], "size")
        share = graph.add("Mul", [size, graph.scalar("per_step", 1 / self.steps)], "share")
        sign = graph.add("Sign", [value], "pulse_sign")
        come = []
        for number in self.numbers:
            level = self.thresholds.add(graph, number)
            over = graph.add("Greater", [share, level], f"over_{number}")
            come.append(graph.add("Cast", [over], f"pulse_{number}", to=FLOAT))
        total = come[0] if len(come) == 1 else graph.add("Sum", come, "pulses")
        if len(come) > 1:
            total = graph.add("Mul", [total, graph.scalar("mean", 1 / len(come))], "pulse_mean")
        return graph.add("Mul", [total, sign], "signed_pulses")


class Stochastic(Encoding):
    """A probability for each code."""

    signed_inputs: tuple[SignedInput, ...] = ("bipolar", "two_phase")
    is_random = True

    def most_passes(self, settings: InputSettings, n_bits: int | None) -> int:
        """Return the pulses of positive and of negative inputs."""
        del n_bits
        return 2 * settings.pulses if settings.adc_per_pass else 2

    def passes(self, codes: InputCodes) -> tuple[Pass, ...]:
        """List each pulse of each phase, or their means."""
        numbers = range(codes.settings.pulses)
        groups = [(number,) for number in numbers] if codes.per_pass else [tuple(numbers)]
        return tuple(
            Pass(
                units=RandomPulses(phase.part, codes.steps, group),
                volt=codes.v_read,
                weight=phase.weight,
                steps=len(group),
            )
            for phase in phases(codes)
            for group in groups
        )

    def x_per_volt(self, x_max: float, passes: Sequence[Pass], codes: InputCodes) -> float:
        """Return the activation that one volt of summed pulses stands for."""
        del passes
        return x_max / codes.v_read / (codes.settings.pulses if codes.per_pass else 1)

    def in_one_pass(self, passes: Sequence[Pass], codes: InputCodes) -> Pass:
        """Return a pass that is the mean of all pulses."""
        first = passes[0]
        numbers = tuple(range(codes.settings.pulses))
        units = replace(_random(first), part=Part("whole", signed=True), numbers=numbers)
        volt = first.volt * (len(numbers) if codes.per_pass else 1)
        return Pass(units=units, volt=volt, steps=len(numbers), gain=first.gain)

    def drawn(
        self,
        passes: Sequence[Pass],
        codes: InputCodes,
        rng: np.random.Generator,
        shape: tuple[int, ...],
        channel_axis: int,
    ) -> tuple[Pass, ...]:
        """Return passes with a chip's thresholds."""
        thresholds = draw_thresholds(rng, codes.settings.pulses, shape, channel_axis)
        return tuple(
            replace(each, units=replace(_random(each), thresholds=thresholds)) for each in passes
        )

    def load(self, pulse: Pass, values: np.ndarray, codes: InputCodes) -> tuple[float, float]:
        """Sum squared voltages and active rows in the mean over pulses."""
        shares = np.abs(pulse.units.of(values)) / codes.steps
        return share_load(
            np.minimum(shares, 1), codes
        )  # without a DAC: a pulse comes at most always

    def distinct(self, pulses: Sequence[Pass]) -> list[Pass]:
        """Take one pulse of each phase: all random pulses of a value are alike."""
        return list({_random(pulse).part: pulse for pulse in pulses}.values())

    def levels(
        self, pulse: Pass, codes: InputCodes, chances: np.ndarray
    ) -> Sequence[float | np.ndarray]:
        """Return one instant: a pulse comes where its probability exceeds the given chance."""
        del pulse, codes
        return [chances]

    def volts(
        self, pulse: Pass, units: np.ndarray, codes: InputCodes, level: float | np.ndarray = 0.0
    ) -> np.ndarray:
        """Return wordline voltages of a chip's pulse; before a draw, of the pulses that come."""
        if _random(pulse).thresholds is not None:
            return np.asarray(units * pulse.volt)
        return volts_beyond(units, np.abs(units) / codes.steps, codes, level)

    def mean_volts(
        self, pulse: Pass, units: np.ndarray, codes: InputCodes, cells: Cells
    ) -> np.ndarray:
        """Return what the read voltage counts as, times the probability of a pulse."""
        del pulse
        # Without a DAC inputs may exceed x_max: a pulse comes at most always.
        return share_volts(units, np.minimum(np.abs(units) / codes.steps, 1), codes, cells)

    def dac_range(self, pulses: Sequence[Pass], codes: InputCodes) -> DacRange | None:
        """Return None: a pulse comes or not."""
        del pulses, codes
        return None

    def bent(self, converted: Pass, cells: Cells, codes: InputCodes) -> Pass:
        """Put the cells' curve at v_read into the pulses."""
        bent = bent_by_size(converted, cells, codes, counted=True)
        assert bent is not None
        return bent


def draw_thresholds(
    rng: np.random.Generator, pulses: int, shape: tuple[int, ...], channel_axis: int
) -> Thresholds:
    """Draw the thresholds of a layer's inputs.

    Args:
        rng: the chip's generator for this layer.
        pulses: number of pulses for a value.
        shape: of the input tensor, without its batch axis.
        channel_axis: of the tensor with its batch axis: 1, or -1.
    """
    if channel_axis == 1:
        channels, places = (shape[0], *(1 for _ in shape[1:])), (1, *shape[1:])
    else:
        channels, places = (shape[-1],), (1,)
    return Thresholds(
        rng.random((pulses, *channels), dtype=np.float32),
        rng.random((pulses, *places), dtype=np.float32),
    )


def _random(pulse: Pass) -> RandomPulses:
    """Return a pass's units, which are random pulses here."""
    assert isinstance(pulse.units, RandomPulses)
    return pulse.units


ENCODING: Encoding = Stochastic()
