"""From activations to what every pass drives, and which passes are converted together.

Source: docs/concepts/model.md, section 5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from twin.arrays import Bools, Floats, Tensor
from twin.pulses import pulse
from twin.settings import Settings

_RELATIVE_EPS = 4e-6  # of a code: what float32 arithmetic may be off by


@dataclass(frozen=True)
class Pass:
    """One set of voltages.

    Attributes:
        weight: What its current counts in the conversion's analog sum.
        units: What is driven, in units of `volt`: codes, digits or pulses; a Tensor as the layer's
            input, or its vectors.
        volt: V per unit.
    """

    weight: float
    units: Floats
    volt: float


@dataclass(frozen=True)
class Conversion:
    """Passes whose currents are added before one conversion.

    Attributes:
        weight: What the converted current is multiplied with.
        passes: In their order.
        signed: Whether currents of single columns have both signs.
    """

    weight: float
    passes: list[Pass]
    signed: bool

    @property
    def total_weight(self) -> float:
        """The sum of the passes' absolute weights in the analog sum."""
        return sum(abs(sent.weight) for sent in self.passes)

    @property
    def volts(self) -> Floats:
        """The weighted sum of the passes' voltages in V, the conversion's own weight included."""
        parts = [sent.weight * sent.volt * sent.units for sent in self.passes]
        return np.asarray(self.weight * np.sum(parts, axis=0))

    def map(self, change: Callable[[Tensor], Tensor]) -> Conversion:
        """Return the same with the units of every pass rearranged."""
        passes = [Pass(sent.weight, change(sent.units), sent.volt) for sent in self.passes]
        return Conversion(self.weight, passes, self.signed)


