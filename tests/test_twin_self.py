"""The numpy twin checked against onnxruntime, by hand and against itself."""

import copy
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import twin
from numpy.typing import NDArray
from onnx import numpy_helper, parser
from oracles import sparse

MODELS = Path(__file__).parent.parent / "models"
DIGITS = ["digits_mlp", "digits_cnn", "digits_dsconv", "digits_resnet"]
G_ON, G_OFF = 5e-6, 1e-6

# name: (graph, input shape, weight and bias shapes)
GRAPHS = {
    "grouped conv": (
        "y = Conv<group=2, kernel_shape=[3,3], pads=[1,1,1,1]>(x, w, b)",
        (3, 4, 6, 5),
        {"w": (6, 2, 3, 3), "b": (6,)},
    ),
    "depthwise conv": (
        "y = Conv<group=4, kernel_shape=[3,2], pads=[0,1,2,0]>(x, w)",
        (3, 4, 6, 5),
        {"w": (8, 1, 3, 2)},
    ),
    "dilated conv": (
        "y = Conv<dilations=[2,3], pads=[2,1,0,3]>(x, w, b)",
        (2, 3, 9, 11),
        {"w": (5, 3, 3, 2), "b": (5,)},
    ),
    "strided conv": (
        "y = Conv<strides=[2,3], pads=[1,0,2,1]>(x, w)",
        (2, 3, 9, 10),
        {"w": (5, 3, 3, 2)},
    ),
    "same upper": (
        'y = Conv<auto_pad="SAME_UPPER", strides=[2,2]>(x, w, b)',
        (2, 3, 8, 7),
        {"w": (4, 3, 3, 4), "b": (4,)},
    ),
    "same lower": (
        'y = Conv<auto_pad="SAME_LOWER">(x, w)',
        (2, 3, 8, 7),
        {"w": (4, 3, 2, 4)},
    ),
    "valid": (
        'y = Conv<auto_pad="VALID", strides=[2,1]>(x, w)',
        (2, 3, 8, 7),
        {"w": (4, 3, 3, 2)},
    ),
    "gemm": (
        "y = Gemm<alpha=0.7, beta=-1.3, transB=1>(x, w, b)",
        (6, 9),
        {"w": (7, 9), "b": (7,)},
    ),
    "gemm untransposed": ("y = Gemm<alpha=2.5>(x, w)", (6, 9), {"w": (9, 7)}),
    "gemm with a bias per row": (
        "y = Gemm<beta=0.5>(x, w, b)",
        (6, 9),
        {"w": (9, 7), "b": (6, 1)},
    ),
    "matmul on rank 3": ("y = MatMul(x, w)", (4, 3, 9), {"w": (9, 7)}),
    "several layers": (
        """
        a = Conv(x, w1, b1)
        n = BatchNormalization(a, scale, shift, mean, variance)
        r = Relu(n)
        s = Conv(r, w2)
        t = Add(s, r)
        k = Constant<value_ints=[0, -1]>()
        f = Reshape(t, k)
        z = MatMul(f, w3)
        y = Add(z, b3)
        """,
        (5, 2, 4, 4),
        {
            **{"w1": (3, 2, 3, 3), "b1": (3,), "w2": (3, 3, 1, 1), "w3": (12, 5), "b3": (5,)},
            **dict.fromkeys(("scale", "shift", "mean", "variance"), (3,)),
        },
    ),
}


def settings(**sections: dict) -> dict:
    """Return complete settings, ideal by default, with the given keys of sections replaced."""
    static = {"gain_sigma": 0, "offset_sigma": 0, "inl": 0, "dnl": 0}
    base: dict = {
        "crossbar": {
            **{"rows": 16, "cols": 8, "r_wire_wl": 2.5, "r_wire_bl": 1.5},
            **{"r_driver": 100, "r_sense": 80, "r_access": 0},
        },
        "device": {"g_on": G_ON, "g_off": G_OFF, "n_bits": None, "model": "ideal"},
        "mapping": {
            **{"scheme": "differential", "balance": "one_sided", "subtract": "analog"},
            **{"w_max_scope": "layer", "w_percentile": 100, "row_order": "channel_major"},
            **{"split": "fill", "unused_cells": "g_off", "weight_bits": None},
            **{"bits_per_cell": None, "offset_removal": "digital"},
        },
        "input": {
            **{"encoding": "amplitude", "v_read": 0.2, "percentile": 100},
            **{"signed_input": "bipolar", "bits_per_pulse": 1},
        },
        "dac": {"n_bits": None, **static},
        "adc": {
            **{"n_bits": None, "where": "per_tile", "range": "calibrated", "scope": "layer"},
            **{"percentile": 100, **static},
        },
        "calibration": {"samples": 128},
        "trials": 1,
        "seed": 0,
    }
    for section, keys in sections.items():
        base[section].update(keys)
    return base


