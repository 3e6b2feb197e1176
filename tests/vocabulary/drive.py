"""From activations to the voltages of every pass, and which passes are converted together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from twin import near_threshold

from rxsim.config import Settings
from vocabulary.places import Bools, Floats


@dataclass(frozen=True)
class Conversion:
    """Passes whose currents are added before one conversion.

    Attributes:
        weight: What the converted current is multiplied with.
        terms: Of each pass its weight in the analog sum, and its voltages in V, (M, groups, K).
        signed: Whether currents of single columns have both signs.
    """

    weight: float
    terms: list[tuple[float, Floats]]
    signed: bool

    @property
    def total_weight(self) -> float:
        """The sum of the passes' absolute weights in the analog sum."""
        return sum(abs(weight) for weight, _ in self.terms)

    @property
    def volts(self) -> Floats:
        """The weighted sum of the passes' voltages in V, the conversion's own weight included."""
        return self.weight * np.sum([weight * volts for weight, volts in self.terms], axis=0)


@dataclass(frozen=True)
class Drive:
    """How one layer's inputs become voltages.

    Attributes:
        settings: The settings.
        x_max: Largest input, in input units.
        signed: True where inputs span [-x_max, x_max], else [0, x_max].
    """

    settings: Settings
    x_max: float
    signed: bool

    @property
    def mode(self) -> str:
        """How signed inputs are driven; ``unsigned`` where there are none."""
        return self.settings.input.signed_input if self.signed else "unsigned"

    @property
    def serial(self) -> bool:
        """Whether digits of the code are driven one after the other."""
        return self.settings.input.encoding == "bit_serial"

    @property
    def steps(self) -> int:
        """Steps of the input's code, of each side where it is signed."""
        n_bits = self.settings.dac.n_bits
        return 2 ** (n_bits - 1) - 1 if self.signed else 2**n_bits - 1

    @property
    def code_offset(self) -> int:
        """What is added to every code before it is driven."""
        return 2 ** (self.settings.dac.n_bits - 1) if self.mode == "offset" else 0

    @property
    def volt_per_code(self) -> float:
        """Weighted sum of the passes' voltages for a code of one, in V."""
        v_read, n_bits = self.settings.input.v_read, self.settings.dac.n_bits
        if self.serial:
            return v_read / (2**self.settings.input.bits_per_pulse - 1)
        return v_read / (2**n_bits - 1 if self.mode == "offset" else self.steps)

    @property
    def voltage_step(self) -> float:
        """Smallest voltage of a pass above 0, in V."""
        return self.volt_per_code

    @property
    def input_per_volt(self) -> float:
        """Input units per volt of the weighted sum of the passes' voltages."""
        if self.settings.dac.n_bits is None:
            return self.x_max / self.settings.input.v_read
        return self.x_max / (self.steps * self.volt_per_code)

    def codes(self, x: Floats, eps: float) -> tuple[Floats, Bools]:
        """Return the DAC's codes of inputs and where they lie near a threshold.

        Without a DAC the code is the input itself in units of x_max.
        """
        if self.settings.dac.n_bits is None:
            return x / self.x_max, np.zeros(x.shape, dtype=bool)
        lowest = -self.steps if self.signed else 0
        code = x / self.x_max * self.steps
        near = near_threshold(code, lowest, self.steps, eps, ties_risky=True)
        return np.clip(np.rint(code), lowest, self.steps), near

    def conversions(self, codes: Floats) -> list[Conversion]:
        """Return what is converted for codes of shape (M, groups, K)."""
        if self.settings.input.encoding == "stochastic":
            raise ValueError("random pulses are the package's own")
        v_read = self.settings.input.v_read
        if self.settings.dac.n_bits is None:
            passes = self._phases(codes, lambda code: [(1.0, v_read * code)])
        elif self.serial:
            passes = self._serial(codes)
        else:
            passes = self._phases(
                codes + self.code_offset, lambda code: [(1.0, code * self.volt_per_code)]
            )
        both = self.mode == "bipolar"
        if self.settings.input.adc_per_pass:
            return [
                Conversion(sign * weight, [(1.0, volts)], both)
                for sign, phase in passes
                for weight, volts in phase
            ]
        return [
            Conversion(sign, phase, both or any(weight < 0 for weight, _ in phase))
            for sign, phase in passes
        ]

    def _phases(self, codes: Floats, phase) -> list:
        """Return the passes of each phase; ``phase`` gives those of some codes."""
        if self.mode != "two_phase":
            return [(1.0, phase(codes))]
        return [(1.0, phase(np.maximum(codes, 0))), (-1.0, phase(np.maximum(-codes, 0)))]

    def _serial(self, codes: Floats) -> list:
        """Return the passes of bit serial inputs, phase by phase."""
        n_bits = self.settings.dac.n_bits
        whole = codes.astype(np.int64)
        if self.mode == "unsigned":
            return [(1.0, self._digits(whole, n_bits))]
        if self.mode == "offset":
            return [(1.0, self._digits(whole + self.code_offset, n_bits))]
        if self.mode == "two_phase":
            return self._phases(whole, lambda part: self._digits(part, n_bits - 1))
        if self.mode == "bipolar":
            magnitude = self._digits(np.abs(whole), n_bits - 1)
            return [(1.0, [(weight, volts * np.sign(whole)) for weight, volts in magnitude])]
        top = (-(2.0 ** (n_bits - 1)), (whole < 0) * self.volt_per_code)
        return [(1.0, [*self._digits(whole % 2 ** (n_bits - 1), n_bits - 1), top])]

    def _digits(self, number: NDArray, bits: int) -> list[tuple[float, Floats]]:
        """Return weight and voltages of each digit of numbers of so many bits."""
        each = self.settings.input.bits_per_pulse
        found = []
        for position in range(0, bits, each):
            digit = number // 2**position % 2**each
            found.append((2.0**position, digit * self.volt_per_code))
        return found
