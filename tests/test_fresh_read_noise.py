"""Read noise that each product draws anew: its deviation by closed forms, and its draws."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from chips import found, foundry_of
from onnx import TensorProto, helper, numpy_helper

import rxsim
from rxsim.circuit import solve_array
from rxsim.config import Crossbar
from rxsim.data import GivenArrays
from rxsim.pipeline import DataOptions, Study, open_study
from rxsim.pipeline.ladder.noise_remark import _MEASURED, how_much

DRAWS = 4000
SIGMA = 0.01
RNG = np.random.default_rng(5)
WEIGHTS = RNG.uniform(-1, 1, (12, 5)).astype(np.float32)
X = RNG.uniform(0.1, 1, 12).astype(np.float32)
W_MAX = float(np.abs(WEIGHTS).max())
IDEAL = {
    **dict.fromkeys(("crossbar.r_wire_wl", "crossbar.r_wire_bl"), 0),
    **dict.fromkeys(("crossbar.r_driver", "crossbar.r_sense"), 0),
    "device.n_bits": None,
    "dac.n_bits": None,
    "adc.n_bits": None,
    "device.read_sigma": SIGMA,
    "device.read_noise": "fresh",
}


def gemm() -> onnx.ModelProto:
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"], "fc")],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 12])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 5])],
        [numpy_helper.from_array(WEIGHTS, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def study_of(
    changes: dict[str, Any], x: np.ndarray = X, model: onnx.ModelProto | None = None
) -> Study:
    """The same input again and again; another one, with values of 1, sets the ranges."""
    inputs = np.repeat(x[None], DRAWS, axis=0)
    top = np.sign(x[None] + 0.5) if (x < 0).any() else np.ones_like(x[None])
    settings = rxsim.settings(xbar="8x6", changes={**IDEAL, **changes})
    options = DataOptions(
        data=GivenArrays({"x": inputs}, "many"),
        calibrate=GivenArrays({"x": np.repeat(top, 2, axis=0)}, "top"),
        metric="none",
    )
    return open_study(model or gemm(), settings, options, threads=1)


def drawn(changes: dict[str, Any], x: np.ndarray = X, trial: int = 0) -> np.ndarray:
    study = study_of(changes, x)
    return found(study, foundry_of(study).make(trial).network.model)


def assert_deviation(values: np.ndarray, expected: np.ndarray) -> None:
    """Within 4.5 standard errors of a deviation, sigma / sqrt(2 n), and of a mean."""
    assert values.std(axis=0, ddof=1) == pytest.approx(expected, rel=4.5 / np.sqrt(2 * len(values)))


CLOSED: list[tuple[str, dict[str, Any], float]] = [
    ("pairs", {}, 2.0),
    ("pairs converted apart", {"mapping.subtract": "digital"}, 2.0),
    ("pairs beside each other", {"mapping.layout": "adjacent"}, 2.0),
    ("one conversion", {"adc.where": "per_layer", "adc.n_bits": 20}, 2.0),
    ("fine ADCs", {"adc.n_bits": 20}, 2.0),
    ("single cells", {"mapping.scheme": "offset"}, 4.0),
    (
        "a reference column",
        {"mapping.scheme": "offset", "mapping.offset_removal": "reference_column"},
        8.0,
    ),
    ("two sides", {"mapping.balance": "two_sided"}, 2.0),
]


@pytest.mark.parametrize(
    ("changes", "cells"), [case[1:] for case in CLOSED], ids=lambda c: str(c)[:40]
)
def test_the_deviation_is_that_of_all_cells_of_an_output(
    changes: dict[str, Any], cells: float
) -> None:
    """sd(y) = s w_max sqrt(c sum x^2): c is the cells of a weight times the square of their factor."""
    values = drawn(changes)
    expected = SIGMA * W_MAX * np.sqrt(cells * float(np.square(X, dtype=np.float64).sum()))
    assert_deviation(values, np.full(5, expected))
    without = drawn({**changes, "device.read_sigma": 0})[0]
    assert np.abs(values.mean(axis=0) - without).max() < 4.5 * expected / np.sqrt(DRAWS)


def test_noise_that_is_a_share_of_each_cell() -> None:
    values = drawn({"device.read_unit": "relative", "device.g_off": 1e-6, "device.g_on": 5e-6})
    share = np.abs(WEIGHTS.astype(np.float64)) / W_MAX
    cells = (0.25 + share) ** 2 + 0.25**2  # siemens over g_on - g_off: the plus and the minus cell
    expected = SIGMA * W_MAX * np.sqrt(np.square(X, dtype=np.float64) @ cells)
    assert_deviation(values, expected)


@pytest.mark.parametrize("adc", [None, 20])
def test_each_pass_draws_its_noise(adc: int | None) -> None:
    """Bit-serial: pass p carries 4^p of digit d, and its noise 4^p of the digit's."""
    changes = {
        "input.encoding": "bit_serial",
        "input.bits_per_pulse": 2,
        "dac.n_bits": 6,
        "adc.n_bits": adc,
    }
    codes = np.rint(X.astype(np.float64) * 63).astype(int)
    digits = np.array([(codes >> (2 * p)) & 3 for p in range(3)]) * 4.0 ** np.arange(3)[:, None]
    expected = SIGMA * W_MAX * np.sqrt(2 * np.square(digits / 63).sum())
    assert_deviation(drawn(changes), np.full(5, expected))


