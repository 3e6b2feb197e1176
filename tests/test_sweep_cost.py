"""Prices in sweeps: beside accuracy, in results, and without evaluating anything twice."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from here_pool import HerePool
from stored import plain_rows, point_of, trial_of

from rxsim.cli import main
from rxsim.errors import CircuitError, InputError, SettingError
from rxsim.pipeline import study_cost
from rxsim.pipeline.ladder import ladder
from rxsim.report.price_labels import PRICES, on_axis
from rxsim.report.results_table import arranged
from rxsim.store import (
    COST_NAMES,
    PointCost,
    Results,
    export_results,
    merge_results,
    open_results,
    summarise,
)
from rxsim.sweep import Plan, SweepEnd, read_plan, run_sweep
from rxsim.sweep import job as job_room
from rxsim.sweep.job import Job, Outcome, failed, run_job

MODEL = Path(__file__).parent.parent / "models" / "digits_mlp.onnx"
TECHNOLOGIES = Path(job_room.__file__).parent.parent / "cost" / "technologies"
NUMBER_OF_ARRAY = {"array_energy": "technology"}
NOISE = {"device": {"write_sigma": 0.05}, "calibration": {"samples": 16}}


def plan_of(folder: Path, settings: Mapping[str, Any] = {}, **values: Any) -> Plan:
    path = folder / "sweep.yaml"
    text = {"model": str(MODEL), "limit": 20, "settings": {**NOISE, **settings}, **values}
    path.write_text(yaml.safe_dump(text))
    return read_plan(path)


def swept(plan: Plan, path: Path, pool: Any = None) -> SweepEnd:
    with open_results(path, write=True) as results:
        return run_sweep(plan, results, pool or HerePool())


class CountingPool(HerePool):
    """Notes the jobs; may let some fail."""

    def __init__(self, fails: Any = lambda job: False) -> None:
        self.jobs: list[Job] = []
        self._fails = fails

    def submit(self, job: Job) -> Future[Outcome]:
        self.jobs.append(job)
        future: Future[Outcome] = Future()
        future.set_result(failed(job, "it was to fail") if self._fails(job) else run_job(job))
        return future

    @property
    def evaluated(self) -> list[tuple[str, int]]:
        return [(job.point, job.trial) for job in self.jobs if not job.only_price]


def command(*arguments: object) -> int:
    """Run a command; return its exit code."""
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    return int(end.value.code or 0)


def rows_of(path: Path) -> list[tuple[Any, ...]]:
    """What a file says of each trial but its time, by the plain module."""
    names = ", ".join(("point", "trial", "status", "accuracy", "snr_db", *COST_NAMES))
    return plain_rows(path, f"SELECT {names} FROM results ORDER BY point, trial")


def test_the_printed_shares_of_a_64x64_array_come_back(tmp_path: Path) -> None:
    """Source: Jain et al., IBM J. Res. Dev. 63(6), 2019, Fig. 2a: ADC 85 % of power, 65 % of area."""
    only_a_full_layer = {"fc2": {"digital": True}, "fc3": {"digital": True}}
    plan = plan_of(
        tmp_path,
        {"mapping": {"subtract": "digital"}, "layers": only_a_full_layer, "cost": NUMBER_OF_ARRAY},
        measure="cost",
        axes={"crossbar.rows, crossbar.cols": [16, 64], "adc.n_bits": [8, 10]},
    )
    swept(plan, tmp_path / "r.sqlite")
    with open_results(tmp_path / "r.sqlite") as results:
        costs = {
            (point.values["crossbar.rows"], point.values["adc.n_bits"]): point.costs
            for point in summarise(results).points
        }
    assert costs[64, 10]["adc_energy_share"] == pytest.approx(0.85, abs=0.005)
    assert costs[64, 10]["adc_area_share"] == pytest.approx(0.65, abs=0.005)
    parts = yaml.safe_load((TECHNOLOGIES / "rxnn-64.yaml").read_text())["components"]
    adc, dac, array, adder = (parts[name] for name in ("adc", "dac", "array", "shift_add"))
    for n in (16, 64):  # 8 bits: the ADC is stated; two sides of (64 / n)^2 tiles, each filled
        arrays = 2 * (64 // n) ** 2
        conversion = float(adc["power_w"]) / float(adc["rate_hz"])  # YAML 1.1 reads 1.2e9 as text
        per_column = conversion + adder["energy_j"]
        energy = arrays * (n * (per_column + dac["energy_j"]) + array["energy_j"] * n * n / 4096)
        area = arrays * (
            adc["area_mm2"]
            + adder["area_mm2"]
            + n * dac["area_mm2"]
            + array["area_mm2"] * n * n / 4096
        )
        got = costs[n, 8]
        assert got["energy_j"] == pytest.approx(energy, rel=1e-9)
        assert got["area_mm2"] == pytest.approx(area, rel=1e-9)
        assert got["adc_energy_share"] == pytest.approx(arrays * n * conversion / energy, rel=1e-9)
        assert got["latency_s"] == pytest.approx(n / 1.2e9, rel=1e-9)
        assert got["ops_per_j"] == pytest.approx(2 * 64 * 64 / energy, rel=1e-9)


AXES: dict[str, list[Any]] = {"adc.n_bits": [4, 6], "cost.technology": ["rxnn-64", "isaac", "puma"]}


def test_points_that_differ_in_cost_alone_are_evaluated_once(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, {"cost": NUMBER_OF_ARRAY}, axes=AXES, trials=3)
    pool = CountingPool()
    end = swept(plan, tmp_path / "r.sqlite", pool)
    assert len(plan.points) == 6
    assert len({planned.accuracy for planned in plan.points}) == 2
    assert len(pool.evaluated) == 2 * 3
    assert len(pool.jobs) == 2 * 3 + 4  # each other point is priced, with its first trial
    assert (end.new, end.failed, end.skipped, end.lent) == (18, 0, 0, 12)
    # Each technology in a file of its own, where nothing can be taken from others.
    rows = []
    for name in AXES["cost.technology"]:
        axes = {**AXES, "cost.technology": [name]}
        alone = plan_of(tmp_path, {"cost": NUMBER_OF_ARRAY}, axes=axes, trials=3)
        assert swept(alone, tmp_path / f"{name}.sqlite").lent == 0
        rows += rows_of(tmp_path / f"{name}.sqlite")
    assert rows_of(tmp_path / "r.sqlite") == sorted(rows, key=lambda row: row[:2])
    with open_results(tmp_path / "r.sqlite") as results:
        hits = {(t.point, t.trial): t.hits for t in results.trials(hits=True)}
        details = {point.key: point.details or {} for point in results.points(details=True)}
    for planned in plan.points:
        leader = next(p for p in plan.points if p.accuracy == planned.accuracy).point.key
        told = details[planned.point.key]
        assert told["cost"]["technology"] == planned.values["cost.technology"]
        assert told["ladder"] == details[leader]["ladder"]
        assert "layers" in told
        for trial in range(3):
            np.testing.assert_array_equal(hits[planned.point.key, trial], hits[leader, trial])
    again = CountingPool()
    assert swept(plan, tmp_path / "r.sqlite", again).new == 0
    assert not again.jobs


def test_scores_come_from_earlier_sweeps_in_the_file(tmp_path: Path) -> None:
    """From points without a price, and from other prices of earlier sweeps; missing chips are run."""
    path = tmp_path / "r.sqlite"
    plain = plan_of(tmp_path, axes={"adc.n_bits": [4, 6]}, trials=2)
    swept(plain, path)
    axes = {**AXES, "cost.technology": ["isaac"]}
    first, pool = plan_of(tmp_path, {"cost": NUMBER_OF_ARRAY}, axes=axes, trials=3), CountingPool()
    assert {p.accuracy for p in first.points} == {p.point.key for p in plain.points}
    assert not {p.point.key for p in first.points} & {p.point.key for p in plain.points}
    swept(first, path, pool)
    assert [trial for _, trial in pool.evaluated] == [2, 2]  # the third chip is new
    axes = {**AXES, "cost.technology": ["puma"]}
    second, pool = plan_of(tmp_path, {"cost": NUMBER_OF_ARRAY}, axes=axes, trials=3), CountingPool()
    end = swept(second, path, pool)
    assert not pool.evaluated
    assert end.lent == 6


def test_where_the_first_point_fails_the_others_are_evaluated(tmp_path: Path) -> None:
    axes = {"cost.technology": ["rxnn-64", "isaac", "puma"]}
    plan = plan_of(tmp_path, {"cost": NUMBER_OF_ARRAY}, axes=axes, trials=2)
    first = plan.points[0].point.key
    pool = CountingPool(fails=lambda job: job.point == first and job.trial == 1)
    end = swept(plan, tmp_path / "r.sqlite", pool)
    assert (end.new, end.failed) == (5, 1)
    second = plan.points[1].point.key
    assert pool.evaluated == [(first, 0), (first, 1), (second, 1)]
    assert swept(plan, tmp_path / "r.sqlite").lent == 1  # the failed one, now from the others


def test_a_point_whose_price_fails_is_told_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(tmp_path, {"cost": NUMBER_OF_ARRAY}, axes={"cost.technology": ["isaac", "puma"]})
    right = study_cost

    def cost_of(study: Any, **given: Any) -> Any:
        if study.settings.cost.technology == "isaac":
            raise CircuitError("the array can't be solved")
        return right(study, **given)

    monkeypatch.setattr(ladder, "study_cost", cost_of)
    end = swept(plan, tmp_path / "r.sqlite")
    assert (end.new, end.failed) == (1, 1)
    with open_results(tmp_path / "r.sqlite") as results:
        errors = {trial.point: trial.error for trial in results.trials()}
        assert list(results.costs()) == [plan.points[1].point.key]
    assert errors[plan.points[0].point.key] == "the array can't be solved"


def test_only_prices_are_computed_where_cost_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_room, "run_trial", None)
    monkeypatch.setattr(job_room, "prepare", None)
    plan = plan_of(tmp_path, {"cost": NUMBER_OF_ARRAY}, axes=AXES, measure="cost")
    end = swept(plan, tmp_path / "r.sqlite")
    assert (end.new, end.failed, end.skipped) == (6, 0, 0)
    evaluated = plan_of(tmp_path, {"cost": NUMBER_OF_ARRAY}, axes=AXES)
    keys = {planned.point.key for planned in plan.points}
    assert not keys & {planned.point.key for planned in evaluated.points}
    with open_results(tmp_path / "r.sqlite") as results:
        assert {cost.accuracy for cost in results.costs().values()} == {None}
        found = summarise(results)
    assert all(point.mean is None and point.costs["energy_j"] > 0 for point in found.points)
    by_energy = [point.costs["energy_j"] for point in arranged(found, "energy_j", None)]
    assert by_energy == sorted(by_energy)
    assert command("report", tmp_path / "r.sqlite", "-o", tmp_path / "r.html") == 0
    assert "energy" in (tmp_path / "r.html").read_text()


def test_arrays_that_are_solved_cost_what_their_sources_deliver(tmp_path: Path) -> None:
    axes = {"cost.array_energy": ["circuit", "technology"]}
    plan = plan_of(tmp_path, {"crossbar": {"rows": 16, "cols": 16}}, axes=axes)
    pool = CountingPool()
    swept(plan, tmp_path / "r.sqlite", pool)
    assert len(pool.evaluated) == 1
    with open_results(tmp_path / "r.sqlite") as results:
        told = {p.key: (p.details or {})["cost"] for p in results.points(details=True)}
    bases = [
        {each["name"]: each["basis"] for each in told[planned.point.key]["components"]}["array"]
        for planned in plan.points
    ]
    assert bases == ["circuit", "action"]


def test_without_a_section_a_point_has_the_key_that_it_had(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, axes={"adc.n_bits": [4]})
    assert plan.points[0].accuracy == plan.points[0].point.key
    assert "cost" not in plan.points[0].point.settings


def test_a_technologys_file_counts_by_its_content(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"

    def key(energy: float) -> str:
        adc = {"energy_j": energy, "source": "our chip", "status": "P"}
        file.write_text(yaml.safe_dump({"base": "isaac", "components": {"adc": adc}}))
        axes = {"cost.technology": ["mine.yaml"]}  # from the folder of the sweep's file
        return plan_of(tmp_path, axes=axes).points[0].point.key

    assert key(1e-12) == key(1e-12) != key(2e-12)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"axes": {"cost.technology": ["isac"]}}, "did you mean isaac"),
        ({"axes": {"cost.technology": ["gone.yaml"]}}, "gone.yaml"),
        (
            {"axes": {"adc.n_bits": [12], "cost.adc_model": ["saberi"]}},
            "adc.n_bits=12, cost.adc_model=.saberi.: .* expected 4 to 10",
        ),
        ({"axes": {"cost.adc_model": ["best"]}}, "cost.adc_model"),
        ({"measure": "price"}, "measure"),
        ({"measure": "cost", "trials": 2}, "no chip is evaluated"),
        ({"measure": "cost", "stop": {"half_width": 0.1}}, "no chip is evaluated"),
    ],
)
def test_what_cannot_be_priced_is_refused_before_anything_runs(
    values: dict[str, Any], says: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=says) as error:
        plan_of(tmp_path, **values)
    assert "\n" not in str(error.value)


def test_layers_are_checked_for_their_own_adcs(tmp_path: Path) -> None:
    layers = {"fc3": {"adc": {"n_bits": 12}}}
    with pytest.raises(SettingError, match="12 bits"):
        plan_of(tmp_path, {"layers": layers, "cost": {"technology": "isaac"}})


def priced(energy: float | None = 1e-9, accuracy: str | None = "a" * 64) -> PointCost:
    return PointCost(accuracy=accuracy, values={"energy_j": energy, "area_mm2": 0.5})


def old_file(path: Path) -> None:
    """A file as it was before there were prices."""
    with open_results(path, write=True) as results:
        results.add(point_of(4), trial_of(point_of(4), 0))
    connection = sqlite3.connect(path)
    (view,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'results'").fetchone()
    for name in COST_NAMES:
        view = view.replace(f", costs.{name}", "")
    view = view.replace(" LEFT JOIN costs ON costs.point = points.id", "")
    connection.executescript(f"DROP VIEW results; DROP TABLE costs; {view};")
    connection.close()


def test_files_without_prices_are_read_and_get_a_place_for_them(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite"
    old_file(path)
    before = plain_rows(path, "SELECT * FROM results")
    with open_results(path) as results:
        assert results.costs() == {} == summarise(results).points[0].costs
        assert results.same_accuracy("a" * 64) == []
        assert export_results(results, tmp_path / "old.csv") == 1
    assert "energy_j" not in (tmp_path / "old.csv").read_text()
    with open_results(path, write=True) as results:
        results.add(point_of(6), trial_of(point_of(6), 0), cost=priced())
    after = plain_rows(path, "SELECT * FROM results ORDER BY point = (SELECT key FROM points)")
    width = len(before[0])
    assert before[0] in [row[:width] for row in after]
    found = plain_rows(path, "SELECT energy_j, area_mm2, latency_s FROM results ORDER BY energy_j")
    assert found == [(None, None, None), (1e-9, 0.5, None)]
    merge_results(tmp_path / "all.sqlite", [path])
    old_file(tmp_path / "other.sqlite")
    merge_results(tmp_path / "all.sqlite", [tmp_path / "other.sqlite"])
    with open_results(tmp_path / "all.sqlite") as results:
        (kept,) = results.costs().values()
        assert kept.accuracy == "a" * 64
        assert kept.values["energy_j"] == 1e-9
        assert results.same_accuracy("a" * 64) == [point_of(6).key]


def test_a_point_keeps_its_first_price_and_what_is_not_finite_is_not_known(tmp_path: Path) -> None:
    with open_results(tmp_path / "r.sqlite", write=True) as results:
        point = point_of(6)
        results.add(point, trial_of(point, 0), cost=priced(float("inf")))
        results.add(point, trial_of(point, 1), cost=priced(2e-9))
        assert results.costs([point.key])[point.key].values["energy_j"] is None
        assert results.costs([]) == {}


def test_prices_are_shown_exported_and_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "r.sqlite"
    results: Results
    with open_results(path, write=True) as results:
        for bits, energy in ((4, 3e-9), (6, 1e-9), (8, None)):
            results.add(point_of(bits), trial_of(point_of(bits), 0), cost=priced(energy))
    assert command("results", "show", path, "--sort", "energy_j") == 0
    shown = capsys.readouterr().out
    assert shown.index("1 nJ") < shown.index("3 nJ")
    assert "0.5 mm2" in shown
    assert command("results", "show", path, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert [point["costs"].get("energy_j") for point in document["points"]] == [3e-9, 1e-9, None]
    assert command("results", "show", path, "--sort", "energy") == 2
    assert command("results", "query", path, "SELECT max(energy_j) e FROM results") == 0
    assert "3e-09" in capsys.readouterr().out
    assert command("report", path, "-o", tmp_path / "r.html") == 0
    page = (tmp_path / "r.html").read_text()
    assert "On the front: accuracy against energy of an inference" in page
    assert "Energy of an inference (nJ)" in page
    with open_results(path) as results:
        export_results(results, tmp_path / "r.csv")
    with (tmp_path / "r.csv").open() as lines:
        assert {row["energy_j"] for row in csv.DictReader(lines)} == {"3e-09", "1e-09", ""}


def test_labels_stand_for_every_price() -> None:
    assert tuple(PRICES) == COST_NAMES
    factor, label = on_axis("energy_j", [2e-9, 40e-9])
    assert factor == pytest.approx(1e9)
    assert label == "Energy of an inference (nJ)"
    assert on_axis("latency_s", [2.0]) == (1.0, "Time of an inference (s)")
    assert on_axis("area_mm2", [0.01]) == (1.0, "Area (mm²)")
    assert on_axis("adc_area_share", [0.5])[0] == 100
    assert on_axis("energy_j", []) == (1.0, "Energy of an inference (J)")
