"""Input encodings: how the codes of a layer's DACs become voltages on its wordlines.

Each file of this folder is one encoding, named as in `input.encoding`, and holds it as `ENCODING`; to
add one is to add a file. Files that begin with an underscore are shared parts:
`_pass` (a set of voltages), `_units` (the part of each code in a pass), `_signed` (how inputs of both
signs are driven), `_codes` (what an encoding is given), `_cells` (cells that are not linear), `_pulses`
(pulses of one voltage). See docs/concepts/encodings.md.

The room stands below the settings, which ask it what they may combine: an encoding takes plain values
and needs numpy only.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from rxsim.encodings._cells import Cells, bent_by_voltage
from rxsim.encodings._codes import InputCodes, InputSettings
from rxsim.encodings._pass import Pass, UnitCurve, pass_names
from rxsim.encodings._signed import Phase, SignedInput, check_resolution, phases
from rxsim.encodings._units import Digit, Graph, Part, Units
from rxsim.folders import Folder

__all__ = [
    "ENCODINGS",
    "Cells",
    "DacRange",
    "Digit",
    "Encoding",
    "Graph",
    "InputCodes",
    "InputSettings",
    "Part",
    "Pass",
    "Phase",
    "SignedInput",
    "UnitCurve",
    "Units",
    "check_resolution",
    "phases",
]


class DacRange(NamedTuple):
    """Numbers that a wordline's DAC is given: codes, or digits of them.

    Attributes:
        low: the lowest number.
        high: the highest number.
        rest: the number for an input of 0, where it is the same in all passes.
    """

    low: int
    high: int
    rest: int = 0


class Encoding(Protocol):
    """One input encoding.

    An encoding's class derives from this class, whose methods hold for voltages in proportion to the
    units of a pass. An encoding overrides what differs.

    Attributes:
        signed_inputs: the ways to drive inputs of both signs that it supports.
        one_bit_when: settings that make every wordline either idle or at one voltage, in words; empty
            where there are none.
        is_random: whether each chip draws random numbers for it.
        carries_voltages: whether a DAC's error changes a voltage, which cells that are not linear bend;
            it changes the length of a pulse otherwise.
    """

    signed_inputs: tuple[SignedInput, ...]
    one_bit_when: str = ""
    is_random: bool = False
    carries_voltages: bool = True

    # What it accepts, and what it costs.

    def check(self, settings: InputSettings, n_bits: int | None) -> None:
        """Refuse settings that it can't be used with.

        Args:
            settings: of the inputs.
            n_bits: resolution of the DACs; None without one.

        Raises:
            ValueError: naming what was found and what was expected.
        """
        del settings, n_bits

    def is_one_bit(self, settings: InputSettings, n_bits: int | None) -> bool:
        """Tell whether a wordline is either idle or at one voltage, so that it can gate its cells."""
        del settings, n_bits
        return False

    @abstractmethod
    def most_passes(self, settings: InputSettings, n_bits: int | None) -> int:
        """Return how many passes are converted at most, inputs of both signs counted."""

    # Passes.

    @abstractmethod
    def passes(self, codes: InputCodes) -> tuple[Pass, ...]:
        """List the passes that are converted, in order.

        Their currents, each times its weight, add up to the current of the codes themselves (a step
        being `x_max / x_per_volt / codes.steps` volt) and of the voltages that an input of 0 drives.
        """

    def pulses(self, codes: InputCodes) -> tuple[Pass, ...]:
        """List the sets of voltages that wordlines carry, also those summed before a conversion."""
        return self.passes(codes.one_by_one)

    def x_per_volt(self, x_max: float, passes: Sequence[Pass], codes: InputCodes) -> float:
        """Return the activation that one volt of weighted passes stands for.

        Args:
            x_max: the largest input.
            passes: what `passes` returned.
            codes: the codes that they drive.
        """
        return x_max / (codes.steps * passes[0].volt)

    def in_one_pass(self, passes: Sequence[Pass], codes: InputCodes) -> Pass:
        """Return a pass that is the weighted sum of all; units that an input of 0 drives are left out.

        A layer without ADCs is computed like this, where no pass is curved.
        """
        del codes
        whole = Part("whole", signed=True)
        return Pass(units=whole, volt=passes[0].volt, gain=passes[0].gain)

    def names(self, pulses: Sequence[Pass]) -> list[str]:
        """Name each pass in words; a single pass has an empty name."""
        return pass_names(pulses)

    # Time and chance.

    def drawn(
        self,
        passes: Sequence[Pass],
        codes: InputCodes,
        rng: np.random.Generator,
        shape: tuple[int, ...],
        channel_axis: int,
    ) -> tuple[Pass, ...]:
        """Return passes with the random numbers of a chip; only called where the encoding is random.

        Args:
            passes: its passes or pulses.
            codes: the codes that they drive.
            rng: the chip's generator for this layer.
            shape: of the layer's input tensor, without its batch axis.
            channel_axis: of the tensor with its batch axis: 1 of a Conv, -1 of a matrix product.
        """
        del codes, rng, shape, channel_axis
        return tuple(passes)

    def load(self, pulse: Pass, values: np.ndarray, codes: InputCodes) -> tuple[float, float]:
        """Sum squared voltages and active rows over given codes, in the mean over the pulse's time.

        Args:
            pulse: one of `pulses`.
            values: codes, of any shape.
            codes: the layer's DACs and how they are driven.

        Returns:
            Square volt, and a number of rows.
        """
        del codes
        units = pulse.units.of(values)
        return float(np.square(units * pulse.volt).sum()), float(np.count_nonzero(units))

    def distinct(self, pulses: Sequence[Pass]) -> list[Pass]:
        """Return the pulses without those that differ from others by chance only."""
        return list(pulses)

    def levels(
        self, pulse: Pass, codes: InputCodes, chances: np.ndarray
    ) -> Sequence[float | np.ndarray]:
        """List the instants of a pulse at which its circuit is to be solved, as `volts` takes them.

        Args:
            pulse: one of `pulses`.
            codes: the codes that it drives.
            chances: a random number in [0, 1) for every vector and row, where it is random.
        """
        del pulse, codes, chances
        return [0.0]

    def volts(
        self, pulse: Pass, units: np.ndarray, codes: InputCodes, level: float | np.ndarray = 0.0
    ) -> np.ndarray:
        """Return wordline voltages at one instant of a pulse.

        Args:
            pulse: one of `pulses`.
            units: the units on the wordlines, of any shape.
            codes: the layer's DACs and how they are driven.
            level: the instant; for pulses whose width carries the value, the share of a full pulse that
                is over.

        Returns:
            Volt, of the shape of `units`.
        """
        del codes, level
        return np.asarray(units * pulse.volt)

    def mean_volts(
        self, pulse: Pass, units: np.ndarray, codes: InputCodes, cells: Cells
    ) -> np.ndarray:
        """Return what wordline voltages count as, in the mean over a pulse's time and over draws.

        Args:
            pulse: one of `pulses`, before any draw.
            units: the units on the wordlines, of any shape.
            codes: the layer's DACs and how they are driven.
            cells: volt -> volt that it counts as.

        Returns:
            Volt, of the shape of `units`.
        """
        del codes
        return np.asarray(cells(units * pulse.volt))

    def widths(self, pulse: Pass, units: np.ndarray, codes: InputCodes) -> np.ndarray | None:
        """Return the share of a full pulse that each wordline is on; None: all of it."""
        del pulse, units, codes
        return None

    # Hardware that is not ideal.

    def dac_range(self, pulses: Sequence[Pass], codes: InputCodes) -> DacRange | None:
        """Return the numbers that a wordline's DAC is given.

        Returns:
            None where there are two only: a DAC's end points, between which it has no curve.
        """
        high = pulses[0].units.largest(codes.high)
        if high is None:
            return None
        low = -high if pulses[0].signed else 0
        rest = pulses[0].rest if len(pulses) == 1 else 0
        return None if high - low < 2 else DacRange(low, high, rest)

    def bent(self, converted: Pass, cells: Cells, codes: InputCodes) -> Pass:
        """Put the curve of cells that are not linear into a pass.

        Args:
            converted: one of `passes`.
            cells: volt -> volt that it counts as.
            codes: the codes that the pass drives.

        Raises:
            SettingError: such a pass can't hold the curve.
        """
        return bent_by_voltage(converted, cells, codes)


ENCODINGS: Folder[Encoding] = Folder("rxsim.encodings", "ENCODING")
"""Every encoding by its name in `input.encoding`."""