def test_inputs_of_zero_that_drive_a_voltage_have_noise_too() -> None:
    """signed_input: offset drives (x + 1) / 2 of v_read and counts it twice, beyond the border too."""
    weights = RNG.uniform(-1, 1, (3, 2, 3, 3)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"], "conv", pads=[1, 1, 1, 1])],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2, 3, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3, 3, 3])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    x = RNG.uniform(-1, 1, (2, 3, 3)).astype(np.float32)
    changes = {"input.signed_input": "offset", "dac.n_bits": 12}
    study = study_of(changes, x, model)
    plan = foundry_of(study).make(0).layers[0].input_plan
    (each,) = plan.passes
    codes = np.rint(np.pad(x, ((0, 0), (1, 1), (1, 1))).astype(np.float64) * plan.dac.code_per_x)
    volts = each.units.of(codes) * each.volt
    assert volts.min() >= 0
    assert (volts[:, 0] > 0.05).all()  # the border drives what a 0 does
    windows = np.lib.stride_tricks.sliding_window_view(volts, (3, 3), axis=(1, 2))
    squares = np.square(windows).sum(axis=(0, 3, 4))
    per_volt = plan.x_per_volt * each.weight
    expected = SIGMA * float(np.abs(weights).max()) * per_volt * np.sqrt(2 * squares)
    values = found(study, foundry_of(study).make(0).network.model).reshape(DRAWS, 3, 9)
    assert_deviation(values, np.broadcast_to(expected.ravel(), (3, 9)))


def test_wires_weigh_a_cells_noise_by_its_share_of_the_current() -> None:
    """Against the exact derivative of each output by each cell, by differences; mild wires, 2 %."""
    rng = np.random.default_rng(1)
    g = rng.uniform(1 / 1.4e6, 1 / 2e5, (16, 12))
    bar = Crossbar(rows=16, cols=12)
    v, step = rng.uniform(0, 0.2, 16), 1e-9
    g_eff = solve_array(g, bar).g_eff
    exact = np.zeros(12)
    for i in range(16):
        for j in range(12):
            more = g.copy()
            more[i, j] += step
            slope = (v @ (solve_array(more, bar).g_eff - g_eff)) / step
            exact += np.square(slope * 0.05 * g[i, j])
    used = np.square(v) @ np.square(0.05 * g_eff)
    assert np.sqrt(used) == pytest.approx(np.sqrt(exact), rel=0.02)


def test_chips_draw_apart_and_a_chip_draws_the_same_again(tmp_path: Path) -> None:
    first = drawn({})
    assert (drawn({}) == first).all()
    assert (drawn({}, trial=1) != first).mean() > 0.99
    assert (drawn({"seed": 1}) != first).mean() > 0.99
    together = np.corrcoef(np.hstack([first, drawn({}, trial=1)]), rowvar=False) - np.eye(10)
    assert np.abs(together).max() < 4.5 / np.sqrt(DRAWS)


def test_a_result_with_fresh_noise_does_not_depend_on_the_threads() -> None:
    model = Path(__file__).parent.parent / "models/digits_mlp.onnx"
    changes = {"device.model": "pcm-hermes", "device.time": "1h", "device.read_noise": "fresh"}
    results = [
        rxsim.evaluate(model, rxsim.settings(changes=changes), limit=150, threads=threads).as_json()
        for threads in (1, 2, 1)
    ]
    for result in results:
        del result["timing"]
    assert results[0] == results[1] == results[2]


def test_lossy_arrays_are_told_of() -> None:
    model = Path(__file__).parent.parent / "models/digits_mlp.onnx"
    harsh = {"device.r_on": 1e4, "device.r_off": 1e5, "crossbar.r_wire_wl": 10}
    for changes, told in ((harsh, True), ({}, False)):
        given = {"device.read_sigma": 0.01, "device.read_noise": "fresh", **changes}
        result = rxsim.evaluate(model, rxsim.settings(changes=given), limit=20)
        assert ("fresh_read_noise" in result.remarks) is told


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (0.26, "by about 7% to 12% (measured at losses of 22% and 45%)"),
        (0.6, "by about 12% to 42% (measured at losses of 45% and 70%)"),
        (0.9, "by more than 42% (measured at a loss of 70%)"),
    ],
)
def test_how_much_too_strong_noise_is_depends_on_the_loss(loss: float, words: str) -> None:
    assert how_much(loss) == words


def test_what_is_said_of_noise_is_what_the_physical_model_tells() -> None:
    """The numbers are those of the table in docs/concepts/model.md."""
    text = (Path(__file__).parent.parent / "docs/concepts/model.md").read_text(encoding="utf-8")
    table = text[text.index("fresh_noise_error.py`)") :].split("\n\n")[0]
    rows = re.findall(r"\| ([\d.]+) % \| ([\d.]+) % \|", table)
    told = [(float(loss) / 100, float(error) / 100) for loss, error in rows]
    assert np.allclose(told, _MEASURED, rtol=1e-9)
