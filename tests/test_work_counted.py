"""Shares of multiply-accumulates against a plain counter, on networks of every kind of operator."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from chips import bare_study
from onnx import numpy_helper, parser
from plain_work import executed_work

from rxsim.config import load_settings
from rxsim.data import MadeUpInputs
from rxsim.load import load_network
from rxsim.pipeline.ladder.inventory import inventory_of

MODELS = Path(__file__).parent.parent / "models"
Shapes = Mapping[str, tuple[int, ...]]


# name: (graph, inputs, weights, outputs of the products on crossbars)
NETWORKS: dict[str, tuple[str, Shapes, Shapes, set[str]]] = {
    "attention": (
        """agraph (float[N, 5, 8] x) => (float[N, 5, 8] y) {
            q = MatMul(x, wq) k = MatMul(x, wk) v = MatMul(x, wv)
            t = Transpose<perm=[0, 2, 1]>(k)
            scores = MatMul(q, t) p = Softmax(scores)
            mixed = MatMul(p, v) y = MatMul(mixed, wo)
        }""",
        {"x": (1, 5, 8)},
        {"wq": (8, 8), "wk": (8, 8), "wv": (8, 8), "wo": (8, 8)},
        {"q", "k", "v", "y"},
    ),
    "grouped and dilated convolutions": (
        """agraph (float[N, 4, 9, 8] x) => (float[N, 6, H, W] y) {
            a = Conv<group=2, dilations=[2, 1]>(x, w)
            y = Conv<strides=[2, 1], pads=[1, 0, 2, 1]>(a, v)
        }""",
        {"x": (1, 4, 9, 8)},
        {"w": (8, 2, 3, 3), "v": (6, 8, 3, 2)},
        {"a", "y"},
    ),
    "convolutions of one and three axes": (
        """agraph (float[N, 3, 20] x, float[N, 2, 4, 5, 6] z)
            => (float[N, 5, L] y, float[N, 3, A, B, C] u) {
            y = Conv(x, w)
            u = Conv(z, v)
        }""",
        {"x": (1, 3, 20), "z": (1, 2, 4, 5, 6)},
        {"w": (5, 3, 4), "v": (3, 2, 2, 3, 2)},
        {"y", "u"},
    ),
    "products of every orientation": (
        """agraph (float[N, 6] x) => (float[N, 7] y) {
            a = Gemm<transB=1>(x, w)
            t = Transpose<perm=[1, 0]>(a)
            b = Gemm<transA=1>(t, v)
            y = MatMul(b, u)
        }""",
        {"x": (1, 6)},
        {"w": (5, 6), "v": (5, 4), "u": (4, 7)},
        {"a", "b", "y"},
    ),
    "a constant on the left": (
        """agraph (float[N, 6, 3] x) => (float[N, 4, 3] y) { y = MatMul(w, x) }""",
        {"x": (1, 6, 3)},
        {"w": (4, 6)},
        {"y"},
    ),
    "the steps of a Scan": (
        """agraph (float[N, 5, 6] x, float[N, 4] h0) => (float[N, 4] y) {
            steps = Transpose<perm=[1, 0, 2]>(x)
            y, all = Scan<num_scan_inputs=1, body = step (float[B, 4] h, float[B, 6] each)
                => (float[B, 4] next, float[B, 4] given) {
                    a = MatMul(each, w) b = MatMul(h, r) sum = Add(a, b)
                    next = Tanh(sum) given = Identity(next)
                }>(h0, steps)
        }""",
        {"x": (1, 5, 6), "h0": (1, 4)},
        {"w": (6, 4), "r": (4, 4)},
        {"a", "b"},
    ),
    "a loop, and a product of activations in it": (
        """agraph (float[N, 6] x) => (float[N, 6] y) {
            trips = Constant<value = int64 {3}>() go = Constant<value = bool {1}>()
            y = Loop<body = step (int64 i, bool on, float[B, 6] h) => (bool still, float[B, 6] next) {
                still = Identity(on)
                a = MatMul(h, w)
                t = Transpose<perm=[1, 0]>(a)
                s = MatMul(a, t)
                next = MatMul(s, a)
            }>(trips, go, x)
        }""",
        {"x": (1, 6)},
        {"w": (6, 6)},
        {"a"},
    ),
    "an LSTM and a linear layer": (
        """agraph (float[T, N, 6] x) => (float[N, 3] z) {
            y, h = LSTM<hidden_size=5>(x, w, r)
            last = Squeeze(h, first)
            z = MatMul(last, v)
        }""",
        {"x": (7, 1, 6)},
        {"w": (1, 20, 6), "r": (1, 20, 5), "v": (5, 3)},
        {"y", "z"},
    ),
    "a GRU of both directions": (
        """agraph (float[T, N, 6] x) => (float[T, 2, N, 5] y) {
            y, h = GRU<hidden_size=5, direction="bidirectional">(x, w, r)
        }""",
        {"x": (4, 1, 6)},
        {"w": (2, 15, 6), "r": (2, 15, 5)},
        {"y"},
    ),
    "a plain recurrent layer": (
        """agraph (float[T, N, 6] x) => (float[T, 1, N, 5] y) {
            y, h = RNN<hidden_size=5>(x, w, r)
        }""",
        {"x": (4, 1, 6)},
        {"w": (1, 5, 6), "r": (1, 5, 5)},
        {"y"},
    ),
    "a mixture of experts": (
        """agraph (float[N, 6] x) => (float[N, 4] y) {
            g = MatMul(x, gate) p = Softmax(g)
            each = Einsum<equation="bi,eio->beo">(x, experts)
            y = Einsum<equation="be,beo->bo">(p, each)
        }""",
        {"x": (1, 6)},
        {"gate": (6, 3), "experts": (3, 6, 4)},
        {"g", "each"},
    ),
    "heads by Einsum": (
        """agraph (float[N, 5, 8] x) => (float[N, 2, 5, 5] y) {
            q = Einsum<equation="btd,dhk->bhtk">(x, wq)
            k = Einsum<equation="btd,dhk->bhtk">(x, wk)
            y = Einsum<equation="bhtk,bhsk->bhts">(q, k)
        }""",
        {"x": (1, 5, 8)},
        {"wq": (8, 2, 4), "wk": (8, 2, 4)},
        {"q", "k"},
    ),
    "transposed convolutions": (
        """agraph (float[N, 4, 5, 6] x) => (float[N, 6, H, W] y) {
            a = ConvTranspose<strides=[2, 2], output_padding=[1, 1]>(x, w)
            y = ConvTranspose<pads=[1, 1, 1, 1]>(a, v)
        }""",
        {"x": (1, 4, 5, 6)},
        {"w": (4, 6, 3, 3), "v": (6, 6, 3, 2)},
        {"a", "y"},
    ),
    "a matrix for each head": (
        """agraph (float[N, 3, 5, 6] x) => (float[N, 3, 5, 4] y) { y = MatMul(x, w) }""",
        {"x": (1, 3, 5, 6)},
        {"w": (3, 6, 4)},
        {"y"},
    ),
    "a vector": (
        """agraph (float[N, 6] x) => (float[N] y) { y = MatMul(x, w) }""",
        {"x": (1, 6)},
        {"w": (6,)},
        {"y"},
    ),
    "whole numbers": (
        """agraph (float[N, 6] x) => (float[N, 4] y) {
            q, scale, zero = DynamicQuantizeLinear(x)
            w8 = Cast<to=3>(w)
            whole = MatMulInteger(q, w8, zero)
            f = Cast<to=1>(whole)
            y = Mul(f, scale)
        }""",
        {"x": (1, 6)},
        {"w": (6, 4)},
        {"whole"},
    ),
    "branches": (
        """agraph (float[N, 6] x, bool[1] up) => (float[N, 4] y) {
            b = MatMul(x, u)
            y = If<then_branch = one () => (float[N, 4] z) { z = MatMul(b, w) },
                   else_branch = two () => (float[N, 4] q) { h = MatMul(b, v) q = Relu(h) }>(up)
        }""",
        {"x": (1, 6), "up": (1,)},
        {"u": (6, 6), "w": (6, 4), "v": (6, 4)},
        {"b", "z", "h"},
    ),
}


def model_of(text: str, weights: Shapes) -> onnx.ModelProto:
    rng = np.random.default_rng(0)
    model = parser.parse_model('<ir_version: 8, opset_import: ["": 17]>' + text)
    for name, shape in weights.items():
        value = rng.standard_normal(shape).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(value, name))
    model.graph.initializer.append(numpy_helper.from_array(np.array([0]), "first"))
    return model


def feeds_of(model: onnx.ModelProto, shapes: Shapes) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    types = {value.name: value.type.tensor_type.elem_type for value in model.graph.input}
    return {
        name: rng.standard_normal(shape).astype(onnx.helper.tensor_dtype_to_np_dtype(types[name]))
        for name, shape in shapes.items()
    }


@pytest.mark.parametrize("name", NETWORKS)
def test_work_and_shares_equal_a_plain_count(name: str) -> None:
    text, shapes, weights, mapped = NETWORKS[name]
    model = model_of(text, weights)
    check(model, feeds_of(model, shapes), mapped)


@pytest.mark.parametrize("name", ["digits_mlp", "digits_cnn", "digits_dsconv", "digits_resnet"])
def test_work_of_shipped_networks_equals_a_plain_count(name: str) -> None:
    model = onnx.load(MODELS / f"{name}.onnx")
    (value,) = model.graph.input
    shape = [axis.dim_value or 1 for axis in value.type.tensor_type.shape.dim]
    feeds = feeds_of(model, {value.name: tuple(shape)})
    check(model, feeds, set(executed_work(model, feeds)))


def check(model: onnx.ModelProto, feeds: dict[str, np.ndarray], mapped: set[str]) -> None:
    """Compare total and mapped work."""
    counts = executed_work(model, feeds)
    study = bare_study(load_network(model), load_settings(None, xbar="8x8"), MadeUpInputs(feeds), 1)
    inventory = inventory_of(study.network, study.plan)
    assert study.plan.work.unknown == ()
    assert sum(study.plan.work.macs.values()) == sum(counts.values())
    wanted = sum(size for output, size in counts.items() if output in mapped)
    assert sum(place.macs or 0 for place in inventory.layers) == wanted
    assert inventory.shares["macs_mapped"] == pytest.approx(
        wanted / sum(counts.values()), rel=1e-12
    )
