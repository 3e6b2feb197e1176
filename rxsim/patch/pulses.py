"""Random pulses: a value stands for the probability of a pulse.

A pulse comes where the value exceeds a random threshold, the sum (modulo 1) of one uniform number for
each channel and one for each place: uniform, and any two are independent, at the cost of few constants.
The thresholds are the chip's: all inputs meet the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from rxsim.converters import Pass
from rxsim.onnx_graph import GraphBuilder


@dataclass(frozen=True, slots=True, eq=False)
class Pulses:
    """Thresholds of a layer's inputs.

    Attributes:
        channels: of each pulse, float32 (pulses, channels, *1): along the channels.
        places: float32 (pulses, 1, *spatial): along the spatial axes.
    """

    channels: np.ndarray
    places: np.ndarray

    def add(self, build: GraphBuilder, value: str, one: Pass, steps: int) -> str:
        """Add the nodes of one pulse, or of the mean of all."""
        size = build.add("Abs", [value], "size")
        share = build.add("Mul", [size, build.scalar("per_step", 1 / steps)], "share")
        sign = build.add("Sign", [value], "pulse_sign")
        numbers = range(len(self.channels)) if one.pulse == -1 else [one.pulse or 0]
        found = []
        for number in numbers:
            level = self._threshold(build, number)
            over = build.add("Greater", [share, level], f"over_{number}")
            found.append(build.add("Cast", [over], f"pulse_{number}", to=TensorProto.FLOAT))
        total = found[0] if len(found) == 1 else build.add("Sum", found, "pulses")
        if len(found) > 1:
            total = build.add("Mul", [total, build.scalar("mean", 1 / len(found))], "pulse_mean")
        return build.add("Mul", [total, sign], "signed_pulses")

    def _threshold(self, build: GraphBuilder, number: int) -> str:
        channels, places = self.channels[number], self.places[number]
        if places.size == 1:
            return build.constant(f"threshold_{number}", np.mod(channels + places, 1))
        along = build.constant(f"threshold_{number}", channels)
        across = build.constant(f"place_{number}", places)
        total = build.add("Add", [along, across], f"level_sum_{number}")
        whole = build.add("Floor", [total], f"level_whole_{number}")
        return build.add("Sub", [total, whole], f"level_{number}")


def draw_pulses(
    rng: np.random.Generator, pulses: int, shape: tuple[int, ...], channel_axis: int
) -> Pulses:
    """Draw the thresholds of a layer's inputs.

    Args:
        rng: the chip's generator for this layer.
        pulses: how many for one value.
        shape: of the input tensor, without its batch axis.
        channel_axis: of the input tensor: 1 (channels first) or -1 (channels last).
    """
    if channel_axis == 1:
        channels, spatial = (shape[0], *(1 for _ in shape[1:])), (1, *shape[1:])
    else:
        channels, spatial = (shape[-1],), (1,)
    return Pulses(
        rng.random((pulses, *channels), dtype=np.float32),
        rng.random((pulses, *spatial), dtype=np.float32),
    )
