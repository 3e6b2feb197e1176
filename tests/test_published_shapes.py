"""Networks with published shapes: their parameters, their layers, and that they run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import onnxruntime
import pytest
from imported_scripts import imported
from onnx import numpy_helper

from rxsim.load import load_network
from rxsim.onnx_graph import (
    inferred_values,
    nonnegative_tensors,
    shape_of,
    without_large_constants,
)

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
# Source: VGG-16 and AlexNet: torchvision's documentation (num_params), ResNet-50 too; GoogLeNet:
# Caffe's bvlc_googlenet; BERT and TinyLlama: see test_transformer_shapes.py; PUMA's: the count that
# the authors' scripts print.
PARAMETERS = {
    "vgg16": 138_357_544,
    "resnet50": 25_557_032,
    "alexnet": 61_100_840,
    "googlenet": 6_998_552,
    "mlpl4": 1025 * 1024 + 1025 * 2048 + 2049 * 1024 + 1025 * 10,
    "mlpl5": 1025 * 2048 + 2049 * 3072 + 3073 * 3072 + 3073 * 1024 + 1025 * 10,
    "nmtl3": 6 * 4 * (1025 * 1024 + 1024**2) + 1025 * 40_000,
    "nmtl5": 10 * 4 * (1025 * 1024 + 1024**2) + 1025 * 40_000,
    "biglstm": 4 * (8193 * 8192 + 8192**2 + 1025 * 8192 + 8192**2) + 2 * 8192 * 1024,
    "lstm2048": 4 * (8193 * 8192 + 8192**2) + 8192 * 2048,
    "bert-base": 109_482_240,
    "tinyllama": 1_100_048_384,
}
# What the formulas come to in millions; PUMA's abstract: 5 M to 800 M synapses.
PUMA = {"mlpl4": 5, "mlpl5": 21, "nmtl3": 91, "nmtl5": 125, "biglstm": 856, "lstm2048": 554}
QUICK = ("mlpl4", "googlenet")
LARGE = ("mlpl5", "alexnet", "resnet50", "vgg16", "nmtl3", "nmtl5")


@pytest.fixture(scope="module")
def shapes() -> ModuleType:
    """scripts/published_shapes.py, and shape_builder.py beside it."""
    with imported("published_shapes") as scripts:
        return scripts["published_shapes"]


def run(model: onnx.ModelProto, batch: int) -> np.ndarray:
    """Run a model on normal inputs."""
    rng = np.random.default_rng(0)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    feeds = {
        each.name: rng.standard_normal((batch, *each.shape[1:])).astype(np.float32)
        for each in session.get_inputs()
    }
    (result,) = session.run(None, feeds)
    return np.asarray(result)


def check(shapes: ModuleType, name: str, batch: int) -> None:
    model = shapes.made(name)
    assert shapes.parameters(model) == PARAMETERS[name]
    onnx.checker.check_model(without_large_constants(model), full_check=True)
    stated = [axis.dim_value for axis in model.graph.output[0].type.tensor_type.shape.dim]
    result = run(model, batch)
    assert result.shape == (batch, *stated[1:])
    assert np.isfinite(result).all()
    assert 1e-2 < result.std() < 1e3  # activations neither vanish nor explode
    network = load_network(model)
    kinds = [node.op_type for node in model.graph.node]
    products = sum(kinds.count(kind) for kind in ("Conv", "Gemm", "MatMul"))
    assert len(network.layers) == products + 2 * kinds.count("LSTM")
    assert network.fixed_batch is None


def test_the_listed_parameters_are_the_published_ones(shapes: ModuleType) -> None:
    listed = {name: each.parameters for name, each in shapes.NETWORKS.items()}
    assert {name: listed[name] for name in PARAMETERS} == PARAMETERS
    parts = {name for name in listed if name not in PARAMETERS}
    assert parts == {"tinyllama2", "tinyllama4", "tinyllama8"}
    rest = 2 * 32_000 * 2048 + 2048
    for layers in (2, 4, 8):  # the layers are alike
        each = (PARAMETERS["tinyllama"] - rest) // 22
        assert listed[f"tinyllama{layers}"] == rest + layers * each
    assert {name: round(PARAMETERS[name] / 1e6) for name in PUMA} == PUMA


@pytest.mark.parametrize("name", QUICK)
def test_small_networks_have_their_parameters_and_run(shapes: ModuleType, name: str) -> None:
    check(shapes, name, 2)


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_large_networks_have_their_parameters_and_run(shapes: ModuleType, name: str) -> None:
    check(shapes, name, 1)


@pytest.mark.slow
def test_weights_beyond_2_gib_lie_in_a_file_beside_it(shapes: ModuleType, tmp_path: Path) -> None:
    command = [
        sys.executable,
        str(SCRIPTS / "published_shapes.py"),
        "lstm2048",
        "-o",
        str(tmp_path),
    ]
    subprocess.run(command, check=True)
    onnx.checker.check_model(tmp_path / "lstm2048.onnx")
    assert (tmp_path / "lstm2048.onnx").stat().st_size < 1e6
    assert (tmp_path / "lstm2048.onnx.data").stat().st_size >= 4 * PARAMETERS["lstm2048"]


def test_googlenet_has_the_sizes_that_its_table_prints(shapes: ModuleType) -> None:
    """Source: Szegedy et al., CVPR 2015, table 1, column "output size"."""
    printed = {"3a": (256, 28), "3b": (480, 28), "4a": (512, 14), "4b": (512, 14), "4c": (512, 14)}
    printed |= {"4d": (528, 14), "4e": (832, 14), "5a": (832, 7), "5b": (1024, 7)}
    sizes = {each.name: shape_of(each) for each in inferred_values(shapes.made("googlenet"))}
    for module, (channels, side) in printed.items():
        assert sizes[f"inception{module}.out"] == (None, channels, side, side)


def test_inputs_behind_relus_are_known(shapes: ModuleType) -> None:
    """GoogLeNet has LRN, pools that round up and Concat between Relu and Conv."""
    network = load_network(shapes.made("googlenet"))
    sure = nonnegative_tensors(network.model)
    assert [layer.name for layer in network.layers if layer.input not in sure] == ["conv1"]


@pytest.mark.slow
def test_normalisations_fold(shapes: ModuleType) -> None:
    network = load_network(shapes.made("resnet50"))
    assert len(network.layers) == 54
    assert not any(node.op == "BatchNormalization" for node in network.digital)
    sure = nonnegative_tensors(network.model)
    assert [layer.name for layer in network.layers if layer.input not in sure] == ["conv1"]


def translated(
    weights: dict[str, np.ndarray], source: np.ndarray, target: np.ndarray
) -> np.ndarray:
    """Translate by hand: encoder, decoder from its last states, words. Arrays are (batch, steps, n)."""

    def sigmoid(x: np.ndarray) -> np.ndarray:
        return np.asarray(1 / (1 + np.exp(-x)))

    def along(name: str, x: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, ...]:
        results = []
        w, r, b = (weights[f"{name}.{part}"][0] for part in "WRB")
        for step in range(x.shape[1]):
            gates = x[:, step] @ w.T + h @ r.T + b[: len(w)] + b[len(w) :]
            i, o, f, new = np.split(gates, 4, axis=1)  # ONNX's order
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(new)
            h = sigmoid(o) * np.tanh(c)
            results.append(h)
        return np.stack(results, axis=1), h, c

    zero = np.zeros((len(source), weights["encoder1.R"].shape[2]))
    x, states = source, []
    for layer in (1, 2):
        x, *last = along(f"encoder{layer}", x, zero, zero)
        states.append(last)
    x = target
    for layer, last in enumerate(states, 1):
        x, *_ = along(f"decoder{layer}", x, *last)
    return np.asarray(x @ weights["words.weight"] + weights["words.bias"])


def test_a_small_translation_equals_one_by_hand(shapes: ModuleType) -> None:
    to = shapes.ShapeBuilder("small", 3)
    shapes.translation(to, layers=2, width=5, words=7, steps=4)
    rng = np.random.default_rng(1)
    source, target = (rng.standard_normal((3, 4, 5)).astype(np.float32) for _ in range(2))
    session = onnxruntime.InferenceSession(to.model.SerializeToString())
    (result,) = session.run(None, {"source": source, "target": target})
    weights = {each.name: numpy_helper.to_array(each) for each in to.model.graph.initializer}
    wanted = translated(weights, source, target)
    assert np.abs(result - wanted).max() <= 1e-5 * np.abs(wanted).max()
    assert not weights["encoder1.B"][:, 20:].any()


def test_recurrent_matrices_of_small_wide_networks_are_mapped(shapes: ModuleType) -> None:
    to = shapes.ShapeBuilder("small", 3)
    shapes.language(to, layers=2, projected=3, width=6, steps=4)
    assert run(to.model, 2).shape == (2, 4, 3)
    network = load_network(to.model)
    mapped = {layer.name: layer.matrices.shape[1:] for layer in network.layers}
    assert mapped == {
        "lstm1.input": (6, 24),
        "lstm1.recurrent": (6, 24),
        "lstm1.projection": (6, 3),
        "lstm2.input": (3, 24),
        "lstm2.recurrent": (6, 24),
        "lstm2.projection": (6, 3),
    }


def test_the_seed_alone_decides_the_weights(shapes: ModuleType) -> None:
    one, again, other = (shapes.made("mlpl4", seed) for seed in (4, 4, 5))
    assert one.SerializeToString() == again.SerializeToString()
    assert one.graph.initializer[0].raw_data != other.graph.initializer[0].raw_data


def test_weights_have_the_spread_that_he_asks_for(shapes: ModuleType) -> None:
    """A million normal numbers: their spread is known within 5 standard errors of 0.07 %."""
    model = shapes.made("mlpl4", 1)
    values = numpy_helper.to_array(model.graph.initializer[0])
    expected = (2 / 1024) ** 0.5
    assert abs(values.std() / expected - 1) < 5 / (2 * values.size) ** 0.5


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["vgg17"], "found vgg17, expected one or more of vgg16"),
        ([], "found no name"),
        (["mlpl4", "--seed", "-1"], "found --seed -1, expected 0 or more"),
    ],
)
def test_bad_arguments_get_a_sentence(
    shapes: ModuleType,
    arguments: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["published_shapes.py", *arguments])
    with pytest.raises(SystemExit) as stopped:
        shapes.main()
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err


def test_a_file_is_no_folder(
    shapes: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "taken").touch()
    monkeypatch.setattr(
        sys, "argv", ["published_shapes.py", "mlpl4", "-o", str(tmp_path / "taken")]
    )
    assert shapes.main() == 2
    assert "published_shapes: " in capsys.readouterr().err
