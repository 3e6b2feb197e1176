"""Colour orders: RGB, BGR and grey."""

from __future__ import annotations

from typing import Literal

import numpy as np

from rxsim.errors import DataError

Color = Literal["RGB", "BGR", "gray"]
# Source: Pillow, Convert.c: L = R * 299/1000 + G * 587/1000 + B * 114/1000 in 16-bit fractions.
_LUMA = np.array([19595, 38470, 7471], dtype=np.uint32)
_HALF, _BITS = 0x8000, 16


def recolored(x: np.ndarray, data: Color, model: Color, axis: int) -> np.ndarray:
    """Turn the colours of samples into the model's.

    Args:
        x: samples with a channel axis.
        data: colours of the samples.
        model: colours of the model's inputs.
        axis: the channel axis.

    Returns:
        Samples of the same type; grey is repeated for three colours.

    Raises:
        DataError: the channels do not fit the stated colours.
    """
    if data == model:
        return x
    channels = 1 if data == "gray" else 3
    if x.ndim < 3 or x.shape[axis] != channels:
        raise DataError(
            f"data: found samples of shape {list(x.shape[1:])}, expected {channels} channels to turn "
            f"{data} into {model}; correct the card"
        )
    if data == "gray":
        return np.repeat(x, 3, axis=axis)
    if model != "gray":
        return np.flip(x, axis=axis)
    if x.dtype != np.uint8:
        raise DataError(
            f"data: found samples of type {x.dtype}, expected uint8 to turn {data} into gray; convert "
            "the data"
        )
    luma = _LUMA if data == "RGB" else _LUMA[::-1]
    last = np.moveaxis(x, axis, -1).astype(np.uint32)
    grey = ((last @ luma + np.uint32(_HALF)) >> np.uint32(_BITS)).astype(np.uint8)
    return np.expand_dims(grey, axis)
