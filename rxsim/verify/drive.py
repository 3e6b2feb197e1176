"""The voltages that a layer's inputs put on its wordlines: DAC, then the rows of each position."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rxsim.converters import Dac
from rxsim.load import Layer
from rxsim.load.graph import attributes

# Values gathered at once: wide rows at many positions are looked through part by part.
_MOST_VALUES = 2**22


class LayerDrive:
    """What drives a layer's arrays for one network input.

    A position is one vector of the layer's K (times groups) inputs: for a Conv one place of its
    kernel, numbered along the output's spatial axes (row-major, inputs of the batch first); for a
    product one row of its activations.

    Attributes:
        layer: the layer.
        positions: how many there are.
    """

    def __init__(self, layer: Layer, dac: Dac, values: np.ndarray) -> None:
        """Convert the values of a layer's input tensor.

        Args:
            layer: the layer.
            dac: its DACs.
            values: the tensor: (n, channels, *spatial) of a Conv, else (..., K).
        """
        self.layer = layer
        volts = dac.codes(values) * dac.volt_per_code
        if layer.op == "Conv":
            self._base, self._offsets, self._flat = _windows(layer, volts)
        else:
            self._flat = volts.ravel()
            self._base = np.arange(0, self._flat.size, layer.n_inputs)
            self._offsets = np.arange(layer.n_inputs)
        self.positions = len(self._base)

    def volts(self, rows: np.ndarray, row_signs: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Return the source voltages of an array.

        Args:
            rows: input `group * K + k` of each physical row, -1 for a row at 0 V, (n_rows,).
            row_signs: +1 or -1, (n_rows,).
            positions: int64 (n,).

        Returns:
            Volt, float64 (n, n_rows).
        """
        used = rows >= 0
        places = self._base[positions, None] + self._offsets[rows[used]][None, :]
        found = np.zeros((len(positions), len(rows)))
        found[:, used] = self._flat[places] * row_signs[used]
        return found

    def activity(self, rows: np.ndarray) -> np.ndarray:
        """Return the sum of |voltage| over an array's rows for every position, (positions,)."""
        size = max(_MOST_VALUES // max(len(rows), 1), 1)
        signs = np.ones(len(rows))
        parts = [
            np.abs(
                self.volts(rows, signs, np.arange(start, min(start + size, self.positions)))
            ).sum(axis=1)
            for start in range(0, self.positions, size)
        ]
        return np.concatenate(parts) if parts else np.empty(0)


def _windows(layer: Layer, volts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lay out a Conv's windows over its padded input.

    Returns:
        The first flat place of each position's window, the distance of each row (group, channel,
        kernel position) from it, and the padded input itself, flat.
    """
    given = attributes(layer.node)
    n_axes = len(layer.kernel)
    strides = np.asarray(given.get("strides", [1] * n_axes))
    dilations = np.asarray(given.get("dilations", [1] * n_axes))
    reach = (np.asarray(layer.kernel) - 1) * dilations + 1
    spatial = np.asarray(volts.shape[2:])
    before, after = _pads(given, spatial, strides, reach)
    padded = np.pad(volts, [(0, 0), (0, 0), *zip(before, after, strict=True)])
    out = np.maximum((spatial + before + after - reach) // strides + 1, 0)
    steps = np.array([math.prod(padded.shape[axis + 1 :]) for axis in range(padded.ndim)])

    starts = np.indices((len(volts), *out)).reshape(1 + n_axes, -1)
    base = starts[0] * steps[0] + (starts[1:] * (strides * steps[2:])[:, None]).sum(axis=0)
    kernel = np.indices(layer.kernel).reshape(n_axes, -1)
    inner = (kernel * (dilations * steps[2:])[:, None]).sum(axis=0)
    offsets = (np.arange(volts.shape[1])[:, None] * steps[1] + inner[None, :]).ravel()
    return base, offsets, padded.ravel()


def _pads(
    given: dict[str, Any], spatial: np.ndarray, strides: np.ndarray, reach: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the zeros before and after each spatial axis.

    Source: ONNX's Conv: SAME gives ceil(size/stride) outputs, the odd zero at the end (SAME_UPPER) or
    at the beginning (SAME_LOWER).
    """
    n_axes = len(spatial)
    auto = given.get("auto_pad", b"NOTSET")
    if auto in (b"SAME_UPPER", b"SAME_LOWER"):
        total = np.maximum((-(-spatial // strides) - 1) * strides + reach - spatial, 0)
        smaller = total // 2
        ends = (smaller, total - smaller)
        return ends if auto == b"SAME_UPPER" else (ends[1], ends[0])
    pads = np.zeros(2 * n_axes, dtype=np.int64)
    if auto != b"VALID" and "pads" in given:
        pads[:] = given["pads"]
    return pads[:n_axes], pads[n_axes:]
