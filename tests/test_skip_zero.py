"""`mapping.skip_zero`: what is left out changes nothing, and what is left is that of a smaller layer.

The twin knows nothing of lines that are left out: it maps the whole layer, or one from which the lines
were taken by hand.
"""

from __future__ import annotations

import json
from pathlib import Path
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
from small_networks import conv, dense, network
from twin import build

from rxsim import RxsimError, Settings
from rxsim import settings as rxsim_settings
from rxsim.cli import main
from rxsim.load import load_network
from rxsim.mapping import MappedLayer, map_layer

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


@settings(max_examples=25, deadline=None)
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


@settings(max_examples=10, deadline=None)
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
    x[0, first], x[1, first] = 2, -2 if case.negative else 2
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


STEPS: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "order": (["order"], {}),
    "predistort": (["order", {"predistort": {"scale": "column"}}], {}),
    "columns": (["predistort", "columns", "statistics"], {"adc": {"n_bits": 8}}),
    "ranges": (["ranges"], {}),
    "spares": (
        ["spares", "pairs", "digital_cells"],
        {"device": {"stuck_lrs": 0.05, "stuck_hrs": 0.05}, "mapping": {"spare_cols": 2}},
    ),
    "references": (
        ["order", "spares", "digital_cells"],
        {
            "device": {"stuck_lrs": 0.05},
            "mapping": {
                **{"scheme": "offset", "offset_removal": "reference_column"},
                **{"subtract": "digital", "spare_cols": 2},
            },
        },
    ),
    "non-linear": ([], {"device": {"iv": {"form": "sinh", "v0": 0.2}}}),
}


@pytest.mark.parametrize("name", STEPS)
def test_steps_act_on_the_smaller_layer(name: str) -> None:
    """Each output is that of the smaller layer under the same steps, to float rounding."""
    steps, over = STEPS[name]
    rng = np.random.default_rng(3)
    weights = rng.standard_normal((30, 20))
    rows, outputs = rng.random(30) < 0.6, rng.random(20) < 0.6
    weights[~rows], weights[:, ~outputs] = 0, 0
    x = np.zeros((12, 30), np.float32)
    x[:, rows] = rng.standard_normal((12, int(rows.sum())))
    if name == "non-linear":
        x = np.sign(rng.standard_normal(x.shape)).astype(np.float32)  # one operating point
    chosen = {
        **{"crossbar": {"rows": 8, "cols": 9, "r_wire_wl": 20, "r_wire_bl": 20}},
        **{"mapping": {}, "compensate": steps, **over},
    }
    whole = output(patched(dense(weights), skipping(chosen), x), x)
    left = output(patched(dense(weights[rows][:, outputs]), chosen, x[:, rows]), x[:, rows])
    assert (whole[:, ~outputs] == 0).all()
    assert whole[:, outputs] == pytest.approx(left, abs=1e-6 * float(np.abs(left).max()))


def test_an_array_without_a_weight_is_not_there() -> None:
    """Blocks on the diagonal: each is a layer by itself, wires and errors of its converters included.

    ADCs read 0.8 LSB too high: had the arrays beside the diagonal any, outputs would show it.
    """
    rng = np.random.default_rng(5)
    blocks = [rng.standard_normal((8, 9)) for _ in range(3)]
    weights = np.zeros((24, 27))
    for at, block in enumerate(blocks):
        weights[8 * at : 8 * at + 8, 9 * at : 9 * at + 9] = block
    x = rng.random((10, 24)).astype(np.float32)
    x[0, ::8] = 1.0
    chosen: dict[str, Any] = {
        "crossbar": {"rows": 8, "cols": 9, "r_wire_wl": 20, "r_wire_bl": 20},
        "mapping": {"w_max_scope": "column"},
        "adc": {"scope": "column", "n_bits": 8, "inl": [0.8, 0.8]},
    }
    whole = output(patched(dense(weights), skipping(chosen), x), x)
    for at, block in enumerate(blocks):
        given_x = x[:, 8 * at : 8 * at + 8]
        alone = output(patched(dense(block), chosen, given_x), given_x)
        found = whole[:, 9 * at : 9 * at + 9]
        assert found == pytest.approx(alone, abs=1e-6 * float(np.abs(alone).max()))


