"""Devices: the laws by which cells are programmed, and their current-voltage curves."""

from rxsim.devices.apply_laws import (
    Programmed,
    Target,
    Targets,
    has_random_effects,
    program,
    programmed,
    programmed_each,
    stuck_at,
)
from rxsim.devices.cell_curve import IVCurve, SeparableCurve, curve_of
from rxsim.devices.cell_levels import to_levels
from rxsim.devices.chart import Chart, Line
from rxsim.devices.defect_map import check_defect_maps
from rxsim.devices.law import (
    Cells,
    Chip,
    Draws,
    Law,
    MeasuredLaw,
    acting_laws,
    check_preset_files,
    check_presets,
    measured_law,
)
from rxsim.devices.nominal_deviation import nominal_deviation
from rxsim.devices.preset_curves import preset_charts
from rxsim.devices.verify_cells import Pulses

__all__ = [
    "Cells",
    "Chart",
    "Chip",
    "Draws",
    "IVCurve",
    "Law",
    "Line",
    "MeasuredLaw",
    "Programmed",
    "Pulses",
    "SeparableCurve",
    "Target",
    "Targets",
    "acting_laws",
    "check_defect_maps",
    "check_preset_files",
    "check_presets",
    "curve_of",
    "has_random_effects",
    "measured_law",
    "nominal_deviation",
    "preset_charts",
    "program",
    "programmed",
    "programmed_each",
    "stuck_at",
    "to_levels",
]
