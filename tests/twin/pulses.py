"""Random pulses: the thresholds that a layer's inputs meet.

Convention: a pulse comes where the share of x_max exceeds a threshold, the sum modulo 1 of one uniform
number for each channel and one for each place. Of the layer's stream (trial, layer index, 5, 0), in
float32, first come those of all pulses and channels, then those of all pulses and places (one of a
matrix product). All inputs of a batch meet the same thresholds, and so do both phases of an input.
Calibration takes the pulses of chip 0.
"""

from __future__ import annotations

import numpy as np

from twin.arrays import Bools, Floats
from twin.chip import PULSES, stream
from twin.settings import Settings


def thresholds(
    settings: Settings, trial: int, layer: int, shape: tuple[int, ...], is_conv: bool
) -> Floats:
    """Return the thresholds of a layer's input tensor.

    Args:
        settings: The layer's settings.
        trial: Number of the chip.
        layer: Index of the layer.
        shape: Of one input: (C, *axes) of a convolution, else (..., K).
        is_conv: Whether it is one.

    Returns:
        Shape (pulses, 1, *shape); of a matrix product (pulses, 1, .., K).
    """
    count, rng = settings["input"]["pulses"], stream(settings["seed"], trial, layer, PULSES, 0)
    channels = (shape[0], *(1 for _ in shape[1:])) if is_conv else (shape[-1],)
    places = (1, *shape[1:]) if is_conv else (1,)
    total = rng.random((count, *channels), dtype=np.float32)
    total = total + rng.random((count, *places), dtype=np.float32)
    levels = np.float64(np.mod(total, np.float32(1)))
    return levels.reshape(count, 1, *((1,) * (len(shape) - levels.ndim + 1)), *levels.shape[1:])


def pulse(share: Floats, threshold: Floats) -> tuple[Floats, Bools]:
    """Return the pulses of shares of either sign, with their sign, and where it is close."""
    comes = np.sign(share) * (np.abs(share) > threshold)
    # An input of 0 (padding too) has no pulse at any threshold.
    return comes, (share != 0) & (np.abs(np.abs(share) - threshold) < 1e-6)
