"""Input encodings: how the codes of a layer's DACs become voltages on its wordlines.

Each file of this folder is one encoding, named as in `input.encoding`, and holds it as `ENCODING`; to
add one is to add a file. Files that begin with an underscore are what encodings are made of:
`_pass` (one set of voltages), `_units` (what of a code it drives), `_signed` (how inputs of both signs
are driven), `_codes` (what an encoding starts from), `_cells` (passes on cells that are not linear),
`_pulses` (pulses of one voltage). See docs/concepts/encodings.md.

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
        low: the lowest one.
        high: the highest one.
        rest: the one for an input of 0, where it is one and the same in all passes.
    """

    low: int
    high: int
    rest: int = 0


class Encoding(Protocol):
    """One input encoding.

    An encoding's class derives from this one. What is written out here holds for encodings whose
    wordlines carry voltages in proportion to the units of a pass; others say what differs.

    Attributes:
        signed_inputs: the ways to drive inputs of both signs that it can.
        one_bit_when: settings that make every wordline either idle or at one voltage, in words; empty
            where there are none.
        is_random: whether chips draw random numbers for it.
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

        The currents of all, each times its weight, add up to what the codes themselves would give, as
        voltages of `x_max / x_per_volt / codes.steps` each, and what an input of 0 drives.
        """

    def pulses(self, codes: InputCodes) -> tuple[Pass, ...]:
        """List what wordlines carry one by one, also where passes are summed before a conversion."""
        return self.passes(codes.one_by_one)

    def x_per_volt(self, x_max: float, passes: Sequence[Pass], codes: InputCodes) -> float:
        """Return the activation that one volt of weighted passes stands for.

        Args:
            x_max: the largest input.
            passes: what `passes` returned.
            codes: what they drive.
        """
        return x_max / (codes.steps * passes[0].volt)

    def in_one_pass(self, passes: Sequence[Pass], codes: InputCodes) -> Pass:
        """Drive the weighted sum of all passes at once, what an input of 0 drives left out.

        A layer without ADCs is computed like this, where no pass is curved.
        """
        del codes
        whole = Part("whole", signed=True)
        return Pass(units=whole, volt=passes[0].volt, gain=passes[0].gain)

    def names(self, pulses: Sequence[Pass]) -> list[str]:
        """Say in words which pass each is; nothing of a single one."""
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
        """Return passes with the random numbers of a chip; only asked where it is random.

        Args:
            passes: its passes or pulses.
            codes: what they drive.
            rng: the chip's generator for this layer.
            shape: of the layer's input tensor, without its batch axis.
            channel_axis: of the tensor with its batch axis: 1 of a Conv, -1 of a matrix product.
        """
        del codes, rng, shape, channel_axis
        return tuple(passes)

    def load(self, pulse: Pass, values: np.ndarray, codes: InputCodes) -> tuple[float, float]:
        """Sum squared voltages and active rows over some codes, both in the mean over the pulse's time.

        Args:
            pulse: one of `pulses`.
            values: codes, of any shape.
            codes: what they are.

        Returns:
            Square volt, and a number of rows.
        """
        del codes
        units = pulse.units.of(values)
        return float(np.square(units * pulse.volt).sum()), float(np.count_nonzero(units))

    def distinct(self, pulses: Sequence[Pass]) -> list[Pass]:
        """Leave out pulses that differ from others by chance only."""
        return list(pulses)

    def levels(
        self, pulse: Pass, codes: InputCodes, chances: np.ndarray
    ) -> Sequence[float | np.ndarray]:
        """List the instants of a pulse at which its circuit is to be solved, as `volts` takes them.

        Args:
            pulse: one of `pulses`.
            codes: what it drives.
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
            units: what it drives, of any shape.
            codes: what it drives these for.
            level: which instant: of pulses of some width the share of a full one that is over.

        Returns:
            Volt, of the shape of `units`.
        """
        del codes, level
        return np.asarray(units * pulse.volt)

    def widths(self, pulse: Pass, units: np.ndarray, codes: InputCodes) -> np.ndarray | None:
        """Return how long each wordline is on, of a full pulse; None where all are for all of it."""
        del pulse, units, codes
        return None

    # Hardware that is not ideal.

    def dac_range(self, pulses: Sequence[Pass], codes: InputCodes) -> DacRange | None:
        """Return what numbers a wordline's DAC is given.

        Returns:
            None where it knows two only: these are its end points, between which it has no curve.
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
            cells: what a voltage counts as.
            codes: what the pass drives.

        Raises:
            SettingError: such a pass can't hold the curve.
        """
        return bent_by_voltage(converted, cells, codes)


ENCODINGS: Folder[Encoding] = Folder("rxsim.encodings", "ENCODING")
"""Every encoding by its name in `input.encoding`."""
