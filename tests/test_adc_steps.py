"""ADCs whose codes are not evenly spaced: lists of thresholds, Lloyd-Max steps, ranges in ampere."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from beside_twin import beside, calibrated, inputs_of, output, patched, settings_of
from here_pool import HerePool
from numpy.typing import NDArray
from onnx import TensorProto, helper
from scipy import stats
from small_networks import conv, dense, network

import rxsim
from rxsim.cache import Cache
from rxsim.config import load_settings
from rxsim.converters import AdcLevels, CurrentHistograms
from rxsim.converters.lloyd_max import lloyd_max
from rxsim.errors import InputError, SettingError
from rxsim.onnx_graph import GraphBuilder
from rxsim.patch.adc_steps import AdcSteps
from rxsim.pipeline import calibrate, open_study
from rxsim.pipeline.study.calibration import from_json
from rxsim.sealed import sealed
from rxsim.store import open_results
from rxsim.sweep import run_sweep
from rxsim.sweep.plan import read_plan

MODELS = Path(__file__).parents[1] / "models"
Floats = NDArray[np.float64]
BARS = {"rows": 8, "cols": 6, "r_wire_bl": 20}


def uniform(n_bits: int, both_sides: bool) -> list[float]:
    """Thresholds half way between evenly spaced codes, as shares of the range."""
    high = 2 ** (n_bits - 1) - 1 if both_sides else 2**n_bits - 1
    return [(k - 0.5) / high for k in range(-high + 1 if both_sides else 1, high + 1)]


@pytest.fixture(scope="module")
def some() -> tuple[onnx.ModelProto, NDArray[np.float32]]:
    rng = np.random.default_rng(3)
    weights = {"v": rng.standard_normal((6, 2, 3, 3)), "w": rng.standard_normal((96, 4))}
    text = (
        "[a] h = Conv<group=2, pads=[1,1,1,1]>(x, v) m = Relu(h) f = Flatten(m) [c] y = Gemm(f, w)"
    )
    return network(text, (4, 4, 4), weights), rng.standard_normal((24, 4, 4, 4)).astype(np.float32)


# --- lists ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "both_sides"),
    [
        ({}, True),
        ({"adc": {"where": "per_layer", "scope": "column"}}, True),
        ({"adc": {"scope": "tile", "gain_sigma": 0.1, "offset_sigma": 1, "inl": 2}}, True),
        ({"mapping": {"weight_bits": 5, "bits_per_cell": 2}}, True),
        ({"mapping": {"subtract": "digital"}, "input": {"signed_input": "two_phase"}}, False),
        ({"mapping": {"scheme": "offset"}, "input": {"signed_input": "two_phase"}}, False),
        ({"input": {"encoding": "bit_serial", "adc_per_pass": False}}, True),
    ],
    ids=str,
)
def test_evenly_spaced_thresholds_are_the_plain_adc(
    some: tuple[onnx.ModelProto, NDArray[np.float32]], changes: dict[str, Any], both_sides: bool
) -> None:
    model, x = some
    given = {"crossbar": BARS, **changes}
    listed = {**changes.get("adc", {}), "n_bits": 5, "thresholds": uniform(5, both_sides)}
    plain = patched(model, {**given, "adc": {**changes.get("adc", {}), "n_bits": 5}}, x)
    steps = patched(model, {**given, "adc": listed}, x)
    assert not any("adc_above" in name for node in plain.graph.node for name in node.output)
    assert any("adc_above" in name for node in steps.graph.node for name in node.output)
    for inputs in (x, 3 * x):  # beyond the range too
        assert (output(steps, inputs) == output(plain, inputs)).all()


def test_ties_go_to_even_codes_as_in_the_plain_adc() -> None:
    """One cell at full conductance: the current in LSB is the input's code, in halves of a code."""
    model, x = dense([[1.0]]), np.arange(-8, 9, dtype=np.float32)[:, None] / 2
    wireless = dict.fromkeys(("r_wire_wl", "r_wire_bl", "r_driver", "r_sense"), 0)
    given = {
        "crossbar": {"rows": 1, "cols": 1, **wireless},
        "device": {"g_off": 0, "g_on": 5e-5, "n_bits": None},
        "dac": {"n_bits": None},
    }
    # A range of 3 codes a side; the largest input, 4, drives v_read: a code is v_read g_on / 4.
    adc = {"n_bits": 3, "range": {"amperes": 0.75 * 0.2 * 5e-5}}
    plain = output(patched(model, {**given, "adc": adc}, x), x)
    assert plain.ravel() == pytest.approx(np.clip(np.rint(x.ravel()), -3, 3), abs=1e-6)
    steps = {**adc, "thresholds": uniform(3, True)}
    assert (output(patched(model, {**given, "adc": steps}, x), x) == plain).all()