@dataclass(frozen=True)
class Drive:
    """How one layer's inputs become voltages.

    Attributes:
        settings: The layer's settings.
        x_max: Largest input, in input units.
        signed: True where inputs span [-x_max, x_max], else [0, x_max].
    """

    settings: Settings
    x_max: float
    signed: bool

    @property
    def encoding(self) -> str:
        """What carries the value."""
        return str(self.settings["input"]["encoding"])

    @property
    def mode(self) -> str:
        """How signed inputs are driven; ``unsigned`` where there are none."""
        return str(self.settings["input"]["signed_input"]) if self.signed else "unsigned"

    @property
    def n_bits(self) -> int | None:
        """Resolution of the DAC."""
        bits: int | None = self.settings["dac"]["n_bits"]
        return bits

    @property
    def per_pass(self) -> bool:
        """Whether each pass is converted by itself."""
        return bool(self.settings["input"]["adc_per_pass"])

    @property
    def steps(self) -> int:
        """Steps of the input's code, of each side where it is signed; 1 without a DAC."""
        if self.n_bits is None:
            return 1
        return int(2 ** (self.n_bits - 1) - 1 if self.signed else 2**self.n_bits - 1)

    @property
    def code_offset(self) -> int:
        """What is added to every code before it is driven."""
        return int(2 ** ((self.n_bits or 1) - 1)) if self.mode == "offset" else 0

    @property
    def volt(self) -> float:
        """V per unit of a pass."""
        v_read = float(self.settings["input"]["v_read"])
        if self.encoding == "stochastic":
            return v_read
        if self.encoding == "bit_serial":
            return v_read / float(2 ** self.settings["input"]["bits_per_pulse"] - 1)
        return v_read / (2 * self.code_offset - 1 if self.mode == "offset" else self.steps)

    @property
    def both_signs(self) -> bool:
        """Whether currents of single columns have both signs."""
        summed = self.mode == "twos_complement" and not self.per_pass
        return self.mode == "bipolar" or summed

    @property
    def smallest_volt(self) -> float:
        """V of the smallest step of what is converted."""
        if self.encoding == "stochastic" and not self.per_pass:
            return self.volt / float(self.settings["input"]["pulses"])
        return self.volt

    @property
    def input_per_volt(self) -> float:
        """Input units per volt of the weighted sum of the passes' voltages."""
        if self.encoding == "stochastic":
            pulses = self.settings["input"]["pulses"] if self.per_pass else 1
            return self.x_max / self.volt / float(pulses)
        return self.x_max / (self.steps * self.volt)

    @property
    def curve_codes(self) -> tuple[int, int] | None:
        """The lowest and the highest code of a DAC that may have a curve."""
        if self.encoding == "stochastic" or self.n_bits is None:
            return None
        if self.encoding == "bit_serial":
            high = int(2 ** self.settings["input"]["bits_per_pulse"] - 1)
            low = -high if self.mode == "bipolar" else 0
            return None if high == 1 else (low, high)
        if self.mode == "offset":
            return 0, 2 * self.code_offset - 1
        low = -self.steps if self.mode == "bipolar" else 0
        return (low, self.steps) if self.steps - low > 1 else None

    def codes(self, x: Floats, eps: float) -> tuple[Floats, Bools]:
        """Return the DAC's codes of inputs and where they lie near a threshold.

        Without a DAC the code is the input itself in units of x_max.
        """
        if self.n_bits is None:
            return x / self.x_max, np.zeros(x.shape, dtype=bool)
        lowest = -self.steps if self.signed else 0
        code = x / self.x_max * self.steps
        near = near_threshold(code, lowest, self.steps, eps)
        return np.clip(np.rint(code), lowest, self.steps), near

    def conversions(
        self, codes: Floats, thresholds: Floats | None = None
    ) -> tuple[list[Conversion], Bools]:
        """Return what is converted for codes of any shape, and which codes lie near a random threshold.

        Args:
            codes: Whole numbers, or shares of x_max without a DAC.
            thresholds: Of random pulses, (pulses, *) that broadcasts to the codes.
        """
        near = np.zeros(codes.shape, dtype=bool)
        if self.encoding == "stochastic":
            assert thresholds is not None
            phases, near = self._stochastic(codes, thresholds)
        elif self.encoding == "bit_serial":
            phases = self._serial(codes)
        else:
            phases = self._phases(
                codes + self.code_offset, lambda code: [Pass(1.0, code, self.volt)]
            )
        if self.per_pass:
            return [
                Conversion(sign * sent.weight, [Pass(1.0, sent.units, sent.volt)], self.both_signs)
                for sign, phase in phases
                for sent in phase
            ], near
        return [Conversion(sign, phase, self.both_signs) for sign, phase in phases], near

    def _phases(
        self, codes: Tensor, phase: Callable[[Tensor], list[Pass]]
    ) -> list[tuple[float, list[Pass]]]:
        """Return the passes of each phase; ``phase`` gives those of some codes."""
        if self.mode != "two_phase":
            return [(1.0, phase(codes))]
        return [(1.0, phase(np.maximum(codes, 0))), (-1.0, phase(np.maximum(-codes, 0)))]

    def _stochastic(
        self, codes: Floats, thresholds: Floats
    ) -> tuple[list[tuple[float, list[Pass]]], Bools]:
        """Return the passes of random pulses; where they are not converted each, their mean."""
        weight = 1.0 if self.per_pass else 1 / len(thresholds)
        near = np.zeros(codes.shape, dtype=bool)
        for threshold in thresholds:
            near |= pulse(codes / self.steps, threshold)[1]

        def phase(part: Floats) -> list[Pass]:
            return [
                Pass(weight, pulse(part / self.steps, threshold)[0], self.volt)
                for threshold in thresholds
            ]

        return self._phases(codes, phase), near

    def _serial(self, codes: Floats) -> list[tuple[float, list[Pass]]]:
        """Return the passes of bit serial inputs, phase by phase."""
        n_bits = self.n_bits or 1
        whole = codes.astype(np.int64)
        if self.mode == "unsigned":
            return [(1.0, self._digits(whole, n_bits))]
        if self.mode == "offset":
            return [(1.0, self._digits(whole + self.code_offset, n_bits))]
        if self.mode == "two_phase":
            return self._phases(whole, lambda part: self._digits(part, n_bits - 1))
        if self.mode == "bipolar":
            magnitude = self._digits(np.abs(whole), n_bits - 1)
            sign = np.sign(whole)
            return [(1.0, [Pass(sent.weight, sent.units * sign, sent.volt) for sent in magnitude])]
        top = Pass(-(2.0 ** (n_bits - 1)), (whole < 0).astype(np.float64), self.volt)
        return [(1.0, [*self._digits(whole % 2 ** (n_bits - 1), n_bits - 1), top])]

    def _digits(self, number: Tensor, bits: int) -> list[Pass]:
        """Return the passes of each digit of numbers of so many bits, least first."""
        each = self.settings["input"]["bits_per_pulse"]
        passes = []
        for position in range(0, bits, each):
            digit = (number // 2**position % 2**each).astype(np.float64)
            passes.append(Pass(2.0**position, digit, self.volt))
        return passes


def near_threshold(code: Floats, lowest: int, highest: int, eps: float) -> Bools:
    """Return where unrounded codes lie near a rounding threshold of a saturating converter.

    Args:
        code: Unrounded codes in LSB.
        lowest: Lowest code; there is no threshold below lowest + 1/2.
        highest: Highest code; there is no threshold above highest - 1/2.
        eps: Smallest distance in LSB that is near; 4e-6 of the code where that is more.

    Returns:
        Shape as code; codes exactly on a threshold count as near.
    """
    threshold = np.clip(np.floor(code) + 0.5, lowest + 0.5, highest - 0.5)
    return np.asarray(np.abs(code - threshold) <= np.maximum(eps, _RELATIVE_EPS * np.abs(code)))
