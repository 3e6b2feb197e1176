"""Transformers of published shapes: their parameters, and that they compute what they should."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from imported_scripts import imported
from onnx import numpy_helper
from scipy import special

from rxsim.load import load_network

# Source: BERT's uncased release and TinyLlama-1.1B, as transformers counts them.
PARAMETERS = {"bert-base": 109_482_240, "tinyllama": 1_100_048_384}
# Products of the encoder's layers and the pooler; of all 22 layers, and over the words.
PRODUCTS = {
    "bert-base": 12 * (4 * 768**2 + 2 * 768 * 3072) + 768**2,
    "tinyllama": 22 * (2 * 2048**2 + 2 * 2048 * 256 + 3 * 2048 * 5632) + 2048 * 32_000,
}


@pytest.fixture(scope="module")
def scripts() -> dict[str, ModuleType]:
    """The scripts that write shapes, by name."""
    with imported("published_shapes", "shape_builder", "transformer_shapes") as scripts:
        return scripts


def shapes_alone(scripts: dict[str, ModuleType], name: str) -> onnx.ModelProto:
    """Write a network whose random weights have shapes and no values."""

    class Shapes(scripts["shape_builder"].ShapeBuilder):  # type: ignore[misc]
        def normal(self, name: str, shape: Sequence[int], sigma: float, mean: float = 0.0) -> str:
            tensor = self.model.graph.initializer.add(name=name, data_type=onnx.TensorProto.FLOAT)
            tensor.dims.extend(shape)
            return name

    to = Shapes(name, 0)
    scripts["published_shapes"].NETWORKS[name].write(to)
    model: onnx.ModelProto = to.model
    return model


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_the_published_ones(scripts: dict[str, ModuleType], name: str) -> None:
    model = shapes_alone(scripts, name)
    assert scripts["published_shapes"].NETWORKS[name].parameters == PARAMETERS[name]
    assert scripts["published_shapes"].parameters(model) == PARAMETERS[name]
    sizes = {each.name: int(np.prod(each.dims)) for each in model.graph.initializer}
    products = [node for node in model.graph.node if node.op_type == "MatMul"]
    assert sum(sizes.get(node.input[1], 0) for node in products) == PRODUCTS[name]


def built(scripts: dict[str, ModuleType], kind: str, **lengths: int) -> onnx.ModelProto:
    """Write a small transformer."""
    shapes = scripts["transformer_shapes"]
    to = scripts["shape_builder"].ShapeBuilder("small", 2)
    getattr(shapes, kind)(to, shapes.Transformer(**lengths))
    onnx.checker.check_model(to.model, full_check=True)
    model: onnx.ModelProto = to.model
    return model


def run(model: onnx.ModelProto, tokens: np.ndarray) -> np.ndarray:
    """Run a model on sequences."""
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (result,) = session.run(None, {"tokens": tokens})
    return np.asarray(result)


def softmax(x: np.ndarray) -> np.ndarray:
    return np.asarray(special.softmax(x, axis=-1))


def test_a_small_encoder_equals_one_by_hand(scripts: dict[str, ModuleType]) -> None:
    model = built(
        scripts, "encoder", layers=2, hidden=6, heads=3, shared=3, inner=5, words=9, positions=7,
        tokens=4,
    )  # fmt: skip
    w: dict[str, Any] = {
        each.name: numpy_helper.to_array(each).astype(np.float64)
        for each in model.graph.initializer
    }
    tokens = np.random.default_rng(0).integers(0, 9, (3, 4))

    def linear(x: np.ndarray, name: str) -> np.ndarray:
        return np.asarray(x @ w[f"{name}.weight"] + w[f"{name}.bias"])

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-12)
        return np.asarray(x * w[f"{name}.scale"] + w[f"{name}.shift"])

    x = norm(w["words.table"][tokens] + w["position.table"][:4] + w["segment.table"][0],
             "embedded.norm")  # fmt: skip
    for name in ("layer1", "layer2"):
        q, k, v = (linear(x, f"{name}.attention.{part}") for part in ("query", "key", "value"))
        heads = []
        for at in (slice(0, 2), slice(2, 4), slice(4, 6)):
            shares = softmax(q[..., at] @ k[..., at].swapaxes(1, 2) / 2**0.5)
            heads.append(shares @ v[..., at])
        y = linear(np.concatenate(heads, -1), f"{name}.attention.output")
        x = norm(x + y, f"{name}.attention.norm")
        wide = linear(x, f"{name}.wide")
        gelu = wide * special.ndtr(wide)
        x = norm(x + linear(gelu, f"{name}.narrow"), f"{name}.norm")
    wanted = np.tanh(linear(x[:, 0], "pooler"))
    assert np.abs(run(model, tokens) - wanted).max() <= 1e-5


def test_a_small_decoder_equals_one_by_hand(scripts: dict[str, ModuleType]) -> None:
    """Rotations as products of complex numbers, queries' heads one by one."""
    model = built(
        scripts, "decoder", layers=2, hidden=16, heads=4, shared=2, inner=7, words=9, tokens=5
    )
    w: dict[str, Any] = {
        each.name: numpy_helper.to_array(each).astype(np.float64)
        for each in model.graph.initializer
    }
    tokens = np.random.default_rng(0).integers(0, 9, (3, 5))

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        return np.asarray(x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5) * w[f"{name}.scale"])

    def turned(x: np.ndarray) -> np.ndarray:
        z = x[..., :2] + 1j * x[..., 2:]
        z = z * np.exp(1j * np.outer(np.arange(5), [1.0, 0.01]))
        return np.concatenate([z.real, z.imag], -1)

    x = w["words.table"][tokens]
    for name in ("layer1", "layer2"):
        a = norm(x, f"{name}.attention.norm")
        q, k, v = (a @ w[f"{name}.attention.{part}.weight"] for part in ("query", "key", "value"))
        heads = []
        for head in range(4):
            mine, of_group = (
                slice(4 * head, 4 * head + 4),
                slice(4 * (head // 2), 4 * (head // 2) + 4),
            )
            scores = turned(q[..., mine]) @ turned(k[..., of_group]).swapaxes(1, 2) / 2
            scores[:, np.triu_indices(5, 1)[0], np.triu_indices(5, 1)[1]] = -np.inf
            heads.append(softmax(scores) @ v[..., of_group])
        x = x + np.concatenate(heads, -1) @ w[f"{name}.attention.output.weight"]
        a = norm(x, f"{name}.norm")
        gate = a @ w[f"{name}.gate.weight"]
        gated = gate / (1 + np.exp(-gate)) * (a @ w[f"{name}.up.weight"])
        x = x + gated @ w[f"{name}.down.weight"]
    wanted = norm(x, "norm") @ w["words.weight"]
    assert np.abs(run(model, tokens) - wanted).max() <= 2e-5 * np.abs(wanted).max()


def test_every_product_with_weights_is_mapped(scripts: dict[str, ModuleType]) -> None:
    model = built(
        scripts, "decoder", layers=2, hidden=16, heads=4, shared=2, inner=7, words=9, tokens=5
    )
    assert len(load_network(model).layers) == 2 * 7 + 1
