"""Programming misses its target: off, the programmed state is the level."""

from __future__ import annotations

from rxsim.effects import Effect

EFFECT = Effect(
    order=6,
    title="write error",
    off={"device.write_sigma": 0.0, "device.write_unit": "range", "device.verify": None},
    step="write_error",
    per_chip=True,
)
