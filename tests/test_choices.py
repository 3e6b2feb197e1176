"""The choices that the README's model section lists, each under the name it has there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx.parser
import pytest

from rxsim.config import load_settings
from rxsim.converters import ranged_adc
from rxsim.data import MadeUpInputs
from rxsim.errors import SettingError
from rxsim.load import load_network
from rxsim.mapping import map_layer
from rxsim.pipeline import DataOptions, Study, evaluate, open_study
from rxsim.pipeline.hardware import map_study, open_foundry
from rxsim.stages import Stages

MODELS = Path(__file__).parents[1] / "models"
MATMUL = """
<ir_version: 8, opset_import: ["" : 17]>
g (float[N, 3] x) => (float[N, 2] y)
<float[3, 2] w = {1.0, 0.0, -0.5, 0.0, 0.25, 0.0}>
{ y = MatMul(x, w) }
"""


def matmul_study(folder: Path, x: np.ndarray, *assignments: str) -> Study:
    """A network of one product, calibrated on given inputs; its second column is all zeros."""
    path = folder / "net.onnx"
    path.write_bytes(onnx.parser.parse_model(MATMUL).SerializeToString())
    network = load_network(path)
    settings = load_settings(None, xbar="4x4", assignments=assignments)
    inputs = MadeUpInputs({"x": x.astype(np.float32)})
    return Study(
        network, settings, inputs, None, None, inputs, {}, 8, 1, Stages(), "none", network.output
    )


def test_arrays_are_numbered_by_group_row_tile_column_tile_polarity():
    network = load_network(MODELS / "digits_cnn.onnx")
    settings = load_settings(None, xbar="40x20")
    layer = network.layers[1]  # 144 x 32: 4 row tiles, 2 column tiles
    mapped = map_layer(layer, settings.crossbar, settings.device, settings.mapping)
    assert mapped.n_arrays == 4 * 2 * 2
    for p in range(4):
        for q in range(2):
            for polarity in range(2):
                array = mapped.array((p * 2 + q) * 2 + polarity)
                assert array.rows[0] == p * 40
                assert array.cols[0] == q * 20
                assert array.col_signs[0] == (1, -1)[polarity]


def test_the_sign_of_inputs_follows_their_true_minimum_whatever_the_percentile(tmp_path):
    x = np.full((8, 3), 1.0)
    x[0, 0] = -1e-3
    study = matmul_study(tmp_path, x, "input.percentile=50")
    found = map_study(study).input_ranges["y"]
    assert found.signed
    assert found.x_max == 1.0


def test_a_signed_converter_of_one_bit_is_refused(tmp_path):
    x = np.array([[1.0, -1.0, 0.5]])
    study = matmul_study(tmp_path, x, "dac.n_bits=1")
    with pytest.raises(SettingError, match=r"layer y has inputs of both signs"):
        open_foundry(study, map_study(study))
    unsigned = matmul_study(tmp_path, np.abs(x), "dac.n_bits=1")
    open_foundry(unsigned, map_study(unsigned))


def test_a_range_of_zero_counts_as_one_ampere_and_reads_zero(tmp_path):
    assert ranged_adc(6, np.zeros((1, 1, 2)), np.array([True])).lsb == pytest.approx(1 / 31)
    no_wires = [f"crossbar.{name}=0" for name in ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense")]
    study = matmul_study(tmp_path, np.ones((8, 3)), "adc.scope=column", *no_wires)
    adc = open_foundry(study, map_study(study)).adcs[0]
    assert adc.lsb[0, 0, 0] < 1e-6
    assert adc.lsb[0, 0, 1] == pytest.approx(1 / 31)  # the column of zeros never carries current


def test_an_x_max_of_zero_counts_as_one(tmp_path):
    study = matmul_study(tmp_path, np.zeros((8, 3)))
    assert map_study(study).input_ranges["y"].x_max == 1.0


def test_numbers_by_layer_come_from_at_most_500_inputs():
    settings = load_settings(None, xbar="64x64", assignments=["calibration.samples=8"])
    few = evaluate(open_study(MODELS / "digits_mlp.onnx", settings, DataOptions(limit=30)))
    many = evaluate(open_study(MODELS / "digits_mlp.onnx", settings, DataOptions(limit=520)))
    assert (few.diagnosed, many.diagnosed) == (30, 500)


def test_where_nothing_is_random_one_chip_stands_for_all_trials():
    settings = load_settings(None, assignments=["trials=3", "calibration.samples=8"])
    result = evaluate(open_study(MODELS / "digits_mlp.onnx", settings, DataOptions(limit=20)))
    assert result.deterministic
    runs = result.rung("nonideal").trials
    assert len(runs) == 3
    assert all((run.predictions == runs[0].predictions).all() for run in runs)
    random = load_settings(
        None, assignments=["trials=3", "calibration.samples=8", "device.write_sigma=0.2"]
    )
    result = evaluate(open_study(MODELS / "digits_mlp.onnx", random, DataOptions(limit=20)))
    assert not result.deterministic
    snrs = [run.snr_db for run in result.rung("nonideal").trials]
    assert len(set(snrs)) == 3
