"""scripts/prune_structure.py: whole filters of smallest norm become 0, all else stays."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from small_networks import network

from rxsim import settings
from rxsim.errors import InputError
from rxsim.load import load_network
from rxsim.mapping import tile_layer

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "prune_structure", ROOT / "scripts" / "prune_structure.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def tensors_of(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}


def weights_of_rising_filters(shape: tuple[int, ...], axis: int) -> np.ndarray:
    """Weights of size 1 whose filters along an axis are larger and larger."""
    signs = np.sign(np.random.default_rng(0).standard_normal(shape))
    size = np.arange(1, shape[axis] + 1).reshape(
        [-1 if a == axis else 1 for a in range(len(shape))]
    )
    return signs * size


def test_the_smallest_filters_of_each_kind_of_layer_go(script: ModuleType) -> None:
    text = """
        [a] h = Conv<pads=[1,1,1,1]>(x, a, b)
        [t] u = ConvTranspose(h, t)
        [f] f = Flatten(u)
        [g] g = Gemm<transB=1>(f, g)
        [m] m = MatMul(g, m)
        [n] n = Gemm(m, n)
        [z] y = MatMul(n, z)
    """
    made = {
        "a": ((6, 2, 3, 3), 0),
        "t": ((6, 4, 1, 1), 1),
        "g": ((8, 64), 0),
        "m": ((8, 10), 1),
        "n": ((10, 6), 1),
        "z": ((6, 3), 1),
    }
    weights = {name: weights_of_rising_filters(*each) for name, each in made.items()}
    model = network(text, (2, 4, 4), {**weights, "b": np.ones(6)})
    copy, done = script.pruned(model, 0.5, keep=["m"])
    assert [(each.name, each.filters, each.zeroed) for each in done] == [
        *(("a", 6, 3), ("t", 4, 2), ("g", 8, 4), ("m", 10, 0), ("n", 6, 3), ("z", 3, 0)),
    ]
    before, after = tensors_of(model), tensors_of(copy)
    zeroed = {each.name: each.zeroed for each in done}
    for name, (_, axis) in made.items():
        lines = np.moveaxis(before[name], axis, 0).copy()
        lines[: zeroed[name]] = 0
        assert (np.moveaxis(after[name], axis, 0) == lines).all(), name
    assert (after["b"] == 1).all()
    assert copy.graph.node == model.graph.node


def test_layers_that_share_weights_are_pruned_once(script: ModuleType) -> None:
    text = "[a] h = MatMul(x, w) [b] k = MatMul(h, w) [c] y = MatMul(k, v)"
    weights = weights_of_rising_filters((4, 4), 1)
    copy, done = script.pruned(network(text, (4,), {"w": weights, "v": weights}), 0.25)
    assert [(each.name, each.zeroed) for each in done] == [("a", 1), ("c", 0)]
    assert np.count_nonzero(tensors_of(copy)["w"]) == 12


@pytest.mark.parametrize("share", [1.0, -0.1, float("nan")])
def test_a_share_of_all_or_less_than_nothing_is_refused(script: ModuleType, share: float) -> None:
    with pytest.raises(InputError, match="expected 0 or above and below 1"):
        script.pruned(network("[a] y = MatMul(x, w)", (4,), {"w": np.eye(4)}), share)


def test_a_network_without_such_weights_is_refused(script: ModuleType) -> None:
    with pytest.raises(InputError, match="found no Conv"):
        script.pruned(network("[a] y = Relu(x)", (4,), {}), 0.5)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no.onnx", "--share", "0.5", "-o", "out.onnx"], "expected an ONNX file"),
        (["text.onnx", "--share", "0.5", "-o", "out.onnx"], "expected an ONNX file"),
        (["text.onnx", "--share", "0.5", "-o", "no/out.onnx"], "does not exist"),
    ],
)
def test_bad_files_get_a_sentence(
    script: ModuleType,
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.onnx").write_text("no network")
    monkeypatch.setattr(sys, "argv", ["prune_structure.py", *arguments])
    assert script.main() == 2
    assert said in capsys.readouterr().err
    assert not Path("out.onnx").exists()


def test_half_of_the_filters_take_about_half_of_the_arrays(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each depthwise filter of digits_dsconv has a pair of arrays; half of these pairs go."""
    out = tmp_path / "half.onnx"
    given = [str(ROOT / "models" / "digits_dsconv.onnx"), "--share", "0.5", "-o", str(out)]
    monkeypatch.setattr(sys, "argv", ["prune_structure.py", *given])
    assert script.main() == 0
    chosen = settings({"mapping": {"skip_zero": True}})
    network_of = load_network(onnx.load(out))
    arrays = sum(
        tile_layer(layer, chosen.crossbar, chosen.mapping).n_arrays for layer in network_of.layers
    )
    # Depthwise layers of 16, 32 and 64 filters, five other layers on a pair each.
    assert arrays == 2 * (8 + 16 + 32) + 2 * 5
