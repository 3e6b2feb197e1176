"""Amplitude: one pass whose voltages are proportional to the codes.

    v = v_read q / q_max

Inputs of both signs: `bipolar` drives voltages of both signs, `two_phase` takes two passes, `offset`
shifts all codes to positive ones, of 2^n - 1 steps.
"""

from __future__ import annotations

from rxsim.encodings import Encoding, InputCodes, InputSettings, Pass, SignedInput, phases


class Amplitude(Encoding):
    """A voltage for each code."""

    signed_inputs: tuple[SignedInput, ...] = ("bipolar", "two_phase", "offset")
    one_bit_when = "dac.n_bits: 1"

    def is_one_bit(self, settings: InputSettings, n_bits: int | None) -> bool:
        """Tell whether codes are 0 and 1 only."""
        del settings
        return n_bits == 1

    def most_passes(self, settings: InputSettings, n_bits: int | None) -> int:
        """Return 2: positive and negative inputs."""
        del settings, n_bits
        return 2

    def passes(self, codes: InputCodes) -> tuple[Pass, ...]:
        """List a pass for each phase."""
        return tuple(
            Pass(units=phase.part, volt=codes.v_read / phase.largest, weight=phase.weight)
            for phase in phases(codes)
        )


ENCODING: Encoding = Amplitude()
