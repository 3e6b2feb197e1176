"""Levels, DAC and ADC on perfect wires and devices: Cross-Ideal of Jain et al., 2019, Fig. 9."""

from __future__ import annotations

from rxsim.scenarios import Scenario

SCENARIO = Scenario("ideal", frozenset({"levels", "clipping", "dac", "adc"}))
