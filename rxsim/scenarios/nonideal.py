"""All effects of the settings, without compensation."""

from __future__ import annotations

from rxsim.scenarios import Scenario, all_but

SCENARIO = Scenario("nonideal", all_but("compensation"))
