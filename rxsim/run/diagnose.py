"""Why: each layer's signal to noise and its ADCs' saturation, float and patched side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from rxsim.load import Layer
from rxsim.run.metrics import snr_db
from rxsim.session import Inputs, Progress, Session, over_batches, with_outputs


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
    taps = [
        (number, name)
        for number, layer in enumerate(layers)
        for name in currents.get(layer.name, ())
    ]
    patched_names = [*names, *(name for _, name in taps)]
    reference = Session(with_outputs(float_model, names), "the float network", fixed_batch)
    patched = Session(
        with_outputs(patched_model, patched_names), "the patched network", fixed_batch
    )

    def work(start: int, stop: int) -> np.ndarray:
        wanted = reference.run_inputs(inputs, names, start, stop)
        found = patched.run_inputs(inputs, patched_names, start, stop)
        sums = np.zeros((len(layers), 4))
        for row, a, b in zip(sums, wanted, found[: len(names)], strict=True):
            row[:2] = _energy(a), _energy(a - b)
        for (number, _), values in zip(taps, found[len(names) :], strict=True):
            sums[number, 2:] += _saturated(values, steps[layers[number].name]), values.size
        return sums

    size = fixed_batch or batch
    totals = sum(over_batches(work, len(inputs), size, threads, progress), np.zeros((1, 4)))
    return {
        layer.name: LayerHealth(
            snr_db(float(signal), float(noise)),
            float(saturated / converted) if converted else None,
        )
        for layer, (signal, noise, saturated, converted) in zip(layers, totals, strict=True)
    }


def _saturated(values: np.ndarray, steps: int) -> int:
    """Count the values that round to more than `steps` codes (an odd number: ties round up)."""
    limit = steps + 0.5
    if values.max() < limit and values.min() > -limit:
        return 0
    return int(np.count_nonzero(np.abs(values) >= limit))


def _energy(values: np.ndarray) -> float:
    """Sum of squares in float64, whatever the type of the values."""
    return float(np.square(values, dtype=np.float64).sum())
