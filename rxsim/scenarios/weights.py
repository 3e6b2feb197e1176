"""Conductance levels and clipped weights only: the cost of the cells' resolution."""

from __future__ import annotations

from rxsim.scenarios import Scenario

SCENARIO = Scenario("weights", frozenset({"levels", "clipping"}))
