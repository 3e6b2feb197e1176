"""All effects of the settings, with the steps of `compensate`."""

from __future__ import annotations

from rxsim.scenarios import Scenario, all_but

SCENARIO = Scenario("compensated", all_but())