def test_codes_stand_for_the_middle_of_their_thresholds() -> None:
    model = dense([[1.0]])
    x = np.array([[-1], [-0.7], [-0.3], [0.05], [0.6], [1.0]], np.float32)
    wireless = dict.fromkeys(("r_wire_wl", "r_wire_bl", "r_driver", "r_sense"), 0)
    given: dict[str, Any] = {
        "crossbar": {"rows": 1, "cols": 1, **wireless},
        "device": {"g_off": 0, "g_on": 5e-5, "n_bits": None},
        "dac": {"n_bits": None},
    }
    adc = {"n_bits": 8, "thresholds": [-0.6, -0.2, 0.1, 0.5]}
    read = output(patched(model, {**given, "adc": adc}, x), x).ravel()
    # -0.6 - 0.2, -0.6 .. -0.2, -0.2 .. 0.1, 0.1 .. 0.5, 0.5 + 0.2
    assert read == pytest.approx([-0.8, -0.8, -0.4, -0.05, 0.7, 0.7], rel=1e-6)
    sign = {"n_bits": 2, "thresholds": [0]}
    read = output(patched(model, {**given, "adc": sign}, x), x).ravel()
    assert read == pytest.approx([-0.5, -0.5, -0.5, 0.5, 0.5, 0.5], rel=1e-6)


class _Layer:
    """As much of a layer as the tables of ADCs need: channels along the last axis."""

    @staticmethod
    def along_channels(values: Floats) -> Floats:
        return np.asarray(values).reshape(-1)