def make(name: str) -> tuple[onnx.ModelProto, NDArray]:
    """Return a hand-made graph with random weights and random inputs of both signs."""
    nodes, x_shape, shapes = GRAPHS[name]
    rng = np.random.default_rng(len(name))
    shape = ",".join(map(str, x_shape))
    text = f'<ir_version: 8, opset_import: ["": 17]> g (float[{shape}] x) => (float y) {{{nodes}}}'
    model = parser.parse_model(text)
    for tensor, size in shapes.items():
        value = rng.random(size) if tensor == "variance" else rng.standard_normal(size)
        model.graph.initializer.append(numpy_helper.from_array(value.astype(np.float32), tensor))
    return model, rng.standard_normal(x_shape).astype(np.float32)


def gemm(weight: list[list[float]]) -> onnx.ModelProto:
    """Return a graph of one MatMul named "fc" with the given weight."""
    rows = len(weight)
    model = parser.parse_model(
        f'<ir_version: 8, opset_import: ["": 17]> g (float[B,{rows}] x) => (float[B,C] y) '
        "{ [fc] y = MatMul(x, w) }"
    )
    model.graph.initializer.append(numpy_helper.from_array(np.float32(weight), "w"))
    return model


def images(which: str, count: int) -> NDArray[np.float32]:
    return np.load(MODELS / f"digits_{which}.npz")["x"][:count].astype(np.float32) * 0.0625


def onnx_run(model: onnx.ModelProto, x: NDArray) -> NDArray:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {session.get_inputs()[0].name: x})[0]


def difference(a: NDArray, b: NDArray) -> float:
    """Return the relative difference of MODEL.md section 7."""
    assert a.shape == b.shape
    return float(np.abs(a - b).max() / np.abs(b).max())


@pytest.mark.parametrize("name", DIGITS)
def test_ideal_twin_is_the_float_network(name):
    model = onnx.load(MODELS / f"{name}.onnx")
    x = images("test", 60)
    net = twin.build(model, settings(crossbar={"rows": 64, "cols": 64}), images("train", 20))
    assert not any(n.op_type == "BatchNormalization" for n in net.graph.nodes)
    expected = onnx_run(model, x)
    assert difference(net.run(x), expected) < 1e-5
    assert difference(net.run_float(x), expected) < 1e-5


@pytest.mark.parametrize("name", GRAPHS)
def test_ideal_twin_is_the_float_graph(name):
    model, x = make(name)
    assert difference(twin.build(model, settings(), x).run(x), onnx_run(model, x)) < 1e-5


@pytest.mark.parametrize("w_max_scope", ["layer", "tile", "column"])
@pytest.mark.parametrize("row_order", ["channel_major", "kernel_major"])
@pytest.mark.parametrize("unused_cells", ["g_off", "open"])
def test_mapping_does_not_change_an_ideal_result(w_max_scope, row_order, unused_cells):
    mapping = {"w_max_scope": w_max_scope, "row_order": row_order, "unused_cells": unused_cells}
    model, x = make("grouped conv")
    chosen = settings(crossbar={"rows": 5, "cols": 2}, mapping=mapping)
    assert difference(twin.build(model, chosen, x).run(x), onnx_run(model, x)) < 1e-5


@pytest.mark.parametrize("where", ["per_tile", "per_layer"])
@pytest.mark.parametrize("adc_range", ["calibrated", "full_scale"])
@pytest.mark.parametrize("name", ["several layers", "grouped conv", "matmul on rank 3"])
def test_fine_converters_converge_to_the_float_graph(name, where, adc_range):
    fine = {"n_bits": 30}
    chosen = settings(device=fine, dac=fine, adc={**fine, "where": where, "range": adc_range})
    model, x = make(name)
    assert difference(twin.build(model, chosen, x).run(x), onnx_run(model, x)) < 2e-6


