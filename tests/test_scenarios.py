"""Rungs are scenarios: effects are data, each can be switched off alone, settings stay whole."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from known import known
from onnx import TensorProto, helper, numpy_helper

import rxsim
from rxsim.cli import main
from rxsim.config import Settings
from rxsim.effects import effects, without
from rxsim.errors import InputError, SettingError
from rxsim.pipeline import DataOptions, Study, evaluate, open_study
from rxsim.scenarios import SCENARIOS, Scenario, all_but, alone, left_out, nominal, perfect

MODELS = Path(__file__).parent.parent / "models"
# A device that drifts and whose other errors are those of the settings.
DRIFTING = {
    "schema_version": 1,
    "about": "a toy that drifts",
    "source": "-",
    "status": "assumption",
    "laws": {
        "drift": {
            "law": "power_drift",
            "t0": 1,
            "nu_mean": [{"polynomial": [0.05]}],
            "nu_sd": [{"polynomial": [0.01]}],
        }
    },
}
EVERYTHING = rxsim.settings(
    changes={
        "device.model": DRIFTING,
        "device.time": "1h",
        "device.read_sigma": 0.01,
        "mapping.w_percentile": 99.0,
        "device.write_sigma": 0.02,
        "device.d2d_sigma": 0.05,
        "device.stuck_hrs": 0.01,
        "device.iv": {"form": "sinh", "v0": 0.3},
        "dac.inl": 0.4,
        "adc.gain_sigma": 0.01,
        "crossbar.r_access": 500.0,
        "crossbar.r_sense_far": 200.0,
    }
)


def test_the_effects_are_those_of_the_table_in_its_order() -> None:
    assert list(effects()) == [
        *("levels", "clipping", "dac", "adc", "converter_errors", "write_error", "variation"),
        *("faults", "drift", "read_noise", "wires", "nonlinearity", "compensation"),
    ]


@pytest.mark.parametrize("name", [name for name in effects() if name != "compensation"])
def test_an_effect_that_is_off_is_not_active_and_no_other_is_touched(name: str) -> None:
    """Converters that are not there have no errors either: the one overlap of the table."""
    table = effects()
    off = without(EVERYTHING, [name])
    assert table[name].is_active(EVERYTHING)
    assert not table[name].is_active(off)
    others = set(table) - {name, "compensation"} - {"converter_errors"}
    assert {other for other in others if table[other].is_active(off)} == others


def test_nominal_hardware_draws_nothing_and_perfect_hardware_is_levels_and_converters() -> None:
    left = {name for name, effect in effects().items() if effect.is_active(nominal(EVERYTHING))}
    assert left == {"levels", "clipping", "dac", "adc", "wires", "nonlinearity"}
    left = {name for name, effect in effects().items() if effect.is_active(perfect(EVERYTHING))}
    assert left == {"levels", "clipping", "dac", "adc"}


@given(st.sets(st.sampled_from(sorted(effects()))), st.sets(st.sampled_from(sorted(effects()))))
def test_effects_are_switched_off_in_any_order_and_twice_alike(
    first: set[str], second: set[str]
) -> None:
    at_once = without(EVERYTHING, first | second)
    assert without(without(EVERYTHING, first), second) == at_once
    assert without(at_once, first) == at_once


def test_a_scenario_with_every_effect_is_the_settings_themselves() -> None:
    assert SCENARIOS["compensated"].settings(EVERYTHING) == EVERYTHING
    assert SCENARIOS["nonideal"].settings(EVERYTHING) == EVERYTHING


def test_an_unknown_effect_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match=r"effect: found 'magic', expected one of adc, clipping"):
        Scenario("odd", frozenset({"magic"}))
    with pytest.raises(InputError, match=r"scenario: found 'odd', expected one of compensated"):
        SCENARIOS.check("odd")


def test_what_is_left_and_contradicts_itself_is_refused_by_the_scenarios_name() -> None:
    """Inputs of more than one bit can't gate cells; without levels there is no smallest step."""
    settings = rxsim.settings(changes={"adc.range": "unit_lsb"})
    with pytest.raises(SettingError, match=r"scenario without levels: found adc.range: unit_lsb"):
        left_out("levels").settings(settings)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """One layer of 6 by 4 weights, inputs made up."""
    weights = np.random.default_rng(3).standard_normal((6, 4)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w"], ["y"], "fc")],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 6])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])],
        [numpy_helper.from_array(weights, "w")],
    )
    path = tmp_path_factory.mktemp("model") / "fc.onnx"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.save(model, path)
    settings = rxsim.settings(xbar="4x3", changes={"calibration.samples": 16, "trials": 3})
    changes = {"device.write_sigma": 0.05, "crossbar.r_wire_wl": 50.0}
    return open_study(path, _changed(settings, changes), DataOptions(limit=12))


