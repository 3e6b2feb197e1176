"""The range of activations at each layer's input, in the float network.

See docs/concepts/model.md section 5.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx

from rxsim.calibrate.count import count_values
from rxsim.calibrate.quantile import UpperQuantile
from rxsim.errors import ModelError
from rxsim.load import Layer
from rxsim.session import Inputs, Progress, Session

# Assumption: no activation of a working network comes near what float32 can hold.
_LARGEST = 1e20


@dataclass(frozen=True, slots=True)
class InputRange:
    """The range of a layer's inputs, which its DACs span.

    Attributes:
        x_max: the largest |x| (or its percentile) over the calibration inputs; 1 where it is 0.
        signed: whether any input is below 0: then the range is [-x_max, x_max], else [0, x_max].
        shape: of the input tensor, without its batch axis.
    """

    x_max: float
    signed: bool
    shape: tuple[int, ...] = ()


def measure_input_ranges(
    model: onnx.ModelProto,
    layers: Iterable[Layer],
    inputs: Inputs,
    *,
    percentile: Mapping[str, float],
    batch: int,
    threads: int,
    fixed_batch: int | None = None,
    progress: Progress | None = None,
) -> dict[str, InputRange]:
    """Run the float network and measure the range of each layer's input.

    Args:
        model: the normalised float network.
        layers: its layers.
        inputs: the calibration inputs.
        percentile: of |x| by layer name; 100 is the maximum.
        batch: inputs a batch.
        threads: batches in flight.
        fixed_batch: the batch size that the model prescribes.
        progress: told how many inputs of how many are done.

    Returns:
        The range by layer name.

    Raises:
        ModelError: the float network yields NaN or infinity at a layer's input.
    """
    listed = list(layers)
    names = list(dict.fromkeys(layer.input for layer in listed))
    wanted = sorted({(layer.input, percentile[layer.name]) for layer in listed})
    session = Session(model, "the float network", fixed_batch, watched=names)
    minima = dict.fromkeys(names, np.inf)
    shapes: dict[str, tuple[int, ...]] = {}
    totals: dict[str, int] = {}
    if any(share < 100 for _, share in wanted):
        counted = count_values(session, inputs, names, batch=batch, threads=threads)
        totals = dict(zip(names, counted, strict=True))
    quantiles = {
        (name, share): UpperQuantile(share, None if share == 100 else totals[name])
        for name, share in wanted
    }
    for results in session.batches(inputs, names, batch=batch, threads=threads, progress=progress):
        for name, values in zip(names, results, strict=True):
            if not values.size:  # in a branch that this batch does not take
                continue
            minima[name] = min(minima[name], float(values.min()))
            shapes[name] = values.shape[1:] or values.shape  # a single axis has no batch before it
            magnitudes = np.abs(values)
            for (tensor, _), quantile in quantiles.items():
                if tensor == name:
                    quantile.add(magnitudes)
    ranges = {}
    for layer in listed:
        if layer.input not in shapes:
            ranges[layer.name] = InputRange(1.0, False)  # nothing reaches it
            continue
        x_max = quantiles[(layer.input, percentile[layer.name])].value()
        if not (x_max <= _LARGEST and abs(minima[layer.input]) <= _LARGEST):
            raise ModelError(
                f"layer {layer.name}: the float network feeds it NaN, infinity or values above "
                f"{_LARGEST:g} on the calibration inputs; check the preprocessing and the model"
            )
        ranges[layer.name] = InputRange(x_max or 1.0, minima[layer.input] < 0, shapes[layer.input])
    return ranges
