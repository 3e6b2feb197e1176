"""Networks as exporters write them: their share on crossbars, and the same results on perfect ones.

Each exporter runs where it is installed; a twin of what it writes, in ONNX text, always runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import exported_keras
import exported_sklearn
import exported_torch
import exporters
import numpy as np
import onnx
import onnxruntime
import pytest
import quantisers
from exported import Exported

import rxsim

PERFECT: Mapping[str, Any] = {
    "crossbar": {
        **{"rows": 8, "cols": 4},
        **dict.fromkeys(("r_wire_wl", "r_wire_bl", "r_driver", "r_sense"), 0),
    },
    **{part: {"n_bits": None} for part in ("device", "dac", "adc")},
    "calibration": {"samples": 4},
}
TOLERANCE = 1e-4
TWINS: Mapping[str, Callable[[], Exported]] = {
    "torch cnn": exported_torch.torch_cnn,
    "torch dynamo cnn": exported_torch.torch_dynamo_cnn,
    "torch recurrent": exported_torch.torch_recurrent,
    "torch dynamo recurrent": exported_torch.torch_dynamo_recurrent,
    "torch attention": exported_torch.torch_attention,
    "torch dynamo attention": exported_torch.torch_dynamo_attention,
    "torch experts": exported_torch.torch_experts,
    "sklearn mlp": exported_sklearn.skl_mlp,
    "sklearn pipeline": exported_sklearn.skl_scaled_regressor,
    "sklearn logistic regression": exported_sklearn.skl_logistic_regression,
    "sklearn linear regression": exported_sklearn.skl_linear_regression,
    "keras images": exported_keras.tf_images,
    "keras dense on sequences": exported_keras.tf_dense_on_sequences,
    "keras loop": exported_keras.tf_loop,
    "keras loop, weights given out": lambda: exported_keras.tf_loop(
        results="float[B,U] y, float[4,3] v", more="v = Neg(w5)"
    ),
    "keras loop, computed weights": lambda: exported_keras.tf_loop(outer="w2"),
}


def inputs(shape: tuple[int, ...]) -> np.ndarray:
    drawn: np.ndarray = np.random.default_rng(1).standard_normal((6, *shape))
    return drawn.astype(np.float32)


def results(model: onnx.ModelProto, x: np.ndarray) -> list[np.ndarray]:
    """Run a model as it stands, no node fused; maps become rows of their values."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1  # DynamicQuantizeLSTM rounds what each thread holds by itself
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return [
        np.array([list(row.values()) for row in value]) if isinstance(value, list) else value
        for value in session.run(None, {"x": x})
    ]


def check(network: Exported) -> None:
    """Compare shares with the plain count, and every output with the network's own."""
    inventory = rxsim.inventory(network.model, PERFECT)
    assert sum(place.macs or 0 for place in inventory.layers) == network.mapped
    share = network.mapped / (network.mapped + network.digital)
    assert inventory.shares["macs_mapped"] == pytest.approx(share, rel=1e-12)
    x = inputs(network.shape)
    patched = rxsim.patched(network.model, PERFECT, x)
    onnx.checker.check_model(patched)
    for got, wanted in zip(results(patched, x), results(network.model, x), strict=True):
        assert got.shape == wanted.shape
        assert np.abs(got - wanted).max() <= TOLERANCE * np.abs(wanted).max()


@pytest.mark.parametrize("name", TWINS)
def test_what_exporters_write(name: str) -> None:
    check(TWINS[name]())


@pytest.mark.slow
@pytest.mark.parametrize("dynamo", [False, True], ids=["traced", "dynamo"])
@pytest.mark.parametrize("name", ["cnn", "recurrent", "attention", "experts"])
def test_torch_itself(name: str, dynamo: bool, tmp_path: Path) -> None:
    check(exporters.of_torch(name, dynamo, tmp_path))


@pytest.mark.parametrize("name", ["mlp", "pipeline", "logistic", "linear"])
def test_scikit_learn_itself(name: str) -> None:
    check(exporters.of_sklearn(name))


@pytest.mark.parametrize("way", quantisers.WAYS)
@pytest.mark.parametrize("name", ["convolutional", "feed forward"])
def test_onnxruntimes_quantisation_tools(name: str, way: str, tmp_path: Path) -> None:
    check(quantisers.quantised(name, way, tmp_path))


def test_an_lstm_quantised_by_onnxruntimes_tools(tmp_path: Path) -> None:
    check(quantisers.quantised("recurrent", "dynamic per channel", tmp_path))


@pytest.mark.parametrize("change", [{"passed": "w_out"}, {"outer": "xw0"}])
def test_weights_that_a_loop_changes_or_gets_stay_digital(change: dict[str, str]) -> None:
    """The recurrent weights alone are constant."""
    network = exported_keras.tf_loop(**change)
    if "outer" in change:
        slope = onnx.helper.make_node("Slice", ["x", "zeros", "ends"], ["slice"])
        shaped = onnx.helper.make_node("Reshape", ["slice", "square"], ["xw0"])
        first = [slope, shaped, *network.model.graph.node]
        del network.model.graph.node[:]
        network.model.graph.node.extend(first)
        for name, values in {"zeros": [0, 0], "ends": [1, 3], "square": [4, 3]}.items():
            tensor = onnx.numpy_helper.from_array(np.array(values), name)
            network.model.graph.initializer.append(tensor)
    inventory = rxsim.inventory(network.model, PERFECT)
    assert [(place.rows, place.cols) for place in inventory.layers] == [(3, 3)]
    x = inputs(network.shape)
    patched = rxsim.patched(network.model, PERFECT, x)
    for got, wanted in zip(results(patched, x), results(network.model, x), strict=True):
        assert np.abs(got - wanted).max() <= TOLERANCE * np.abs(wanted).max()
