"""Stuck cells and dead lines. Switched off, every cell can be programmed."""

from __future__ import annotations

from rxsim.effects import Effect

_SHARES = ("stuck_lrs", "stuck_hrs", "dead_rows", "dead_cols")

EFFECT = Effect(
    order=8,
    title="stuck cells and dead lines",
    off={**{f"device.{name}": 0.0 for name in _SHARES}, "device.faults": None},
    step="faults",
    per_chip=True,
)