def read_by_graph(
    levels: AdcLevels, current: NDArray[np.float32], low: int, high: int
) -> tuple[NDArray[np.float32], int]:
    """Return what the graph reads (inputs, channels) as, and how many thresholds it compares."""

    class Hardware:
        layer = _Layer
        adc = type("Adc", (), {"levels": levels, "low": np.array([low]), "high": np.array([high])})

    build = GraphBuilder("it", set())
    steps = AdcSteps.of(build, Hardware)  # type: ignore[arg-type]
    assert steps is not None
    taken = steps.taken(0, "x")
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", 7]) for n in ("x", taken)]
    graph = helper.make_graph(build.nodes, "g", values[:1], values[1:], build.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return np.asarray(session.run(None, {"x": current})[0]), len(steps.inside)


@pytest.mark.parametrize(
    ("low", "high", "count", "closest", "compared"),
    [
        *((-31, 31, 40, 1e-2, 1), (0, 15, 3, 1e-2, 1), (0, 2**20, 5, 1, 1)),
        (-127, 127, 100, 0.0, 2),  # pairs closer than any bin
        *((-31, 31, 40, 1 / 8, 0), (0, 2**10, 50, 1 / 2, 0)),  # all between bins
    ],
)
def test_the_graph_finds_every_step(
    low: int, high: int, count: int, closest: float, compared: int
) -> None:
    rng = np.random.default_rng(count)
    tables = rng.integers(0, 3, size=(1, 1, 7))
    thresholds = np.sort(rng.uniform(low, high, size=(3, count)), axis=1)
    if closest == 0:
        thresholds[:, 1::2] = thresholds[:, ::2] + 1e-5
    elif compared == 0:
        places = np.arange(low - 0.5 + closest, high + 0.5, closest)  # as Lloyd-Max steps may lie
        thresholds = np.sort([rng.choice(places, count, replace=False) for _ in range(3)], axis=1)
        thresholds[0, [0, -1]] = places[[0, -1]]
    else:
        thresholds = low + np.cumsum(np.diff(thresholds, axis=1, prepend=low) + closest, axis=1)
        thresholds *= 0.99 * high / np.abs(thresholds).max()
    thresholds[1, count // 2 :] = np.inf  # a table of fewer steps
    exact = thresholds.astype(np.float32)
    levels = AdcLevels(thresholds, np.sort(rng.uniform(low, high, (3, count + 1))), tables)
    finite = exact[np.isfinite(exact)]
    beside = [np.nextafter(finite, side) for side in (np.float32(-np.inf), np.float32(np.inf))]
    current = np.concatenate(
        [rng.uniform(2 * low, 2 * high, 5000).astype(np.float32), finite, *beside]
    )
    found, inside = read_by_graph(levels, np.repeat(current[:, None], 7, axis=1), low, high)
    for channel, table in enumerate(tables.ravel()):
        reached = (current[:, None] >= exact[table]).sum(axis=1)
        assert (found[:, channel] == levels.values[table][reached].astype(np.float32)).all()
    assert inside == compared


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"adc.thresholds": "lloyd"}, "expected null, lloyd_max, or a list"),
        ({"adc.thresholds": [0.1, 0.1]}, "do not rise"),
        ({"adc.thresholds": [0.5, -0.5]}, "do not rise"),
        ({"adc.thresholds": [0, 1.5]}, "expected shares of the range"),
        ({"adc.thresholds": []}, "a list of at least 1 value"),
        ({"adc.thresholds": [float("nan")]}, "a finite number"),
        ({"adc.thresholds": [0, "a"]}, "adc.thresholds.1: found 'a', expected a number"),
        ({"adc.thresholds": {"a": 1}}, "expected null, lloyd_max, or a list"),
        ({"adc.thresholds": True}, "expected null, lloyd_max, or a list"),
        ({"adc.n_bits": 2, "adc.thresholds": [-0.5, 0, 0.1, 0.5]}, "expected at most 3"),
        ({"adc.n_bits": None, "adc.thresholds": [0]}, "adc.thresholds with adc.n_bits: null"),
        ({"adc.range": "full_scale", "adc.thresholds": "lloyd_max"}, "expected range: calibrated"),
        ({"adc.n_bits": 11, "adc.thresholds": "lloyd_max"}, "at most 10 bits"),
        ({"adc.range": "wide"}, "calibrated, full_scale, unit_lsb or {amperes: 1e-5}"),
        ({"adc.range": 1e-5}, "calibrated, full_scale, unit_lsb or {amperes: 1e-5}"),
        ({"adc.range": [1e-5]}, "calibrated, full_scale, unit_lsb or {amperes: 1e-5}"),
        ({"adc.range": {"amperes": 0}}, "adc.range.amperes: found 0, expected a number above 0"),
        ({"adc.range": {"amperes": -1e-5}}, "expected a number above 0"),
        ({"adc.range": {"amperes": 10}}, "ten microampere are 1e-5"),
        ({"adc.range": {"amperes": 1e-20}}, "1e-15 or above"),
        ({"adc.range": {"amperes": None}}, "adc.range.amperes: found null, expected a number"),
        ({"adc.range": {"ampere": 1e-5}}, "did you mean adc.range.amperes?"),
        ({"adc.range": {}}, "adc.range.amperes is missing"),
    ],
    ids=str,
)
def test_bad_steps_and_ranges_get_a_sentence(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingError) as refused:
        rxsim.settings(changes=changes)
    assert said in str(refused.value)


def test_a_list_must_fit_the_signs_of_a_layers_currents() -> None:
    rng = np.random.default_rng(0)
    model, x = dense(rng.standard_normal((8, 3))), np.abs(rng.standard_normal((9, 8)))
    single = {"mapping": {"scheme": "offset"}}
    with pytest.raises(SettingError, match=r"layer fc: .* -0.5, but its currents have one sign"):
        patched(model, {**single, "adc": {"thresholds": [-0.5, 0.5]}}, x)
    four = [-0.5, 0.1, 0.5]
    with pytest.raises(SettingError, match=r"layer fc: found 3 thresholds, expected at most 2"):
        patched(model, {"adc": {"n_bits": 2, "thresholds": four}}, x)
    for_layer = {"layers": {"fc": {"adc": {"thresholds": [0.25, 0.5]}}}}
    listed = {**single, "adc": {"thresholds": four}}
    patched(model, {**listed, **for_layer}, x)


# --- Lloyd-Max ------------------------------------------------------------------------------------


