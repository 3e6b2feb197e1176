"""Device-to-device variation. Switched off, all devices are alike."""

from __future__ import annotations

from rxsim.effects import Effect

EFFECT = Effect(order=7, title="device variation", off={"device.d2d_sigma": 0.0}, per_chip=True)
