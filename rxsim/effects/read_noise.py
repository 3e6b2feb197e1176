"""Noise of reading cells. Switched off, a cell reads as it is."""

from __future__ import annotations

from rxsim.effects import Effect

EFFECT = Effect(
    order=10,
    title="read noise",
    off={
        "device.read_sigma": 0.0,
        "device.read_unit": "range",
        "device.read_noise": "frozen",
        "device.run_time": 1.0,
    },
    step="read_noise",
    per_chip=True,
)
