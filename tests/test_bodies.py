"""Products in bodies of If, Loop and Scan: found, counted, calibrated and patched as all others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from chips import bare_study
from onnx import numpy_helper, parser

from rxsim.calibrate import measure_input_ranges
from rxsim.config import load_settings
from rxsim.data import MadeUpInputs, given_arrays
from rxsim.errors import ModelError
from rxsim.load import Network, load_network
from rxsim.onnx_graph import with_outputs
from rxsim.pipeline import DataOptions, evaluate, open_study, patched_chip, verify
from rxsim.pipeline.ladder.inventory import inventory_of
from rxsim.pipeline.study.work import work_of

HEAD = '<ir_version: 8, opset_import: ["": 17]>'
EXACT = [
    *(f"crossbar.{name}=0" for name in ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense")),
    *(f"{section}.n_bits=null" for section in ("device", "dac", "adc")),
]
SCAN = """
agraph (float[N, 5, 6] x, float[N, 4] h0) => (float[N, 4] y) {
    steps = Transpose<perm=[1, 0, 2]>(x)
    y, all = Scan<num_scan_inputs=1, body = step (float[B, 4] h, float[B, 6] each)
        => (float[B, 4] next, float[B, 4] given) {
            a = MatMul(each, w)
            b = MatMul(h, r)
            sum = Add(a, b)
            next = Tanh(sum)
            given = Identity(next)
        }>(h0, steps)
}
"""
LOOP = """
agraph (float[N, 6] x) => (float[N, 6] y) {
    trips = Constant<value = int64 {3}>()
    go = Constant<value = bool {1}>()
    y = Loop<body = step (int64 i, bool on, float[B, 6] h) => (bool still, float[B, 6] next) {
            still = Identity(on)
            half = Constant<value = float {0.5}>()
            scaled = Mul(h, half)
            a = Gemm<transB=1>(scaled, w, bias)
            next = Relu(a)
        }>(trips, go, x)
}
"""
BRANCH = """
agraph (float[N, 6] x) => (float[N, 4] y) {
    mean = ReduceMean<keepdims=0>(x)
    zero = Constant<value = float {0.0}>()
    up = Greater(mean, zero)
    y = If<then_branch = a () => (float[N, 4] out) { out = MatMul(x, w) },
           else_branch = b () => (float[N, 4] out) { t = MatMul(x, v) out = Relu(t) }>(up)
}
"""


def model_of(text: str, seed: int = 0, **shapes: tuple[int, ...]) -> onnx.ModelProto:
    """Parse a graph and give it random weights."""
    rng = np.random.default_rng(seed)
    model = parser.parse_model(HEAD + text)
    for name, shape in shapes.items():
        value = rng.standard_normal(shape).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(value, name))
    return model


def weights_of(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def ran(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    results: list[np.ndarray] = session.run(None, feeds)
    return results


def patched(network: Network, feeds: dict[str, np.ndarray], *assignments: str) -> Any:
    settings = load_settings(None, xbar="8x4", assignments=[*assignments])
    count = len(next(iter(feeds.values())))
    return patched_chip(bare_study(network, settings, MadeUpInputs(feeds), count)).model


def scan_model() -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    rng = np.random.default_rng(1)
    model = model_of(SCAN, w=(6, 4), r=(4, 4))
    shapes = {"x": (3, 5, 6), "h0": (3, 4)}
    return model, {name: rng.standard_normal(s).astype(np.float32) for name, s in shapes.items()}


def loop_model() -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    model = model_of(LOOP, w=(6, 6), bias=(6,))
    return model, {"x": np.random.default_rng(2).standard_normal((3, 6)).astype(np.float32)}


def branch_model(mean: float) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    model = model_of(BRANCH, w=(6, 4), v=(6, 4))
    values = np.random.default_rng(3).standard_normal((3, 6)) + mean
    return model, {"x": values.astype(np.float32)}


CASES: dict[str, Callable[[], tuple[onnx.ModelProto, dict[str, np.ndarray]]]] = {
    "scan": scan_model,
    "loop": loop_model,
    "then": lambda: branch_model(3.0),
    "else": lambda: branch_model(-3.0),
}


@pytest.mark.parametrize("case", CASES)
def test_exact_hardware_in_a_body_equals_the_float_network(case: str) -> None:
    model, feeds = CASES[case]()
    network = load_network(model)
    for got, wanted in zip(
        ran(patched(network, feeds, *EXACT), feeds), ran(model, feeds), strict=True
    ):
        assert np.abs(got - wanted).max() <= 1e-5 * np.abs(wanted).max()


def test_a_body_is_converted_with_the_ranges_of_all_its_steps() -> None:
    """Steps by hand: the input of the recurrent product is every state but the last."""
    model, feeds = scan_model()
    weights, states = weights_of(model), [feeds["h0"]]
    for step in range(5):
        states.append(np.tanh(feeds["x"][:, step] @ weights["w"] + states[-1] @ weights["r"]))
    network = load_network(model)
    ranges = measure_input_ranges(
        network.model,
        network.layers,
        MadeUpInputs(feeds),
        percentile=dict.fromkeys((layer.name for layer in network.layers), 100.0),
        batch=3,
        threads=1,
    )
    assert [layer.name for layer in network.layers] == ["a", "b"]
    assert ranges["a"].x_max == np.abs(feeds["x"]).max()
    assert ranges["b"].x_max == pytest.approx(float(np.abs(states[:-1]).max()), rel=1e-6)
    assert ranges["b"].shape == (4,)


def test_coarse_inputs_in_a_body_equal_the_steps_by_hand() -> None:
    """The loop's DAC of 4 bits, its range from the calibration inputs, stepped in numpy."""
    model, feeds = loop_model()
    weights = {name: value.astype(float) for name, value in weights_of(model).items()}

    def stepped(x_max: float | None) -> tuple[np.ndarray, float]:
        h, largest = feeds["x"].astype(float), 0.0
        for _ in range(3):
            scaled = h * 0.5
            largest = max(largest, float(np.abs(scaled).max()))
            if x_max is not None:
                scaled = np.clip(np.round(scaled / x_max * 7), -7, 7) * x_max / 7
            h = np.maximum(scaled @ weights["w"].T + weights["bias"], 0)
        return h, largest

    _, x_max = stepped(None)
    wanted, _ = stepped(x_max)
    coarse = patched(load_network(model), feeds, *EXACT, "dac.n_bits=4")
    (got,) = ran(coarse, feeds)
    assert np.abs(got - wanted).max() <= 1e-5 * np.abs(wanted).max()
    assert np.abs(got - ran(model, feeds)[0]).max() > 1e-2 * np.abs(wanted).max()


