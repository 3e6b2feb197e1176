"""Bit serial: the digits of the code one after the other, the least significant one first.

    q = sum over k of 2^(m k) d_k, v_k = v_read d_k / (2^m - 1), weight 2^(m k)

`bits_per_pulse` is m. Inputs of both signs are sign and magnitude by default: a pass's voltages have
both signs. Each pass is converted; or all are summed in analog and converted once
(`adc_per_pass: false`), once a phase with `two_phase`.
"""

from __future__ import annotations

from collections.abc import Sequence

from rxsim.encodings import (
    Cells,
    DacRange,
    Digit,
    Encoding,
    InputCodes,
    InputSettings,
    Pass,
    Phase,
    SignedInput,
    phases,
)
from rxsim.encodings._cells import bent_by_size, bent_by_voltage
from rxsim.encodings._signed import analog_sums
from rxsim.errors import SettingError


class BitSerial(Encoding):
    """Digits of each code."""

    signed_inputs: tuple[SignedInput, ...] = ("bipolar", "two_phase", "twos_complement", "offset")
    one_bit_when = "input.encoding: bit_serial with bits_per_pulse: 1"

    def check(self, settings: InputSettings, n_bits: int | None) -> None:
        """Refuse inputs that have no digits."""
        del settings
        if n_bits is None:
            raise ValueError(
                "found input.encoding: bit_serial with dac.n_bits: null, expected the inputs' bits"
            )

    def is_one_bit(self, settings: InputSettings, n_bits: int | None) -> bool:
        """Tell whether a digit is 0 or 1."""
        del n_bits
        return settings.bits_per_pulse == 1

    def most_passes(self, settings: InputSettings, n_bits: int | None) -> int:
        """Return the digits of positive and of negative inputs."""
        if not settings.adc_per_pass:
            return 2
        return 2 * -(-(n_bits or 1) // settings.bits_per_pulse)

    def passes(self, codes: InputCodes) -> tuple[Pass, ...]:
        """List the digits of each phase, or their analog sums."""
        if codes.per_pass:
            return tuple(digit for phase in phases(codes) for digit in _digits(phase, codes))
        return tuple(
            Pass(
                units=part,
                volt=_volt(codes),
                weight=weight,
                span=sum(_span(phase, codes) for phase in summed),
                summed=tuple(digit for phase in summed for digit in _digits(phase, codes)),
            )
            for part, weight, summed in analog_sums(codes)
        )

    def dac_range(self, pulses: Sequence[Pass], codes: InputCodes) -> DacRange | None:
        """Return the range of a digit; None where digits are bits."""
        if codes.settings.bits_per_pulse == 1:
            return None
        high = _base(codes) - 1
        return DacRange(-high if pulses[0].signed else 0, high)

    def bent(self, converted: Pass, cells: Cells, codes: InputCodes) -> Pass:
        """Put the cells' curve into bits as a factor, into digits as a table of their voltages."""
        if codes.settings.bits_per_pulse == 1:
            factor = bent_by_size(converted, cells, codes, counted=not codes.per_pass)
            return factor or bent_by_voltage(converted, cells, codes)
        if not codes.per_pass:
            raise SettingError(
                f"input.adc_per_pass: found false with bits_per_pulse: {codes.settings.bits_per_pulse} "
                "and cells that are not linear, expected true, or one bit a pulse"
            )
        return bent_by_voltage(converted, cells, codes)


def _digits(phase: Phase, codes: InputCodes) -> tuple[Pass, ...]:
    """List the digits of one phase; a sign bit is one pass."""
    if phase.bits is None:
        return (Pass(units=phase.part, volt=_volt(codes), weight=phase.weight),)
    m = codes.settings.bits_per_pulse
    return tuple(
        Pass(
            units=Digit(phase.part, first, min(m, phase.bits - first)),
            volt=_volt(codes),
            weight=phase.weight * 2.0**first,
        )
        for first in range(0, phase.bits, m)
    )


def _span(phase: Phase, codes: InputCodes) -> float:
    """Sum the weights of a phase's digits."""
    return float(sum(abs(digit.weight) for digit in _digits(phase, codes)))


def _base(codes: InputCodes) -> int:
    return int(2**codes.settings.bits_per_pulse)


def _volt(codes: InputCodes) -> float:
    return codes.v_read / (_base(codes) - 1)


ENCODING: Encoding = BitSerial()
