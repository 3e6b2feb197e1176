"""Metrics are files: a new one is measured, shown, stored and exported without any other change."""

import csv
import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from commands_of import Commands
from stored import point_of, trial_of

import rxsim
from rxsim.cli import main
from rxsim.errors import InputError
from rxsim.metrics import Metric, all_metrics, chosen_metric, hit_options, metric_options, truth_for
from rxsim.store import merge_results, open_results, summarise
from rxsim.store.tables import FIRST_METRICS

Run = Callable[..., str]
ROOT = Path(__file__).parents[1]
MODELS = ROOT / "models"
TOP2 = """
import numpy as np
from rxsim.metrics import Metric

def hits(run):
    return (np.argsort(-run.outputs, axis=1)[:, :2] == run.classes[:, None]).any(axis=1)

METRIC = Metric(title="top-2", label="Top-2 accuracy", measure=hits, kind="hits", truth="classes",
                option="top2", unit="%", factor=100.0, low=0.0, high=1.0, counted=True)
"""
MARGIN = """
import numpy as np
from rxsim.metrics import Metric

def margins(run):
    best = np.sort(run.outputs.astype(np.float64), axis=1)
    return best[:, -1] - best[:, -2]

METRIC = Metric(title="margin", label="Margin of the best output", measure=margins, kind="each",
                truth="none", low=0.0)
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a package of one's own: all of rxsim and two metrics more."""
    folder = tmp_path_factory.mktemp("extended")
    package = folder / "rxsim"
    (package / "metrics").mkdir(parents=True)
    for path in (ROOT / "rxsim").iterdir():
        if path.name not in ("metrics", "__pycache__"):
            (package / path.name).symlink_to(path)
    for path in (ROOT / "rxsim/metrics").glob("*.py"):
        (package / "metrics" / path.name).symlink_to(path)
    (package / "metrics/top2.py").write_text(TOP2)
    (package / "metrics/margin.py").write_text(MARGIN)
    return folder


@pytest.fixture(scope="module")
def extended(package: Path) -> Iterator[Run]:
    """Commands of the package with two metrics more; as wide as its tables."""
    commands = Commands(package, COLUMNS="200")
    yield commands.run
    commands.close()


@pytest.fixture
def plain(sweeps_run_here: None, capsys: pytest.CaptureFixture[str]) -> Run:
    """Commands of rxsim as it is."""

    def run(*words: str) -> str:
        with pytest.raises(SystemExit) as stop:
            main(list(words))
        shown = capsys.readouterr()
        assert stop.value.code == 0, shown.err
        return shown.out

    return run


