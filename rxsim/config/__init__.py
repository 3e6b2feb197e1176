"""Settings: their models, where they come from, and what identifies them."""

from rxsim.config.identity import as_plain, as_yaml, settings_hash
from rxsim.config.iv import IV
from rxsim.config.merge import load_settings, parse_xbar
from rxsim.config.models import V_READ, Adc, Crossbar, Dac, Device, Input, Mapping, Settings
from rxsim.config.presets import PRESETS, Preset

__all__ = [
    "IV",
    "PRESETS",
    "V_READ",
    "Adc",
    "Crossbar",
    "Dac",
    "Device",
    "Input",
    "Mapping",
    "Preset",
    "Settings",
    "as_plain",
    "as_yaml",
    "load_settings",
    "parse_xbar",
    "settings_hash",
]
