"""From a sweep's file to its points: axes, designs, identity, and what is refused."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import qmc

from rxsim.config import load_settings
from rxsim.errors import InputError, SettingError
from rxsim.stopping import next_trials
from rxsim.sweep.axes import Axis, Spread
from rxsim.sweep.design import assignments
from rxsim.sweep.plan import Plan, read_plan
from rxsim.sweep.sweep_file import Stop

ROOT = Path(__file__).parent.parent
MODEL = ROOT / "models" / "digits_mlp.onnx"


def plan_of(folder: Path, **values: Any) -> Plan:
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump({"model": str(MODEL), "limit": 20, **values}))
    return read_plan(path)


def axes_of(**given: Any) -> list[Axis]:
    return [Axis(name.replace("_X_", "."), values) for name, values in given.items()]


@pytest.mark.parametrize(
    ("given", "listed"),
    [
        ({"range": [4, 7]}, [4, 5, 6, 7]),
        ({"range": [8, 2, -3]}, [8, 5, 2]),
        ({"range": [3, 3]}, [3]),
        ({"range": ["1e1", 12]}, [10, 11, 12]),
        ({"linspace": [0, 1], "count": 3}, [0.0, 0.5, 1.0]),
        ({"linspace": [0, 0.3], "count": 4}, [0.0, 0.1, 0.2, 0.3]),
        ({"logspace": ["1e-6", 1e-3], "count": 4}, [1e-6, 1e-5, 1e-4, 1e-3]),
        ([8, "x", None, 0.5], [8, "x", None, 0.5]),
    ],
)
def test_an_axis_lists_its_values(given: Any, listed: list[Any]) -> None:
    assert [found["adc.n_bits"] for found in Axis("adc.n_bits", given).listed()] == listed


def test_several_settings_change_together() -> None:
    axis = Axis("crossbar.rows, crossbar.cols", [32, [64, 16]])
    assert axis.listed() == [
        {"crossbar.rows": 32, "crossbar.cols": 32},
        {"crossbar.rows": 64, "crossbar.cols": 16},
    ]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "expected a list of values"),
        (3, "expected a list of values"),
        ([{"a": 1}], "expected a number, a word or null"),
        ([[1, 2]], "expected a number, a word or null"),
        ({"range": [1, 2], "linspace": [1, 2], "count": 2}, "expected exactly one"),
        ({}, "expected exactly one"),
        ({"uniform": [1, 0]}, "expected a low end and a higher one"),
        ({"range": [1, 5, -1]}, "expected a step from the first to the last"),
        ({"range": [1, 5, 0]}, "expected a step"),
        ({"range": [0, 10**9]}, "at most 100000 values"),
        ({"linspace": [0, 1]}, "without count"),
        ({"range": [0, 1], "count": 3}, "count with another"),
        ({"logspace": [0, 1], "count": 3}, "expected ends above 0"),
        ({"linspace": [0, "x"], "count": 3}, "'x'"),
        ({"linspace": [0, float("nan")], "count": 3}, "linspace"),
        ({"lin": [0, 1]}, "lin"),
    ],
)
def test_an_impossible_axis_is_refused(given: Any, words: str) -> None:
    with pytest.raises(SettingError, match=r"axes\.adc\.n_bits") as caught:
        Axis("adc.n_bits", given)
    assert words in str(caught.value)


def test_a_grid_is_every_combination_the_last_axis_fastest() -> None:
    axes = axes_of(a=[1, 2], b=["x", "y", "z"])
    wanted = [{"a": a, "b": b} for a, b in itertools.product([1, 2], "xyz")]
    assert assignments(axes, "grid", None, 0) == wanted


def test_zip_takes_axes_side_by_side() -> None:
    assert assignments(axes_of(a=[1, 2], b=[3, 4]), "zip", None, 0) == [
        {"a": 1, "b": 3},
        {"a": 2, "b": 4},
    ]
    with pytest.raises(SettingError, match="2 and 3 values"):
        assignments(axes_of(a=[1, 2], b=[3, 4, 5]), "zip", None, 0)


@settings(deadline=None)
@given(st.integers(1, 200), st.integers(0, 5))
def test_random_points_lie_within_and_repeat_for_their_seed(points: int, seed: int) -> None:
    axes = axes_of(
        u={"uniform": [-2, 3]}, v={"loguniform": [1e-3, 10]}, w=[1, 2, 3], x={"range": [4, 6]}
    )
    found = assignments(axes, "random", points, seed)
    assert len(found) == points
    assert found == assignments(axes, "random", points, seed)
    for one in found:
        assert -2 <= one["u"] <= 3
        assert 1e-3 <= one["v"] <= 10
        assert one["w"] in (1, 2, 3)
        assert one["x"] in (4, 5, 6)


def test_random_points_are_spread_as_said() -> None:
    axes = axes_of(u={"uniform": [0, 4]}, v={"loguniform": [1e-4, 1]}, w=["a", "b"])
    found = assignments(axes, "random", 4000, 1)
    u = np.array([one["u"] for one in found]) / 4
    v = np.log10([one["v"] for one in found]) / 4 + 1
    # Kolmogorov's 0.1 % bound for a uniform sample: 1.95/sqrt(n).
    for sample in (u, v):
        steps = np.arange(1, len(sample) + 1) / len(sample)
        assert np.abs(np.sort(sample) - steps).max() < 1.95 / np.sqrt(len(sample))
    assert abs(sum(one["w"] == "a" for one in found) - 2000) < 3.3 * np.sqrt(1000)


def test_a_sobol_design_is_more_even_than_chance_and_any_beginning_is_the_same() -> None:
    axes = axes_of(u={"uniform": [0, 1]}, v={"uniform": [0, 1]})
    sobol = assignments(axes, "sobol", 64, 3)
    places = np.array([[one["u"], one["v"]] for one in sobol])
    chance = np.array([[o["u"], o["v"]] for o in assignments(axes, "random", 64, 3)])
    assert qmc.discrepancy(places) < 0.3 * qmc.discrepancy(chance)
    # Each of the 64 slices of each axis holds one point: a (0, 6, 2)-net.
    assert sorted((places[:, 0] * 64).astype(int)) == list(range(64))
    assert assignments(axes, "sobol", 40, 3) == sobol[:40]


def test_a_design_that_does_not_fit_is_refused() -> None:
    with pytest.raises(SettingError, match="points is missing"):
        assignments(axes_of(a=[1]), "sobol", None, 0)
    with pytest.raises(SettingError, match="random or sobol only"):
        assignments(axes_of(a=[1]), "grid", 3, 0)
    with pytest.raises(SettingError, match="expected listed values"):
        assignments(axes_of(a={"uniform": [0, 1]}), "grid", None, 0)
    long = {"range": [1, 99_999]}
    with pytest.raises(SettingError, match="combinations"):
        assignments(axes_of(a=long, b=long), "grid", None, 0)


def test_points_resolve_as_set_does(tmp_path: Path) -> None:
    base = ROOT / "configs" / "rxnn-64.yaml"
    plan = plan_of(
        tmp_path,
        config=str(base),
        settings={"device": {"r_on": 1e5}, "adc": {"n_bits": 7}},
        axes={"device.r_off": [1e6], "adc.n_bits": [8]},
        trials=2,
    )
    (planned,) = plan.points
    wanted = load_settings(
        base, assignments=["device.r_on=1e5", "device.r_off=1e6", "adc.n_bits=8", "trials=1"]
    )
    assert planned.settings == wanted
    assert plan.trials == 2


def test_models_and_configs_are_axes_too(tmp_path: Path) -> None:
    other = MODEL.with_name("digits_resnet.onnx")
    path = tmp_path / "sweep.yaml"
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(f"adc: {{n_bits: {4 if name == 'a' else 5}}}\n")
    values = {"models": [str(MODEL), str(other)], "configs": ["a.yaml", "b.yaml"]}
    path.write_text(yaml.safe_dump({**values, "limit": 20, "trials": 1}))
    found = [dict(planned.values) for planned in read_plan(path).points]
    assert found == [
        {"model": model, "config": config}
        for model in ("digits_mlp.onnx", "digits_resnet.onnx")
        for config in ("a", "b")
    ]


def test_identity_depends_on_all_that_matters_and_on_nothing_else(tmp_path: Path) -> None:
    def key(**values: Any) -> str:
        return plan_of(tmp_path, **values).points[0].point.key

    first = key()
    assert key(trials=7, name="other", stop={"half_width": 0.1, "at_least": 2}) == first
    assert key(settings={"adc": {"n_bits": 6}}) == first  # the default, written out
    assert key(settings={"device": {"n_bits": None, "n_levels": 64}}) == first  # the same levels
    different = [
        key(settings={"adc": {"n_bits": 5}}),
        key(settings={"seed": 1}),
        key(settings={"calibration": {"samples": 64}}),
        key(limit=21),
        key(metric="none"),
        key(calibrate=str(MODEL.with_name("digits_test.npz"))),
        key(label_offset=0, metric="top5"),
        key(model=str(MODEL.with_name("digits_resnet.onnx"))),
    ]
    assert len({first, *different}) == 1 + len(different)


def test_identity_does_not_depend_on_where_the_files_are(tmp_path: Path) -> None:
    here = plan_of(tmp_path).points[0]
    for file in MODEL.parent.iterdir():
        shutil.copy(file, tmp_path)
    there = plan_of(tmp_path, model="digits_mlp.onnx").points[0]
    assert there.model != here.model
    assert there.point.key == here.point.key
    assert there.trial_key(3) == here.trial_key(3)
    assert len({here.trial_key(0), here.trial_key(1), here.point.key}) == 3


def test_settings_that_change_alike_are_told_by_the_first(tmp_path: Path) -> None:
    axes = {"crossbar.rows, crossbar.cols": [32, [64, 16]], "adc.n_bits": [4]}
    found = [dict(planned.values) for planned in plan_of(tmp_path, axes=axes).points]
    assert found == [
        {"crossbar.rows": 32, "adc.n_bits": 4},
        {"crossbar.rows": 64, "crossbar.cols": 16, "adc.n_bits": 4},
    ]


def test_equal_points_are_one(tmp_path: Path) -> None:
    assert len(plan_of(tmp_path, axes={"adc.n_bits": [6, 6, 5]}).points) == 2


def test_chips_that_can_not_differ_are_known(tmp_path: Path) -> None:
    found = plan_of(tmp_path, axes={"device.write_sigma": [0, 0.1]}).points
    assert [planned.is_random for planned in found] == [False, True]
    only_one = {"layers": {"*": {"device": {"stuck_lrs": 0.1}}}}
    assert plan_of(tmp_path, settings=only_one).points[0].is_random


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"axes": {"adc.bits": [4]}}, "adc.bits"),
        ({"axes": {"adc.n_bits": [4.5]}}, "adc.n_bits=4.5"),
        ({"axes": {"adc.n_bits": [4], "adc.n_bits, dac.n_bits": [5]}}, "adc.n_bits twice"),
        ({"axes": {"trials": [1, 2]}}, "give trials: beside axes:"),
        ({"axes": {"": [1]}}, "expected dotted names"),
        ({"axes": [1]}, "axes"),
        ({"trials": 0}, "trials"),
        ({"trials": 2, "stop": {"half_width": 0.1}}, "above trials 2"),
        ({"stop": {"half_width": 0}}, "stop.half_width"),
        ({"model": "missing.onnx"}, "missing.onnx"),
        ({"config": "missing.yaml"}, "missing.yaml"),
        ({"models": ["a.onnx"]}, "model and models"),
        ({"model": []}, "models"),
        ({"limit": 0}, "limit: found 0"),
        ({"metric": "best"}, "metric"),
        ({"data": "missing.npz"}, "missing.npz"),
        ({"settings": {"layers": {"nolayer*": {"digital": True}}}}, "no layer has such a name"),
        ({"design": "spiral"}, "design"),
        ({"workers": 3}, "workers"),
    ],
)
def test_a_file_that_can_not_be_used_is_one_sentence(
    tmp_path: Path, values: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError) as caught:
        plan_of(tmp_path, **values)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["- 1", "model: [", "a: !!python/object:os.system {}", "7"])
def test_what_is_no_sweep_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text(text)
    with pytest.raises(InputError):
        read_plan(path)


def test_points_can_be_written_as_json(tmp_path: Path) -> None:
    point = plan_of(tmp_path, settings={"layers": {"*": {"adc": {"n_bits": 5}}}}).points[0].point
    assert json.loads(json.dumps(point.settings)) == point.settings
    assert "trials" not in point.settings


def test_a_stopping_rule_asks_for_trials_until_the_mean_is_known() -> None:
    stop = Stop(half_width=0.05, at_least=3)
    assert list(next_trials([], 10, stop)) == [0]
    assert list(next_trials([0.5], 10, stop)) == [1, 2]
    # Half width of the 95 % interval of three values: t(0.975, 2) s/sqrt(3), t = 4.302653.
    close, far = [0.50, 0.51, 0.52], [0.4, 0.5, 0.6]
    assert 4.302653 * np.std(close, ddof=1) / np.sqrt(3) < 0.05
    assert 4.302653 * np.std(far, ddof=1) / np.sqrt(3) > 0.05
    assert list(next_trials(close, 10, stop)) == []
    assert list(next_trials(far, 10, stop)) == [3]
    assert list(next_trials(far, 3, stop)) == []
    assert list(next_trials([0.5] * 3, 10, stop)) == [3]  # alike: a spread that is unknown, not nil
    assert list(next_trials([0.5], 2, stop)) == [1]


def test_without_a_stopping_rule_all_trials_follow_the_first() -> None:
    assert list(next_trials([], 5, None)) == [0]
    assert list(next_trials([0.5], 5, None)) == [1, 2, 3, 4]
    assert list(next_trials([0.5], 1, None)) == []
    assert list(next_trials([None, None], 3, None)) == [2]


def test_a_spread_is_either_listed_or_drawn() -> None:
    assert Spread(uniform=[0, 1]).is_drawn
    assert not Spread(range=[0, 1]).is_drawn