def _changed(settings: Settings, changes: dict[str, float]) -> Settings:
    from rxsim.config import settings_changed

    return settings_changed(settings, changes, "test")


def test_any_list_of_scenarios_makes_a_ladder(study: Study) -> None:
    every: list[str | Scenario] = [
        Scenario("nothing", frozenset()),
        "ideal",
        *map(alone, ("levels", "wires")),
        "nonideal",
    ]
    result = evaluate(study, every)
    assert [rung.name for rung in result.ladder] == [
        *("float32", "nothing", "ideal", "only levels", "only wires", "nonideal")
    ]
    # Without any effect the network is the float one, but for float32's rounding.
    assert known(result.rung("nothing").trials[0].mean("relative_difference")) < 1e-6
    for name in ("only levels", "only wires"):
        assert known(result.rung(name).trials[0].mean("relative_difference")) > 1e-4
    # Chips are runs of their own only where something is drawn for each.
    assert [len(rung.trials) for rung in result.ladder] == [1, 1, 1, 1, 1, 3]
    differences = {run.mean("relative_difference") for run in result.rung("nonideal").trials}
    assert len(differences) == 3


def test_the_rungs_of_a_list_are_those_of_the_ladder(study: Study) -> None:
    ladder = evaluate(study)
    listed = evaluate(study, ["nonideal", "weights", "ideal"])
    for name in ("weights", "ideal", "nonideal"):
        assert ladder.rung(name).summary() == listed.rung(name).summary()


def test_leaving_out_an_effect_that_is_not_there_changes_nothing(
    study: Study,
) -> None:
    result = evaluate(study, ["nonideal", left_out("faults"), left_out("nonlinearity")])
    whole = result.rung("nonideal").summary()
    assert result.rung("without faults").summary() == whole
    assert result.rung("without nonlinearity").summary() == whole


def test_leaving_out_what_is_drawn_makes_all_chips_alike(study: Study) -> None:
    runs = evaluate(study, [left_out("write_error")]).rung("without write_error").trials
    assert len({run.mean("relative_difference") for run in runs}) == 1


@pytest.mark.parametrize("scenarios", [[], ["ideal", "ideal"], ["float32"]])
def test_a_list_without_a_clear_name_for_each_rung_is_refused(
    study: Study,
    scenarios: list[str],
) -> None:
    with pytest.raises(InputError, match=r"scenario"):
        evaluate(study, scenarios)


def test_scenarios_are_listed_without_importing_numpy() -> None:
    code = (
        "import sys, rxsim.folders as f; print(f.names_in('rxsim.scenarios')); "
        "sys.exit('numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "('compensated', 'ideal', 'nonideal', 'weights')"
    assert all_but("wires") == frozenset(effects()) - {"wires"}


def test_the_command_adds_rungs_for_effects(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["eval", str(MODELS / "digits_mlp.onnx"), "--limit", "20", "--json", "-", "-q"]
    with pytest.raises(SystemExit) as stop:
        main([*arguments, "--only", "wires", "--without", "adc"])
    out, err = capsys.readouterr()
    assert (stop.value.code, err) == (0, "")
    ladder = json.loads(out)["ladder"]
    rungs = ["float32", "weights", "ideal", "only wires", "without adc", "nonideal"]
    assert list(ladder) == rungs
    with pytest.raises(SystemExit) as stop:
        main([*arguments, "--only", "magic"])
    assert stop.value.code == 2
    assert "effect: found 'magic', expected one of adc, " in capsys.readouterr().err


@pytest.mark.parametrize("word", ["only", "without"])
def test_an_effect_that_is_misspelt_is_refused_and_one_that_is_not_there_is_told(
    word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["eval", str(MODELS / "digits_mlp.onnx"), "--limit", "4", "--json", "-"]
    with pytest.raises(SystemExit) as stop:
        main([*arguments, f"--{word}", "wirse"])
    assert stop.value.code == 2
    assert "effect: found 'wirse', expected one of adc, " in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        main([*arguments, f"--{word}", "faults"])
    assert stop.value.code == 0
    assert capsys.readouterr().err == "faults: nothing in the settings switches this effect on\n"


def test_rungs_and_metrics_of_other_names_are_refused(study: Study) -> None:
    result = evaluate(study, ["ideal", Scenario("two", ["levels", "wires"])])  # type: ignore[arg-type]
    with pytest.raises(
        InputError, match=r"rung: found 'idael', expected one of float32, ideal, two"
    ):
        result.rung("idael")
    with pytest.raises(InputError, match=r"metric: found 'accurcy', expected one of accuracy"):
        result.rung("ideal").table("accurcy")


def test_a_setting_that_is_given_twice_is_refused() -> None:
    with pytest.raises(SettingError, match=r"found adc.n_bits twice"):
        rxsim.settings({"adc.n_bits": 5, "adc": {"n_bits": 6}})
