"""Float run over the calibration inputs -> the input range of every layer."""

from rxsim.calibrate.count import count_values
from rxsim.calibrate.input_ranges import InputRange, measure_input_ranges
from rxsim.calibrate.quantile import UpperQuantile
from rxsim.config import Reads

INPUT_RANGES = Reads(("input.percentile", "input.range"))
"""What the range of a layer's inputs follows from, besides the network and the inputs."""

__all__ = ["INPUT_RANGES", "InputRange", "UpperQuantile", "count_values", "measure_input_ranges"]
