"""Accuracy over time: several times in one evaluation are what separate evaluations give."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import rxsim
from rxsim.cli import root
from rxsim.commands import evaluate as evaluate_command
from rxsim.config import load_settings
from rxsim.errors import InputError
from rxsim.load import load_network
from rxsim.pipeline import DataOptions, open_study
from rxsim.pipeline.chip import foundries as foundries_module
from rxsim.pipeline.chip.foundries import Foundries
from rxsim.pipeline.ladder.over_time import foundry_at
from rxsim.scenarios import SCENARIOS

MODEL = Path(__file__).parents[1] / "models" / "digits_mlp.onnx"
DAY, YEAR = 86400.0, 365 * 86400.0
PCM = {
    "device.model": "pcm-nandakumar",
    "crossbar.rows": 128,
    "crossbar.cols": 128,
    "calibration.samples": 16,
    "trials": 2,
}


def scores(result: Any, seconds: float | None = None) -> list[tuple[list[int], float | None]]:
    """Predictions and SNR of each chip: at a time, or of the rung that the ladder ends with."""
    rung = result.ladder[-1]
    if seconds is not None:
        rung = next(item.rung for item in result.over_time if item.seconds == seconds)
    return [(run.predictions.tolist(), run.mean("snr_db")) for run in rung.trials]


def evaluated(times: Any = None, **changes: Any) -> Any:
    settings = rxsim.settings(changes={**PCM, **changes})
    return rxsim.evaluate(MODEL, settings, DataOptions(limit=30), times=times, threads=1)


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({}, marks=pytest.mark.slow),  # the others hold as much, and something besides
        {"drift_compensation": "column"},
        {"device.refresh": "10h", "drift_compensation": "layer"},
        {"device.read_noise": "fresh"},
    ],
    ids=["plain", "column", "refresh", "fresh"],
)
def test_each_time_is_an_evaluation_of_its_own(more: Mapping[str, Any]) -> None:
    together = evaluated(["1h", 0, "1d"], **more)
    assert [item.seconds for item in together.over_time] == [3600.0, 0.0, DAY]
    for seconds in (3600.0, 0.0, DAY):
        alone = evaluated(**more, **{"device.time": seconds})
        assert scores(together, seconds) == scores(alone)
        if seconds == 3600:  # the ladder is that of the first time
            apart = ("over_time", "timing")
            left, right = together.as_json(), alone.as_json()
            assert {k: v for k, v in left.items() if k not in apart} == {
                k: v for k, v in right.items() if k not in apart
            }
            assert "over_time" not in right
    # What chips are read at first changes nothing.
    turned = evaluated([DAY, "1h", 0], **more)
    for seconds in (3600.0, 0.0, DAY):
        assert scores(turned, seconds) == scores(together, seconds)


def test_what_has_no_age_is_done_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = {"map_study": 0, "open_foundry": 0}
    for name in calls:
        plain = getattr(foundries_module, name)

        def counted(*given: Any, name: str = name, plain: Any = plain) -> Any:
            calls[name] += 1
            return plain(*given)

        monkeypatch.setattr(foundries_module, name, counted)
    evaluated([0, "1h", "1d", "1y"], trials=1)
    assert calls == {"map_study": 3, "open_foundry": 3}  # weights, ideal, nonideal


def test_the_chips_are_the_same_and_drift_by_the_law() -> None:
    """With exponents alone drawn, ln(G(t)/G(0)) = -nu ln(1 + t/t0) for each cell, nu its own."""
    settings = load_settings(
        assignments=[
            *(f"{name}={value}" for name, value in PCM.items()),
            "device.without=[write_error, read_noise]",
            "device.time=1h",
            *(f"crossbar.{name}=0" for name in ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense")),
        ]
    )
    study = open_study(MODEL, settings, DataOptions(limit=10), threads=1)
    first = Foundries(study).open(SCENARIOS["nonideal"])
    at: list[np.ndarray] = []
    for seconds in (0.0, 3600.0, YEAR):
        later = foundry_at(first, rxsim.settings(settings, changes={"device.time": seconds}))
        assert later.adcs is first.adcs
        assert all(a is b for a, b in zip(later.perfect, first.perfect, strict=True))
        at.append(later.make(1).transfers[0].matrices[0])
    start, hour, year = at
    cells = start != 0  # the other cell of a pair is at 0 S and stays there
    assert cells.mean() > 0.9
    t0 = 20.0  # Nandakumar et al., 2019
    nu_hour = -np.log(hour[cells] / start[cells]) / math.log1p(3600 / t0)
    nu_year = -np.log(year[cells] / start[cells]) / math.log1p(YEAR / t0)
    np.testing.assert_allclose(nu_year, nu_hour, rtol=1e-9)
    assert nu_hour.std() > 0.005


def test_adc_ranges_are_those_of_time_0() -> None:
    lsb = []
    for seconds in ("0", "1y"):
        assignments = [f"{name}={value}" for name, value in PCM.items()]
        settings = load_settings(assignments=[*assignments, f"device.time={seconds}"])
        study = open_study(MODEL, settings, DataOptions(limit=10), threads=1)
        adcs = Foundries(study).open(SCENARIOS["nonideal"]).adcs
        lsb.append([adc.lsb.tolist() for adc in adcs if adc is not None])
    assert lsb[0] == lsb[1]
    assert len(lsb[0]) == len(load_network(MODEL).layers)


def run(*words: object) -> Result:
    return CliRunner().invoke(root, [str(word) for word in words])


def test_the_command_writes_what_python_gives() -> None:
    options = [f"--set={name}={value}" for name, value in PCM.items()]
    done = run("eval", MODEL, *options, "--limit=30", "--time", "0,1h,1y", "--json", "-", "-q")
    assert done.exit_code == 0, done.output
    written = json.loads(done.stdout)
    result = evaluated([0, "1h", "1y"])
    plain = result.as_json()
    assert written["over_time"] == json.loads(json.dumps(plain["over_time"]))
    at_year = written["over_time"][2]
    assert at_year["time"] == YEAR
    assert at_year["trials"] == 2
    labels = written["images"]["labels"]
    each = [np.mean(np.array(row) == labels) for row in at_year["predictions"]]
    np.testing.assert_allclose(at_year["accuracy"]["per_trial"], each, rtol=1e-15)
    assert at_year["accuracy"]["mean"] < written["over_time"][0]["accuracy"]["mean"]


def test_the_table_tells_times_changes_and_circumstances() -> None:
    options = [f"--set={name}={value}" for name, value in PCM.items()]
    more = ["--set=drift_compensation=layer", "--set=device.refresh=10h"]
    done = run("eval", MODEL, *options, *more, "--limit=30", "--time=1d,0", "-q", "--json=-")
    numbers = json.loads(done.stdout)["over_time"]
    shown = run("eval", MODEL, *options, *more, "--limit=30", "--time=1d,0", "-q").stdout
    assert "Over time (nonideal)" in shown
    assert "drift_compensation: layer, device.refresh: every 10 h" in shown
    day, start = (item["accuracy"]["mean"] for item in numbers)
    (row,) = (line for line in shown.splitlines() if line.startswith(("│  1 d", "│ 1 d")))
    cells = [cell.strip() for cell in row.strip("│").split("│")]
    assert cells[:2] == ["1 d", f"{day:.4f}"]
    assert cells[5] == f"{day - start:+.4f}"
    assert "against 0 s" in shown
    # A single time is a setting and no table.
    assert "Over time" not in run("eval", MODEL, *options, "--limit=10", "--time=1d", "-q").stdout


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--time=3m"], "--time: found '3m', expected seconds of 0 or above"),
        (["--time=-1h"], "--time: found '-1h'"),
        (["--time=1h,"], "--time: found ''"),
        (["--time=nan"], "--time: found 'nan'"),
        (["--time=1e999"], "--time: found '1e999'"),
        (["--time=1h,0,3600"], "--time: found 1 h twice"),
        (["--time=0,1h", "--set=device.time=1d"], "together with --set device.time"),
        (["--time=0,1h", "--set=device.model=pcm-joshi"], "found time 1 h with model: pcm-joshi"),
        (["--time=0,1h", "--set=device.model=ideal"], "does not say what time does"),
        (["--time=0,1h", "--set=layers.fc1.device.time=1d"], "expected all layers to age alike"),
    ],
)
def test_bad_times_are_refused_before_anything_runs(
    more: list[str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate_command, "open_given", None)
    done = run("eval", MODEL, "--set=device.model=pcm-nandakumar", *more)
    assert isinstance(done.exception, InputError), done.exception
    assert words in str(done.exception)
    assert "\n" not in str(done.exception)
    assert done.exception.exit_code == 2


@pytest.mark.parametrize(
    ("times", "words"),
    [
        ("1h", "a list such as"),
        ([], "found no time"),
        ([True], "found true"),
        ([None], "found null"),
        ([0, -0.0], "found 0 s twice"),
        ([float("inf")], "found inf"),
        ([[1]], "found [1]"),
        ([np.float64(3600), "1h"], "1 h twice"),
    ],
)
def test_bad_times_in_python(times: Any, words: str) -> None:
    with pytest.raises(InputError) as refused:
        evaluated(times)
    assert words in str(refused.value)


def test_patch_writes_the_chip_at_a_time(tmp_path: Path) -> None:
    options = [f"--set={name}={value}" for name, value in PCM.items()]
    for name, more in (("a", "--time=1d"), ("b", "--set=device.time=1d"), ("c", "--time=0")):
        done = run("patch", MODEL, *options, "--limit=20", more, "-o", tmp_path / f"{name}.onnx")
        assert done.exit_code == 0, done.output
    files = {name: (tmp_path / f"{name}.onnx").read_bytes() for name in "abc"}
    assert files["a"] == files["b"] != files["c"]
    refused = run("patch", MODEL, *options, "--time=0,1h", "-o", tmp_path / "d.onnx")
    assert "expected a single time" in str(refused.exception)


def test_layers_with_a_model_that_knows_the_time_age_with_the_others() -> None:
    """When and how cells are read carries over to a layer's own model."""
    layers = {"fc1": {"device": {"model": "pcm-hermes"}}, "fc2": {"device": {"g_off": 1e-6}}}
    at_a_day = evaluated([DAY, 0], layers=layers, trials=1)
    stated = {**layers, "fc1": {"device": {"model": "pcm-hermes", "time": "1d"}}}
    changes = {**PCM, "device.time": "1d", "layers": stated, "trials": 1}
    alone = rxsim.evaluate(MODEL, rxsim.settings(changes=changes), DataOptions(limit=30))
    rows = [row["snr_db"] for row in at_a_day.as_json()["layers"]]
    assert rows == [row["snr_db"] for row in alone.as_json()["layers"]]
    young = [row["snr_db"] for row in evaluated([0], layers=layers, trials=1).as_json()["layers"]]
    assert all(old < new for old, new in zip(rows, young, strict=True))
    assert at_a_day.remarks == {}


