"""Device-to-device variation, at all scales. Switched off, all devices are alike."""

from __future__ import annotations

from rxsim.effects import Effect

_SCALES = ("d2d_sigma", "array_sigma", "chip_sigma", "gradient")

EFFECT = Effect(
    order=7,
    title="device variation",
    off={f"device.{name}": 0.0 for name in _SCALES},
    step="variation",
    per_chip=True,
)
