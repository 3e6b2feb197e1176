"""Drift compensation: factors by plain numpy, and what they bring back."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import onnx
import pytest
from chips import found, foundry_of
from known import known
from onnx import TensorProto, helper, numpy_helper
from rich.console import Console

import rxsim
from rxsim.config import settings_over
from rxsim.data import GivenArrays
from rxsim.errors import SettingError
from rxsim.pipeline import DataOptions, Study, evaluate, open_study
from rxsim.pipeline.chip.foundries import Foundries
from rxsim.pipeline.chip.foundry import MadeChip
from rxsim.pipeline.study.study import with_settings
from rxsim.report.over_time_terminal import print_drift_factors
from rxsim.run import predict
from rxsim.scenarios import chosen

RNG = np.random.default_rng(11)
BIAS = RNG.uniform(-0.5, 0.5, 6).astype(np.float32)
CALIBRATION = RNG.uniform(0, 1, (40, 10)).astype(np.float32)
INPUTS = RNG.uniform(0, 1, (30, 10)).astype(np.float32)


WEIGHTS = (RNG.uniform(-1, 1, (10, 6)), RNG.uniform(-1, 1, (6, 4)))


def two_layers() -> onnx.ModelProto:
    weights = {
        "w": WEIGHTS[0].astype(np.float32),
        "b": BIAS,
        "v": WEIGHTS[1].astype(np.float32),
    }
    graph = helper.make_graph(
        [
            helper.make_node("Gemm", ["x", "w", "b"], ["h"], "first"),
            helper.make_node("Relu", ["h"], ["r"], "relu"),
            helper.make_node("MatMul", ["r", "v"], ["y"], "second"),
        ],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 10])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def study_of(output: str = "y", **changes: Any) -> Study:
    given = {
        "device.model": "pcm-nandakumar",
        "device.time": "1d",
        "calibration.samples": 40,
        **{name.replace("__", "."): value for name, value in changes.items()},
    }
    options = DataOptions(
        data=GivenArrays({"x": INPUTS}, "inputs"),
        calibrate=GivenArrays({"x": CALIBRATION}, "calibration"),
        metric="none",
        output=output,
    )
    settings = rxsim.settings(xbar="8x6", changes=given)
    return open_study(two_layers(), settings, options, threads=1)


def chip_of(trial: int = 1, **changes: Any) -> MadeChip:
    return foundry_of(study_of(**changes)).make(trial)


def outputs(name: str, trial: int = 1, **changes: Any) -> np.ndarray:
    """What the patched chip gives at a tensor for the evaluated inputs."""
    study = study_of(name, **changes)
    return found(study, foundry_of(study).make(trial).network.model)


def on_calibration(name: str, trial: int = 1, **changes: Any) -> np.ndarray:
    """The same for the calibration inputs."""
    study = study_of(name, **changes)
    network = foundry_of(study).make(trial).network.model
    return predict(network, name, study.calibration, what="it", batch=8, threads=1)


@pytest.mark.parametrize("kind", ["layer", "column"])
def test_factors_are_ratios_of_mean_outputs_before_the_bias(kind: str) -> None:
    """The first layer's, from runs of whole chips at both times."""
    before, now = (on_calibration("h", device__time=time) - BIAS for time in (0, "1d"))
    axis = 0 if kind == "column" else None
    expected = np.abs(before).mean(axis=axis) / np.abs(now).mean(axis=axis)
    factors = chip_of(drift_compensation=kind).drift_factors
    assert set(factors) == {"first", "second"}
    assert factors["first"] == pytest.approx(np.atleast_1d(expected), rel=1e-5)
    assert (factors["first"] > 1.2).all()
    # And they multiply the product, not the bias.
    plain, corrected = outputs("h"), outputs("h", drift_compensation=kind)
    assert corrected - BIAS == pytest.approx((plain - BIAS) * factors["first"], abs=1e-5)


