"""DAC and ADC: their transfer curves, and the ranges that calibration gives them."""

from rxsim.converters.adc import Adc, adc_codes, ranged_adc
from rxsim.converters.dac import Dac, layer_dac
from rxsim.converters.dac_errors import dac_codes, matrices_with_gains, with_dac_errors
from rxsim.converters.fixed_ranges import fixed_ranges
from rxsim.converters.input_plan import InputPlan, layer_input_plan
from rxsim.converters.range_meters import ErrorMeter, RangeMeter
from rxsim.converters.sharing import range_blocks
from rxsim.converters.static_errors import (
    AdcErrors,
    DacCodes,
    DacErrors,
    check_adc_curves,
    draw_adc_errors,
    draw_dac_errors,
    has_random_errors,
)
from rxsim.converters.wordlines import InputVectors, WordlineVoltages

__all__ = [
    "Adc",
    "AdcErrors",
    "Dac",
    "DacCodes",
    "DacErrors",
    "ErrorMeter",
    "InputPlan",
    "InputVectors",
    "RangeMeter",
    "WordlineVoltages",
    "adc_codes",
    "check_adc_curves",
    "dac_codes",
    "draw_adc_errors",
    "draw_dac_errors",
    "fixed_ranges",
    "has_random_errors",
    "layer_dac",
    "layer_input_plan",
    "matrices_with_gains",
    "range_blocks",
    "ranged_adc",
    "with_dac_errors",
]
