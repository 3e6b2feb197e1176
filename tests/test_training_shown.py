"""A training on the terminal, as a page and as a figure: numbers, hostile names, malformed files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result
from html_page import Page
from matplotlib.figure import Figure
from rich.console import Console
from test_html_hostile import HOSTILE

from rxsim.api import Retraining
from rxsim.commands.plot import command as plot
from rxsim.commands.report import command as report
from rxsim.config import Settings
from rxsim.errors import InputError
from rxsim.report.html.training_page import build_training_page
from rxsim.report.labels import shortened
from rxsim.report.retrain_terminal import print_training
from rxsim.report.training_charts import TRAINING_QUANTITIES, draw_training
from rxsim.report.training_values import read_training
from rxsim.retrain.options import RetrainOptions
from rxsim.retrain.result import CurvePoint, Training

LOSSES = (0.5, 0.375, 0.25, 0.3125)


def made(**changes: Any) -> Training:
    points = tuple(
        CurvePoint(
            iteration=25 * k,
            loss=None if k == 0 else 0.6 - 0.1 * k,
            held_out_loss=loss,
            held_out_accuracy=0.75 + 0.05 * k,
            seconds=3.0 * k,
        )
        for k, loss in enumerate(LOSSES)
    )
    told = {
        "model": {"name": "net.onnx", "sha256": "0"},
        "data": {"name": "train.npz"},
        "options": {"iterations": 75, "noise": "exact", "clip": None},
        "inputs": 900,
        "held_out": 100,
        "not_trained": {"conv1": "its weights are quantised"},
    }
    values: dict[str, Any] = {"points": points, "best": 2, "values": {}, "told": told, **changes}
    return Training(**values)


@pytest.fixture
def content() -> Any:
    return json.loads(json.dumps(made().as_json(), allow_nan=False))


def written(content: Any, path: Path) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def run(command: Any, *arguments: object) -> Result:
    return CliRunner().invoke(command, [str(each) for each in arguments])


def refused(result: Result) -> str:
    assert isinstance(result.exception, InputError), result.exception
    assert "\n" not in str(result.exception)
    return str(result.exception)


def test_the_terminal_shows_the_curve_and_what_is_not_trained() -> None:
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    print_training(made(stopped="enough"), "out.onnx", {"solve": 1.5}, console)
    text = console.export_text()
    assert "0.2500 *" in text
    assert "out.onnx: the weights of iteration 50 (*)" in text
    assert "ended early: enough" in text
    assert "layer conv1: its weights are quantised" in text
    shown = Retraining(
        **{name: getattr(made(), name) for name in ("points", "best", "values", "told", "stopped")},
        model=onnx.ModelProto(),
        settings=Settings(),
    )
    assert "0.2500 *" in repr(shown)
    assert "Seconds" not in repr(shown)
    assert "0.2500 *" in shown._repr_html_()


def test_a_training_that_found_nothing_better_says_so() -> None:
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    print_training(made(best=0), "out.onnx", {}, console)
    assert "nothing better than the network's own weights" in console.export_text()


def test_a_result_below_the_network_before_matching_is_told() -> None:
    for loss, told in ((0.1, True), (9.0, False)):
        console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
        before = CurvePoint(0, None, loss, 0.4, 0.0)
        print_training(replace(made(), before=before), "out.onnx", {}, console)
        text = console.export_text()
        assert f"loss {loss:.4f}, right 0.4000 on what is held out" in text
        assert ("train with --start file" in text) == told


def test_of_many_refreshes_some_are_shown_the_best_among_them() -> None:
    points = tuple(CurvePoint(k, None, 1.0, 0.5, 0.0) for k in range(1000, 1151))
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    print_training(made(points=points, best=75), "out.onnx", {}, console)
    text = console.export_text()
    rows = [int(line.split()[1]) for line in text.splitlines() if line.startswith("\u2502")]
    assert {1000, 1075, 1150} <= set(rows)
    assert f"{len(rows)} of 151 refreshes are shown" in text
    assert len(rows) <= 22


def test_the_page_has_the_curve_and_the_options(content: Any) -> None:
    page = Page(build_training_page(content, "t.json", "rxsim report t.json"))
    assert page.tags["script"] == page.tags["img"] == 0
    assert page.tags["svg"] == 2
    assert len(set(page.ids)) == len(page.ids)
    rows = page.table("iteration")
    assert [row[:3] for row in rows] == [
        ["0", "-", "0.5"],
        ["25", "0.5", "0.375"],
        ["50", "0.4", "0.25"],
        ["75", "0.3", "0.3125"],
    ]
    assert [row[3] for row in rows] == ["75.00 %", "80.00 %", "85.00 %", "90.00 %"]
    assert page.table("option") == [["iterations", "75"], ["noise", "exact"], ["clip", "none"]]
    assert page.table("layer") == [["conv1", "its weights are quantised"]]
    assert "net.onnx trained against its crossbars" in " ".join(page.text)


def test_lines_are_those_of_the_points(content: Any) -> None:
    training = read_training(content)
    assert training is not None
    axes: Any = Figure().subplots()
    draw_training(axes, training, TRAINING_QUANTITIES["loss"])
    batches, held_out, kept = axes.get_lines()
    np.testing.assert_allclose(held_out.get_xdata(), [0.0, 25, 50, 75])
    np.testing.assert_allclose(held_out.get_ydata(), LOSSES)
    # Means over 25 batches stand at the middle of these.
    np.testing.assert_allclose(
        batches.get_xydata(), [(12.5, 0.5), (37.5, 0.4), (62.5, 0.3)], atol=1e-12
    )
    assert list(kept.get_xdata()) == [50, 50]
    axes = Figure().subplots()
    draw_training(axes, training, TRAINING_QUANTITIES["accuracy"])
    np.testing.assert_allclose(axes.get_lines()[0].get_ydata(), [75, 80, 85, 90])


def test_report_and_plot_take_the_file(content: Any, tmp_path: Path) -> None:
    source = written(content, tmp_path / "t.json")
    for command, output, told, options in (
        (report, tmp_path / "t.html", "a training", []),
        (plot, tmp_path / "t.pdf", "loss by iteration", []),
        (plot, tmp_path / "t.svg", "accuracy by iteration", ["--y", "accuracy", "--title", "T"]),
    ):
        made = []
        for _ in range(2):
            result = run(command, source, "-o", output, "--quiet", *options)
            assert result.exit_code == 0, result.exception
            made.append(output.read_bytes())
        assert made[0] == made[1]
        assert told in result.stdout


def test_options_that_a_training_has_no_use_for(content: Any, tmp_path: Path) -> None:
    source = written(content, tmp_path / "t.json")
    result = run(report, source, "-o", tmp_path / "t.html", "--point", "x")
    assert "found --point with" in refused(result)
    for options, words in (
        (["--x", "adc.n_bits"], "--x: found 'adc.n_bits', expected iteration"),
        (["--y", "snr_db"], "--y: found 'snr_db', expected loss or accuracy"),
        (["--by", "seed"], "found --by with"),
        (["--mean"], "found --mean with"),
        (["--width", "3"], "--width: found 3"),
    ):
        result = run(plot, source, "-o", tmp_path / "t.pdf", *options)
        assert words in refused(result)
    assert [path.name for path in tmp_path.iterdir()] == ["t.json"]


def test_hostile_names_are_only_text(content: Any) -> None:
    content["model"]["name"] = content["data"]["name"] = content["stopped"] = " ".join(HOSTILE)
    content["options"] = {name: name for name in HOSTILE}
    content["not_trained"] = {name: name for name in HOSTILE}
    text = build_training_page(content, HOSTILE[0], " ".join(HOSTILE))
    text.encode()
    page = Page(text)
    assert page.tags["script"] == page.tags["img"] == 0
    assert [row[0] for row in page.table("layer")] == [shortened(name, 120) for name in HOSTILE]


@pytest.mark.parametrize(
    "change",
    [
        {"points": []},
        {"points": None},
        {"points": [3, {"iteration": "a"}, {"iteration": -1}, {"iteration": 1e300}]},
    ],
)
def test_a_file_without_points_is_refused(content: Any, change: Any, tmp_path: Path) -> None:
    source = written({**content, **change}, tmp_path / "t.json")
    result = run(report, source, "-o", tmp_path / "t.html")
    assert "without points" in refused(result)
    result = run(plot, source, "-o", tmp_path / "t.pdf")
    assert "without a curve of loss" in refused(result)
    assert [path.name for path in tmp_path.iterdir()] == ["t.json"]


@pytest.mark.parametrize("value", [None, "a", [], {}, -1, 1e300, True, float("nan")])
def test_entries_of_the_wrong_kind_are_left_out(content: Any, value: Any) -> None:
    for point in content["points"][1:]:
        for name in ("loss", "held_out_loss", "held_out_accuracy", "seconds"):
            point[name] = value
    for name in (
        "model",
        "data",
        "options",
        "inputs",
        "held_out",
        "not_trained",
        "best",
        "stopped",
    ):
        content[name] = value
    page = Page(build_training_page(content, "t.json"))
    assert len(page.table("iteration")) == 4


def test_the_options_in_the_file_are_those_of_the_training() -> None:
    """Every option stands in the JSON, plain."""
    from dataclasses import asdict

    plain = json.loads(json.dumps(asdict(RetrainOptions(iterations=3, clip=2))))
    assert plain["clip"] == 2.0
    assert plain["train_on"] == "none"
