"""DAC and ADC: their transfer curves, and the ranges that calibration gives them."""

from rxsim.converters.adc import Adc, adc_codes, ranged_adc
from rxsim.converters.adc_levels import (
    AdcLevels,
    MeasuredAdc,
    Steps,
    check_thresholds,
    levels_of,
    listed_levels,
)
from rxsim.converters.current_histograms import (
    MOST_BINS,
    CurrentHistograms,
    bits_per_lsb,
)
from rxsim.converters.dac import Dac, layer_dac
from rxsim.converters.dac_errors import dac_codes, matrices_with_gains, with_dac_errors
from rxsim.converters.dead_ranges import without_dead_ranges
from rxsim.converters.fixed_ranges import fixed_ranges, full_scale
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
from rxsim.converters.thermal_noise import PassNoise, ThermalNoise, pass_noise
from rxsim.converters.wordlines import InputVectors, WordlineVoltages

__all__ = [
    "MOST_BINS",
    "Adc",
    "AdcErrors",
    "AdcLevels",
    "CurrentHistograms",
    "Dac",
    "DacCodes",
    "DacErrors",
    "ErrorMeter",
    "InputPlan",
    "InputVectors",
    "MeasuredAdc",
    "PassNoise",
    "RangeMeter",
    "Steps",
    "ThermalNoise",
    "WordlineVoltages",
    "adc_codes",
    "bits_per_lsb",
    "check_adc_curves",
    "check_thresholds",
    "dac_codes",
    "draw_adc_errors",
    "draw_dac_errors",
    "fixed_ranges",
    "full_scale",
    "has_random_errors",
    "layer_dac",
    "layer_input_plan",
    "levels_of",
    "listed_levels",
    "matrices_with_gains",
    "pass_noise",
    "range_blocks",
    "ranged_adc",
    "with_dac_errors",
    "without_dead_ranges",
]