def test_levels_and_converters_by_hand():
    """One unit of current is v_read (g_on - g_off)/21: levels of 1/3, DAC codes of 1/7."""
    adc = {"n_bits": 4, "range": "full_scale"}
    chosen = settings(
        crossbar={"rows": 4, "cols": 2}, device={"n_bits": 2}, dac={"n_bits": 3}, adc=adc
    )
    calibration = np.float32([[7, 0], [0, 7]])
    x = np.float32([[5.4, 2.5], [9.0, 0.0], [0.0, 7.0]])  # codes (5, 2), (7, 0), (0, 7)
    model = gemm([[3.0], [-0.6]])  # levels 3 and 1: currents 13, 21 and -7
    layer = twin.build(model, chosen, calibration).layers["fc"]
    assert (layer.x_max, layer.signed) == (7.0, False)
    np.testing.assert_allclose(
        layer.conductances,
        [
            [[G_ON, G_OFF], [G_OFF, G_OFF], [G_OFF, G_OFF], [G_OFF, G_OFF]],
            [[G_OFF, G_OFF], [G_OFF + (G_ON - G_OFF) / 3, G_OFF], [G_OFF] * 2, [G_OFF] * 2],
        ],
    )
    y, risky = layer.forward(x)  # range 84, LSB 12: codes 1, 2 (1.75) and -1 (-0.58)
    np.testing.assert_allclose(y, [[12.0], [24.0], [-12.0]], rtol=1e-12)
    np.testing.assert_array_equal(risky, [[True], [False], [False]])
    layer.ties_risky = False
    assert not layer.forward(x)[1].any()

    chosen["adc"]["range"] = "calibrated"
    layer = twin.build(model, chosen, calibration).layers["fc"]
    unit = 0.2 * (G_ON - G_OFF) / 21
    np.testing.assert_allclose(layer.adc_range, [[[21 * unit]]], rtol=1e-12)
    y, _ = layer.forward(x)  # LSB 3: codes 4 (4.33), 7 and -2 (-2.33)
    np.testing.assert_allclose(y, [[12.0], [21.0], [-6.0]], rtol=1e-12)


def test_signed_inputs_and_clipping_by_hand():
    """One unit of current is v_read (g_on - g_off)/9: levels of 1/3, DAC codes of 1/3 a side."""
    adc = {"n_bits": 3, "percentile": 50}
    chosen = settings(device={"n_levels": 4}, dac={"n_bits": 3}, adc=adc)
    chosen["mapping"]["w_percentile"] = 50
    model = gemm([[9.0], [3.0], [1.0]])  # w_max 3: levels 3, 3 and 1
    calibration = np.float32([[-3, 0, 0], [0, 0, 3], [1, 0, 0]])  # currents -9, 3, 3
    layer = twin.build(model, chosen, calibration).layers["fc"]
    assert layer.signed
    y, _ = layer.forward(np.float32([[-1, 0, 0], [0, 1, -2], [0, 0, -9]]))
    # Range 3, LSB 1: currents -3, 1 and -3.
    np.testing.assert_allclose(y, [[-3.0], [1.0], [-3.0]], rtol=1e-12)


def test_rows_without_inputs_or_currents_have_ranges_of_one():
    chosen = settings(dac={"n_bits": 4}, adc={"n_bits": 4, "scope": "column"})
    layer = twin.build(gemm([[0.0, 0.0]]), chosen, np.zeros((2, 1))).layers["fc"]
    assert layer.x_max == 1.0
    np.testing.assert_array_equal(layer.adc_range, [[[1.0, 1.0]]])
    assert not layer.forward(np.ones((1, 1)))[0].any()


def test_row_orders():
    model, x = make("grouped conv")
    mapping = {"row_order": "kernel_major"}
    net = twin.build(model, settings(crossbar={"rows": 4}, mapping=mapping), x)
    (layer,) = net.layers.values()
    assert [k.tolist() for k in layer.row_indices][:2] == [[0, 9, 1, 10], [2, 11, 3, 12]]
    (layer,) = twin.build(model, settings(crossbar={"rows": 4}), x).layers.values()
    assert [k.tolist() for k in layer.row_indices][-1] == [16, 17]