def gaussian(count: int) -> tuple[Floats, Floats, float]:
    """Return thresholds, values and mean square error for a Gaussian in fine bins."""
    edges = np.linspace(-6, 6, 2**14 + 1)
    counts = np.diff(stats.norm.cdf(edges))
    sums = -np.diff(stats.norm.pdf(edges))
    start = edges[np.searchsorted(edges, np.linspace(-3, 3, count + 1)[1:-1])]
    ((thresholds, values),) = lloyd_max(counts[None], sums[None], edges[1:-1], start)
    bounds = np.concatenate([[-np.inf], thresholds, [np.inf]])
    return thresholds, values, 1 - float(np.diff(stats.norm.cdf(bounds)) @ values**2)


def test_lloyd_max_of_a_gaussian_is_what_max_printed() -> None:
    """Max 1960, Table I; bins are 0.0007 wide, and half of one is what thresholds may be off by."""
    thresholds, values, error = gaussian(4)
    assert thresholds == pytest.approx([-0.9816, 0, 0.9816], abs=1.5e-3)
    assert values == pytest.approx([-1.510, -0.4528, 0.4528, 1.510], abs=1.5e-3)
    assert error == pytest.approx(0.1175, abs=5e-5)
    assert gaussian(8)[2] == pytest.approx(0.03454, abs=2e-5)
    assert gaussian(16)[2] == pytest.approx(0.009497, abs=1e-5)


def test_lloyd_max_is_near_the_best_of_all_partitions() -> None:
    """Every partition of few values is tried; the iteration ends in an optimum of its neighbourhood."""
    rng = np.random.default_rng(0)
    ratios = []
    for _ in range(60):
        values = np.sort(rng.choice([rng.standard_normal(14), rng.exponential(size=14)]))
        edges = np.linspace(values[0] - 0.01, values[-1] + 0.01, 201)[1:-1]
        bins = np.searchsorted(edges, values)
        counts = np.bincount(bins, minlength=200).astype(float)
        sums = np.bincount(bins, values, 200)
        even = edges[[49, 99, 149]]
        ((thresholds, stands_for),) = lloyd_max(counts[None], sums[None], edges, even)

        def error(parts: list[Floats]) -> float:
            return sum(float(((part - part.mean()) ** 2).sum()) for part in parts if part.size)

        best = min(error(np.split(values, cut)) for cut in combinations(range(1, 14), 3))
        mine = np.split(values, np.searchsorted(values, thresholds))
        assert [part.mean() for part in mine] == pytest.approx(stands_for.tolist())
        assert np.all(np.diff(thresholds) > 0)
        assert set(thresholds) <= set(edges)
        plain = np.split(values, np.searchsorted(values, even))
        assert best - 1e-12 <= error(mine) <= error(plain) + 1e-12
        ratios.append(error(mine) / best)
    assert np.median(ratios) < 1.1


@pytest.mark.parametrize("both_sides", [True, False])
@pytest.mark.parametrize("n_bits", [2, 4, 7])
def test_the_error_on_calibration_currents_is_never_above_that_of_even_steps(
    n_bits: int, both_sides: bool
) -> None:
    rng = np.random.default_rng(n_bits)
    high = 2 ** (n_bits - 1) - 1 if both_sides else 2**n_bits - 1
    low = -high if both_sides else 0
    kinds = [
        rng.standard_normal(900),
        rng.standard_cauchy(900),
        rng.integers(-3, 4, 900) + 1e-3 * rng.standard_normal(900),
        rng.exponential(size=900),
        np.full(900, 0.3),
        np.linspace(-1, 1, 900),
    ]
    currents = np.array(kinds).astype(np.float32) * np.float32(1e-6)
    if not both_sides:
        currents = np.abs(currents)
    blocks = np.arange(len(kinds)).reshape(1, 1, -1)
    ranges = np.abs(currents).max(axis=1).astype(np.float64)
    ranges[1] = np.percentile(np.abs(currents[1]), 99)  # currents beyond the range
    histograms = CurrentHistograms(blocks, ranges.reshape(blocks.shape), low, high)
    for part in np.split(currents, 3, axis=1):
        histograms.add([part.T], -1)
    levels = histograms.levels()
    assert levels.values.shape[1] <= high - low + 1
    for kind, thresholds, values in zip(
        range(len(kinds)), *(levels.thresholds, levels.values), strict=True
    ):
        lsb = currents[kind].astype(np.float64) * high / ranges[kind]
        mine = np.mean((values[np.searchsorted(thresholds, lsb)] - lsb) ** 2)
        even = np.mean((np.clip(np.rint(lsb), low, high) - lsb) ** 2)
        assert mine <= even * (1 + 1e-9) + 1e-12, kind
        if kind == 3 and n_bits == 4:
            assert mine < 0.6 * even


