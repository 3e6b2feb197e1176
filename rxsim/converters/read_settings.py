"""Which settings the converters and their ranges follow from (see `rxsim.config.reads`)."""

from __future__ import annotations

from rxsim.config import Reads

INPUTS = Reads(("input", "dac"))
"""What a layer's passes and their voltages follow from, besides the range of its inputs."""
ADC_RANGES = Reads(("adc",), but=("adc.share",))
"""What chooses the range of an ADC, besides the currents: who shares it changes only its errors."""
