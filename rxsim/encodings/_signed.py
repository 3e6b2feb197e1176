"""How inputs of both signs are driven: the second choice beside the encoding (`input.signed_input`).

An encoding drives phases one after the other. Inputs that are never negative are one phase, whatever
`signed_input` says. This file is the only one that knows what each way does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from rxsim.encodings._codes import InputCodes
from rxsim.encodings._units import Part

SignedInput = Literal["bipolar", "two_phase", "twos_complement", "offset"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A part of the codes that wordlines carry at one time.

    Attributes:
        part: the part.
        weight: factor of its currents in the sum over phases.
        bits: bits of its magnitude; None where it has no digits.
        largest: its largest magnitude; 1 without a DAC.
    """

    part: Part
    weight: float
    bits: int | None
    largest: int


def phases(codes: InputCodes) -> tuple[Phase, ...]:
    """List the phases of a layer's inputs, in the order in which they are driven."""
    if not codes.signed:
        whole = Part("whole")
        return (Phase(part=whole, weight=1.0, bits=codes.n_bits, largest=codes.steps),)
    return _PHASES[codes.settings.signed_input](codes)


def analog_sums(codes: InputCodes) -> tuple[tuple[Part, float, tuple[Phase, ...]], ...]:
    """List which phases are summed in analog before one conversion, where digits are.

    Returns:
        The part of the codes that a sum stands for, its weight, and the phases in it.
    """
    given = phases(codes)
    if codes.signed and codes.settings.signed_input == "twos_complement":
        return ((Part("whole", signed=True), 1.0, given),)
    return tuple((phase.part, phase.weight, (phase,)) for phase in given)


def check_resolution(how: str, n_bits: int | None) -> None:
    """Refuse a way to drive signed inputs that needs codes of some bits.

    Raises:
        ValueError: naming what was found and what was expected.
    """
    if how == "offset" and n_bits is None:
        raise ValueError(
            "found input.signed_input: offset with dac.n_bits: null, expected a resolution"
        )


def _bipolar(codes: InputCodes) -> tuple[Phase, ...]:
    """Voltages of both signs: the code's magnitude with its sign."""
    whole = Part("whole", signed=True)
    return (Phase(part=whole, weight=1.0, bits=_magnitude(codes), largest=codes.steps),)


def _two_phase(codes: InputCodes) -> tuple[Phase, ...]:
    """Positive inputs, then negative ones, whose currents are subtracted."""
    bits, steps = _magnitude(codes), codes.steps
    return (
        Phase(part=Part("positive"), weight=1.0, bits=bits, largest=steps),
        Phase(part=Part("negative"), weight=-1.0, bits=bits, largest=steps),
    )


def _offset(codes: InputCodes) -> tuple[Phase, ...]:
    """Half of all codes is added to every input; the current of that offset is removed digitally."""
    half = 2 ** ((codes.n_bits or 1) - 1)
    return (Phase(part=Part("shifted", half), weight=1.0, bits=codes.n_bits, largest=2 * half - 1),)


def _twos_complement(codes: InputCodes) -> tuple[Phase, ...]:
    """The low bits of the two's complement, then its sign bit, which counts negatively."""
    half = 2 ** ((codes.n_bits or 1) - 1)
    low, sign = Part("low", half), Part("sign", half)
    return (
        Phase(part=low, weight=1.0, bits=_magnitude(codes), largest=half - 1),
        Phase(part=sign, weight=-float(half), bits=None, largest=1),
    )


def _magnitude(codes: InputCodes) -> int | None:
    return None if codes.n_bits is None else codes.n_bits - 1


_PHASES: dict[str, Callable[[InputCodes], tuple[Phase, ...]]] = {
    "bipolar": _bipolar,
    "two_phase": _two_phase,
    "twos_complement": _twos_complement,
    "offset": _offset,
}