def test_a_gap_in_the_currents_is_no_gap_in_the_steps() -> None:
    """Currents of two clusters only: what lies between is read with an error of some codes."""
    currents = np.concatenate([np.linspace(20, 24, 2000), [63.0]]).astype(np.float32)
    histograms = CurrentHistograms(np.zeros((1, 1, 1), int), np.full((1, 1, 1), 63.0), 0, 63)
    histograms.add([currents[:, None]], -1)
    levels = histograms.levels()
    asked = np.linspace(0, 63, 500)
    read = levels.values[0][np.searchsorted(levels.thresholds[0], asked)]
    assert np.abs(read - asked).max() < 4
    assert np.abs(np.diff(levels.values[0][:5])).max() < 8


def test_lloyd_max_networks_are_what_the_twin_computes(
    some: tuple[onnx.ModelProto, NDArray[np.float32]],
) -> None:
    model, x = some
    for scope in ("layer", "tile", "column"):
        adc = {"n_bits": 4, "scope": scope, "thresholds": "lloyd_max", "offset_sigma": 0.3}
        counts = beside(model, {"crossbar": BARS, "adc": adc}, x, x)
        assert counts is not None
        assert counts.differing <= counts.risky < 0.1 * counts.total


def test_calibrations_hold_steps_and_later_runs_use_them(
    some: tuple[onnx.ModelProto, NDArray[np.float32]],
) -> None:
    model, x = some
    adc: dict[str, Any] = {"n_bits": 4, "scope": "tile", "thresholds": "lloyd_max"}
    given = {"crossbar": BARS, "adc": adc}
    record = calibrated(model, given, x)
    for row in record["layers"]:
        for rung in ("ideal", "nonideal"):
            assert len(row["adc_steps"][rung]) == len(row["adc"][rung])
    chosen, data = settings_of(given, x), inputs_of(x)
    kept = from_json(record)
    study = open_study(model, chosen, data, calibration=kept, threads=1)
    fresh = rxsim.patched(model, chosen, data, threads=1)
    again = rxsim.patched(model, chosen, data, calibration=kept, threads=1)
    assert calibrate(study).to_json() == kept.to_json()
    assert again.SerializeToString(deterministic=True) == fresh.SerializeToString(
        deterministic=True
    )
    plain = {**given, "adc": {**adc, "thresholds": None}}
    with pytest.raises(InputError, match=r"adc.thresholds is 'lloyd_max' there, unknown here"):
        rxsim.patched(model, settings_of(plain, x), data, calibration=kept, threads=1)


@pytest.mark.parametrize("damage", ["falls", "too few values", "other count", "none"])
def test_damaged_steps_are_refused(
    some: tuple[onnx.ModelProto, NDArray[np.float32]], damage: str
) -> None:
    model, x = some
    given = {"crossbar": BARS, "adc": {"n_bits": 4, "thresholds": "lloyd_max"}}
    record = calibrated(model, given, x)
    steps = record["layers"][0]["adc_steps"]["nonideal"]
    if damage == "falls":
        steps[0]["thresholds"].reverse()
    elif damage == "too few values":
        steps[0]["values"].pop()
    elif damage == "other count":
        steps.append(steps[0])
    else:
        del record["layers"][0]["adc_steps"]
    del record["sha256"]
    with pytest.raises(InputError, match="it is damaged: run 'rxsim calibrate' again"):
        rxsim.patched(
            model,
            settings_of(given, x),
            inputs_of(x),
            calibration=from_json(sealed(record)),
            threads=1,
        )


def test_a_calibration_of_packed_groups_holds_the_last_range() -> None:
    """Five groups in blocks of two: the last block is half empty, its range is not 0."""
    rng = np.random.default_rng(5)
    model = conv(rng.standard_normal((5, 1, 2, 2)), (5, 3, 3), groups=5)
    x = rng.standard_normal((8, 5, 3, 3)).astype(np.float32)
    for scope in ("layer", "tile", "column"):
        given = {
            "crossbar": {**BARS, "cols": 2},
            "mapping": {"pack_groups": True},
            "adc": {"scope": scope},
        }
        (row,) = calibrated(model, given, x)["layers"]
        assert min(row["adc"]["nonideal"]) > 0
        kept = from_json(calibrated(model, given, x))
        chosen, data = settings_of(given, x), inputs_of(x)
        fresh = rxsim.patched(model, chosen, data, threads=1)
        again = rxsim.patched(model, chosen, data, calibration=kept, threads=1)
        assert (output(again, x) == output(fresh, x)).all()