def test_a_layer_of_zeros_keeps_one_weight() -> None:
    chosen = rxsim_settings({"mapping": {"skip_zero": True}})
    (mapped,) = mapped_layers(dense(np.zeros((100, 90))), chosen)
    assert (mapped.n_arrays, mapped.tiling.weights) == (2, 2)
    x = np.ones((3, 100), np.float32)
    model = patched(dense(np.zeros((100, 90))), {"mapping": {"skip_zero": True}}, x)
    assert (output(model, x) == 0).all()


def test_layers_that_share_weights_share_what_is_left() -> None:
    rng = np.random.default_rng(1)
    weights = rng.standard_normal((20, 20))
    weights[:, :9] = 0
    model = network(
        "[a] h = MatMul(x, w) [r] r = Tanh(h) [b] y = MatMul(r, w)", (20,), {"w": weights}
    )
    chosen = rxsim_settings({"crossbar": {"rows": 8, "cols": 8}, "mapping": {"skip_zero": True}})
    first, second = mapped_layers(model, chosen)
    assert first.layer.arrays_of == second.layer.arrays_of == first.layer.index
    assert first.n_arrays == second.n_arrays == 3 * 2 * 2
    for index in range(first.n_arrays):
        assert (first.array(index).target == second.array(index).target).all()


def test_packed_groups_come_closer() -> None:
    """Of 3 x 3 kernels with 5 dead places, 4 places are left: 4 groups fit where there was 1."""
    weights = np.random.default_rng(2).standard_normal((8, 1, 3, 3))
    weights[:, :, [0, 0, 1, 2, 2], [0, 1, 1, 0, 2]] = 0
    weights[4:] = 0  # the second block
    chosen = {"crossbar": {"rows": 16, "cols": 8}, "mapping": {"pack_groups": True}}
    model = conv(weights, (8, 5, 5), groups=8)
    (before,) = mapped_layers(model, rxsim_settings(chosen))
    (after,) = mapped_layers(model, rxsim_settings(skipping(chosen)))
    assert (before.tiling.packed, after.tiling.packed) == (1, 4)
    assert (before.n_arrays, after.n_arrays) == (16, 2)


def test_offsets_of_arrays_that_are_not_there_are_refused_in_a_sum() -> None:
    chosen = {"mapping": {"skip_zero": True, "scheme": "offset"}, "adc": {"where": "per_layer"}}
    with pytest.raises(RxsimError, match=r"mapping\.skip_zero.*expected adc\.where: per_tile"):
        rxsim_settings(chosen)


def test_map_tells_the_arrays_that_are_saved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = np.ones((20, 128), np.float32)
    weights[:, ::2] = 0
    onnx.save(dense(weights), tmp_path / "net.onnx")
    given = ["map", str(tmp_path / "net.onnx"), "--xbar", "64x64"]
    skip = ["--set", "mapping.skip_zero=true"]
    said = []
    for more in (skip, [*skip, "--json", "-"], ["--json", "-"]):
        with pytest.raises(SystemExit) as stop:
            main([*given, *more])
        assert stop.value.code == 0
        said.append(capsys.readouterr().out)
    assert "Zeros left out: 1 layer on 2 arrays instead of 4, 50 % less." in said[0]
    (layer,) = json.loads(said[1])["layers"]
    assert (layer["arrays"], layer["arrays_with_zeros"]) == (2, 4)
    assert "arrays_with_zeros" not in said[2]


def mapped_layers(model: onnx.ModelProto, chosen: Settings) -> list[MappedLayer]:
    return [
        map_layer(layer, chosen.crossbar, chosen.device, chosen.mapping)
        for layer in load_network(model).layers
    ]
