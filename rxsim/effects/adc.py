"""Resolution and saturation of the ADCs. Switched off, currents are read exactly."""

from __future__ import annotations

from rxsim.effects import Effect

EFFECT = Effect(
    order=4,
    title="ADC",
    off={
        "adc.n_bits": None,
        "adc.range": "calibrated",
        "adc.gain_sigma": 0.0,
        "adc.offset_sigma": 0.0,
        "adc.inl": 0.0,
        "adc.dnl": 0.0,
        "adc.noise": 0.0,
        "adc.thresholds": None,
    },
)
