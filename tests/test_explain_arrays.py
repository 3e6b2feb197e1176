"""The arrays that do worst: maps against separate solutions, planted faults, reduced maps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from beside_twin import array_of, assigned, inputs_of, settings_of
from chips import foundry_of
from oracles import sparse
from small_networks import conv, dense, network

from rxsim.explain.arrays import worst_arrays
from rxsim.explain.result import ArrayMap
from rxsim.explain.row_voltages import row_voltages
from rxsim.pipeline import open_study
from rxsim.pipeline.chip.foundry import Foundry

WIRES = {"r_wire_wl": 20.0, "r_wire_bl": 30.0, "r_driver": 200.0, "r_sense": 100.0}
NO_WIRES = dict.fromkeys(WIRES, 0.0)
RNG = np.random.default_rng(5)
X = RNG.random((20, 12))
WEIGHT = RNG.standard_normal((12, 5))
G_ON, G_OFF, V_READ = 1e-4, 1e-5, 0.2
BASE = [
    "crossbar.rows=8", "crossbar.cols=8", "dac.n_bits=5", f"input.v_read={V_READ}",
    f"device.g_on={G_ON}", f"device.g_off={G_OFF}", "device.n_bits=null",
]  # fmt: skip
SCHEMES = {
    "pairs": [],
    "adjacent": ["mapping.layout=adjacent"],
    "digital": ["mapping.subtract=digital"],
    "offset": ["mapping.scheme=offset", "mapping.subtract=digital"],
    "reference": ["mapping.scheme=offset", "mapping.offset_removal=reference_column"],
    "slices": ["mapping.weight_bits=5", "mapping.bits_per_cell=2"],
    "permuted": ["mapping.row_permutation=random", "mapping.col_permutation=random"],
    "open": ["mapping.unused_cells=open", "mapping.spare_cols=2"],
}


def given_of(scheme: str, wires: dict[str, float], *more: str) -> dict[str, Any]:
    given = assigned(*BASE, *SCHEMES[scheme], *more)
    given["crossbar"].update(wires)
    return given


def foundry(given: dict[str, Any], model: onnx.ModelProto, x: np.ndarray = X) -> Foundry:
    return foundry_of(open_study(model, settings_of(given, x), inputs_of(x), threads=1))


def worst(made: Foundry, count: int, trial: int = 0) -> tuple[ArrayMap, ...]:
    return worst_arrays(made.study, made, made.make(trial), count, trial=trial)


def solved(g: np.ndarray) -> np.ndarray:
    return sparse.g_eff(
        g, WIRES["r_wire_wl"], WIRES["r_wire_bl"], WIRES["r_driver"], WIRES["r_sense"]
    )


def mean_volts(x: np.ndarray) -> np.ndarray:
    """Five bits without sign, the largest input at V_READ."""
    return np.asarray(V_READ * np.rint(x / x.max() * 31).mean(axis=0) / 31)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_maps_are_those_of_a_separate_solution(scheme: str) -> None:
    """Errors add up to the currents of the columns, less those of the targets."""
    drawn = ["device.write_sigma=0.05", "seed=3"]
    given, model = given_of(scheme, WIRES, *drawn), dense(WEIGHT)
    clean = given_of(scheme, NO_WIRES)
    made = foundry(given, model)
    chip = made.make(1)
    maps = worst(made, 3, trial=1)
    assert len(maps) >= 2
    v = mean_volts(X.astype(np.float32))
    for found in maps:
        assert found.layer == "fc"
        g = array_of(model, given, X, ("fc", found.array), 1)
        target = array_of(model, clean, X, ("fc", found.array), 1)
        exact = solved(g)
        array = made.mapped.layers[0].array(found.array)
        used, read = array.rows >= 0, array.cols >= 0
        cells = np.ix_(used, read)
        ratio = np.divide(
            exact[cells], target[cells], out=np.full(target[cells].shape, np.nan),
            where=target[cells] > 0,
        )  # fmt: skip
        assert found.ratio == pytest.approx(ratio, rel=1e-7, nan_ok=True)
        driven = v[array.rows[used]]
        assert found.error.sum(axis=0) == pytest.approx(
            driven @ exact[cells] - driven @ target[cells], rel=1e-6
        )
        assert found.loss == chip.transfers[0].losses[found.array]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_perfect_arrays_have_no_error(scheme: str) -> None:
    for found in worst(foundry(given_of(scheme, NO_WIRES), dense(WEIGHT)), 3):
        known = found.ratio[~np.isnan(found.ratio)]
        assert known == pytest.approx(np.ones(known.shape), rel=1e-12)
        assert np.abs(found.error).max() < 1e-18


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("seed", [0, 1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_broken_column_is_found(scheme: str, seed: int, tmp_path: Path) -> None:
    """Two layers on many arrays; a column of weights is open on one of them."""
    rng = np.random.default_rng(seed)
    tensors = {"v": rng.standard_normal((20, 12)), "w": rng.standard_normal((12, 9))}
    model = network("[a] h = Gemm(x, v) [m] r = Relu(h) [b] y = Gemm(r, w)", (20,), tensors)
    x = rng.random((30, 20))
    small = {name: ohm / 100 for name, ohm in WIRES.items()}
    given = given_of(scheme, small)
    layers = {item.layer.name: item for item in foundry(given, model, x).mapped.layers}
    layer = layers[str(rng.choice(["a", "b"]))]
    number = int(rng.integers(layer.n_arrays))
    if scheme == "slices":  # of the highest digit: what a low one does is less than a wire does
        number = number - number % 6 + 4 + number % 2
    array = layer.array(number)
    used = array.cols[array.cols >= 0]
    column = int(np.flatnonzero(array.cols == rng.choice(used))[0])
    faults = np.zeros((layer.n_arrays, 8, 8), int)
    faults[number, :, column] = 3
    maps: dict[str, Any] = {layer.layer.name: faults}
    np.savez(tmp_path / "map.npz", **maps)
    given["device"]["faults"] = str(tmp_path / "map.npz")
    first = worst(foundry(given, model, x), 1)[0]
    assert (first.layer, first.array) == (layer.layer.name, number)
    dead = (np.abs(first.ratio) < 1e-9).all(axis=0)
    assert np.flatnonzero(array.cols >= 0)[dead].tolist() == [column]


def test_packed_groups_have_the_rows_and_columns_that_they_use() -> None:
    """Five groups of one channel, 3x3 kernels, three of them an array: 27 rows, then 18."""
    weight = np.random.default_rng(1).standard_normal((10, 1, 3, 3))
    model = conv(weight, (5, 6, 6), groups=5)
    x = np.random.default_rng(2).random((4, 5, 6, 6))
    more = ["crossbar.rows=27", "crossbar.cols=6", "mapping.pack_groups=true"]
    given = given_of("pairs", WIRES, *more)
    maps = worst(foundry(given, model, x), 4)
    assert sorted(found.ratio.shape for found in maps) == [(18, 4), (27, 6)]
    for found in maps:
        g = array_of(model, given, x, ("conv", found.array), 0)
        cells = np.s_[: found.ratio.shape[0], : found.ratio.shape[1]]
        assert found.ratio == pytest.approx((solved(g) / g)[cells], rel=1e-7)


def test_cells_that_are_not_linear_are_seen_at_their_operating_point() -> None:
    """Without wires the current of a cell is g f(v), f(v) = v_read sinh(v / v0) / sinh(v_read / v0)."""
    given = given_of("pairs", NO_WIRES, "device.iv={form: sinh, v0: 0.08}")
    made = foundry(given, dense(WEIGHT))
    codes = np.rint(X.astype(np.float32) / np.float32(X.max()) * 31)
    v = V_READ * codes / 31
    curve = V_READ * np.sinh(v / 0.08) / np.sinh(V_READ / 0.08)
    point = float(np.sqrt(np.mean(v**2)))
    chord = V_READ * np.sinh(point / 0.08) / np.sinh(V_READ / 0.08) / point
    clean = given_of("pairs", NO_WIRES)
    for found in worst(made, 2):
        assert found.ratio == pytest.approx(np.full(found.ratio.shape, chord), rel=1e-6)
        array = made.mapped.layers[0].array(found.array)
        cells = np.ix_(array.rows >= 0, array.cols >= 0)
        target = array_of(dense(WEIGHT), clean, X, ("fc", found.array), 0)[cells]
        rows = array.rows[array.rows >= 0]
        beside = (curve - v).mean(axis=0)[rows, None] * target
        assert found.error == pytest.approx(beside, rel=1e-5)


def test_rows_of_windows_have_the_means_of_their_places() -> None:
    """Padding, stride and groups, place by place."""
    x = np.random.default_rng(4).random((6, 4, 5, 5))
    weight = np.random.default_rng(5).standard_normal((6, 2, 3, 3))
    model = conv(weight, (4, 5, 5), 2, ", strides=[2, 2], pads=[1, 1, 1, 1]")
    found = row_voltages(foundry(given_of("pairs", NO_WIRES), model, x))["conv"].applied
    codes = np.rint(x.astype(np.float32) / np.float32(x.max()) * 31)
    volts = V_READ * codes.astype(np.float64) / 31
    padded = np.pad(volts, [(0, 0), (0, 0), (1, 1), (1, 1)])
    expected = [
        np.mean([padded[:, channel, i + r, j + c] for i in (0, 2, 4) for j in (0, 2, 4)])
        for channel in range(4)
        for r in range(3)
        for c in range(3)
    ]
    assert found == pytest.approx(expected, rel=1e-9)


# Mean size of the voltage for codes q of five bits in -15 .. 15, over the read voltage.
DRIVEN: dict[str, Any] = {
    "amplitude": ([], lambda q: np.abs(q) / 15),
    "pulse width": (["input.encoding=pulse_width"], lambda q: np.abs(q) / 15),
    "stochastic": (["input.encoding=stochastic"], lambda q: np.abs(q) / 15),
    "bits": (["input.encoding=bit_serial"], lambda q: np.abs(q) / 15),
    "digits": (["input.encoding=bit_serial", "input.bits_per_pulse=2"], lambda q: np.abs(q) / 15),
    "phases": (["input.signed_input=two_phase"], lambda q: np.abs(q) / 30),
    "shifted": (["input.signed_input=offset"], lambda q: (q + 16) / 31),
    "complement": (
        ["input.encoding=bit_serial", "input.signed_input=twos_complement"],
        lambda q: (np.where(q < 0, q + 16, q) + 16 * (q < 0)) / 31,
    ),
    "sum": (["input.encoding=bit_serial", "input.adc_per_pass=false"], lambda q: np.abs(q) / 15),
}


@pytest.mark.parametrize("name", DRIVEN)
def test_rows_have_the_mean_size_of_what_an_encoding_drives(name: str) -> None:
    more, share = DRIVEN[name]
    x = np.random.default_rng(6).uniform(-1, 1, (20, 12))
    found = row_voltages(foundry(given_of("pairs", NO_WIRES, *more), dense(WEIGHT), x))["fc"]
    q = np.rint(x.astype(np.float32) / np.float32(np.abs(x).max()) * 15)
    assert found.applied == pytest.approx(V_READ * share(q).mean(axis=0), rel=1e-6)


def test_pulses_of_cells_that_are_not_linear_count_as_their_full_voltage() -> None:
    more = ["input.encoding=pulse_width", "device.iv={form: sinh, v0: 0.08}"]
    made = foundry(given_of("pairs", NO_WIRES, *more), dense(WEIGHT))
    found = row_voltages(made)["fc"]
    factor = float(made.mapped.points["fc"].linear_volts(np.array(V_READ))) / V_READ
    assert found.applied == pytest.approx(mean_volts(X.astype(np.float32)), rel=1e-6)
    assert found.counted == pytest.approx(factor * found.applied, rel=1e-9)


def test_a_large_map_is_written_as_means_over_blocks() -> None:
    ratio = np.random.default_rng(7).random((130, 65))
    ratio[:3, :2] = np.nan  # a whole block
    ratio[4, 2] = np.nan
    error = np.random.default_rng(8).standard_normal((130, 65))
    plain = ArrayMap(layer="a", array=3, loss=0.1, ratio=ratio, error=error).as_json()
    assert plain["block"] == [3, 2]
    assert np.shape(plain["error"]) == np.shape(plain["ratio"]) == (44, 33)
    assert plain["ratio"][0][0] is None
    for i, j in [(0, 1), (1, 1), (43, 32), (20, 7)]:
        block = np.s_[3 * i : 3 * i + 3, 2 * j : 2 * j + 2]
        assert plain["ratio"][i][j] == pytest.approx(np.nanmean(ratio[block]), rel=1e-12)
        assert plain["error"][i][j] == pytest.approx(error[block].mean(), rel=1e-12)
    small = ArrayMap(layer="a", array=0, loss=0.0, ratio=ratio[:64, :64], error=error[:64, :64])
    assert small.as_json()["error"] == error[:64, :64].tolist()
    assert small.as_json()["block"] == [1, 1]
