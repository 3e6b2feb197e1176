"""Stuck cells. Switched off, every cell can be programmed."""

from __future__ import annotations

from rxsim.effects import Effect

EFFECT = Effect(
    order=8,
    title="stuck cells",
    off={"device.stuck_lrs": 0.0, "device.stuck_hrs": 0.0},
    per_chip=True,
)
