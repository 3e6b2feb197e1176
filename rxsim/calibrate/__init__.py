"""Float run over the calibration inputs -> the input range of every layer."""

from rxsim.calibrate.count import count_values
from rxsim.calibrate.input_ranges import InputRange, measure_input_ranges
from rxsim.calibrate.quantile import UpperQuantile

__all__ = ["InputRange", "UpperQuantile", "count_values", "measure_input_ranges"]
