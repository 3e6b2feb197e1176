"""Resistances of wires, drivers, senses and access devices. Switched off, all are 0."""

from __future__ import annotations

from rxsim.effects import Effect

EFFECT = Effect(
    order=11,
    title="wires",
    off={
        "crossbar.r_wire_wl": 0.0,
        "crossbar.r_wire_bl": 0.0,
        "crossbar.r_driver": 0.0,
        "crossbar.r_sense": 0.0,
        "crossbar.r_access": 0.0,
        "crossbar.r_driver_far": None,
        "crossbar.r_sense_far": None,
    },
)
