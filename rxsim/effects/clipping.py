"""Clipping of weights beyond a percentile. Switched off, the largest weight sets the scale."""

from __future__ import annotations

from rxsim.effects import Effect

EFFECT = Effect(order=2, title="clipped weights", off={"mapping.w_percentile": 100.0})