def test_array_numbers():
    """Only the block (group, p, q) of the one array that is not at g_off carries current."""
    model, x = make("grouped conv")  # 2 groups of 18 rows and 3 columns
    chosen = settings(crossbar={"rows": 10, "cols": 2})
    for number in range(16):
        g, p, q, polarity = np.unravel_index(number, (2, 2, 2, 2))

        def programmed(layer: int, array: int, number: int = number) -> NDArray[np.float64]:
            assert layer == 0
            return np.full((10, 2), G_ON if array == number else G_OFF)

        (layer,) = twin.build(model, chosen, x, programmed).layers.values()
        expected = [np.zeros((2, 10, 3)), np.zeros((2, 8, 3))]
        expected[p][g, :, 2 * q : 2 * q + 2] = (G_ON - G_OFF) * (1, -1)[polarity]
        for matrix, block in zip(layer.matrices, expected, strict=True):
            np.testing.assert_allclose(matrix, block, atol=1e-20)


def test_wires_and_access():
    """The matrices are those of the circuit, on arrays with the access resistance in series."""
    model, x = make("gemm")
    chosen = settings(crossbar={"rows": 6, "cols": 4, "r_access": 1e4})
    (layer,) = twin.build(model, chosen, x, g_eff=sparse.g_eff).layers.values()
    plus, minus = (
        sparse.g_eff(1 / (1 / layer.conductances[k] + 1e4), 2.5, 1.5, 100, 80) for k in (6, 7)
    )
    np.testing.assert_allclose(layer.matrices[1][0, :, 4:], (plus - minus)[:3, :3], rtol=1e-9)
    for key in ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense", "r_access"):
        chosen["crossbar"][key] = 0
    no_wires = twin.build(model, chosen, x, g_eff=sparse.g_eff)
    assert difference(no_wires.run(x), onnx_run(model, x)) < 1e-5


def test_adc_is_calibrated_on_nominal_arrays():
    model, x = make("several layers")
    chosen = settings(dac={"n_bits": 6}, adc={"n_bits": 6})
    nominal = twin.build(model, chosen, x, g_eff=sparse.g_eff)
    other = twin.build(model, chosen, x, lambda *_: np.full((16, 8), G_OFF), sparse.g_eff)
    for name, layer in nominal.layers.items():
        np.testing.assert_array_equal(layer.adc_range, other.layers[name].adc_range)
        assert not np.any(other.layers[name].matrices[0])


def test_adc_is_calibrated_behind_open_adcs_and_real_dacs():
    model, x = make("several layers")
    ranges = []
    for adc_bits, dac_bits in ((2, 3), (12, 3), (12, 12)):
        chosen = settings(dac={"n_bits": dac_bits}, adc={"n_bits": adc_bits})
        layers = twin.build(model, chosen, x).layers
        ranges.append(np.array([layer.adc_range[0][0, 0] for layer in layers.values()]))
    np.testing.assert_array_equal(ranges[0], ranges[1])
    assert np.all(ranges[1] != ranges[2])


def test_input_percentile_is_over_the_layers_input_without_padding():
    chosen = settings()
    chosen["input"]["percentile"] = 30
    model, x = make("dilated conv")
    (layer,) = twin.build(model, chosen, x).layers.values()
    assert layer.x_max == np.percentile(np.abs(x.astype(np.float64)), 30)


def test_adc_scopes_nest():
    model, x = make("gemm")
    ranges = {}
    for scope in ("layer", "tile", "column"):
        chosen = settings(crossbar={"rows": 5, "cols": 4}, adc={"n_bits": 6, "scope": scope})
        (layer,) = twin.build(model, chosen, x).layers.values()
        ranges[scope] = np.stack(layer.adc_range)[:, 0]
    columns = ranges["column"]
    tiles = np.repeat([[c[:4].max(), c[4:].max()] for c in columns], [4, 3], axis=1)
    assert np.unique(columns).size == columns.size
    np.testing.assert_array_equal(ranges["tile"], tiles)
    np.testing.assert_array_equal(ranges["layer"], np.full((2, 7), columns.max()))


