"""The twin checked against onnxruntime, by hand and against itself."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import ArrayLike, NDArray
from onnx import numpy_helper, parser
from oracles import sparse
from single_graphs import GRAPHS, make
from twin import build
from twin.layer import Layer

MODELS = Path(__file__).parent.parent / "models"
DIGITS = ["digits_mlp", "digits_cnn", "digits_dsconv", "digits_resnet"]
G_ON, G_OFF = 5e-6, 1e-6
NO_WIRES = dict.fromkeys(("r_wire_wl", "r_wire_bl", "r_driver", "r_sense"), 0)
WIRES = {"r_wire_wl": 2.5, "r_wire_bl": 1.5, "r_driver": 100, "r_sense": 80}


def single(values: ArrayLike) -> NDArray[np.float32]:
    return np.asarray(values, np.float32)


def settings(**sections: dict[str, Any]) -> dict[str, Any]:
    """Return settings that are ideal by default, with the given keys of sections replaced."""
    base: dict[str, dict[str, Any]] = {
        "crossbar": {"rows": 16, "cols": 8, **NO_WIRES},
        "device": {"g_on": G_ON, "g_off": G_OFF, "n_bits": None},
        "dac": {"n_bits": None},
        "adc": {"n_bits": None},
    }
    for section, keys in sections.items():
        base[section] = {**base.get(section, {}), **keys}
    return base


def ranges_of(layer: Layer) -> NDArray[Any]:
    """Return the ranges in A of a layer's only pass and slice, shape (P, G, N)."""
    assert layer.ranges is not None
    (found,) = layer.ranges
    return np.stack([part[0, 0, :, 0] for part in found.main])


def gemm(weight: list[list[float]]) -> onnx.ModelProto:
    """Return a graph of one MatMul named "fc" with the given weight."""
    rows = len(weight)
    model = parser.parse_model(
        f'<ir_version: 8, opset_import: ["": 17]> g (float[B,{rows}] x) => (float[B,C] y) '
        "{ [fc] y = MatMul(x, w) }"
    )
    model.graph.initializer.append(numpy_helper.from_array(single(weight), "w"))
    return model


def images(which: str, count: int) -> NDArray[np.float32]:
    return single(np.load(MODELS / f"digits_{which}.npz")["x"][:count]) * np.float32(0.0625)


def onnx_run(model: onnx.ModelProto, x: NDArray[Any]) -> NDArray[Any]:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return np.asarray(session.run(None, {session.get_inputs()[0].name: x})[0])


