"""Traps: each planted mistake is named with numbers that plain numpy gives too; sound cases are not."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from known import known
from made_evidence import evidence_of
from small_networks import dense, network

from rxsim.config import load_settings
from rxsim.explain.evidence import Evidence
from rxsim.explain.traps import LOOKS, traps_in
from rxsim.explain.traps._small_columns import small_quarter
from rxsim.explain.traps.shared_weight_scale import column_shares
from rxsim.pipeline import DataOptions, open_study

MODELS = Path(__file__).parent.parent / "models"
RNG = np.random.default_rng(0)


def case(
    model: onnx.ModelProto | Path, *settings: str, data: Any = None, limit: int | None = None
) -> Evidence:
    study = open_study(
        model, load_settings(assignments=settings), DataOptions(data=data, limit=limit), threads=1
    )
    return evidence_of(study)


def lossy(evidence: Evidence) -> Evidence:
    """Say that the built chips are wrong on every tenth input."""
    built = np.ones((1, 20))
    built[0, ::10] = 0
    return replace(evidence, built=built, perfect=np.ones((1, 20)))


def inputs(count: int = 64, width: int = 64) -> np.ndarray:
    return RNG.uniform(0, 1, (count, width)).astype(np.float32)


def numbers(sentence: str) -> list[float]:
    return [float(word) for word in re.findall(r"\d+(?:\.\d+)?", sentence)]


def told(name: str, evidence: Evidence) -> str:
    return known(LOOKS[name](evidence)).sentence


@pytest.mark.parametrize("name", ["digits_cnn", "digits_dsconv", "digits_mlp", "digits_resnet"])
def test_the_shipped_models_with_the_default_settings_hold_no_trap(name: str) -> None:
    assert traps_in(case(MODELS / f"{name}.onnx", limit=200)) == ()


def test_the_offset_that_wires_take_is_that_of_a_single_cell() -> None:
    """One row and one column: the cell, driver and sense are in series, whatever the method."""
    weight = RNG.normal(size=(1, 1))
    model, x = dense(weight), RNG.uniform(0.1, 1, (32, 1)).astype(np.float32)
    settings = (
        *("mapping.scheme=offset", "crossbar.rows=1", "crossbar.cols=1", "device.n_bits=null"),
        *("crossbar.r_driver=3000", "crossbar.r_sense=20000", "dac.n_bits=null", "adc.n_bits=null"),
    )
    sentence = told("digital_offset", case(model, *settings, data=x))
    g_on, g_off, series = 1 / 200e3, 1 / 1.4e6, 23000.0
    middle = (g_on + g_off) / 2
    cell = g_on if weight[0, 0] > 0 else g_off  # the only weight is the largest
    lost = 1 - 1 / (1 + cell * series)
    output = abs(cell - middle)
    shown = numbers(sentence)
    assert shown[0] == pytest.approx(100 * lost, abs=0.006)
    assert shown[1] == pytest.approx(middle * lost / output, rel=0.06)
    assert sentence.endswith("set mapping.offset_removal: reference_column")


def test_the_offset_of_a_network_is_named_until_its_wires_are_removed_or_measured() -> None:
    model = MODELS / "digits_mlp.onnx"
    seen = case(model, "mapping.scheme=offset", limit=60)
    assert "in layer fc1" in told("digital_offset", seen)
    for other in (
        ("mapping.scheme=offset", "mapping.offset_removal=reference_column"),
        ("mapping.scheme=offset", "crossbar={r_wire_wl: 0, r_wire_bl: 0, r_driver: 0, r_sense: 0}"),
        (),
    ):
        assert LOOKS["digital_offset"](case(model, *other, limit=60)) is None


def uneven(columns: int = 12) -> tuple[onnx.ModelProto, np.ndarray]:
    """A layer whose columns differ by a factor of 40."""
    weight = RNG.normal(size=(64, columns))
    weight[:, columns // 2 :] /= 40
    return dense(weight), weight


def test_columns_of_different_size_that_share_a_scale_are_named() -> None:
    model, weight = uneven()
    found = case(model, "crossbar={rows: 64, cols: 64}", data=inputs())
    found = lossy(found)
    peaks = np.sort(np.abs(weight.astype(np.float32)).max(axis=0))
    shown = numbers(told("shared_weight_scale", found))
    assert shown == [1, round(peaks[-1] / peaks[2]), round(peaks[2] / peaks[-1] * 63, 1), 63]
    for other in ("mapping.w_max_scope=column", "device.n_bits=12"):
        assert LOOKS["shared_weight_scale"](lossy(case(model, other, data=inputs()))) is None
    even = lossy(case(dense(RNG.normal(size=(64, 12))), data=inputs()))
    assert LOOKS["shared_weight_scale"](even) is None


IDEAL = "crossbar={r_wire_wl: 0, r_wire_bl: 0, r_driver: 0, r_sense: 0}"


def test_columns_of_different_size_that_share_an_adc_range_are_named() -> None:
    model, weight = uneven()
    x = inputs(32)
    few = ("calibration.samples=32", "dac.n_bits=null", "device.n_bits=null", IDEAL)
    found = lossy(case(model, *few, data=x))
    outputs = np.abs(x.astype(np.float64) @ weight).max(axis=0)
    share = np.sort(outputs)[2] / outputs.max()
    shown = numbers(told("shared_adc_range", found))
    assert shown[1] == round(1 / share)
    if share * 31 >= 1:
        assert shown[2] == pytest.approx(share * 31, abs=0.06)
    else:
        assert "less than 1 of 31 codes a side" in told("shared_adc_range", found)
    for other in ("adc.scope=column", "adc.n_bits=12", "adc.range=full_scale", "adc.n_bits=null"):
        assert LOOKS["shared_adc_range"](lossy(case(model, *few, other, data=x))) is None


def test_columns_that_are_switched_off_do_not_count() -> None:
    peaks = np.array([1.0, 0.9, 0.8, 0.7, 1e-6, 0.0])
    assert small_quarter(peaks) == 0.7
    assert small_quarter(np.arange(1.0, 9.0)) == 2.0
    assert small_quarter(peaks[:3]) is None


def test_a_range_set_by_an_outlier_is_named_for_inputs_weights_and_adcs() -> None:
    weight = RNG.normal(size=(64, 32))
    weight[5, 7] = 40
    x = inputs(64)
    x[3, 9] = 30
    few = ("calibration.samples=64", "dac.n_bits=6")
    found = lossy(case(dense(weight), *few, data=x))
    sentence = told("outlier_range", found)
    of_inputs, of_weights = (text for text in sentence.split(";")[:2])
    largest = 40 / np.percentile(np.abs(weight), 99.9)
    assert f"weights of layer fc have a range {largest:.1f} times" in of_weights
    assert "mapping.w_percentile: 99.9" in of_weights
    # A spread sample of the calibration inputs: uniform values, so the percentile is 1 to a percent.
    assert numbers(of_inputs)[0] == pytest.approx(30, rel=0.01)
    assert "input.percentile: 99.9" in of_inputs
    cured = ("mapping.w_percentile=99", "input.percentile=99", "adc.percentile=99")
    assert LOOKS["outlier_range"](lossy(case(dense(weight), *few, *cured, data=x))) is None
    plain = lossy(case(dense(RNG.normal(size=(64, 32))), *few, data=inputs()))
    assert LOOKS["outlier_range"](plain) is None


def test_an_adc_range_set_by_a_single_current_is_named() -> None:
    weight = RNG.normal(size=(64, 48))
    weight[3] = 0
    weight[3, 5] = 3
    x = inputs(64)
    x[:, 3], x[40, 3] = 0, 50
    few = ("calibration.samples=64", "dac.n_bits=null", "device.n_bits=null", IDEAL)
    found = lossy(case(dense(weight), *few, data=x))
    currents = np.abs(x.astype(np.float64) @ weight.astype(np.float32))
    looked_at = np.linspace(0, 63, 32).astype(int)
    ratio = currents.max() / np.percentile(currents[looked_at], 99.9)
    sentence = told("outlier_range", found)
    assert f"ADC currents of layer fc have a range {ratio:.1f} times" in sentence
    assert "adc.criterion: mse" in sentence
    assert (
        LOOKS["outlier_range"](lossy(case(dense(weight), *few, "adc.range=full_scale", data=x)))
        is None
    )


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("scope", ["layer", "tile"])
def test_a_column_is_held_against_the_scale_of_its_own_weights(scope: str, packed: bool) -> None:
    weight = RNG.normal(size=(6, 2, 3, 3)) * (10.0 ** -np.arange(6))[:, None, None, None]
    model = network("[conv] y = Conv<group=3>(x, w)", (6, 5, 5), {"w": weight})
    study = open_study(
        model,
        load_settings(
            assignments=[
                *("crossbar={rows: 40, cols: 8}", f"mapping.pack_groups={packed}"),
                f"mapping.w_max_scope={scope}",
            ]
        ),
        DataOptions(limit=2),
        threads=1,
    )
    (mapped,) = evidence_of(study).foundry.mapped.layers
    largest = np.abs(weight.astype(np.float32).astype(float)).reshape(3, 2, -1).max(axis=2)
    together = scope == "layer" or mapped.tiling.packed == 3
    assert (mapped.tiling.packed > 1) == packed
    if together or not packed:
        scale = largest.max() if together else largest.max(axis=1, keepdims=True)
    else:
        scale = np.array([largest[:2].max()] * 2 + [largest[2].max()])[:, None]
    assert column_shares(mapped) == pytest.approx((largest / scale).ravel(), rel=1e-12)


def test_made_up_inputs_are_named_and_data_are_not() -> None:
    model = dense(RNG.normal(size=(6, 4)))
    evidence = case(model, limit=40)
    for predictions, shown in ((np.arange(40) % 4, [40]), (np.arange(40) // 30, [40, 75])):
        floating = replace(evidence.floating, predictions=predictions)
        sentence = told("made_up_inputs", replace(evidence, floating=floating))
        assert numbers(sentence) == shown
        assert "--data" in sentence
    assert LOOKS["made_up_inputs"](case(model, data=inputs(20, 6))) is None


def test_a_float_network_that_guesses_is_named() -> None:
    weight, x = RNG.normal(size=(6, 4)), RNG.normal(size=(200, 6)).astype(np.float32)
    right = (x @ weight).argmax(axis=1)
    wrong = RNG.permutation(right)
    share = (wrong == right).mean()
    sentence = told("float_at_chance", case(dense(weight), data=(x, wrong)))
    commonest = np.bincount(right).max() / 200
    assert share <= commonest
    assert numbers(sentence) == pytest.approx([100 * share, 200, 4, 100 * commonest])
    for data in ((x, right), (x[:20], wrong[:20]), x):
        assert LOOKS["float_at_chance"](case(dense(weight), data=data)) is None


def test_outputs_that_do_not_vary_are_named() -> None:
    text = "[fc] m = Gemm(x, w, b) [act] r = Relu(m) [out] y = Gemm(r, v)"
    weights = {"w": RNG.normal(size=(8, 6)), "v": RNG.normal(size=(6, 4))}
    x = inputs(40, 8)
    dead = network(text, (8,), {**weights, "b": np.full(6, -100)})
    assert "the same output for every input" in told("constant_output", case(dead, data=x))
    alive = network(text, (8,), {**weights, "b": np.zeros(6)})
    assert LOOKS["constant_output"](case(alive, data=x)) is None


def test_a_network_that_died_on_crossbars_is_named_with_its_first_lost_layer() -> None:
    text = "[one] m = Gemm(x, w) [act] r = Relu(m) [two] y = Gemm(r, v, b)"
    bias = np.array([0.01, 0, 0, 0])
    tensors = {"w": RNG.normal(size=(8, 6)), "v": RNG.normal(size=(6, 4)), "b": bias}
    # ADCs that saturate at a picoampere: next to nothing is left beside the bias.
    range_of_two = "layers={two: {adc: {range: {amperes: 1e-12}}}}"
    model = network(text, (8,), tensors)
    sentence = told("constant_output", case(model, range_of_two, data=inputs(60, 8)))
    assert "gives class 0 for each of 24 inputs" in sentence
    assert "from layer two (SNR" in sentence
    assert numbers(sentence)[-1] == pytest.approx(0, abs=0.11)


def test_a_cause_comes_before_the_dead_network_and_gives_the_advice() -> None:
    model = MODELS / "digits_mlp.onnx"
    offset, dead = traps_in(
        case(model, "mapping.scheme=offset", "crossbar={rows: 128, cols: 128}", limit=60)
    )
    assert (offset.name, dead.name) == ("digital_offset", "constant_output")
    assert "reference_column" in offset.sentence
    assert "the signal is lost" in dead.sentence
    assert dead.sentence.endswith("mend the mistakes that are named above first")


def test_nothing_is_said_of_ranges_where_nothing_is_lost() -> None:
    model, _ = uneven()
    evidence = lossy(case(model, data=inputs()))
    assert LOOKS["shared_weight_scale"](evidence) is not None
    kept = replace(evidence, built=np.ones((1, 20)))
    assert LOOKS["shared_weight_scale"](kept) is None
    assert LOOKS["shared_adc_range"](kept) is None
    assert LOOKS["outlier_range"](kept) is None
