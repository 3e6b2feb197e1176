"""Write error. Switched off, a cell is programmed to its level exactly.

The measured deviation of a preset is a write error: it is switched off too.
"""

from __future__ import annotations

from rxsim.effects import Effect

EFFECT = Effect(
    order=6,
    title="write error",
    off={"device.model": "ideal", "device.write_sigma": 0.0, "device.write_unit": "range"},
    per_chip=True,
)
