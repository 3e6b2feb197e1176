"""Programming misses its target: off, the programmed state is the level.

A preset's measured deviation is a write error: it goes with it.
"""

from __future__ import annotations

from rxsim.effects import Effect

EFFECT = Effect(
    order=6,
    title="write error",
    off={"device.model": "ideal", "device.write_sigma": 0.0, "device.write_unit": "range"},
    per_chip=True,
)
