"""Settings: their models, where they come from, and what identifies them."""

from rxsim.config.identity import as_plain, as_yaml, settings_hash
from rxsim.config.iv import IV
from rxsim.config.merge import load_settings, parse_xbar, settings_changed, settings_with
from rxsim.config.models import V_READ, Adc, Crossbar, Dac, Device, Input, Mapping
from rxsim.config.presets import PRESETS, Preset
from rxsim.config.reads import Reads, flat_settings, pinned
from rxsim.config.settings import LayerSettings, Settings, check_layers, layer_settings
from rxsim.config.together import check_gating

__all__ = [
    "IV",
    "PRESETS",
    "V_READ",
    "Adc",
    "Crossbar",
    "Dac",
    "Device",
    "Input",
    "LayerSettings",
    "Mapping",
    "Preset",
    "Reads",
    "Settings",
    "as_plain",
    "as_yaml",
    "check_gating",
    "check_layers",
    "flat_settings",
    "layer_settings",
    "load_settings",
    "parse_xbar",
    "pinned",
    "settings_changed",
    "settings_hash",
    "settings_with",
]