def test_layers_that_do_not_age_are_named() -> None:
    """A model that was not measured at the time is read right after programming."""
    layers = {"fc1": {"device": {"model": "pcm-joshi"}}}
    result = evaluated([0, DAY], layers=layers, trials=1)
    assert result.remarks["not_aged"].startswith("device.time 1 d does not carry over")
    assert "device.model of fc1, which was not measured" in result.remarks["not_aged"]
    assert evaluated([0], layers=layers, trials=1).remarks == {}
    changes = {**PCM, "device.time": "1d", "layers": layers}
    single = rxsim.evaluate(MODEL, rxsim.settings(changes=changes), limit=20, trials=1)
    assert single.remarks == result.remarks


def test_patch_names_layers_that_do_not_age(tmp_path: Path) -> None:
    options = [f"--set={name}={value}" for name, value in PCM.items()]
    layers = "--set=layers={fc1: {device: {model: pcm-joshi}}}"
    out = tmp_path / "a.onnx"
    done = run("patch", MODEL, *options, layers, "--limit=20", "--time=1d", "-o", out)
    assert done.exit_code == 0, done.output
    assert "does not carry over to the device.model of fc1" in done.output


@pytest.mark.parametrize(
    ("text", "told"), [("1m", True), ("2 M", True), ("1x", False), ("m", False)]
)
def test_a_time_in_m_is_asked_whether_it_is_minutes_or_months(text: str, told: bool) -> None:
    with pytest.raises(InputError) as refused:
        evaluated([text])
    number = text[0]
    hint = f"({number}min is minutes, {number}mo is months)"
    assert (hint in str(refused.value)) == told