def difference(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Return the relative difference of docs/concepts/model.md, section 7."""
    assert a.shape == b.shape
    return float(np.abs(a - b).max() / np.abs(b).max())


@pytest.mark.parametrize("name", DIGITS)
def test_ideal_twin_is_the_float_network(name: str) -> None:
    model = onnx.load(MODELS / f"{name}.onnx")
    x = images("test", 60)
    net = build(model, settings(crossbar={"rows": 64, "cols": 64}), images("train", 20))
    assert not any(n.op_type == "BatchNormalization" for n in net.graph.nodes)
    expected = onnx_run(model, x)
    assert difference(net.run(x), expected) < 1e-5
    assert difference(net.run_float(x), expected) < 1e-5


@pytest.mark.parametrize("name", GRAPHS)
def test_ideal_twin_is_the_float_graph(name: str) -> None:
    model, x = make(name)
    assert difference(build(model, settings(), x).run(x), onnx_run(model, x)) < 1e-5


@pytest.mark.parametrize("w_max_scope", ["layer", "tile", "column"])
@pytest.mark.parametrize("row_order", ["channel_major", "kernel_major"])
@pytest.mark.parametrize("unused_cells", ["g_off", "open"])
def test_mapping_does_not_change_an_ideal_result(
    w_max_scope: str, row_order: str, unused_cells: str
) -> None:
    mapping = {"w_max_scope": w_max_scope, "row_order": row_order, "unused_cells": unused_cells}
    model, x = make("grouped conv")
    chosen = settings(crossbar={"rows": 5, "cols": 2}, mapping=mapping)
    assert difference(build(model, chosen, x).run(x), onnx_run(model, x)) < 1e-5


@pytest.mark.parametrize("where", ["per_tile", "per_layer"])
@pytest.mark.parametrize("adc_range", ["calibrated", "full_scale"])
@pytest.mark.parametrize("name", ["several layers", "grouped conv", "matmul on rank 3"])
def test_fine_converters_converge_to_the_float_graph(name: str, where: str, adc_range: str) -> None:
    fine = {"n_bits": 30}
    chosen = settings(device=fine, dac=fine, adc={**fine, "where": where, "range": adc_range})
    model, x = make(name)
    assert difference(build(model, chosen, x).run(x), onnx_run(model, x)) < 2e-6


def test_levels_and_converters_by_hand() -> None:
    """One unit of current is v_read (g_on - g_off)/21: levels of 1/3, DAC codes of 1/7."""
    adc = {"n_bits": 4, "range": "full_scale"}
    chosen = settings(
        crossbar={"rows": 4, "cols": 2}, device={"n_bits": 2}, dac={"n_bits": 3}, adc=adc
    )
    calibration = single([[7, 0], [0, 7]])
    x = single([[5.4, 2.5], [9.0, 0.0], [0.0, 7.0]])  # codes (5, 2), (7, 0), (0, 7)
    model = gemm([[3.0], [-0.6]])  # levels 3 and 1: currents 13, 21 and -7
    layer = build(model, chosen, calibration).layers["fc"]
    assert (layer.x_max, layer.signed) == (7.0, False)
    np.testing.assert_allclose(
        layer.arrays,
        [
            [[G_ON, G_OFF], [G_OFF, G_OFF], [G_OFF, G_OFF], [G_OFF, G_OFF]],
            [[G_OFF, G_OFF], [G_OFF + (G_ON - G_OFF) / 3, G_OFF], [G_OFF] * 2, [G_OFF] * 2],
        ],
    )
    y, risky, _ = layer.forward(x)  # range 84, LSB 12: codes 1, 2 (1.75) and -1 (-0.58)
    np.testing.assert_allclose(y, [[12.0], [24.0], [-12.0]], rtol=1e-12)
    np.testing.assert_array_equal(risky, [[True], [False], [False]])
    x[0] = [5.4, 2.6]  # off the tie of 2.5
    assert not layer.forward(x)[1].any()
    x[0] = [5.4, 2.5]

    chosen["adc"]["range"] = "calibrated"
    layer = build(model, chosen, calibration).layers["fc"]
    unit = 0.2 * (G_ON - G_OFF) / 21
    np.testing.assert_allclose(ranges_of(layer), [[[21 * unit]]], rtol=1e-12)
    y, _, _ = layer.forward(x)  # LSB 3: codes 4 (4.33), 7 and -2 (-2.33)
    np.testing.assert_allclose(y, [[12.0], [21.0], [-6.0]], rtol=1e-12)


def test_signed_inputs_and_clipping_by_hand() -> None:
    """One unit of current is v_read (g_on - g_off)/9: levels of 1/3, DAC codes of 1/3 a side."""
    adc = {"n_bits": 3, "percentile": 50}
    chosen = settings(
        device={"n_levels": 4}, dac={"n_bits": 3}, adc=adc, mapping={"w_percentile": 50}
    )
    model = gemm([[9.0], [3.0], [1.0]])  # w_max 3: levels 3, 3 and 1
    calibration = single([[-3, 0, 0], [0, 0, 3], [1, 0, 0]])  # currents -9, 3, 3
    layer = build(model, chosen, calibration).layers["fc"]
    assert layer.signed
    y, _, _ = layer.forward(single([[-1, 0, 0], [0, 1, -2], [0, 0, -9]]))
    # Range 3, LSB 1: currents -3, 1 and -3.
    np.testing.assert_allclose(y, [[-3.0], [1.0], [-3.0]], rtol=1e-12)


def test_inputs_of_0_have_a_range_of_one_and_layers_without_current_full_scale() -> None:
    chosen = settings(dac={"n_bits": 4}, adc={"n_bits": 4, "scope": "column"})
    layer = build(gemm([[0.0, 0.0]]), chosen, np.zeros((2, 1))).layers["fc"]
    assert layer.x_max == 1.0
    full_scale = 16 * layer.settings["input"]["v_read"] * (G_ON - G_OFF)
    assert ranges_of(layer) == pytest.approx(np.full((1, 1, 2), full_scale), rel=1e-12)
    assert not layer.forward(np.ones((1, 1)))[0].any()


def test_row_orders() -> None:
    model, x = make("grouped conv")
    mapping = {"row_order": "kernel_major"}
    net = build(model, settings(crossbar={"rows": 4}, mapping=mapping), x)
    (layer,) = net.layers.values()
    assert [layer.order[k].tolist() for k in layer.rows][:2] == [[0, 9, 1, 10], [2, 11, 3, 12]]
    (layer,) = build(model, settings(crossbar={"rows": 4}), x).layers.values()
    assert [layer.order[k].tolist() for k in layer.rows][-1] == [16, 17]


def test_array_numbers() -> None:
    """Only the block (group, p, q) of the one array that is not at g_off carries current."""
    model, x = make("grouped conv")  # 2 groups of 18 rows and 3 columns
    chosen = settings(crossbar={"rows": 10, "cols": 2})
    (layer,) = build(model, chosen, x).layers.values()
    for number in range(16):
        g, p, q, polarity = np.unravel_index(number, (2, 2, 2, 2))
        arrays = [np.full((10, 2), G_ON if array == number else G_OFF) for array in range(16)]
        layer.install(arrays, lambda array, driven: array)
        expected = [np.zeros((2, 10, 3)), np.zeros((2, 8, 3))]
        expected[p][g, :, 2 * q : 2 * q + 2] = (G_ON - G_OFF) * (1, -1)[polarity]
        for matrix, block in zip(layer.matrices.main, expected, strict=True):
            np.testing.assert_allclose(matrix[0, 0], block, atol=1e-20)


def test_wires_and_access() -> None:
    """The matrices are those of the circuit, on arrays with the access resistance in series."""
    model, x = make("gemm")
    chosen = settings(crossbar={"rows": 6, "cols": 4, "r_access": 1e4, **WIRES})
    (layer,) = build(model, chosen, x).layers.values()
    plus, minus = (sparse.g_eff(1 / (1 / layer.arrays[k] + 1e4), 2.5, 1.5, 100, 80) for k in (6, 7))
    np.testing.assert_allclose(
        layer.matrices.main[1][0, 0, 0, :, 4:], (plus - minus)[:3, :3], rtol=1e-9
    )
    chosen = settings(crossbar={"rows": 6, "cols": 4})
    assert difference(build(model, chosen, x).run(x), onnx_run(model, x)) < 1e-5


def test_a_chip_draws_each_effect_from_its_own_stream() -> None:
    """By hand from the contract's keys: (trial, layer index, effect, array index)."""
    model, x = make("gemm")  # one layer of 9 rows and 7 columns: 2 arrays of 16 x 8
    device = {"write_sigma": 0.1, "d2d_sigma": 0.2, "stuck_lrs": 0.1, "stuck_hrs": 0.2}
    chosen = {**settings(device=device), "seed": 5}
    nominal, (layer,) = build(model, chosen, x), build(model, chosen, x, 3).layers.values()
    levels = nominal.layers[layer.product.name].arrays

    def rng(effect: int, array: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence(5, spawn_key=(3, 0, effect, array)))

    for number, g in enumerate(levels):
        written = np.maximum(g + 0.1 * (G_ON - G_OFF) * rng(0, number).standard_normal((16, 8)), 0)
        varied = written * np.exp(0.2 * rng(1, number).standard_normal((16, 8)))
        u = rng(2, number).random((16, 8))
        expected = np.where(u < 0.1, G_ON, np.where(u < 0.3, G_OFF, varied))
        np.testing.assert_allclose(layer.arrays[number], expected, rtol=1e-12)
    relative = settings(device={"write_sigma": 0.1, "write_unit": "relative"})
    (layer,) = build(model, relative, x, 0).layers.values()
    z = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(0, 0, 0, 1)))
    np.testing.assert_allclose(
        layer.arrays[1], levels[1] * (1 + 0.1 * z.standard_normal((16, 8))), rtol=1e-12
    )