@pytest.mark.parametrize("adc_range", ["calibrated", "full_scale"])
def test_per_layer_is_per_tile_with_one_row_tile(adc_range):
    model, x = make("several layers")
    results = []
    for where in ("per_tile", "per_layer"):
        coarse = {"n_bits": 4, "where": where, "range": adc_range}
        chosen = settings(crossbar={"rows": 32}, dac={"n_bits": 4}, adc=coarse)
        results.append(twin.build(model, chosen, x).run(x))
    np.testing.assert_array_equal(*results)


def test_per_layer_converts_the_sum():
    """Two row tiles of currents 1 and -1 (units of one cell at full drive) leave no range."""
    chosen = settings(crossbar={"rows": 1}, adc={"n_bits": 3, "where": "per_layer"})
    x = np.float32([[1.0, 1.0]])
    layer = twin.build(gemm([[1.0, 1.0], [-1.0, 0.5]]), chosen, x).layers["fc"]
    np.testing.assert_allclose(layer.adc_range, np.full((2, 1, 2), 1.5 * 0.2 * (G_ON - G_OFF)))
    np.testing.assert_allclose(layer.forward(x)[0], [[0.0, 1.5]])
    chosen["adc"]["range"] = "full_scale"
    layer = twin.build(gemm([[1.0, 1.0], [-1.0, 0.5]]), chosen, x).layers["fc"]
    np.testing.assert_allclose(layer.adc_range, np.full((2, 1, 2), 2 * 0.2 * (G_ON - G_OFF)))


def test_risk_follows_an_input_through_padding_and_groups():
    """A DAC input on a threshold marks the outputs that it feeds, and no others."""
    model, x = make("depthwise conv")
    x = np.abs(x)
    x[0, 0, 0, 0] = x.max()
    (layer,) = twin.build(model, settings(dac={"n_bits": 3}), x).layers.values()
    probe = np.zeros_like(x)
    probe[1, 2, 3, 1] = layer.x_max * 2.5 / 7
    _, risky = layer.forward(probe)
    assert np.argwhere(risky).tolist() == [
        [1, n, h, w] for n in (4, 5) for h in (1, 2, 3) for w in (1, 2)
    ]
    probe[1, 2, 3, 1] = layer.x_max * (2.5 + 2e-4) / 7
    assert not layer.forward(probe)[1].any()


@pytest.mark.parametrize("bits", [4, 6, 8, 10])
def test_float32_arithmetic_differs_only_where_risky(bits):
    """The layer in float32 throughout gives the twin's values wherever these are not risky."""
    model = onnx.load(MODELS / "digits_cnn.onnx")
    n_bits = {"n_bits": bits}
    crossbar = {"rows": 64, "cols": 64}
    chosen = settings(crossbar=crossbar, device=n_bits, dac=n_bits, adc=n_bits)
    layer = twin.build(model, chosen, images("train", 40)).layers["conv2"]
    rng = np.random.default_rng(0)
    x = np.maximum(rng.normal(0, layer.x_max / 3, (40, 16, 4, 4)), 0).astype(np.float32)
    y, risky = layer.forward(x)
    steps, one = 2**bits - 1, np.float32
    code = np.clip(np.rint(x * one(steps / layer.x_max)), 0, steps)
    vectors, lead = layer.geometry.vectors(code * one(0.2 / steps))
    parts = []
    half = one(2 ** (bits - 1) - 1)
    for k, g, limit in zip(layer.row_indices, layer.matrices, layer.adc_range, strict=True):
        current = vectors[:, 0, k] @ g[0].astype(one)
        scale = (half / limit).astype(one)
        parts.append((np.clip(np.rint(current * scale), -half, half) / scale)[:, None])
    same = np.isclose(layer.output(parts, lead), y, rtol=1e-4, atol=1e-4 * np.abs(y).max() / steps)
    assert same[~risky].all()
    assert risky.mean() < 0.1


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("mapping", "scheme", "offset"),
        ("mapping", "subtract", "digital"),
        ("input", "encoding", "bit_serial"),
        ("adc", "gain_sigma", 0.1),
        ("adc", "range", "unit_lsb"),
    ],
)
def test_settings_outside_of_the_subset_are_refused(section, key, value):
    chosen = copy.deepcopy(settings())
    chosen[section][key] = value
    with pytest.raises(ValueError, match=f"{section}.{key}"):
        twin.build(gemm([[1.0]]), chosen, np.ones((1, 1)))