def test_a_cache_holds_steps(
    some: tuple[onnx.ModelProto, NDArray[np.float32]], tmp_path: Path
) -> None:
    model, x = some
    data = inputs_of(x)
    contents = []
    for thresholds in ("lloyd_max", "lloyd_max", None):
        chosen = settings_of({"crossbar": BARS, "adc": {"n_bits": 4, "thresholds": thresholds}}, x)
        study = open_study(model, chosen, data, threads=1, cache=Cache(tmp_path / "cache"))
        record = json.loads(calibrate(study).to_json())
        contents.append([row.get("adc_steps") for row in record["layers"]])
    assert contents[0] == contents[1]
    assert None not in contents[0]
    assert contents[2] == [None, None]


def test_too_many_histograms_are_refused_before_any_run() -> None:
    rng = np.random.default_rng(0)
    model, x = dense(rng.standard_normal((4, 3000))), rng.standard_normal((3, 4))
    adc = {"n_bits": 10, "scope": "column", "thresholds": "lloyd_max"}
    with pytest.raises(SettingError, match="lloyd_max for 3000 ranges of 10 bits in layer fc"):
        patched(model, {"adc": adc}, x)


# --- ranges in ampere -----------------------------------------------------------------------------


def test_a_range_in_ampere_is_the_same_for_every_conversion() -> None:
    """Without rounding to speak of, outputs saturate at what the range stands for."""
    model, x = dense([[1.0, -0.5]]), np.array([[0.1], [0.5], [1.0]], np.float32)
    wireless = dict.fromkeys(("r_wire_wl", "r_wire_bl", "r_driver", "r_sense"), 0)
    given = {
        "crossbar": {"rows": 1, "cols": 2, **wireless},
        "device": {"g_off": 0, "g_on": 5e-5, "n_bits": None},
        "dac": {"n_bits": None},
        "adc": {"n_bits": 16, "range": {"amperes": 4e-6}},
    }
    read = output(patched(model, given, x), x)
    # The largest weight and input give 0.2 V times 50 uS, 10 uA.
    expected = np.clip(x @ np.array([[1.0, -0.5]]), -0.4, 0.4)
    assert read == pytest.approx(expected, abs=0.4 / 2**15)


def test_ranges_replace_each_other_wherever_they_stand(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("adc: {range: calibrated}\nlayers: {fc: {adc: {range: {amperes: 2e-6}}}}\n")
    settings = load_settings(file, assignments=["adc.range.amperes=1e-5"])
    assert settings.adc.model_dump()["range"] == {"amperes": 1e-5}
    assert load_settings(file).adc.range == "calibrated"
    file.write_text("adc: {range: {amperes: 1e-5}}\n")
    back = load_settings(file, assignments=["adc.range=calibrated"])
    assert back == rxsim.settings()
    both = rxsim.settings(changes={"adc.range": "full_scale", "adc.range.amperes": "2e-5"})
    assert both.adc.model_dump()["range"] == {"amperes": 2e-5}


def test_ranges_and_thresholds_are_axes_of_a_sweep(tmp_path: Path) -> None:
    sweep = tmp_path / "sweep.yaml"
    for number, (adc, axis) in enumerate(
        [
            ("{n_bits: 4}", "adc.range.amperes: [1e-5, 5e-5]"),
            ("{n_bits: 4, range: {amperes: 1e-5}}", "adc.range: [calibrated, full_scale]"),
            ("{n_bits: 4}", "adc.thresholds: [null, lloyd_max]"),
        ]
    ):
        sweep.write_text(
            f"model: {MODELS / 'digits_mlp.onnx'}\nlimit: 20\n"
            f"settings: {{calibration: {{samples: 8}}, adc: {adc}}}\naxes:\n  {axis}\n"
        )
        with open_results(tmp_path / f"{number}.sqlite", write=True) as results:
            end = run_sweep(read_plan(sweep), results, HerePool())
        assert (end.new, end.failed) == (2, 0)
