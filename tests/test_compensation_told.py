"""What users see of compensation, with two small steps of the tests' own: numbers by hand from hits."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from here_pool import HerePool
from made_evidence import evidence_of
from made_steps import MADE, with_made_steps
from onnxruntime import InferenceSession
from scipy import stats

import rxsim
from rxsim.cli import main
from rxsim.compensate import NoOptions, OutputStep
from rxsim.config import load_settings
from rxsim.errors import SettingError
from rxsim.explain.advice import candidates_of
from rxsim.explain.remedies import REMEDIES
from rxsim.pipeline import DataOptions, Foundries, Study, evaluate, open_study, until_ci
from rxsim.pipeline.ladder.compensation import Gains
from rxsim.pipeline.ladder.rung import Rung
from rxsim.report.compensation_rows import notes, step_rows
from rxsim.report.html.compensation_blocks import compensation_blocks
from rxsim.report.html.ladder_section import ladder_numbers
from rxsim.report.html.page import build_page
from rxsim.report.material import read_material
from rxsim.run import Scores
from rxsim.scenarios import as_built
from rxsim.statistics import difference_interval
from rxsim.store import open_results
from rxsim.sweep import run_sweep
from rxsim.sweep.plan import read_plan

MODEL = Path(__file__).parent.parent / "models" / "digits_mlp.onnx"
STEPS: list[Any] = ["mirrored", {"scaled": {"gain": 0.9}}]
NAMED = f"compensate={json.dumps(STEPS)}"
QUICK = (
    *("calibration.samples=16", "crossbar.rows=32", "crossbar.cols=32"),
    *("crossbar.r_wire_bl=20", "device.write_sigma=0.05"),
)
LIMIT = 80


@pytest.fixture(scope="module", autouse=True)
def steps() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        with_made_steps(patch)
        yield


def studied(*assignments: str, limit: int = LIMIT) -> Study:
    settings = load_settings(assignments=[*QUICK, *assignments])
    return open_study(MODEL, settings, DataOptions(limit=limit), threads=1)


@pytest.fixture(scope="module")
def written() -> dict[str, Any]:
    values = evaluate(studied(NAMED, "trials=4")).as_json()
    found: dict[str, Any] = json.loads(json.dumps(values, allow_nan=False))
    return found


def run(*words: str, ends: tuple[int, ...] = (0,)) -> None:
    """Run a command."""
    with pytest.raises(SystemExit) as stop:
        main([str(word) for word in words])
    assert stop.value.code in ends


SET = tuple(word for text in (*QUICK, NAMED) for word in ("--set", text))


def hits(written: dict[str, Any], rung: str) -> np.ndarray:
    images = written["images"]
    return np.asarray(np.array(images["predictions"][rung]) == np.array(images["labels"]))


def paired(written: dict[str, Any], before: str, after: str) -> np.ndarray:
    return np.asarray(hits(written, after).astype(float) - hits(written, before))


# The numbers


def test_each_step_has_its_rung_and_the_last_is_compensated(written: dict[str, Any]) -> None:
    rungs = ["float32", "weights", "ideal", "nonideal", "+ mirrored", "compensated"]
    assert list(written["ladder"]) == rungs
    block = written["compensation"]
    assert (block["rung"], block["metric"]) == ("compensated", "accuracy")
    told = [
        (step["name"], step["rung"], step["place"], step["knows"], step["options"])
        for step in block["steps"]
    ]
    assert told == [
        ("mirrored", "+ mirrored", "design", "design", {}),
        ("scaled", "compensated", "output", "chip", {"gain": 0.9}),
    ]


@pytest.mark.parametrize(
    ("number", "before", "after"), [(0, "nonideal", "+ mirrored"), (1, "+ mirrored", "compensated")]
)
def test_gains_are_paired_differences_of_hits(
    written: dict[str, Any], number: int, before: str, after: str
) -> None:
    gain = written["compensation"]["steps"][number]["gain"]
    table = paired(written, before, after)
    assert gain["mean"] == pytest.approx(table.mean(), abs=1e-12)
    chips, images = table.shape
    # docs/concepts/model.md, section 8.
    rest = table - table.mean(1, keepdims=True) - table.mean(0) + table.mean()
    variance = (
        table.mean(1).var(ddof=1) / chips
        + table.mean(0).var(ddof=1) / images
        - (rest**2).sum() / ((chips - 1) * (images - 1)) / (chips * images)
    )
    over_chips = table.mean(1).var(ddof=1) / chips
    assert gain["standard_error"] == pytest.approx(
        math.sqrt(max(variance, over_chips, 0.0)), abs=1e-12
    )
    interval = difference_interval(table)
    assert interval is not None
    assert gain["interval"] == pytest.approx([interval.low, interval.high], abs=1e-12)


def test_what_came_back_is_the_gain_over_what_was_taken(written: dict[str, Any]) -> None:
    block = written["compensation"]
    taken, gain = paired(written, "nonideal", "ideal"), paired(written, "nonideal", "compensated")
    assert taken.shape == gain.shape == (4, LIMIT)
    assert block["taken"]["mean"] == pytest.approx(taken.mean(), abs=1e-12)
    assert block["gain"]["mean"] == pytest.approx(gain.mean(), abs=1e-12)
    assert block["taken"]["interval"][0] > 0
    share = gain.mean() / taken.mean()
    assert block["share_returned"]["mean"] == pytest.approx(share, abs=1e-12)


def test_the_error_of_the_share_is_that_of_simulated_ratios() -> None:
    """Made-up evaluations: the stated errors are, within 10 %, what the share scatters by.

    The scatter of 500 values is known to 3.2 %, so the bound is three standard errors. What comes back
    is the same for most chips, as of real images: without that the floor of the variance rules.
    """
    rng = np.random.default_rng(1)
    chips, images, shares, errors = 8, 100, [], []
    for _ in range(500):
        taken_by = 0.4 + 0.05 * rng.normal(size=(chips, 1)) + 0.15 * rng.normal(size=images)
        lost = rng.random((chips, images)) < taken_by
        back = lost & (rng.random((chips, images)) < rng.beta(1.4, 0.6, images))
        found = _share(~lost, ~lost | back)
        shares.append(found.mean)
        errors.append(found.standard_error or 0.0)
    assert np.mean(shares) == pytest.approx(0.7, abs=4 * np.std(shares) / math.sqrt(500))
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(shares), rel=0.1)


def test_no_share_is_told_where_nothing_is_proven_to_be_taken() -> None:
    same = np.ones((3, 50), dtype=bool)
    noise = same.copy()
    noise[0, 0] = False
    assert Gains(_rungs(same, same), "top1", alike=False).share_returned("compensated") is None
    assert Gains(_rungs(noise, same), "top1", alike=False).share_returned("compensated") is None


def _share(nonideal: np.ndarray, compensated: np.ndarray) -> Any:
    found = Gains(_rungs(nonideal, compensated), "top1", alike=False).share_returned("compensated")
    assert found is not None
    return found


def _rungs(nonideal: np.ndarray, compensated: np.ndarray) -> list[Rung]:
    clean = np.ones((1, nonideal.shape[1]), dtype=bool)
    tables = {"float32": clean, "ideal": clean, "nonideal": nonideal, "compensated": compensated}
    return [
        Rung(name, tuple(Scores(np.zeros(len(row), int), {"accuracy": row}) for row in table))
        for name, table in tables.items()
    ]


def test_needs_are_summed_over_layers_and_residuals_are_medians(written: dict[str, Any]) -> None:
    first, second = written["compensation"]["steps"]
    layers = {layer["name"]: layer for layer in written["layers"]}
    assert first["needs"]["spare_columns"] == sum(each["arrays"] for each in layers.values())
    assert second["needs"]["multipliers"] == sum(each["cols"] for each in layers.values())
    assert second["needs_by_layer"]["fc3"] == {"multipliers": 10, "reads": 1}
    residual = first["residual"]
    assert residual["before"] == np.median([each["rows"] for each in layers.values()])
    assert residual["after"] == np.median([each["cols"] for each in layers.values()])
    assert residual["worst_layer"] == {"name": "fc1", "before": 64.0, "after": 64.0}
    assert second["residual"] is None


def test_without_labels_agreement_is_told_and_equal_chips_count_once() -> None:
    study = studied(NAMED, "device.write_sigma=0", limit=40)
    values = evaluate(study).as_json()
    alike = [study.settings, values["deterministic"]]
    assert alike[1]
    options = DataOptions(limit=40, metric="none")
    settings = load_settings(assignments=[*QUICK, NAMED, "device.write_sigma=0", "trials=3"])
    found = evaluate(open_study(MODEL, settings, options, threads=1)).as_json()
    assert found["compensation"]["metric"] == "agreement"
    rungs = {name: np.array(p)[0] for name, p in found["images"]["predictions"].items()}
    agreed = {name: (each == rungs["float32"]).astype(float) for name, each in rungs.items()}
    table = agreed["compensated"] - agreed["nonideal"]
    gain = found["compensation"]["gain"]
    assert gain["mean"] == pytest.approx(table.mean(), abs=1e-12)
    if table.std() > 0:
        low, high = stats.t.interval(0.95, len(table) - 1, table.mean(), stats.sem(table))
        assert gain["interval"] == pytest.approx([low, high], abs=1e-9)


RUNGS = ["nonideal", "compensated"]
WITHOUT_WIRES = [f"crossbar.r_{of}=0" for of in ("wire_bl", "wire_wl", "driver", "sense")]


@pytest.mark.parametrize(
    ("step", "more"),
    [
        *(("pairs", []), ("digital_cells", []), ("spares", ["mapping.spare_cols=2"])),
        *(("predistort", WITHOUT_WIRES), ("order", WITHOUT_WIRES)),
        *(("ranges", ["calibration.samples=1"]), ("statistics", ["calibration.samples=4"])),
        ("columns", ["calibration.samples=4"]),
    ],
)
def test_a_step_that_did_nothing_says_so_and_asks_for_nothing(step: str, more: list[str]) -> None:
    found = evaluate(studied(f"compensate=[{step}]", *more, limit=5), RUNGS).as_json()
    images = found["images"]["predictions"]
    assert images["compensated"] == images["nonideal"]
    (told,) = found["compensation"]["steps"]
    assert told["changed"] is False
    assert set(told["needs"].values()) == {0}
    assert told["needs_by_layer"] == {}
    assert step_rows(found["compensation"])[0].needs == "nothing changed"


@pytest.mark.parametrize(
    ("step", "more"),
    [
        *(("pairs", ["device.stuck_lrs=0.02"]), ("digital_cells", ["device.stuck_lrs=0.02"])),
        *(("order", []), ("statistics", [])),
    ],
)
def test_a_step_that_did_something_tells_what_it_needs(step: str, more: list[str]) -> None:
    found = evaluate(studied(f"compensate=[{step}]", *more, limit=5), RUNGS).as_json()
    (told,) = found["compensation"]["steps"]
    assert told["changed"] is True
    assert sum(told["needs"].values()) > 0
    assert step_rows(found["compensation"])[0].needs != "nothing changed"


def test_the_test_of_cells_is_listed_once() -> None:
    more = ["device.stuck_lrs=0.02", "mapping.spare_cols=2"]
    names = ["spares", "pairs", "digital_cells"]
    found = evaluate(studied(f"compensate={json.dumps(names)}", *more, limit=5), RUNGS)
    told = found.as_json()["compensation"]
    alone = evaluate(studied("compensate=[pairs]", *more, limit=5), RUNGS).as_json()
    cells = alone["compensation"]["steps"][0]["needs"]["cell_reads"]
    assert cells > 0
    assert [step["needs"]["cell_reads"] for step in told["steps"]] == [cells, 0, 0]
    assert [step.get("cells_tested_for") for step in told["steps"]] == [None, "spares", "spares"]
    asked = [row.needs for row in step_rows(told)]
    assert asked[0].endswith(f"{cells:,} cells read")
    assert asked[1] == "the cells read for spares"
    assert asked[2].endswith(", the cells read for spares")


def test_a_negative_share_is_said_in_points() -> None:
    block = {
        "metric": "accuracy",
        "taken": {"mean": 0.01, "standard_error": 0.002},
        "gain": {"mean": -0.04, "standard_error": 0.005},
        "share_returned": {"mean": -4.0, "standard_error": 0.7},
    }
    (text,) = notes(block)
    assert text.endswith("all steps made it worse by 4.00 \N{PLUS-MINUS SIGN} 0.50 points.")
    assert "came back" not in text


def test_results_without_steps_have_no_block() -> None:
    assert "compensation" not in evaluate(studied(limit=5)).as_json()


def test_rungs_of_ones_own_tell_what_they_can() -> None:
    found = evaluate(studied(NAMED, limit=5), ["compensated"]).as_json()["compensation"]
    assert [step["gain"] for step in found["steps"]] == [None, None]
    assert (found["taken"], found["share_returned"]) == (None, None)
    assert "compensation" not in evaluate(studied(NAMED, limit=5), ["ideal"]).as_json()


# Shown


def test_the_terminal_shows_each_step(written: dict[str, Any], capsys: Any) -> None:
    run("eval", str(MODEL), "--limit", "20", "--trials", "2", "--quiet", "--seed", "3", *SET)
    out = capsys.readouterr().out
    for text in (
        "+ mirrored",
        "compensated",
        "Compensation, step by step",
        "Wires and devices took",
    ):
        assert text in out
    rows = step_rows(written["compensation"])
    assert rows[1].needs == "106 multiplications per position, 3 products read"
    gain = written["compensation"]["steps"][0]["gain"]
    sign = "+" if gain["mean"] > 0 else "\N{MINUS SIGN}"
    text = f"{sign}{abs(100 * gain['mean']):.2f} \N{PLUS-MINUS SIGN} {100 * gain['standard_error']:.2f}"
    assert rows[0].gain == text
    assert f"{100 * written['compensation']['share_returned']['mean']:.0f} " in notes(
        written["compensation"]
    )[0].replace("\N{MINUS SIGN}", "-")


def test_the_page_shows_each_step_and_escapes_it(written: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    hostile = json.loads(json.dumps(written))
    hostile["compensation"]["steps"][0]["name"] = "<script>alert(1)</script>"
    path.write_text(json.dumps(hostile))
    text = build_page(read_material(path))
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert "outputs &lt;b&gt;times&lt;/b&gt; a number" in text
    material = read_material(path)
    assert material.rows[0].mean == pytest.approx(hits(written, "compensated").mean(), abs=1e-12)


@pytest.mark.parametrize(
    "block",
    [
        *(None, 5, [], {}, {"steps": 3}, {"steps": [None, 1, {}]}, {"rung": 7, "metric": {}}),
        {"metric": "accuracy", "steps": [{"name": 1, "gain": {"mean": "x", "interval": [1]}}]},
        {"metric": "?", "steps": [{"needs": {"reads": "many"}, "residual": {"before": 1}}]},
    ],
)
def test_what_cannot_be_read_is_left_out(
    written: dict[str, Any], tmp_path: Path, block: Any
) -> None:
    assert all(len(row.cells) == 6 for row in step_rows(block))
    notes(block)
    path = tmp_path / "result.json"
    path.write_text(json.dumps({**written, "compensation": block}))
    material = read_material(path)
    assert material.chosen is not None
    assert ladder_numbers(material.chosen, material.quantity)
    compensation_blocks(material.chosen.point.details)


# Sweeps, search, the gate, comparisons


def test_a_point_of_a_sweep_is_the_built_chips(tmp_path: Path) -> None:
    path = tmp_path / "results.sqlite"
    settings = dict(text.split("=", 1) for text in QUICK)
    file = tmp_path / "sweep.yaml"
    with open_results(path, write=True) as results:
        for steps in (STEPS, []):
            base = {"model": str(MODEL), "limit": LIMIT, "trials": 2}
            file.write_text(json.dumps({**base, "settings": {**settings, "compensate": steps}}))
            assert run_sweep(read_plan(file), results, HerePool()).failed == 0
        points = results.points(details=True)
    by_steps = {bool(point.settings.get("compensate")): point for point in points}
    with_steps, without = (known.details for known in (by_steps[True], by_steps[False]))
    assert with_steps is not None
    assert without is not None
    # The rungs between steps are left out, and the chips of the last are the trials.
    assert list(with_steps["ladder"]) == ["float32", "weights", "ideal", "nonideal"]
    assert list(without["ladder"]) == ["float32", "weights", "ideal"]
    assert with_steps["compensation"]["rung"] == "compensated"
    assert {step["gain"] for step in with_steps["compensation"]["steps"]} == {None}
    assert "compensation" not in without
    for has_steps, point in by_steps.items():
        assignments = [NAMED] if has_steps else []
        wanted = evaluate(studied(*assignments, "trials=2")).ladder[-1]
        material = read_material(path, point=point.key)
        row = next(row for row in material.rows if row.key == point.key)
        assert row.values.tolist() == [run.mean("accuracy") for run in wanted.trials]
        page = build_page(material)
        assert ("Compensation, step by step" in page) == has_steps
        assert wanted.name in page


def test_an_axis_takes_lists_of_steps_as_text(tmp_path: Path) -> None:
    file = tmp_path / "sweep.yaml"
    values = ["none", "order", "order,ranges", "ranges, columns"]
    plan = {"model": str(MODEL), "limit": LIMIT, "axes": {"compensate": values}}
    file.write_text(json.dumps(plan))
    points = read_plan(file).points
    wanted: list[tuple[str, ...]] = [(), ("order",), ("order", "ranges"), ("ranges", "columns")]
    assert [point.settings.compensate for point in points] == wanted
    assert [point.values["compensate"] for point in points] == values
    plan["axes"] = {"compensate": [["order", "ranges"]]}
    file.write_text(json.dumps(plan))
    with pytest.raises(SettingError, match="names of steps as one text with commas between them"):
        read_plan(file)


@pytest.mark.parametrize("text", ["order,", ",", "none,order", "order;ranges"])
def test_a_text_that_is_no_list_of_steps_is_refused(text: str) -> None:
    with pytest.raises(SettingError, match=r"compensate: found .*, expected steps of"):
        load_settings(assignments=[f"compensate='{text}'"])


def test_search_judges_the_built_chips(tmp_path: Path, capsys: Any, sweeps_run_here: None) -> None:
    path = tmp_path / "found.json"
    run(
        *("search", str(MODEL), "--limit", "40", "--trials", "2", "--quiet", "--json", str(path)),
        *("--goal", "accuracy>=0.01", "--over", "crossbar.rows=32", "--minimise", "arrays"),
        *("--results", str(tmp_path / "r.sqlite"), *SET),
    )
    (point,) = json.loads(path.read_text())["points"]
    built = evaluate(studied(NAMED, "trials=2", limit=40)).rung("compensated")
    assert point["value"] == pytest.approx(np.mean([run.mean("accuracy") for run in built.trials]))


def test_the_gate_judges_the_built_chips(tmp_path: Path, capsys: Any) -> None:
    def cases(steps: list[Any]) -> Path:
        settings: dict[str, Any] = dict(text.split("=", 1) for text in QUICK)
        path = tmp_path / "regress.yaml"
        case = {"name": "mlp", "model": str(MODEL), "settings": {**settings, "compensate": steps}}
        path.write_text(json.dumps({"limit": LIMIT, "trials": 2, "cases": [case]}))
        return path

    baseline = tmp_path / "baseline.json"
    run("check", str(cases(STEPS)), "--baseline", str(baseline), "--update", "--quiet")
    (kept,) = json.loads(baseline.read_text())["cases"]
    built = evaluate(studied(NAMED, "trials=2")).rung("compensated").table("accuracy")
    assert built is not None
    assert kept["accuracy"] == pytest.approx(built.mean(), abs=1e-12)
    capsys.readouterr()
    # Without steps the change is told between two rungs.
    words = ("check", str(cases([])), "--baseline", str(baseline), "--json", "-", "--quiet")
    run(*words, ends=(0, 1))
    (case,) = json.loads(capsys.readouterr().out)["cases"]
    assert list(case["ladder_before"])[-1] == "compensated"
    assert list(case["ladder_after"])[-1] == "nonideal"
    assert case["fallen_rung"] in (None, "nonideal", "ideal", "weights")


def test_compare_takes_the_built_chips_of_both(written: dict[str, Any], tmp_path: Path) -> None:
    plain = evaluate(studied("trials=4")).as_json()
    found = rxsim.compare(_file(tmp_path / "a.json", plain), _file(tmp_path / "b.json", written))
    assert found.rung == "nonideal -> compensated"
    table = hits(written, "compensated").astype(float) - hits(plain, "nonideal")
    assert found.change == pytest.approx(table.mean(), abs=1e-12)
    assert any("built chips are compared" in note for note in found.notes)
    both = rxsim.compare(_file(tmp_path / "a.json", written), _file(tmp_path / "b.json", written))
    assert (both.rung, both.change) == ("compensated", 0.0)
    asked = rxsim.compare(tmp_path / "a.json", tmp_path / "b.json", rung="nonideal")
    assert asked.rung == "nonideal"


def _file(path: Path, values: dict[str, Any]) -> Path:
    path.write_text(json.dumps(values))
    return path


def test_until_ci_and_yield_are_of_the_built_chips() -> None:
    found = rxsim.evaluate(
        MODEL,
        load_settings(assignments=[*QUICK, NAMED]),
        DataOptions(limit=20),
        until_ci=30,
        trials=12,
        yield_at=1,
    )
    needed, told = found.chips_needed, found.chip_yield
    assert needed is not None
    assert told is not None
    assert (needed.rung, needed.chips, told.rung) == ("compensated", 10, "compensated")
    assert {len(rung.trials) for rung in found.ladder} == {1, 10}
    assert until_ci(30, 12) == needed.rule


# One chip as a file


def test_a_patched_file_is_the_chip_of_the_rung(written: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "chip.onnx"
    run(
        "patch", str(MODEL), "-o", str(path), "--limit", str(LIMIT), "--trial", "1", "--quiet", *SET
    )
    study = studied(NAMED)
    foundry = Foundries(study).open(as_built(study.settings))
    x = study.inputs.feeds(0, LIMIT)
    session = InferenceSession(path, providers=["CPUExecutionProvider"])
    (outputs,) = session.run([study.output], x)
    wanted = InferenceSession(foundry.make(1).network.model.SerializeToString())
    assert np.array_equal(outputs, wanted.run([study.output], x)[0])
    assert outputs.argmax(1).tolist() == written["images"]["predictions"]["compensated"][1]
    origin = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert origin["rxsim.scenario"] == "compensated"
    assert load_settings(_yaml(tmp_path, origin["rxsim.settings"])).compensate == (
        "mirrored",
        {"scaled": {"gain": 0.9}},
    )


def _yaml(folder: Path, text: str) -> Path:
    path = folder / "settings.yaml"
    path.write_text(text)
    return path


# Remedies


class Faulty(OutputStep[NoOptions]):
    title, source, options = "against faults", "", NoOptions

    def knows(self, options: NoOptions) -> Any:
        return "chip"

    def correct(self, bench: Any, options: NoOptions) -> Any:
        return {}


@pytest.mark.parametrize(
    ("assignments", "tried"),
    [
        ((), {"mirrored", "scaled"}),
        (("mapping.scheme=offset",), {"mirrored"}),
        (("device.stuck_lrs=0.01",), {"mirrored", "scaled", "pairs"}),
        (("compensate=[{scaled: {gain: 0.5}}]",), {"mirrored"}),
    ],
)
def test_remedies_are_steps_that_work_here_behind_those_taken(
    monkeypatch: pytest.MonkeyPatch, assignments: tuple[str, ...], tried: set[str]
) -> None:
    with_made_steps(monkeypatch, {**MADE, "pairs": Faulty()})
    study = studied(*assignments, limit=4)
    evidence = evidence_of(study, "snr_db", list(study.layer_settings()))
    taken = study.settings.compensate
    found = [each for name, each in candidates_of(evidence) if name == "compensation"]
    lists = [each.changes["compensate"] for each in found]
    made = {steps[-1] for steps in lists} & {"mirrored", "scaled", "pairs"}
    assert made == tried
    assert all(steps[:-1] == taken for steps in lists)
    assert REMEDIES["compensation"].against