def test_adc_is_calibrated_on_nominal_arrays() -> None:
    model, x = make("several layers")
    errors = {"gain_sigma": 0.1, "offset_sigma": 0.5, "inl": 0.5, "dnl": 0.5}
    chosen = settings(
        crossbar=WIRES, device={"write_sigma": 0.3}, dac={"n_bits": 6}, adc={"n_bits": 6}
    )
    nominal = build(model, chosen, x)
    for section in ("dac", "adc"):
        chosen[section] |= errors
    other = build(model, chosen, x, 1)
    for name, layer in nominal.layers.items():
        np.testing.assert_array_equal(ranges_of(layer), ranges_of(other.layers[name]))
        assert np.any(layer.matrices.main[0] != other.layers[name].matrices.main[0])
        assert other.layers[name].dac_errors is not None
        assert other.layers[name].adc_errors is not None


def test_adc_is_calibrated_behind_open_adcs_and_real_dacs() -> None:
    model, x = make("several layers")
    ranges = []
    for adc_bits, dac_bits in ((2, 3), (12, 3), (12, 12)):
        chosen = settings(dac={"n_bits": dac_bits}, adc={"n_bits": adc_bits})
        layers = build(model, chosen, x).layers
        ranges.append(np.array([ranges_of(layer)[0, 0, 0] for layer in layers.values()]))
    np.testing.assert_array_equal(ranges[0], ranges[1])
    assert np.all(ranges[1] != ranges[2])


