"""Static errors of converters, drawn once per chip. Switched off, gain, offset, INL and DNL are 0."""

from __future__ import annotations

from rxsim.effects import Effect

_ERRORS = ("gain_sigma", "offset_sigma", "inl", "dnl")

EFFECT = Effect(
    order=5,
    title="converter errors",
    off={f"{converter}.{name}": 0.0 for converter in ("dac", "adc") for name in _ERRORS},
    per_chip=True,
)
