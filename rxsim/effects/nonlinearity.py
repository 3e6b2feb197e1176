"""Currents that are not proportional to voltages: off, cells are linear and no input gates them."""

from __future__ import annotations

from rxsim.config import IV
from rxsim.effects import Effect

EFFECT = Effect(
    order=12,
    title="non-linear cells",
    off={"device.iv": IV(), "crossbar.topology": "crossbar"},
)
