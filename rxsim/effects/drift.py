"""What time does to programmed cells. Switched off, they are read right after programming."""

from __future__ import annotations

from rxsim.effects import Effect

EFFECT = Effect(
    order=9,
    title="drift",
    off={"device.time": 0.0, "device.refresh": None},
    step="drift",
    per_chip=True,
    note="all that depends on time is as right after programming, read noise too",
)
