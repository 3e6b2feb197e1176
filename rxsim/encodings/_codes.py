"""Codes of a layer's DACs and settings of its inputs: all that an encoding is given."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol


class InputSettings(Protocol):
    """The entries of the settings' section `input` that an encoding reads (`rxsim.config.Input`)."""

    @property
    def v_read(self) -> float:
        """Wordline voltage of the largest input, volt."""

    @property
    def signed_input(self) -> str:
        """How signed inputs are driven: a name of `SignedInput`."""

    @property
    def bits_per_pulse(self) -> int:
        """Bits of one digit."""

    @property
    def pulses(self) -> int:
        """Random pulses of one value."""

    @property
    def adc_per_pass(self) -> bool:
        """Whether each pass is converted, or their analog sum once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputCodes:
    """The codes of a layer's DACs and how they are to be driven.

    Attributes:
        signed: whether the layer has inputs of both signs.
        n_bits: resolution of the DACs; None without one: codes are shares of x_max then.
        settings: of the inputs.
        per_pass: whether each pass is converted by itself.
    """

    signed: bool
    n_bits: int | None
    settings: InputSettings
    per_pass: bool

    @property
    def v_read(self) -> float:
        """Wordline voltage of the largest input, volt."""
        return self.settings.v_read

    @property
    def high(self) -> int | None:
        """The largest code; None without a DAC."""
        if self.n_bits is None:
            return None
        return int(2 ** (self.n_bits - 1) - 1 if self.signed else 2**self.n_bits - 1)

    @property
    def low(self) -> int | None:
        """The smallest code; None without a DAC."""
        high = self.high
        return None if high is None else -high if self.signed else 0

    @property
    def steps(self) -> int:
        """Steps from 0 to the largest code; 1 without a DAC."""
        return 1 if self.high is None else self.high

    @property
    def one_by_one(self) -> InputCodes:
        """The same codes with every pass converted by itself."""
        return replace(self, per_pass=True)
