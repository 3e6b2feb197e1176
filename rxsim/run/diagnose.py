"""Why: each layer's signal to noise and its ADCs' saturation, float and patched side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from rxsim.load import Layer
from rxsim.run.metrics import snr_db
from rxsim.session import Inputs, Progress, Session, with_outputs


@dataclass(frozen=True, slots=True)
class LayerHealth:
    """How a layer fares in the patched network.

    Attributes:
        snr_db: of its output before the activation, errors of earlier layers included, decibel.
        clipping: saturated conversions over all conversions; None where there is no ADC.
    """

    snr_db: float
    clipping: float | None


def diagnose_layers(
    float_model: onnx.ModelProto,
    patched_model: onnx.ModelProto,
    layers: Sequence[Layer],
    currents: Mapping[str, Sequence[str]],
    steps: Mapping[str, int],
    inputs: Inputs,
    *,
    batch: int,
    threads: int,
    fixed_batch: int | None = None,
    progress: Progress | None = None,
) -> dict[str, LayerHealth]:
    """Compare every layer's output in the float and in the patched network.

    Args:
        float_model: the normalised float network.
        patched_model: the patched one; layers' outputs keep their names.
        layers: the layers.
        currents: for each layer with ADCs its conversions' currents in LSB before the converter.
        steps: for each of these layers its ADC's codes a side.
        inputs: the network inputs, pooled.
        batch: inputs a batch.
        threads: batches in flight.
        fixed_batch: the batch size that the model prescribes.
        progress: told how many inputs of how many are done.

    Returns:
        Health by layer name.
    """
    names = [layer.output for layer in layers]
    taps = [(layer.name, name) for layer in layers for name in currents.get(layer.name, ())]
    patched_names = [*names, *(name for _, name in taps)]
    reference = Session(with_outputs(float_model, names), "the float network", fixed_batch)
    patched = Session(with_outputs(patched_model, patched_names), "the patched network", fixed_batch)
    signal = dict.fromkeys(names, 0.0)
    noise = dict.fromkeys(names, 0.0)
    saturated = {layer.name: 0 for layer in layers}
    converted = {layer.name: 0 for layer in layers}
    pairs = zip(
        reference.batches(inputs, names, batch=batch, threads=threads),
        patched.batches(inputs, patched_names, batch=batch, threads=threads, progress=progress),
        strict=True,
    )
    for wanted, found in pairs:
        for name, a, b in zip(names, wanted, found[: len(names)], strict=True):
            signal[name] += _energy(a)
            noise[name] += _energy(a - b)
        for (layer_name, _), values in zip(taps, found[len(names) :], strict=True):
            # Rounding to more than `steps` codes is what saturates.
            saturated[layer_name] += int((np.abs(np.rint(values)) > steps[layer_name]).sum())
            converted[layer_name] += values.size
    return {
        layer.name: LayerHealth(
            snr_db(signal[layer.output], noise[layer.output]),
            saturated[layer.name] / converted[layer.name] if converted[layer.name] else None,
        )
        for layer in layers
    }


def _energy(values: np.ndarray) -> float:
    """Sum of squares in float64, whatever the type of the values."""
    return float(np.square(values, dtype=np.float64).sum())