def test_input_percentile_is_over_the_layers_input_without_padding() -> None:
    chosen = settings(input={"percentile": 30})
    model, x = make("dilated conv")
    (layer,) = build(model, chosen, x).layers.values()
    assert layer.x_max == np.percentile(np.abs(x.astype(np.float64)), 30)


def test_adc_scopes_nest() -> None:
    model, x = make("gemm")
    ranges = {}
    for scope in ("layer", "tile", "column"):
        chosen = settings(crossbar={"rows": 5, "cols": 4}, adc={"n_bits": 6, "scope": scope})
        (layer,) = build(model, chosen, x).layers.values()
        ranges[scope] = ranges_of(layer)[:, 0]
    columns = ranges["column"]
    tiles = np.repeat([[c[:4].max(), c[4:].max()] for c in columns], [4, 3], axis=1)
    assert np.unique(columns).size == columns.size
    np.testing.assert_array_equal(ranges["tile"], tiles)
    np.testing.assert_array_equal(ranges["layer"], np.full((2, 7), columns.max()))


@pytest.mark.parametrize("adc_range", ["calibrated", "full_scale"])
def test_per_layer_is_per_tile_with_one_row_tile(adc_range: str) -> None:
    model, x = make("several layers")
    results = []
    for where in ("per_tile", "per_layer"):
        coarse = {"n_bits": 4, "where": where, "range": adc_range}
        chosen = settings(crossbar={"rows": 32}, dac={"n_bits": 4}, adc=coarse)
        results.append(build(model, chosen, x).run(x))
    np.testing.assert_array_equal(results[0], results[1])


