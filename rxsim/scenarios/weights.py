"""Levels and clipped weights only: what the memory cells' resolution costs."""

from __future__ import annotations

from rxsim.scenarios import Scenario

SCENARIO = Scenario("weights", frozenset({"levels", "clipping"}))
