"""The twin's vocabulary against numbers worked out by hand."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import onnx
import pytest
from known import known
from small_networks import conv, dense
from twin import Settings, build, complete
from twin.cells import conductances, digits, weight_per_conductance, zero_conductances
from twin.inputs import Drive
from twin.layer import Layer
from twin.places import capacity, columns, pack, parts

G_ON, G_OFF, V_READ = 9e-6, 1e-6, 0.5
ONCE = {"encoding": "bit_serial", "adc_per_pass": False}
NO_WIRES = dict.fromkeys(("r_wire_wl", "r_wire_bl", "r_driver", "r_sense"), 0)


def settings(**sections: dict[str, Any]) -> Settings:
    """Round numbers and nothing between inputs and outputs, with some keys replaced."""
    base: dict[str, dict[str, Any]] = {
        "crossbar": {"rows": 4, "cols": 8, **NO_WIRES},
        "device": {"g_on": G_ON, "g_off": G_OFF, "n_bits": None},
        "mapping": {},
        "input": {"v_read": V_READ},
        "dac": {"n_bits": None},
        "adc": {"n_bits": None},
    }
    for section, keys in sections.items():
        base[section] |= keys
    return complete(base)


def one_layer(model: onnx.ModelProto, chosen: Settings, x: object) -> Layer:
    (layer,) = build(model, chosen, np.array(x, float)).layers.values()
    return layer


def test_cells_of_two_sided_pairs_and_of_offsets() -> None:
    w, w_max = np.array([[0.5, -1.0, 0.0, 2.0]]), np.ones(4)
    pair = conductances(w, w_max, settings(mapping={"balance": "two_sided"}))
    assert pair[0, 0, 0] == pytest.approx([7e-6, 1e-6, 5e-6, 9e-6])
    assert pair[0, 1, 0] == pytest.approx([3e-6, 9e-6, 5e-6, 1e-6])
    offset = settings(mapping={"scheme": "offset"}, device={"n_bits": 2})
    # three levels: 1, 5 and 9 uS; half a step is a tie, which goes to the even level
    assert conductances(w, w_max, offset)[0, 0, 0] == pytest.approx([9e-6, 1e-6, 5e-6, 9e-6])
    assert zero_conductances(offset) == pytest.approx([5e-6])


def test_digits_of_sliced_weights() -> None:
    w, w_max = np.array([[1.0, -0.5, 0.14, 0.0]]), np.ones(4)
    cut = {"weight_bits": 5, "bits_per_cell": 2}
    # +-15: 15, -7.5 -> -8, 2.1 -> 2, 0
    pair = (conductances(w, w_max, settings(mapping=cut))[:, :, 0] - G_OFF) / 8e-6 * 3
    assert pair[:, 0] == pytest.approx(np.array([[3, 0, 2, 0], [3, 0, 0, 0]]))
    assert pair[:, 1] == pytest.approx(np.array([[0, 0, 0, 0], [0, 2, 0, 0]]))
    chosen = settings(mapping={**cut, "scheme": "offset"})
    one = (conductances(w, w_max, chosen)[:, 0, 0] - G_OFF) / 8e-6 * 3
    # plus 16: 31 = 1 3 3, 8 = 0 2 0, 18 = 1 0 2, 16 = 1 0 0
    assert one == pytest.approx(np.array([[3, 0, 2, 0], [3, 2, 0, 0], [1, 0, 1, 1]]))
    assert zero_conductances(chosen) == pytest.approx([1e-6, 1e-6, 1e-6 + 8e-6 / 3])
    coarse = settings(mapping=cut, device={"n_levels": 5})  # digits 1/3 and 2/3 -> 1/4 and 3/4
    assert conductances(w, w_max, coarse)[0, 0, 0, 2] == pytest.approx(1e-6 + 8e-6 * 3 / 4)
    worth = weight_per_conductance(chosen) * 8e-6 / 3 * 15
    assert worth == pytest.approx([1, 4, 16])


def test_digits_are_exact() -> None:
    numbers = np.arange(64)
    found = digits(numbers.astype(np.float64), 3, 2)
    assert (found[0] + 8 * found[1] == numbers).all()
    with pytest.raises(AssertionError):
        digits(np.array([64.0]), 3, 2)


def test_columns_of_an_array() -> None:
    pair = settings(mapping={"layout": "adjacent", "weight_bits": 3, "bits_per_cell": 1})
    assert capacity(pair) == 2
    held = [(c.array, c.position, c.output, c.digit, c.side) for c in columns(pair, 2)]
    one = [(0, 0, 0, 0, 0), (0, 1, 0, 0, 1), (0, 2, 0, 1, 0), (0, 3, 0, 1, 1)]
    assert held[:5] == [*one, (0, 4, 1, 0, 0)]
    measured = {"scheme": "offset", "offset_removal": "reference_column", "spare_cols": 1}
    cut = {"weight_bits": 3, "bits_per_cell": 2}
    beside = settings(mapping={**measured, **cut, "layout": "adjacent"})
    assert capacity(beside) == 2  # (8 - 1 - 2) // 2
    mixed = [(c.position, c.output, c.digit) for c in columns(beside, 2)]
    assert mixed == [(0, 0, 0), (1, 0, 1), (2, 1, 0), (3, 1, 1), (4, -1, 0), (5, -1, 1)]
    apart = settings(mapping={**measured, **cut})
    assert capacity(apart) == 6
    alone = [(c.array, c.position, c.output, c.digit) for c in columns(apart, 1)]
    assert alone == [(0, 0, 0, 0), (0, 1, -1, 0), (1, 0, 0, 1), (1, 1, -1, 1)]


def test_arrays_are_numbered_group_row_column_slice_side() -> None:
    weight = np.arange(1, 11).reshape(5, 2) / 10.0
    cut = {"weight_bits": 3, "bits_per_cell": 1, "split": "equal"}
    layer = one_layer(dense(weight), settings(mapping=cut, crossbar={"cols": 1}), np.ones((1, 5)))
    # P = 2 (3 and 2 rows), Q = 2, 2 slices, 2 sides
    assert len(layer.arrays) == 16
    assert [rows.tolist() for rows in layer.rows] == [[0, 1, 2], [3, 4]]
    whole = np.rint(weight * 3)
    plus = np.reshape([array[:, 0] for array in layer.arrays], (2, 2, 2, 2, 4))[:, :, :, 0]
    bits = np.rint((plus - G_OFF) / 8e-6)
    found = bits[:, :, 0] + 2 * bits[:, :, 1]
    assert (found[0, :, :3] == whole[:3].T).all()
    assert (found[1, :, :2] == whole[3:].T).all()


def test_what_unused_cells_hold() -> None:
    groups = np.full((2, 1, 1, 2), 1.0)
    offset = {"scheme": "offset", "pack_groups": True, "offset_removal": "reference_column"}
    chosen = settings(mapping=offset, crossbar={"rows": 5, "cols": 4})
    layer = one_layer(conv(groups, (2, 1, 2), 2), chosen, np.ones((1, 2, 1, 2)))
    (array,) = layer.arrays
    on, mid, off = 9, 5, 1
    expected = [[on, mid, mid, off]] * 2 + [[mid, on, mid, off]] * 2 + [[mid, mid, mid, off]]
    assert array * 1e6 == pytest.approx(np.array(expected))
    turned = {**offset, "row_permutation": "reversed", "col_permutation": "reversed"}
    chosen = settings(mapping=turned, crossbar={"rows": 5, "cols": 4})
    layer = one_layer(conv(groups, (2, 1, 2), 2), chosen, np.ones((1, 2, 1, 2)))
    assert layer.arrays[0] * 1e6 == pytest.approx(np.array(expected)[::-1, ::-1])
    missing = {"pack_groups": True, "unused_cells": "open", "layout": "adjacent"}
    chosen = settings(mapping=missing, crossbar={"rows": 5, "cols": 4})
    layer = one_layer(conv(groups, (2, 1, 2), 2), chosen, np.ones((1, 2, 1, 2)))
    expected = [[on, off, 0, 0]] * 2 + [[0, 0, on, off]] * 2 + [[0, 0, 0, 0]]
    assert layer.arrays[0] * 1e6 == pytest.approx(np.array(expected))


def test_packing_takes_as_many_groups_as_fit() -> None:
    weights = np.random.default_rng(0).standard_normal((5, 3, 2))
    packed = pack(weights, settings(mapping={"pack_groups": True}, crossbar={"rows": 9, "cols": 5}))
    assert packed.size == 2  # 9 // 3 rows, 5 // 2 columns
    assert packed.weights.shape == (3, 6, 4)
    assert (packed.weights[1, 3:, 2:] == weights[3]).all()
    assert not packed.present[2, 3:].any()
    vectors = np.arange(15.0).reshape(1, 5, 3)
    product = np.einsum("mgk,gkn->mgn", packed.pack_vectors(vectors), packed.weights)
    assert packed.unpack_results(product) == pytest.approx(
        np.einsum("mgk,gkn->mgn", vectors, weights)
    )


def test_parts_of_equal_size() -> None:
    assert [p.size for p in parts(10, 4, "equal")] == [4, 3, 3]
    assert [p.size for p in parts(10, 4, "fill")] == [4, 4, 2]


@pytest.mark.parametrize(
    ("mode", "bits_per_pulse", "expected"),
    [  # code -5 of 4 bits: weight and driven digit of each pass
        ("bipolar", 1, [(1, -1), (2, 0), (4, -1)]),
        ("bipolar", 2, [(1, -1), (4, -1)]),
        ("two_phase", 2, [(1, 0), (4, 0), (-1, 1), (-4, 1)]),
        ("twos_complement", 1, [(1, 1), (2, 1), (4, 0), (-8, 1)]),
        ("twos_complement", 2, [(1, 3), (4, 0), (-8, 1)]),
        ("offset", 2, [(1, 3), (4, 0)]),
    ],
)
def test_passes_of_bit_serial_inputs(
    mode: str, bits_per_pulse: int, expected: list[tuple[int, int]]
) -> None:
    serial = {
        "encoding": "bit_serial",
        "signed_input": mode,
        "bits_per_pulse": bits_per_pulse,
    }
    drive = Drive(settings(input=serial, dac={"n_bits": 4}), 7.0, True)
    code, near = drive.codes(np.full((1, 1, 1), -5.0), 1e-4)
    assert code == -5
    assert not near.any()
    largest = 2**bits_per_pulse - 1
    found = [
        (c.weight, float(c.passes[0].units[0, 0, 0]) * c.passes[0].volt / V_READ * largest)
        for c in drive.conversions(code)[0]
    ]
    assert found == [pytest.approx(each) for each in expected]
    once = Drive(settings(input={**serial, "adc_per_pass": False}, dac={"n_bits": 4}), 7.0, True)
    conversions, _ = once.conversions(code)
    total = sum(float(c.volts[0, 0, 0]) for c in conversions)
    assert total / drive.volt - drive.code_offset == pytest.approx(-5)
    assert len(conversions) == (2 if mode == "two_phase" else 1)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [  # code -5 of 7, in volts of 0.5
        ("bipolar", [(1, Fraction(-5, 7))]),
        ("two_phase", [(1, Fraction(0)), (-1, Fraction(5, 7))]),
        ("offset", [(1, Fraction(3, 15))]),
    ],
)
def test_passes_of_amplitudes(mode: str, expected: list[tuple[int, Fraction]]) -> None:
    drive = Drive(settings(input={"signed_input": mode}, dac={"n_bits": 4}), 7.0, True)
    found, _ = drive.conversions(np.full((1, 1, 1), -5.0))
    assert [(c.weight, c.volts[0, 0, 0] / c.weight) for c in found] == [
        (weight, pytest.approx(float(share) * V_READ)) for weight, share in expected
    ]


ENCODINGS = [
    {"encoding": encoding, "signed_input": mode, "bits_per_pulse": each, "adc_per_pass": per_pass}
    for encoding, each in [
        ("amplitude", 1),
        ("pulse_width", 1),
        ("bit_serial", 1),
        ("bit_serial", 3),
    ]
    for mode in ("bipolar", "two_phase", "twos_complement", "offset")
    for per_pass in (True, False)
    if mode != "twos_complement" or encoding == "bit_serial"
]
SCHEMES = [
    {"layout": layout, **scheme, **slicing}
    for layout in ("separate", "adjacent")
    for scheme in (
        {"subtract": "analog"},
        {"subtract": "digital"},
        {"balance": "two_sided"},
        {"scheme": "offset"},
        {"scheme": "offset", "unused_cells": "open"},
        {"scheme": "offset", "offset_removal": "reference_column"},
        {"scheme": "offset", "offset_removal": "reference_column", "subtract": "digital"},
    )
    for slicing in ({}, {"weight_bits": 8, "bits_per_cell": 3})
    if not (slicing and "balance" in scheme)
]


COMBINATIONS = [
    pytest.param(scheme, drive, marks=[] if (i + j) % 6 == 0 else pytest.mark.slow)
    for i, scheme in enumerate(SCHEMES)
    for j, drive in enumerate(ENCODINGS)
]


@pytest.mark.parametrize(("scheme", "drive"), COMBINATIONS)
def test_every_vocabulary_decodes_to_the_integers_that_it_started_from(
    scheme: dict[str, Any], drive: dict[str, Any]
) -> None:
    """Without ADCs and wires the result is x_q w_q times their scales, by exact fractions."""
    rng = np.random.default_rng(1)
    weight = rng.integers(-127, 128, (7, 3))
    weight[0, 0] = 127
    codes = rng.integers(-15, 16, (4, 7))
    codes[0, 0] = -15
    scale_w, scale_x = Fraction(3, 127 * 4), Fraction(7, 15 * 8)
    chosen = settings(
        mapping=scheme,
        input=drive,
        dac={"n_bits": 5},
        crossbar={"cols": 16},
    )
    x = codes * float(scale_x)
    network = build(dense(weight * float(scale_w), [1.0, 2.0, 3.0]), chosen, x)
    exact = codes @ weight
    expected = [
        [float(scale_w * scale_x * int(e)) + n + 1 for n, e in enumerate(row)] for row in exact
    ]
    assert network.run(x) == pytest.approx(np.array(expected), rel=1e-5, abs=1e-6)


def test_signed_and_unsigned_ranges_and_codes() -> None:
    """Two weights of +-1 and an input of 1: single columns carry v g_on and v g_off."""
    chosen = settings(mapping={"subtract": "digital"}, adc={"n_bits": 3}, crossbar={"rows": 2})
    model = dense([[1.0, -0.25]])
    layer = one_layer(model, chosen, [[1.0], [0.5]])
    assert known(layer.ranges)[0].main[0] == pytest.approx(V_READ * G_ON)
    # unsigned, 7 steps of 9/7 uS: the pair of -0.25 is 1 -> 1, 3 -> 2 (2.33) steps
    y, _, _ = layer.forward(np.array([[1.0]]))
    step = Fraction(9, 7) / 8
    assert y[0] == pytest.approx([float((7 - 1) * step), float((1 - 2) * step)])
    columns_apart = settings(
        mapping={"subtract": "digital"}, adc={"n_bits": 3, "scope": "column"}, crossbar={"rows": 2}
    )
    found = known(one_layer(model, columns_apart, [[1.0], [0.5]]).ranges)[0].main[0][0, :, 0, 0]
    assert found == pytest.approx(V_READ * np.array([[9e-6, 1e-6], [1e-6, 3e-6]]))
    signed = one_layer(model, chosen, [[1.0], [-0.5]])
    y, _, _ = signed.forward(np.array([[1.0]]))  # 3 steps a side of 3 uS: 1 -> 0, 3 -> 1
    assert y[0] == pytest.approx([float(Fraction(3 * 3 - 0, 8)), float(Fraction(0 - 3, 8))])


@pytest.mark.parametrize(
    ("sections", "expected"),
    [  # in units of v_read x siemens x 1e-6
        ({}, 4 * 8),
        ({"mapping": {"subtract": "digital"}}, 4 * 9),
        ({"mapping": {"scheme": "offset"}}, 4 * 9),
        ({"mapping": {"scheme": "offset", "offset_removal": "reference_column"}}, 4 * 8),
        ({"adc": {"where": "per_layer"}}, 2 * 4 * 8),
        ({"input": ONCE}, 7 * 4 * 8),
        ({"input": {**ONCE, "signed_input": "twos_complement"}}, 15 * 4 * 8),
        ({"adc": {"range": "unit_lsb"}, "device": {"n_bits": 3}}, 8 / 7 / 7 * 7),
        (
            {
                "adc": {"range": "unit_lsb"},
                "mapping": {"weight_bits": 5, "bits_per_cell": 2},
                "input": {"encoding": "bit_serial", "bits_per_pulse": 2},
            },
            8 / 3 / 3 * 7,
        ),
        (
            {
                "adc": {"range": "unit_lsb"},
                "device": {"n_bits": 3},
                "mapping": {"scheme": "offset"},
                "input": {"signed_input": "offset"},
            },
            8 / 6 / 15 * 15,
        ),
    ],
)
def test_computed_ranges(sections: dict[Any, Any], expected: float) -> None:
    sections = {name: dict(keys) for name, keys in sections.items()}
    sections["adc"] = {"n_bits": 4, "range": "full_scale", **sections.get("adc", {})}
    chosen = settings(**{"dac": {"n_bits": 4}, **sections})
    layer = one_layer(dense(np.ones((5, 2))), chosen, [[1.0] * 5, [-1.0] * 5])
    assert known(layer.ranges)[0].main[0] * 1e6 / V_READ == pytest.approx(expected)


def test_calibrated_ranges_of_passes_slices_and_references() -> None:
    """One weight of 5 and inputs of 2 and 3 in single bits: every current is known."""
    mapping = {
        **{"scheme": "offset", "offset_removal": "reference_column", "subtract": "digital"},
        **{"weight_bits": 4, "bits_per_cell": 2},
    }
    chosen = settings(
        mapping=mapping,
        input={"encoding": "bit_serial"},
        dac={"n_bits": 2},
        adc={"n_bits": 6, "scope": "column"},
    )
    # 7 and 5 of 7, plus 8: 15 = 3 3, 13 = 3 1; zero is 8 = 2 0
    layer = one_layer(dense([[7.0, 5.0]]), chosen, [[3.0], [2.0]])
    first, second = known(layer.ranges)
    g = [1e-6 + digit * 8e-6 / 3 for digit in range(4)]
    for ranges in (first, second):  # 3 is 1 1, 2 is 1 0: both passes see a one
        assert ranges.main[0][:, 0, 0, 0] == pytest.approx(
            V_READ * np.array([[g[3], g[1]], [g[3], g[3]]])
        )
        assert ranges.reference[0][:, 0, 0, 0] == pytest.approx(V_READ * np.array([g[0], g[2]]))
    y, _, _ = layer.forward(np.array([[3.0], [1.0]]))
    # every current is full scale: no error at all
    assert y == pytest.approx(np.array([[21.0, 15.0], [7.0, 5.0]]))


def test_the_offset_of_padding_is_driven_and_removed() -> None:
    """Corners of a Conv see four padded inputs; they must count as zero."""
    weight = np.arange(1.0, 10.0).reshape(1, 1, 3, 3) / 9
    x = np.array([[[[1.0, -1.0], [0.5, 0.25]]]])
    chosen = settings(
        input={"signed_input": "offset"}, dac={"n_bits": 12}, crossbar={"rows": 9, "cols": 2}
    )
    model = conv(weight, (1, 2, 2), attributes=", pads=[1,1,1,1]")
    layer = one_layer(model, chosen, x)
    (conversion,), _, _ = layer.conversions(x)
    rest = V_READ * 2**11 / (2**12 - 1)
    assert (conversion.volts == rest).sum() == 4 * 5
    assert layer.forward(x)[0] == pytest.approx(layer.product.exact(x), abs=3e-3)