def test_a_layers_factor_does_not_hold_what_layers_before_it_lost() -> None:
    """As if these were digital: every layer is measured on what the float network brings to it.

    Without ADCs, whose ranges do hold errors of layers before.
    """
    changes: dict[str, Any] = {"drift_compensation": "column", "adc__n_bits": None}
    alone = chip_of(**changes, layers={"first": {"digital": True}})
    together = chip_of(**changes)
    assert set(alone.drift_factors) == {"second"}
    assert together.drift_factors["second"] == pytest.approx(alone.drift_factors["second"])


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"mapping__scheme": "offset", "mapping__offset_removal": "reference_column"},
        {"input__encoding": "bit_serial", "mapping__weight_bits": 5, "mapping__bits_per_cell": 2},
        {"adc__where": "per_layer", "mapping__w_max_scope": "column"},
    ],
    ids=["pairs", "reference column", "slices", "per layer"],
)
def test_a_loss_that_all_cells_share_is_undone(more: dict[str, Any]) -> None:
    """All exponents equal, ideal wires and converters: what is left is float32."""
    drifting = {
        "schema_version": 1,
        "about": "every cell drifts alike",
        "source": "-",
        "status": "assumption",
        "laws": {
            "drift": {
                "law": "power_drift",
                "t0": 1,
                "nu_mean": [{"polynomial": [0.05]}],
                "nu_sd": [{"polynomial": [0]}],
            }
        },
    }
    ideal: dict[str, Any] = {
        **dict.fromkeys(("crossbar__r_wire_wl", "crossbar__r_wire_bl"), 0),
        **dict.fromkeys(("crossbar__r_driver", "crossbar__r_sense"), 0),
        **{"adc__n_bits": None, "device__model": drifting},
        **more,
    }
    before = outputs("y", **ideal, device__time=0)
    lost = outputs("y", **ideal)
    again = outputs("y", **ideal, drift_compensation="layer")
    top = np.abs(before).max()
    assert np.abs(lost - before).max() > 0.1 * top
    assert np.abs(again - before).max() < 1e-5 * top


def test_right_after_programming_nothing_is_compensated() -> None:
    for changes in ({"device__time": 0}, {"device__time": "1d", "device__refresh": "1d"}):
        chip = chip_of(drift_compensation="column", **changes)
        plain = chip_of(**changes)
        assert not chip.drift_factors
        assert chip.network.model.SerializeToString() == plain.network.model.SerializeToString()


def test_the_reference_of_a_refreshed_chip_is_its_last_programming() -> None:
    changes: dict[str, Any] = {"device__time": "30h", "device__refresh": "1d"}
    factors = chip_of(drift_compensation="layer", **changes).drift_factors["first"]
    # One refresh later than at the start, six hours old.
    before = on_calibration("h", device__time="1d", device__refresh="1d") - BIAS
    now = on_calibration("h", **changes) - BIAS
    assert factors == pytest.approx([np.abs(before).mean() / np.abs(now).mean()], rel=1e-5)


def test_each_chip_has_factors_of_its_own() -> None:
    foundry = foundry_of(study_of(drift_compensation="column"))
    first, second, again = (foundry.make(trial).drift_factors["first"] for trial in (0, 1, 0))
    assert (first != second).all()
    assert (first == again).all()


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(
        SettingError, match="drift_compensation: found 'tile', expected 'none', 'lay"
    ):
        rxsim.settings(changes={"drift_compensation": "tile"})


@pytest.mark.parametrize("kind", ["layer", "column"])
def test_factors_are_told_at_each_time(kind: str) -> None:
    """Those of the first chip, in the order of times that was asked for; the mean of several."""
    day, expected = 86400.0, chip_of(0, drift_compensation=kind).drift_factors
    means = {name: pytest.approx(float(np.mean(each))) for name, each in expected.items()}
    study = study_of(drift_compensation=kind, device__time=0)
    for times, at in (((0.0, day), 1), ((day, 0.0), 0)):
        timed = with_settings(study, settings_over(study.settings, times)[0])
        result = evaluate(timed, times=times)
        told = result.as_json()["over_time"]
        assert told[at]["drift_factors"] == means
        assert "drift_factors" not in told[1 - at]
        console = Console(record=True, width=200, file=io.StringIO())
        print_drift_factors(result, console)
        text = console.export_text()
        assert ("mean over the columns" in text) == (kind == "column")
        assert [words in text for words in ("first chip", "1 d: ", "0 s: ")] == [True, True, False]


def test_factors_at_a_single_time_are_printed() -> None:
    result = evaluate(study_of(drift_compensation="layer"))
    console = Console(record=True, width=200, file=io.StringIO())
    print_drift_factors(result, console)
    factors = sorted((known(row.drift_factor), row.place.name) for row in result.layers)
    (low, first), (high, second) = factors
    expected = f"1 d: {low:.4g} ({first}) to {high:.4g} ({second})."
    assert console.export_text().strip().endswith(expected)


def test_drift_compensation_acts_wherever_drift_is_on() -> None:
    study = study_of(drift_compensation="layer")
    foundries = Foundries(study)
    acts = {
        name: bool(foundries.open(chosen([name])[0]).make(0).drift_factors)
        for name in ("only drift", "without compensation", "without drift", "nonideal", "ideal")
    }
    off = ("without drift", "ideal")
    assert acts == {name: name not in off for name in acts}
