"""`mapping.skip_zero`: what is left out changes nothing, and what is left is that of a smaller layer.

The twin knows nothing of lines that are left out: it maps the whole layer, or one from which the lines
were taken by hand.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from beside_twin import TOLERANCE, compare, output, patched
from drawn_settings import Axes, Case, Dice, some_case
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import numpy_helper
from small_networks import conv, dense
from twin import build

from rxsim import RxsimError
from rxsim import settings as rxsim_settings

Floats = NDArray[Any]
N_CALIBRATION, N_IMAGES = 5, 4


def skipping(chosen: dict[str, Any]) -> dict[str, Any]:
    return {**chosen, "mapping": {**chosen["mapping"], "skip_zero": True}}


def pruned(model: onnx.ModelProto, rng: np.random.Generator) -> onnx.ModelProto:
    """Set whole rows, whole columns and a block of each matrix or kernel to 0; at times all of it."""
    for tensor in model.graph.initializer:
        if len(tensor.dims) < 2:
            continue
        weights = numpy_helper.to_array(tensor).copy()
        for axis in (0, 1):
            lines = np.moveaxis(weights, axis, 0)
            lines[rng.random(len(lines)) < rng.choice([0.2, 0.6])] = 0
        weights[: weights.shape[0] // 2, weights.shape[1] // 2 :] = 0
        if rng.random() < 0.05:
            weights[:] = 0
        tensor.CopyFrom(numpy_helper.from_array(weights, tensor.name))
    return model


def made_exact(chosen: dict[str, Any]) -> dict[str, Any]:
    """Change settings under which the converters would see other sums than before."""
    mapping, adc = chosen["mapping"], chosen["adc"]
    if mapping["w_max_scope"] == "tile":
        mapping["w_max_scope"] = "column"
    cancels = mapping["scheme"] == "differential" or mapping["offset_removal"] != "digital"
    if not (cancels and mapping["subtract"] == "analog"):
        adc["n_bits"] = None
    if mapping["scheme"] == "offset" and mapping["offset_removal"] == "digital":
        adc["where"] = "per_tile"
    if adc["n_bits"] is not None:
        adc |= {"percentile": 100, "criterion": "percentile"}
        adc["scope"] = "column" if adc["scope"] == "tile" else adc["scope"]
        if adc["where"] == "per_tile" or adc["range"] == "full_scale":
            chosen["crossbar"]["rows"] = 128  # a single row tile
    return chosen


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6))
def test_without_wires_nothing_changes(number: int) -> None:
    """Every scheme, encoding and layout, of one or two layers: against the twin of the whole layer."""
    case: Case = some_case(Dice(7, number), Axes())
    model = pruned(case.model, np.random.default_rng(number))
    chosen = made_exact(case.settings)
    x = case.inputs(N_CALIBRATION, 0), case.inputs(N_IMAGES, 1)
    twin = build(model, chosen, x[0], case.trial)
    if not twin.calibration_risk:
        compare(patched(model, skipping(chosen), x[0], case.trial), twin, x[1])


def smaller(rng: np.random.Generator, kind: str) -> tuple[onnx.ModelProto, onnx.ModelProto, Any]:
    """Return a layer with dead input channels and outputs, the layer without them, and which live.

    Weights are nowhere else 0.
    """
    n_inputs, n_outputs = int(rng.integers(2, 13)), int(rng.integers(2, 8))
    kernel = (3, 2) if kind == "conv" else ()
    weights = rng.standard_normal((n_outputs, n_inputs, *kernel)) + 0.01
    lives = [rng.random(size) < 0.6 for size in (n_inputs, n_outputs)]
    for life in lives:
        life[rng.integers(len(life))] = True
    weights[:, ~lives[0]], weights[~lives[1]] = 0, 0
    left = weights[:, lives[0]][lives[1]]
    if kind == "dense":
        return dense(weights.T), dense(left.T), lives
    shape = (4, 3)
    return conv(weights, (n_inputs, *shape)), conv(left, (int(lives[0].sum()), *shape)), lives


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["dense", "conv"]))
def test_what_is_left_is_the_smaller_layer(number: int, kind: str) -> None:
    """Wires, errors of cells and of converters: every array and draw is that of the smaller layer."""
    rng = np.random.default_rng(number)
    whole, left, (inputs, outputs) = smaller(rng, kind)
    case = some_case(Dice(11, number), Axes(wires=True, chip=True, converters=True))
    chosen = case.settings
    chosen["input"]["percentile"] = 100
    chosen["device"].pop("faults", None)
    if chosen["input"]["encoding"] == "stochastic":
        chosen["input"] |= {"encoding": "amplitude", "signed_input": "bipolar"}
    mapping = chosen["mapping"]
    mapping["w_percentile"] = 100
    if mapping["scheme"] == "offset" and mapping["offset_removal"] == "digital":
        chosen["adc"]["where"] = "per_tile"
    shape = (N_CALIBRATION + N_IMAGES, len(inputs), *((4, 3) if kind == "conv" else ()))
    x = np.clip(rng.standard_normal(shape), -2, 2).astype(np.float32)
    if not case.negative:
        x = np.abs(x)
    first = np.flatnonzero(inputs)[0]
    x[:2, first] = [[[2]], [[-2 if case.negative else 1]]] if kind == "conv" else [2, -2 if case.negative else 1]
    twin = build(left, chosen, x[:N_CALIBRATION, inputs], case.trial)
    if twin.calibration_risk:
        return
    (layer,) = twin.layers.values()
    images = x[N_CALIBRATION:]
    expected, risky, size = layer.forward(images[:, inputs])
    found = output(patched(whole, skipping(chosen), x[:N_CALIBRATION], case.trial), images)
    allowed = max(TOLERANCE * size.max(), 1e-12 * float(layer.x_max * layer.w_max.max()))
    assert (found[:, ~outputs] == 0).all()
    assert ((np.abs(found[:, outputs] - expected) <= allowed) | risky).all()
