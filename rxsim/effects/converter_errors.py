"""Errors of converters: static ones, drawn once per chip, and noise, drawn for each conversion.

Switched off, gain, offset, INL, DNL and noise are 0.
"""

from __future__ import annotations

from rxsim.effects import Effect

_ERRORS = ("gain_sigma", "offset_sigma", "inl", "dnl", "noise")

EFFECT = Effect(
    order=5,
    title="converter errors",
    off={f"{converter}.{name}": 0.0 for converter in ("dac", "adc") for name in _ERRORS},
    per_chip=True,
)
