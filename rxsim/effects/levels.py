"""Conductance levels. Switched off, every target is reached exactly; slices keep their integers."""

from __future__ import annotations

from rxsim.effects import Effect

EFFECT = Effect(
    order=1,
    title="conductance levels",
    off={"device.n_bits": None, "device.n_levels": None},
    note="slices of a weight keep their integers: those are an encoding",
)
