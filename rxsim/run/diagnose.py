"""Where accuracy is lost: each layer's signal to noise and its converters' saturation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from rxsim.load import Layer
from rxsim.metrics.snr_db import decibel, energy
from rxsim.onnx_graph import with_outputs, with_statistics
from rxsim.patch import LayerTaps, PatchedNetwork
from rxsim.run.saturation import saturated, saturation_counts, saturation_in
from rxsim.session import Inputs, Progress, Session, over_batches


@dataclass(frozen=True, slots=True)
class LayerHealth:
    """How a layer fares in the patched network.

    Attributes:
        snr_db: of its output before the activation, errors of earlier layers included, decibel; None
            where nothing could be compared: a branch that was not taken, or not by both networks, or a
            loop of another number of steps.
        dac_clipping: share of its inputs that saturate their DAC; None where there is none.
        adc_clipping: saturated conversions over all conversions; None where there is no ADC.
    """

    snr_db: float | None
    dac_clipping: float | None
    adc_clipping: float | None


def diagnose_layers(
    float_model: onnx.ModelProto,
    patched: PatchedNetwork,
    layers: Sequence[Layer],
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
        patched: the patched network; layers' inputs and outputs keep their names.
        layers: the layers.
        inputs: the network inputs, pooled.
        batch: inputs a batch.
        threads: batches in flight.
        fixed_batch: the batch size that the model prescribes.
        progress: told how many inputs of how many are done.

    Returns:
        Health by layer name.
    """
    outputs = [layer.output for layer in layers]
    taps = [patched.taps[layer.name] for layer in layers]
    # A batch that is filled up holds inputs that must not be counted: currents are cut first.
    is_filled_up = fixed_batch is not None and len(inputs) % fixed_batch != 0
    counts = {} if is_filled_up else saturation_counts(patched.model, layers, taps)
    counted: dict[str, str] = {}
    names: list[str] = []

    def watch(model: onnx.ModelProto) -> onnx.ModelProto:
        model, statistics = with_statistics(model, counts)
        counted.update(statistics)
        watched = [counted.get(name, name) for tap in taps for name in tap.currents]
        names[:] = dict.fromkeys([*outputs, *(layer.input for layer in layers), *watched])
        return with_outputs(model, names)

    reference = Session(float_model, "the float network", fixed_batch, outputs)
    session = Session(patched.model, "the patched network", fixed_batch, extend=watch)

    def work(start: int, stop: int) -> np.ndarray:
        wanted = reference.run_inputs(inputs, outputs, start, stop)
        values = session.run_inputs(inputs, names, start, stop)
        tensors = dict(zip(names, values, strict=True))
        rows = [
            _sums(layer, tap, truth, tensors, counted)
            for layer, tap, truth in zip(layers, taps, wanted, strict=True)
        ]
        return np.array(rows)

    size = fixed_batch or batch
    flying = min(reference.in_flight(threads), session.in_flight(threads))
    totals = sum(over_batches(work, len(inputs), size, flying, progress), np.zeros((1, 7)))
    return {
        layer.name: LayerHealth(
            decibel(float(row[0]), float(row[1])) if row[6] else None,
            _share(row[2], row[3]),
            _share(row[4], row[5]),
        )
        for layer, row in zip(layers, totals, strict=True)
    }


def _sums(
    layer: Layer,
    tap: LayerTaps,
    truth: np.ndarray,
    tensors: Mapping[str, np.ndarray],
    counted: Mapping[str, str],
) -> tuple[float, ...]:
    """Sum up a layer in a batch, for `LayerHealth`.

    Args:
        layer: the layer.
        tap: the tensors to look at in the patched network.
        truth: the layer's output in the float network.
        tensors: those of the patched network, by name.
        counted: of a current by its name, where its saturated values are counted in the graph, the
            tensor that holds their number.

    Returns:
        Energies of signal and noise, saturated and all DAC inputs, saturated and all conversions, and
        the number of values that were compared.
    """
    found = tensors[layer.output]
    if found.shape != truth.shape or not found.size:
        return (0.0,) * 7  # a branch that is not taken, or not by both networks
    sums = [energy(truth), energy(truth - found), 0.0, 0.0, 0.0, 0.0, float(truth.size)]
    if tap.input_bounds is not None:
        x = tensors[layer.input]
        sums[2:4] = saturated(x, *tap.input_bounds), x.size
    if tap.adc_bounds is not None:
        sums[4:6] = saturation_in(layer, tap, tensors, counted)
    return tuple(sums)


def _share(part: float, whole: float) -> float | None:
    return float(part / whole) if whole else None