@pytest.mark.parametrize(
    ("case", "wanted"),
    [
        ("scan", {"a": 5 * 6 * 4, "b": 5 * 4 * 4}),
        ("loop", {"a": 3 * 6 * 6}),
        ("then", {"out": 6 * 4, "t": 0}),
        ("else", {"out": 0, "t": 6 * 4}),
    ],
)
def test_work_in_a_body_counts_as_often_as_it_runs(case: str, wanted: dict[str, int]) -> None:
    model, feeds = CASES[case]()
    network = load_network(model)
    work = work_of(network, {name: tensor[:1] for name, tensor in feeds.items()})
    assert work.macs == wanted
    assert work.unknown == ()


def test_tensors_of_a_body_come_out_with_the_steps_as_a_batch() -> None:
    model, feeds = scan_model()
    network = load_network(model)
    extended = with_outputs(network.model, ["a", "h", "y"])
    session = onnxruntime.InferenceSession(extended.SerializeToString())
    a, h = session.run(["a", "h"], feeds)
    weights = weights_of(model)
    steps = feeds["x"].transpose(1, 0, 2) @ weights["w"]
    np.testing.assert_allclose(a, steps.reshape(15, 4), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(h[:3], feeds["h0"])


def test_a_branch_that_is_not_taken_comes_out_empty() -> None:
    model, feeds = branch_model(3.0)
    extended = with_outputs(load_network(model).model, ["out", "t"])
    session = onnxruntime.InferenceSession(extended.SerializeToString())
    taken, other = session.run(["out", "t"], feeds)
    assert taken.shape == (3, 4)
    assert other.shape == (0,)


def test_bodies_may_use_the_same_names() -> None:
    """Both branches call their tensors alike, as exporters do, and hold constants of their own."""
    text = """
    agraph (float[N, 6] x, bool[1] up) => (float[N, 4] y) {
        y = If<then_branch = a () => (float[N, 4] z)
                   <float[1] two = {2.0}> { m = MatMul(x, w) z = Mul(m, two) },
               else_branch = b () => (float[N, 4] z)
                   <float[1] two = {3.0}> { m = MatMul(x, v) z = Mul(m, two) }>(up)
    }
    """
    model = model_of(text, w=(6, 4), v=(6, 4))
    network = load_network(model)
    assert len({layer.name for layer in network.layers}) == 2
    x = np.random.default_rng(4).standard_normal((3, 6)).astype(np.float32)
    weights = weights_of(model)
    for up, expected in ((True, 2 * (x @ weights["w"])), (False, 3 * (x @ weights["v"]))):
        (got,) = ran(network.model, {"x": x, "up": np.array([up])})
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


NESTED = """
agraph (float[N, 6] x) => (float[N, 6] y) {
    trips = Constant<value = int64 {2}>()
    go = Constant<value = bool {1}>()
    first = MatMul(x, w)
    y = Loop<body = step (int64 i, bool on, float[B, 6] h) => (bool still, float[B, 6] next) {
            still = Identity(on)
            next = Loop<body = inner (int64 j, bool on2, float[B, 6] k)
                => (bool still2, float[B, 6] n) {
                still2 = Identity(on2)
                p = MatMul(k, w)
                n = Tanh(p)
            }>(trips, on, h)
        }>(trips, go, first)
}
"""


def test_a_loop_in_a_loop_stays_digital_is_named_and_counted() -> None:
    model = model_of(NESTED, w=(6, 6))
    network = load_network(model)
    assert [layer.name for layer in network.layers] == ["first"]
    reasons = {node.name: node.reason for node in network.digital}
    assert reasons["p"] == "in a loop inside a loop: not mapped"
    x = np.ones((1, 6), dtype=np.float32)
    study = bare_study(network, load_settings(None, xbar="8x8"), MadeUpInputs({"x": x}), 1)
    shares = inventory_of(network, study.plan).shares
    assert shares["macs_mapped"] == pytest.approx(36 / (36 + 4 * 36))


def test_a_network_of_nested_loops_alone_is_refused_by_the_operator_s_name() -> None:
    text = NESTED.replace("first = MatMul(x, w)", "first = Relu(x)")
    with pytest.raises(ModelError, match=r"p \(MatMul\): in a loop inside a loop"):
        load_network(model_of(text, w=(6, 6)))


def test_a_body_without_products_stays_as_it_is() -> None:
    text = """
    agraph (float[N, 6] x, bool[1] up) => (float[N, 4] y) {
        m = MatMul(x, w)
        y = If<then_branch = a () => (float[N, 4] z) { z = Relu(m) },
               else_branch = b () => (float[N, 4] z) { z = Tanh(m) }>(up)
    }
    """
    model = model_of(text, w=(6, 4))
    before, after = model.graph.node[1], load_network(model).model.graph.node[1]
    assert [a.g for a in before.attribute] == [a.g for a in after.attribute]


@pytest.mark.parametrize("iv", ["linear", "sinh"])
def test_a_branch_that_no_input_takes_is_no_trouble(iv: str) -> None:
    model, feeds = branch_model(3.0)
    form = {"linear": "{form: linear}", "sinh": "{form: sinh, v0: 0.3}"}[iv]
    settings = load_settings(None, xbar="8x4", assignments=[f"device.iv={form}"])
    options = DataOptions(data=given_arrays(feeds["x"], "data"), metric="none")
    study = open_study(model, settings, options, threads=1)
    result = evaluate(study)
    assert result.ladder[-1].summary()["snr_db"]["mean"] > 10
    if iv == "linear":
        assert verify(study, arrays=4, vectors=2).passed


GROWING = """
agraph (float[N, 6] x) => (float[M, 6] z) {
    trips = Constant<value = int64 {3}>()
    go = Constant<value = bool {1}>()
    first = MatMul(x, v)
    z = Loop<body = step (int64 i, bool on, float[B, 6] h) => (bool still, float[C, 6] next) {
            still = Identity(on)
            a = MatMul(h, w)
            next = Concat<axis=0>(h, a)
        }>(trips, go, first)
}
"""


def test_a_loop_whose_tensors_grow_stays_digital_with_that_reason() -> None:
    model = model_of(GROWING, w=(6, 6), v=(6, 6))
    x = np.random.default_rng(5).standard_normal((2, 6)).astype(np.float32)
    options = DataOptions(data=given_arrays(x, "data"), metric="none", output="first")
    result = evaluate(open_study(model, load_settings(None, xbar="8x8"), options, threads=1))
    assert [place.name for place in result.inventory.layers] == ["first"]
    row = next(row for row in result.inventory.digital if "change their shape" in row["reason"])
    assert row["macs"] == (1 + 2 + 4) * 36
    assert result.inventory.shares["macs_mapped"] == pytest.approx(1 / 8)


def test_a_layer_that_never_ran_has_no_signal_to_noise() -> None:
    """Calibration takes one branch, evaluation the other."""
    model, feeds = branch_model(3.0)
    options = DataOptions(
        data=given_arrays(feeds["x"], "data"),
        calibrate=given_arrays(-feeds["x"], "calibrate"),
        metric="none",
    )
    result = evaluate(open_study(model, load_settings(None, xbar="8x8"), options, threads=1))
    (layer,) = result.layers
    assert (layer.place.name, layer.snr_db) == ("t", None)


def test_a_branch_that_calibration_does_not_take_stays_digital_and_right() -> None:
    model, feeds = branch_model(3.0)
    options = DataOptions(data=given_arrays(feeds["x"], "data"), metric="none")
    study = open_study(model, load_settings(None, xbar="8x8"), options, threads=1)
    reasons = {node.name: node.reason for node in study.network.digital}
    assert "no calibration input takes" in reasons["t"]
    other = {"x": -feeds["x"]}
    (got,), (wanted,) = ran(patched_chip(study).model, other), ran(model, other)
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)


def test_an_if_that_decides_by_values_sees_one_input_at_a_time() -> None:
    """Inputs of both signs: in a batch one mean would decide for all of them."""
    model, feeds = branch_model(0.0)
    x = np.concatenate([feeds["x"] + 3, feeds["x"] - 3])
    options = DataOptions(data=given_arrays(x, "data"), metric="none")
    settings = load_settings(None, xbar="8x8", assignments=EXACT)
    study = open_study(model, settings, options, threads=1)
    assert study.batch == 1
    assert any("(If) decides by the values" in note for note in study.notes)
    network = patched_chip(study).model
    for row in x:
        (got,), (wanted,) = ran(network, {"x": row[None]}), ran(model, {"x": row[None]})
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)
    assert {layer.name for layer in study.network.layers} == {"out", "t"}
