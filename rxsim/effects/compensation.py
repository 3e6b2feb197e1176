"""Compensation without training. Switched off, no step is taken."""

from __future__ import annotations

from rxsim.effects import Effect

EFFECT = Effect(order=13, title="compensation", off={"compensate": ()})
