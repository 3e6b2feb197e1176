"""DAC and ADC: their transfer curves, and the ranges that calibration gives them."""

from rxsim.converters.adc import Adc, adc_codes, ranged_adc
from rxsim.converters.curve import DriveCurve
from rxsim.converters.dac import Dac, layer_dac
from rxsim.converters.drive_curve import curved
from rxsim.converters.fixed_ranges import fixed_ranges
from rxsim.converters.passes import Drive, Pass, full_units, layer_drive, plain_drive
from rxsim.converters.range_meters import ErrorMeter, RangeMeter
from rxsim.converters.row_drive import LayerDrive, PassDrive, pass_names
from rxsim.converters.sharing import range_blocks
from rxsim.converters.spoil import (
    dac_codes,
    driven_passes,
    parts_of,
    spoil_drive,
    spoil_matrices,
)
from rxsim.converters.static_errors import (
    AdcErrors,
    DacCodes,
    DacErrors,
    check_adc_curves,
    draw_adc_errors,
    draw_dac_errors,
    has_random_errors,
)

__all__ = [
    "Adc",
    "AdcErrors",
    "Dac",
    "DacCodes",
    "DacErrors",
    "Drive",
    "DriveCurve",
    "ErrorMeter",
    "LayerDrive",
    "Pass",
    "PassDrive",
    "RangeMeter",
    "adc_codes",
    "check_adc_curves",
    "curved",
    "dac_codes",
    "draw_adc_errors",
    "draw_dac_errors",
    "driven_passes",
    "fixed_ranges",
    "full_units",
    "has_random_errors",
    "layer_dac",
    "layer_drive",
    "parts_of",
    "pass_names",
    "plain_drive",
    "range_blocks",
    "ranged_adc",
    "spoil_drive",
    "spoil_matrices",
]
