"""Settings: their models, where they come from, and what identifies them."""

from rxsim.config.compensation import AUTO, StepEntry, step_name, step_options
from rxsim.config.cost import Balance, Cost
from rxsim.config.device import Device, read_device
from rxsim.config.fault_file import OTHERS, FaultFile, fault_maps
from rxsim.config.identity import as_full_yaml, as_plain, as_yaml, settings_hash
from rxsim.config.iv import IV
from rxsim.config.merge import (
    fault_files,
    load_settings,
    parse_xbar,
    preset_files,
    read_settings_file,
    settings_changed,
    settings_with,
)
from rxsim.config.models import (
    V_READ,
    Adc,
    Crossbar,
    Dac,
    FixedInputRange,
    FixedRange,
    Input,
    Mapping,
)
from rxsim.config.not_aged import not_aged_note
from rxsim.config.presets import (
    STEPS,
    LawChoice,
    Preset,
    Step,
    is_preset_file,
    named_preset,
    preset_names,
    read_preset_file,
)
from rxsim.config.reads import Reads, flat_settings, pinned
from rxsim.config.settings import LayerSettings, Settings, check_layers, layer_settings
from rxsim.config.times import read_times, settings_at, settings_over
from rxsim.config.together import check_gating
from rxsim.config.write_verify import WriteVerify

__all__ = [
    "AUTO",
    "IV",
    "OTHERS",
    "STEPS",
    "V_READ",
    "Adc",
    "Balance",
    "Cost",
    "Crossbar",
    "Dac",
    "Device",
    "FaultFile",
    "FixedInputRange",
    "FixedRange",
    "Input",
    "LawChoice",
    "LayerSettings",
    "Mapping",
    "Preset",
    "Reads",
    "Settings",
    "Step",
    "StepEntry",
    "WriteVerify",
    "as_full_yaml",
    "as_plain",
    "as_yaml",
    "check_gating",
    "check_layers",
    "fault_files",
    "fault_maps",
    "flat_settings",
    "is_preset_file",
    "layer_settings",
    "load_settings",
    "named_preset",
    "not_aged_note",
    "parse_xbar",
    "pinned",
    "preset_files",
    "preset_names",
    "read_device",
    "read_preset_file",
    "read_settings_file",
    "read_times",
    "settings_at",
    "settings_changed",
    "settings_hash",
    "settings_over",
    "settings_with",
    "step_name",
    "step_options",
]
