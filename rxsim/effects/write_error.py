"""Programming misses its target: off, the programmed state is the level.

A preset's laws are switched off with it, those of later steps too.
"""

from __future__ import annotations

from rxsim.effects import Effect

EFFECT = Effect(
    order=6,
    title="write error",
    off={"device.model": "ideal", "device.write_sigma": 0.0, "device.write_unit": "range"},
    per_chip=True,
    note="the laws of a preset are switched off with it, those of later steps such as a drift too",
)
