"""Weights beyond a percentile are clipped: off, the largest weight sets the scale."""

from __future__ import annotations

from rxsim.effects import Effect

EFFECT = Effect(order=2, title="clipped weights", off={"mapping.w_percentile": 100.0})
