"""Non-linear cells. Switched off, cells are linear and not gated by inputs."""

from __future__ import annotations

from rxsim.config import IV
from rxsim.effects import Effect

EFFECT = Effect(
    order=12,
    title="non-linear cells",
    off={"device.iv": IV(), "crossbar.topology": "crossbar"},
)