def float_outputs(indices: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Outputs of the shipped perceptron in onnxruntime, and the labels."""
    data = np.load(MODELS / "digits_test.npz")
    images = (data["x"][indices] * 0.0625).astype(np.float32)
    session = onnxruntime.InferenceSession(str(MODELS / "digits_mlp.onnx"))
    (outputs,) = session.run(None, {session.get_inputs()[0].name: images})
    return outputs, data["y"][indices]


def test_a_new_file_is_measured_in_json_and_in_the_ladder(extended: Run, tmp_path: Path) -> None:
    path = tmp_path / "e.json"
    options = ("--limit", "60", "--metric", "top2", "--set", "device.write_sigma=0.1")
    model = str(MODELS / "digits_mlp.onnx")
    shown = extended("eval", model, *options)
    extended("eval", model, *options, "--json", str(path))
    found: dict[str, Any] = json.loads(path.read_text())
    outputs, labels = float_outputs(found["images"]["indices"])
    # Two largest outputs and their distance, without the words of the metrics above.
    ordered = np.sort(outputs.astype(np.float64), axis=1)
    right = outputs[np.arange(len(labels)), labels]
    assert found["metric"] == "top2"
    rung = found["ladder"]["float32"]
    assert rung["top2"]["mean"] == np.mean(right >= ordered[:, -2].astype(np.float32))
    assert rung["margin"]["mean"] == pytest.approx(
        np.mean(ordered[:, -1] - ordered[:, -2]), rel=1e-6
    )
    assert rung["margin"]["interval_new_images"][0] < rung["margin"]["mean"]
    hits = found["images"]["top2_hits"]["nonideal"][0]
    assert np.mean(hits) == found["ladder"]["nonideal"]["top2"]["mean"]
    assert list(rung) == ["trials", *all_metrics(), "margin", "top2"]
    head = next(line for line in shown.splitlines() if "rung" in line)
    assert head.index("top-2") < head.index("top-1") < head.index("SNR dB") < head.index("margin")


def sweep_file(folder: Path, **values: Any) -> Path:
    path = folder / "s.yaml"
    path.write_text(
        json.dumps(
            {
                **{"model": str(MODELS / "digits_mlp.onnx"), "limit": 20, "trials": 2},
                **{"settings": {"device": {"write_sigma": 0.1}}, **values},
            }
        )
    )
    return path


def test_a_results_file_gets_columns_for_new_metrics_and_stays_readable(
    extended: Run, plain: Run, tmp_path: Path
) -> None:
    path, table = tmp_path / "r.sqlite", tmp_path / "r.csv"
    options = ("-o", str(path), "--workers", "1", "--cache", "none")
    plain("sweep", str(sweep_file(tmp_path, axes={"adc.n_bits": [6]})), *options)
    before = trials_of(path)
    assert set(before[0]) & {"top2", "margin"} == set()
    extended("sweep", str(sweep_file(tmp_path, axes={"adc.n_bits": [6, 4]})), *options)
    after = trials_of(path)
    assert len(after) == 4
    old, new = after[:2], after[2:]
    assert [{**row, "top2": None, "margin": None} for row in before] == old
    assert all(0 < row["accuracy"] <= row["top2"] <= 1 for row in new)
    assert all(row["margin"] > 0 for row in new)
    # The installation with these metrics shows and exports them; the one without still reads the file.
    shown = extended("results", "show", str(path), "--quantity", "margin", "--json")
    means = [point["mean"] for point in json.loads(shown)["points"]]
    assert sorted(means, key=str)[0] == pytest.approx(np.mean([row["margin"] for row in new]))
    for run in (plain, extended):
        run("results", "export", str(path), "-o", str(table))
        with table.open() as lines:
            exported = list(csv.DictReader(lines))
        assert {row["margin"] for row in exported} == {"", *(str(row["margin"]) for row in new)}
    answer = plain("results", "query", str(path), "SELECT max(top2) FROM results", "--json")
    assert str(max(row["top2"] for row in new)) in answer
    with open_results(path) as results:
        assert summarise(results, quantity="accuracy").quantity == "accuracy"
        with pytest.raises(InputError, match="margin is not known"):
            summarise(results, quantity="margin")


def trials_of(path: Path) -> list[dict[str, Any]]:
    """All trials as SQLite has them, in the order in which they were written."""
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    rows = [dict(row) for row in connection.execute("SELECT * FROM trials ORDER BY rowid")]
    connection.close()
    return rows


def test_a_merge_brings_the_columns_of_the_other_file(tmp_path: Path) -> None:
    point, other = point_of(1), point_of(2)
    into, source = tmp_path / "into.db", tmp_path / "source.db"
    with open_results(into, write=True) as results:
        results.add(point, trial_of(point, 0))
        with pytest.raises(ValueError, match="no column for margin"):
            results.add(point, trial_of(point, 1, margin=1.5))
    with open_results(source, write=True) as results:
        results.add_metrics(["margin"])
        results.add(point, trial_of(point, 0, margin=0.5))
        results.add(other, trial_of(other, 0, margin=1.5))
    merge_results(into, [source])
    found = {row["point"]: row["margin"] for row in trials_of(into)}
    # A finished trial stays as it is: that it was measured before there was a margin is no conflict.
    assert sorted(found.values(), key=str) == [1.5, None]
    merge_results(source, [into])
    with open_results(source) as results:
        assert sorted(trial.values["margin"] or 0 for trial in results.trials()) == [0.5, 1.5]


@pytest.mark.parametrize("name", ["seconds", "Margin", "a b", 'x" REAL, "y', ""])
def test_a_metric_that_can_be_no_column_is_refused(name: str, tmp_path: Path) -> None:
    with open_results(tmp_path / "r.db", write=True) as results:
        with pytest.raises(InputError, match=r"found a metric .*rename its file"):
            results.add_metrics([name])
        assert results.metrics == FIRST_METRICS


def test_the_shipped_metrics_have_their_places_and_options() -> None:
    assert tuple(all_metrics()) == FIRST_METRICS
    assert metric_options() == ("top1", "top5", "mse", "none")
    assert hit_options() == ("top1", "top5")
    assert [chosen_metric(name) for name in metric_options()] == ["accuracy", "top5", "mse", None]
    assert [truth_for(name) for name in metric_options()] == [
        "classes",
        "classes",
        "values",
        "none",
    ]


@pytest.mark.parametrize(
    ("name", "plain", "in_figures"),
    [
        *[("accuracy", "0.1235", "12.35"), ("mse", "0.1235", "0.1235"), ("snr_db", "0.12", "0.12")],
        ("relative_difference", "0.1235", "12.35"),
    ],
)
def test_values_are_written_with_the_digits_that_count(
    name: str, plain: str, in_figures: str
) -> None:
    metric: Metric = all_metrics()[name]
    assert (metric.text(0.123456), metric.figure_text(0.123456)) == (plain, in_figures)


def test_targets_may_be_larger_than_the_number_of_outputs_and_many(tmp_path: Path) -> None:
    """They are no classes: neither is their size an output's number, nor are samples balanced by it."""
    images = np.load(MODELS / "digits_test.npz")["x"]
    targets = np.random.default_rng(0).normal(50, 20, (len(images), 10))
    np.savez(tmp_path / "t.npz", x=images, y=targets)
    options = rxsim.DataOptions(data=tmp_path / "t.npz", metric="mse")
    found = rxsim.evaluate(MODELS / "digits_mlp.onnx", None, options)
    outputs, _ = float_outputs(list(range(len(images))))
    expected = np.mean((outputs - targets.astype(np.float32)) ** 2)
    assert found.rung("float32").trials[0].mean("mse") == pytest.approx(expected, rel=1e-5)
