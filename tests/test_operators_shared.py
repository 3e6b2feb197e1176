"""Weights that several nodes use: mapped once, on the same arrays of a chip."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from chips import bare_study
from onnx import numpy_helper, parser

from rxsim.config import load_settings
from rxsim.data import MadeUpInputs, given_arrays
from rxsim.load import load_network
from rxsim.pipeline import DataOptions, evaluate, open_study, patched_chip

TEXT = """<ir_version: 8, opset_import: ["": 17]>
agraph (float[N, 6] x) => (float[N, 6] d) {
    a = MatMul(x, w)
    b = Relu(a)
    c = MatMul(b, w)
    d = MatMul(c, v)
}
"""


def tied() -> onnx.ModelProto:
    rng = np.random.default_rng(0)
    model = parser.parse_model(TEXT)
    for name in ("w", "v"):
        value = rng.standard_normal((6, 6)).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(value, name))
    return model


def inputs() -> np.ndarray:
    return np.random.default_rng(1).standard_normal((5, 6)).astype(np.float32)


def test_equal_weights_are_programmed_once() -> None:
    """The chip's errors are the same for both uses, and other ones for other weights."""
    network = load_network(tied())
    assert [layer.arrays_of for layer in network.layers] == [0, 0, 2]
    off = [f"crossbar.{name}=0" for name in ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense")]
    open_ended = [f"{name}.n_bits=null" for name in ("dac", "adc", "device")]
    settings = load_settings(
        None, xbar="8x8", assignments=[*off, *open_ended, "device.write_sigma=0.05"]
    )
    model = patched_chip(bare_study(network, settings, MadeUpInputs({"x": inputs()}), 5)).model
    matrices = [
        numpy_helper.to_array(tensor)
        for tensor in model.graph.initializer
        if tuple(tensor.dims) == (6, 6)
    ]
    first, second, other = matrices
    # The input's range is part of the matrix: up to that factor they are equal.
    ratio = first / second
    assert ratio.std() < 1e-5 * abs(ratio.mean())
    assert (first / other).std() > 0.1


def test_equal_weights_count_once() -> None:
    options = DataOptions(data=given_arrays(inputs(), "data"), metric="none")
    result = evaluate(open_study(tied(), load_settings(None, xbar="8x8"), options))
    assert result.totals["arrays"] == 2 * 2
    assert [place.shared_with for place in result.inventory.layers] == [None, "a", None]
    assert result.inventory.shares["parameters_mapped"] == pytest.approx(1.0)


def test_equal_weights_with_other_settings_have_arrays_of_their_own() -> None:
    options = DataOptions(data=given_arrays(inputs(), "data"), metric="none")
    settings = load_settings(None, xbar="8x8", assignments=["layers={c: {device: {n_bits: 4}}}"])
    result = evaluate(open_study(tied(), settings, options))
    assert result.totals["arrays"] == 3 * 2