def test_per_layer_converts_the_sum() -> None:
    """Two row tiles of currents 1 and -1 (units of one cell at full drive) leave no range."""
    chosen = settings(crossbar={"rows": 1}, adc={"n_bits": 3, "where": "per_layer"})
    x = single([[1.0, 1.0]])
    layer = build(gemm([[1.0, 1.0], [-1.0, 0.5]]), chosen, x).layers["fc"]
    np.testing.assert_allclose(ranges_of(layer), np.full((1, 1, 2), 1.5 * 0.2 * (G_ON - G_OFF)))
    np.testing.assert_allclose(layer.forward(x)[0], [[0.0, 1.5]])
    chosen["adc"]["range"] = "full_scale"
    layer = build(gemm([[1.0, 1.0], [-1.0, 0.5]]), chosen, x).layers["fc"]
    np.testing.assert_allclose(ranges_of(layer), np.full((1, 1, 2), 2 * 0.2 * (G_ON - G_OFF)))


def test_risk_follows_an_input_through_padding_and_groups() -> None:
    """A DAC input on a threshold marks the outputs that it feeds, and no others."""
    model, x = make("depthwise conv")
    x = np.abs(x)
    x[0, 0, 0, 0] = x.max()
    (layer,) = build(model, settings(dac={"n_bits": 3}), x).layers.values()
    probe = np.zeros_like(x)
    probe[1, 2, 3, 1] = layer.x_max * 2.5 / 7
    _, risky, _ = layer.forward(probe)
    assert np.argwhere(risky).tolist() == [
        [1, n, h, w] for n in (4, 5) for h in (1, 2, 3) for w in (1, 2)
    ]
    probe[1, 2, 3, 1] = layer.x_max * (2.5 + 2e-4) / 7
    assert not layer.forward(probe)[1].any()


@pytest.mark.parametrize("bits", [4, 6, 8, 10])
def test_float32_arithmetic_differs_only_where_risky(bits: int) -> None:
    """The layer in float32 throughout gives the twin's values wherever these are not risky."""
    model = onnx.load(MODELS / "digits_cnn.onnx")
    n_bits = {"n_bits": bits}
    crossbar = {"rows": 64, "cols": 64}
    chosen = settings(crossbar=crossbar, device=n_bits, dac=n_bits, adc=n_bits)
    layer = build(model, chosen, images("train", 40)).layers["conv2"]
    rng = np.random.default_rng(0)
    x = np.maximum(rng.normal(0, layer.x_max / 3, (40, 16, 4, 4)), 0).astype(np.float32)
    y, risky, _ = layer.forward(x)
    steps, one = 2**bits - 1, np.float32
    code = np.clip(np.rint(x * one(steps / layer.x_max)), 0, steps)
    vectors, lead = layer.product.geometry.vectors(code * one(0.2 / steps))
    half = one(2 ** (bits - 1) - 1)
    total = np.zeros((len(vectors), 1, y.shape[1]))
    for p, (k, limit) in enumerate(zip(layer.rows, ranges_of(layer), strict=True)):
        current = vectors[:, 0, k] @ layer.matrices.main[p][0, 0, 0].astype(one)
        scale = (half / limit[0]).astype(one)
        read = np.clip(np.rint(current * scale), -half, half) / scale
        total[:, 0] += read * layer.w_max[p, 0] * layer.x_max / (0.2 * (G_ON - G_OFF))
    found = layer.product.geometry.tensor(total, lead) + layer.product.bias
    same = np.isclose(found, y, rtol=1e-4, atol=1e-4 * np.abs(y).max() / steps)
    assert same[~risky].all()
    assert risky.mean() < 0.1


def test_what_a_contract_does_not_know_is_refused() -> None:
    with pytest.raises(KeyError, match=r"adc\.bits"):
        build(gemm([[1.0]]), settings(adc={"bits": 3}), np.ones((1, 1)))
    with pytest.raises(KeyError, match="converters"):
        build(gemm([[1.0]]), {**settings(), "converters": {}}, np.ones((1, 1)))
