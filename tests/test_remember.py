"""A cache changes no result, whatever was put into it before; totals and losses are what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
import pytest
from chips import foundry_of

import rxsim
from rxsim.cache import Cache
from rxsim.circuit import ArraySolution
from rxsim.config import Settings, load_settings
from rxsim.devices import Chip, program
from rxsim.onnx_graph import GraphBuilder
from rxsim.pipeline import DataOptions, evaluate, open_study

MODELS = Path(__file__).parent.parent / "models"

# Each one differs from others in something that some kept result follows from.
CHANGES: dict[str, list[str]] = {
    "defaults": [],
    "other chips": ["seed=1"],
    "write error": ["device.write_sigma=0.1"],
    "write error, other chips": ["device.write_sigma=0.1", "seed=1"],
    "wires": ["crossbar.r_wire_wl=10"],
    "array": ["crossbar.rows=32"],
    "driver side": ["crossbar.drive_side=right"],
    "levels": ["device.n_bits=3"],
    "conductances": ["device.r_on=1e5"],
    "weight scale": ["mapping.w_max_scope=column"],
    "unused cells": ["mapping.unused_cells=open"],
    "adc": ["adc.n_bits=5"],
    "adc percentile": ["adc.percentile=99"],
    "adc scope": ["adc.scope=column"],
    "mse": ["adc.criterion=mse"],
    "mse with other bits": ["adc.criterion=mse", "adc.n_bits=4"],
    "adc range": ["adc.range=full_scale", "adc.n_bits=10"],
    "dac": ["dac.n_bits=4"],
    "input percentile": ["input.percentile=99"],
    "calibration": ["calibration.samples=16"],
    "bits": ["input.encoding=bit_serial"],
    "sinh": ["device.iv={form: sinh, v0: 0.2}"],
    "sinh at another voltage": ["device.iv={form: sinh, v0: 0.2}", "input.v_read=0.1"],
    "gated": ["crossbar.topology=input_gated", "input.encoding=bit_serial"],
    "converter errors": ["adc.gain_sigma=0.1", "dac.offset_sigma=0.5"],
    "one layer": ["layers={fc1: {adc: {n_bits: 4}}, 'fc*': {device: {n_bits: 5}}}"],
}


def found(change: list[str], cache: Cache | None, **options: Any) -> dict[str, Any]:
    settings = load_settings(assignments=["calibration.samples=24", *change])
    study = open_study(
        MODELS / "digits_mlp.onnx", settings, DataOptions(limit=24, **options), cache=cache
    )
    values = evaluate(study).as_json()
    del values["timing"]
    return values


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    return Cache(tmp_path_factory.mktemp("cache"))


# Settings that a stage reads are in its key (test_identity_by_stage.py): here some of each section.
LONG = (
    *("other chips", "driver side", "conductances", "unused cells", "adc percentile", "adc scope"),
    *("mse with other bits", "adc range", "input percentile", "sinh at another voltage"),
)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if n in LONG else []) for n in CHANGES]
)
def test_a_cache_full_of_others_changes_no_result(name: str, filled: Cache) -> None:
    plain = found(CHANGES[name], None)
    assert found(CHANGES[name], filled) == plain
    before = filled.misses
    assert found(CHANGES[name], filled) == plain
    assert filled.misses == before  # everything that is kept was there


def test_other_inputs_are_other_results(filled: Cache) -> None:
    found([], filled)
    for options in ({"calibrate": MODELS / "digits_test.npz"}, {"metric": "none"}):
        assert found([], filled, **options) == found([], None, **options)


def test_a_sweep_over_adc_bits_solves_nothing_twice(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    found(["device.write_sigma=0.1"], cache)
    study = open_study(
        MODELS / "digits_mlp.onnx",
        load_settings(
            assignments=["calibration.samples=24", "device.write_sigma=0.1", "adc.n_bits=4"]
        ),
        DataOptions(limit=24),
        cache=cache,
    )
    misses = cache.misses
    evaluate(study)
    assert cache.misses == misses + 1  # the outputs of the rung ideal alone


TWO_LAYERS = """
<ir_version: 9, opset_import: ["": 17]>
two (float[N, 2, 5, 5] x) => (float[N, 3] y)
<float[4, 2, 3, 3] w, float[36, 3] v> {
  a = Conv(x, w)
  b = Relu(a)
  c = Flatten(b)
  y = MatMul(c, v)
}
"""


def two_layers(folder: Path) -> Path:
    model = onnx.parser.parse_model(TWO_LAYERS)
    rng = np.random.default_rng(0)
    for tensor, shape in (("w", (4, 2, 3, 3)), ("v", (36, 3))):
        values = rng.standard_normal(shape).astype(np.float32)
        initializer = next((one for one in model.graph.initializer if one.name == tensor), None)
        made = onnx.numpy_helper.from_array(values, tensor)
        if initializer is None:
            model.graph.initializer.append(made)
        else:
            initializer.CopyFrom(made)
    path = folder / "two.onnx"
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(
    ("change", "conv", "gemm"),
    [
        # 3x3 outputs x row tiles x 4 channels; then row tiles x 3 outputs.
        ([], 9 * 1 * 4, 1 * 3),
        (["crossbar.rows=16", "crossbar.cols=16"], 9 * 2 * 4, 3 * 3),
        (["mapping.subtract=digital"], 9 * 1 * 8, 1 * 6),
        (["crossbar.rows=16", "adc.where=per_layer"], 9 * 4, 3),
        # Five bits of magnitude with their sign, each converted.
        (["input.encoding=bit_serial"], 9 * 1 * 4 * 5, 1 * 3 * 6),
        (["adc.n_bits=null"], 0, 0),
    ],
)
def test_totals_count_arrays_cells_and_conversions(
    tmp_path: Path, change: list[str], conv: int, gemm: int
) -> None:
    settings = load_settings(assignments=["calibration.samples=8", *change])
    result = rxsim.evaluate(two_layers(tmp_path), settings, DataOptions(limit=4))
    assert result.totals["conversions"] == conv + gemm
    rows, cols = settings.crossbar.rows, settings.crossbar.cols
    arrays = 2 * (-(-18 // rows) + -(-36 // rows))
    assert result.totals["arrays"] == arrays
    assert result.totals["cells"] == arrays * rows * cols


def test_the_loss_of_an_array_is_what_its_wires_take(tmp_path: Path) -> None:
    settings = Settings.model_validate(
        {
            "crossbar": {"rows": 16, "cols": 16, "r_wire_wl": 50, "r_wire_bl": 20},
            "device": {"write_sigma": 0.1},
            "calibration": {"samples": 8},
        }
    )
    study = open_study(two_layers(tmp_path), settings, DataOptions(limit=4))
    made = foundry_of(study).make(0)
    worst = []
    for transfer in made.transfers:
        layer = transfer.mapped
        for index in range(layer.n_arrays):
            array = layer.array(index)
            g = program(array, layer.layer.index, settings.device, Chip(0, 0))
            used = np.ix_(array.rows >= 0, array.cols >= 0)
            solution = rxsim.solve(g, settings.crossbar)
            assert isinstance(solution, ArraySolution)
            loss = 1 - solution.g_eff[used].sum() / g[used].sum()
            # Either solution is certified to 1e-9 of each entry.
            assert transfer.losses[index] == pytest.approx(loss, abs=2e-9)
            worst.append((loss, layer.layer.name, index))
    found_worst = evaluate(study).worst_arrays
    expected = sorted(worst, key=lambda one: -one[0])[:20]
    assert [(one.layer, one.array) for one in found_worst] == [one[1:] for one in expected]


def test_a_single_cell_loses_what_its_ends_take() -> None:
    g, r = 1e-4, 300.0
    bar = rxsim.Crossbar(r_driver=100, r_sense=200, r_wire_wl=0, r_wire_bl=0)
    solution = rxsim.solve(np.array([[g]]), bar)
    assert isinstance(solution, ArraySolution)
    assert 1 - solution.g_eff[0, 0] / g == pytest.approx(g * r / (1 + g * r), rel=1e-12)


def test_a_large_constant_is_written_once() -> None:
    build = GraphBuilder("layer", set())
    large, small = np.arange(1000.0), np.arange(3.0)
    names = [build.constant("a", large), build.constant("b", large.copy())]
    assert names[0] == names[1]
    assert build.constant("c", large.astype(np.float32)) != names[0]
    assert build.constant("d", large.reshape(10, 100)) != names[0]
    assert build.constant("e", small) != build.constant("f", small)
    assert len(build.constants) == 5
