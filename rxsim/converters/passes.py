"""How a layer's codes become voltages, pass by pass (MODEL.md section 5).

A pass is one set of voltages on the wordlines. An encoding is a list of passes whose weighted currents
add up to what the codes themselves, as voltages, would give.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from rxsim.calibrate import InputRange
from rxsim.config import Settings
from rxsim.converters.curve import DriveCurve
from rxsim.converters.dac import Dac, layer_dac

Part = Literal["whole", "positive", "negative", "sign", "low", "shifted"]


@dataclass(frozen=True, slots=True)
class Pass:
    """One set of voltages.

    Attributes:
        part: what of a code q it takes: all of it; max(q, 0); max(-q, 0); 1 where q < 0; q with the
            offset added where q < 0 (the low bits of its two's complement); q with the offset added.
        offset: the offset in codes.
        digit: first bit and number of bits of the digit that it drives, magnitudes with their sign;
            None for the value itself.
        pulse: number of a random pulse that stands for the value's magnitude; None for the value, -1
            for the mean of all pulses.
        volt: volt per unit.
        weight: what its current counts.
        signed: whether voltages of both signs occur.
        rest: units that an input of 0 drives; what of it the graph leaves out, hardware adds.
        span: how many times the largest current of one digit the summed digits' is.
        gain: what a volt counts as, where cells are not linear and a pass has voltages of one size.
        curve: what its units count as, where cells or DACs are not linear; None for themselves.
        offsets: offsets of a DAC that its analog sum of pulses holds.
    """

    part: Part
    offset: int
    digit: tuple[int, int] | None
    pulse: int | None
    volt: float
    weight: float
    signed: bool
    rest: int = 0
    span: float = 1.0
    gain: float = 1.0
    curve: DriveCurve | None = None
    offsets: float = 1.0

    @property
    def counted_rest(self) -> float:
        """What the units that an input of 0 drives count as."""
        return self.rest if self.curve is None else self.curve.at(self.rest)

    def units(self, codes: np.ndarray) -> np.ndarray:
        """Return the units that codes drive, what an input of 0 drives included (no random pulses).

        Args:
            codes: whole numbers as float64, of any shape.
        """
        values = {
            "whole": codes,
            "positive": np.maximum(codes, 0),
            "negative": np.maximum(-codes, 0),
            "sign": (codes < 0) * 1.0,
            "low": codes + self.offset * (codes < 0),
            "shifted": codes + self.offset,
        }[self.part]
        if self.digit is None:
            return np.asarray(values)
        first, bits = self.digit
        digit = np.floor(np.abs(values) / 2.0**first) % 2.0**bits
        return np.asarray(digit * np.sign(values))


@dataclass(frozen=True, slots=True)
class Drive:
    """A layer's inputs.

    Attributes:
        dac: activation -> code.
        passes: code -> voltages.
        x_per_volt: activation that one volt of weighted passes stands for.
        pulses: random pulses of one value; 0 without.
        cells: volt -> what it counts as, where codes are voltages and cells are not linear; None where
            they are linear, or where codes are lengths of pulses.
    """

    dac: Dac
    passes: tuple[Pass, ...]
    x_per_volt: float
    pulses: int = 0
    cells: Callable[[np.ndarray], np.ndarray] | None = None

    @property
    def rest_volt(self) -> float:
        """Weighted volt that an input of 0 drives: the offset that is removed digitally."""
        return sum(one.weight * one.rest * one.volt for one in self.passes)

    @property
    def counted_rest_volt(self) -> float:
        """What these volts count as."""
        return sum(one.weight * one.counted_rest * one.volt * one.gain for one in self.passes)

    @property
    def offset_volt(self) -> float:
        """Weighted volt that an offset of one LSB of a DAC counts as."""
        return sum(one.weight * one.offsets * one.volt * one.gain for one in self.passes)

    @property
    def is_curved(self) -> bool:
        """Whether what units count as is not proportional to them."""
        return any(one.curve is not None for one in self.passes)

    def in_one_pass(self) -> Drive:
        """Drive the passes' weighted sum at once, what an input of 0 drives left out.

        Only for a drive that is not curved.
        """
        first = self.passes[0]
        pulse = None if first.pulse is None else -1
        volt = first.volt * (self.pulses if first.pulse not in (None, -1) else 1)
        whole = Pass("whole", 0, None, pulse, volt, 1.0, signed=True, gain=first.gain)
        return replace(self, passes=(whole,))


def full_units(one: Pass, dac: Dac, v_read: float) -> float:
    """Return how many units last a whole pulse, or make a pulse come in any case.

    Args:
        one: a pass of pulses.
        dac: the layer's converter.
        v_read: the pulses' voltage.
    """
    if one.pulse is not None:
        return float(dac.high or 1)
    return v_read / one.volt


def plain_drive(x_max: float, v_read: float) -> Drive:
    """Drive activations as they are: no converter, one pass."""
    whole = Pass("whole", 0, None, None, v_read, 1.0, signed=True)
    return Drive(Dac(1 / x_max, v_read, None, None), (whole,), x_max / v_read)


def layer_drive(name: str, measured: InputRange, settings: Settings) -> Drive:
    """Set up a layer's inputs.

    Raises:
        SettingError: a one-bit DAC would have to carry signed inputs.
    """
    dac = layer_dac(name, measured, settings)
    encoding, v_read = settings.input.encoding, settings.input.v_read
    steps = 1 if dac.high is None else dac.high
    if encoding == "stochastic":
        pulses = settings.input.pulses
        passes = _stochastic(measured.signed, settings)
        per_volt = measured.x_max / v_read / (pulses if settings.input.adc_per_pass else 1)
        return Drive(dac, passes, per_volt, pulses)
    passes = (
        _bit_serial(measured.signed, settings)
        if encoding == "bit_serial"
        else _amplitude(measured.signed, steps, settings)
    )
    return Drive(dac, passes, measured.x_max / (steps * passes[0].volt))


def _amplitude(signed: bool, steps: int, settings: Settings) -> tuple[Pass, ...]:
    v_read, how = settings.input.v_read, settings.input.signed_input
    if signed and how == "two_phase":
        volt = v_read / steps
        return (
            Pass("positive", 0, None, None, volt, 1.0, signed=False),
            Pass("negative", 0, None, None, volt, -1.0, signed=False),
        )
    if signed and how == "offset":
        offset = 2 ** ((settings.dac.n_bits or 1) - 1)
        volt = v_read / (2 * offset - 1)
        return (Pass("shifted", offset, None, None, volt, 1.0, signed=False, rest=offset),)
    return (Pass("whole", 0, None, None, v_read / steps, 1.0, signed=signed),)


def _bit_serial(signed: bool, settings: Settings) -> tuple[Pass, ...]:
    n_bits, m = settings.dac.n_bits or 1, settings.input.bits_per_pulse
    how, per_pass = settings.input.signed_input, settings.input.adc_per_pass
    volt = settings.input.v_read / (2**m - 1)
    offset = 2 ** (n_bits - 1)
    if not signed:
        return _digits("whole", 0, n_bits, m, volt, 1.0, per_pass, signed=False)
    if how == "bipolar":
        return _digits("whole", 0, n_bits - 1, m, volt, 1.0, per_pass, signed=True)
    if how == "two_phase":
        return (
            *_digits("positive", 0, n_bits - 1, m, volt, 1.0, per_pass, signed=False),
            *_digits("negative", 0, n_bits - 1, m, volt, -1.0, per_pass, signed=False),
        )
    if how == "offset":
        return _digits("shifted", offset, n_bits, m, volt, 1.0, per_pass, signed=False)
    if not per_pass:
        span = offset + _span(n_bits - 1, m)
        return (Pass("whole", 0, None, None, volt, 1.0, signed=True, span=span),)
    sign = Pass("sign", offset, None, None, volt, -float(offset), signed=False)
    low = _digits("low", offset, n_bits - 1, m, volt, 1.0, per_pass, signed=False)
    return (*low, sign)


def _digits(
    part: Part,
    offset: int,
    bits: int,
    m: int,
    volt: float,
    weight: float,
    per_pass: bool,
    *,
    signed: bool,
) -> tuple[Pass, ...]:
    """Drive the digits of a value, least significant first; or their analog sum: the value itself."""
    rest = offset if part == "shifted" else 0
    if not per_pass:
        return (Pass(part, offset, None, None, volt, weight, signed, rest, _span(bits, m)),)
    return tuple(
        Pass(
            part,
            offset,
            (first, min(m, bits - first)),
            None,
            volt,
            weight * 2.0**first,
            signed,
            (rest >> first) % 2**m,
        )
        for first in range(0, bits, m)
    )


def _span(bits: int, m: int) -> float:
    """Sum what the digits of some bits count."""
    return float(sum(2.0**first for first in range(0, bits, m)))


def _stochastic(signed: bool, settings: Settings) -> tuple[Pass, ...]:
    v_read = settings.input.v_read
    numbers = range(settings.input.pulses) if settings.input.adc_per_pass else [-1]
    if signed and settings.input.signed_input == "two_phase":
        sides: tuple[tuple[Part, float], ...] = (("positive", 1.0), ("negative", -1.0))
        return tuple(
            Pass(part, 0, None, number, v_read, weight, signed=False)
            for part, weight in sides
            for number in numbers
        )
    return tuple(Pass("whole", 0, None, k, v_read, 1.0, signed=signed) for k in numbers)
