"""DAC and ADC: their transfer curves, and the ranges that calibration gives them."""

from rxsim.converters.adc import Adc, full_scale_adc, ranged_adc
from rxsim.converters.adc_ranges import RangeMeter
from rxsim.converters.dac import Dac, layer_dac

__all__ = ["Adc", "Dac", "RangeMeter", "full_scale_adc", "layer_dac", "ranged_adc"]
