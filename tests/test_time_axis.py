"""Times after programming as an axis: in sweeps, in tables, and in figures with a place for 0."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner, Result
from here_pool import HerePool
from known import known
from made_results import CLEAN, details_of, made_point, made_trial, rung
from matplotlib.axes import Axes

import rxsim
from rxsim.cli import root
from rxsim.durations import SECONDS
from rxsim.errors import InputError
from rxsim.pipeline import DataOptions
from rxsim.report import drawing, figure
from rxsim.report.figure import Plot, draw_figure
from rxsim.report.html import build_page
from rxsim.report.html import page as page_module
from rxsim.report.html.over_time_section import over_time_section
from rxsim.report.html.page_blocks import Chart, Table
from rxsim.report.html.svg import SvgMaker
from rxsim.report.material import Material, read_material
from rxsim.report.scales import axis_of
from rxsim.store import open_results
from rxsim.sweep import read_plan, run_sweep

MODEL = Path(__file__).parents[1] / "models" / "digits_mlp.onnx"
HOUR, DAY, YEAR = SECONDS["h"], SECONDS["d"], SECONDS["y"]
SCRIPT = "<script>window.pwned = 1</script>"


def run(*words: object, **environment: str) -> Result:
    return CliRunner().invoke(root, [str(word) for word in words], env=environment)


def aged(path: Path, times: Any, chips: int = 3, **more: Any) -> Material:
    """Write points at some times, with chips that lose 3 % each time."""
    with open_results(path, write=True) as results:
        for place, seconds in enumerate(times):
            changes = {"device.model": "pcm-nandakumar", "device.time": seconds, **more}
            point = made_point(changes, names=["conv1"])
            for number in range(chips):
                accuracy = 0.9 - 0.03 * place + 0.002 * number
                details = point.details if number == 0 else None
                results.add(point, made_trial(point, number, accuracy), details)
    return read_material(path, quantity="accuracy")


# The axis


def test_0_stands_one_step_below_the_smallest_time() -> None:
    axis = axis_of("device.time", [YEAR, 0, DAY, HOUR])
    assert axis.log
    assert axis.tick_texts == axis.tick_labels == ("0 s", "1 h", "1 d", "1 y")
    assert axis.places[1:] == (HOUR, DAY, YEAR)
    step = (YEAR / HOUR) ** 0.5  # two steps from the first to the last
    assert axis.places[0] == axis.zero == pytest.approx(HOUR / step, rel=1e-12)
    assert axis.place_of(0) == axis.places[0]
    assert axis.place_of(DAY) == DAY
    assert axis.label.full == "Time after programming"


def test_a_scale_follows_the_times() -> None:
    days = [0.0, DAY, 2 * DAY, 3 * DAY]
    linear = axis_of("device.time", days)
    assert not linear.log
    assert linear.places == tuple(days)
    assert linear.tick_texts == ("0 s", "1 d", "2 d", "3 d")
    forced = axis_of("device.time", days, log=True)
    assert forced.log
    assert forced.places[0] == pytest.approx(DAY / 3**0.5)
    assert axis_of("device.time", [HOUR, DAY, YEAR]).zero is None
    assert not axis_of("device.time", [0, HOUR, YEAR], log=False).log
    assert axis_of("device.time", [0, DAY], log=True).zero == pytest.approx(DAY / 10)
    assert not axis_of("device.time", [0, DAY]).log


def test_many_times_have_ticks_at_round_ones() -> None:
    times = [0.0, *np.geomspace(7.0, 3e8, 24)]
    axis = axis_of("device.time", times)
    ticks = axis.ticks
    assert ticks is not None
    assert 4 <= len(ticks) == len(axis.tick_labels) <= 9
    assert axis.tick_labels[0] == "0 s"
    inside = np.array(ticks[1:])
    assert ((inside >= 7) & (inside <= 3e8)).all()
    assert [SECONDS[text.split()[1]] * float(text.split()[0]) for text in axis.tick_labels[1:]] == [
        pytest.approx(tick) for tick in ticks[1:]
    ]


def test_times_that_would_read_alike_are_told_in_seconds() -> None:
    assert axis_of("device.time", [90001.0, 90010.0]).texts == ("90001 s", "90010 s")
    assert axis_of("device.refresh", [None, DAY]).texts == ("1 d", "none")


# Figures


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Axes]:
    kept: list[Axes] = []
    original = drawing.draw_curves

    def draw(axes: Axes, *given: Any) -> Any:
        kept.append(axes)
        return original(axes, *given)

    monkeypatch.setattr(figure, "draw_curves", draw)
    return kept


@pytest.mark.parametrize("count", [4, 20])
def test_no_line_leads_over_the_break(count: int, tmp_path: Path, drawn: list[Axes]) -> None:
    times = [0.0, *np.geomspace(HOUR, YEAR, count - 1)]
    material = aged(tmp_path / "r.sqlite", times)
    assert draw_figure(material, Plot(x="device.time"), "svg")
    (axes,) = drawn
    assert axes.get_xscale() == "log"
    assert axes.get_xlabel() == "Time after programming"
    lines = [line for line in axes.lines if np.size(line.get_xdata()) > 2]
    x, y = (np.asarray(part, float) for part in lines[0].get_data())
    expected = 100 * (0.9 - 0.03 * np.arange(count) + 0.002)
    np.testing.assert_allclose(y[[0, *range(2, count + 1)]], expected, rtol=1e-12)
    assert np.isnan(y[1])  # the gap
    np.testing.assert_allclose(x[2:], times[1:], rtol=1e-9)
    assert 0 < x[0] < x[1] < HOUR
    assert [text.get_text() for text in axes.texts].count("/") == 2
    labels = [tick.get_text() for tick in axes.get_xticklabels()]
    assert labels[0] == "0 s"
    # The point at 0 has its bar of error, however many points there are.
    bars = [
        segment for each in axes.collections for segment in getattr(each, "get_segments", list)()
    ]
    at_zero = [segment for segment in bars if len(segment) and segment[0][0] == x[0]]
    assert len(at_zero) == 1
    low, high = sorted(at_zero[0][:, 1])
    assert low < expected[0] < high


def test_a_line_for_each_compensation(tmp_path: Path, drawn: list[Axes]) -> None:
    for kind in ("none", "layer"):
        aged(tmp_path / "r.sqlite", [0, HOUR, YEAR], drift_compensation=kind)
    material = read_material(tmp_path / "r.sqlite", quantity="accuracy")
    draw_figure(material, Plot(x="device.time", by="drift_compensation"), "svg")
    legend = known(drawn[0].get_legend())
    assert [text.get_text() for text in legend.get_texts()] == ["none", "layer"]
    for text in ("1y", "1 y", "31536000", "365d"):
        chosen = Plot(x="drift_compensation", where=(("device.time", text),))
        assert len(figure.chosen_rows(material, chosen)) == 2
    with pytest.raises(InputError, match="expected one of 0 s, 1 h, 1 y"):
        draw_figure(material, Plot(x="drift_compensation", where=(("device.time", "2h"),)), "svg")
    with pytest.raises(InputError, match=r"--where device\.time=0 s"):
        draw_figure(material, Plot(x="drift_compensation"), "svg")


def test_plot_command_takes_a_log_axis_with_0(tmp_path: Path) -> None:
    aged(tmp_path / "r.sqlite", [0, HOUR, YEAR])
    words = ("plot", tmp_path / "r.sqlite", "--x", "device.time", "--y", "accuracy", "-q")
    for more in ("--log-x", "--linear-x"):
        done = run(*words, more, "-o", tmp_path / f"{more}.svg")
        assert done.exit_code == 0, done.output


# Sweeps


def test_a_sweep_over_time_is_an_evaluation_at_each(tmp_path: Path) -> None:
    settings = {
        "crossbar": {"rows": 128, "cols": 128},
        "device": {"model": "pcm-nandakumar"},
        "calibration": {"samples": 16},
    }
    file = tmp_path / "s.yaml"
    axes = {"device.time": [0, "1h", "1e5"], "drift_compensation": ["none", "layer"]}
    values = {"model": str(MODEL), "limit": 30, "settings": settings, "axes": axes, "trials": 2}
    file.write_text(yaml.safe_dump(values))
    plan = read_plan(file)
    assert [p.values["device.time"] for p in plan.points[::2]] == [0, 3600.0, 1e5]
    for _ in range(2):
        with open_results(tmp_path / "r.sqlite", write=True) as results:
            end = run_sweep(plan, results, HerePool())
            stored = {
                (planned.values["device.time"], planned.values["drift_compensation"]): [
                    trial.values["accuracy"] for trial in results.trials([planned.point.key])
                ]
                for planned in plan.points
            }
    assert (end.new, end.known) == (0, 12)
    for kind in ("none", "layer"):
        result = rxsim.evaluate(
            MODEL,
            rxsim.settings(settings, changes={"trials": 2, "drift_compensation": kind}),
            DataOptions(limit=30),
            times=[0, "1h", 1e5],
        )
        for item in result.over_time:
            each = [run.mean("accuracy") for run in item.rung.trials]
            assert stored[item.seconds, kind] == each
    shown = run("results", "show", tmp_path / "r.sqlite", COLUMNS="200").stdout
    assert [text in shown for text in ("0 s │", "1 h │", "1.16 d │")] == [True] * 3, shown
    assert "1 h" in run("sweep", file, "--dry-run", "-o", tmp_path / "r.sqlite").stdout
    run("results", "export", tmp_path / "r.sqlite", "-o", tmp_path / "r.csv")
    with (tmp_path / "r.csv").open() as stream:
        told = {float(row["device.time"]) for row in csv.DictReader(stream)}
    assert told == {0.0, 3600.0, 1e5}


@pytest.mark.parametrize("value", ["3m", "-1h", "", "1h;", SCRIPT])
def test_a_bad_time_of_an_axis_is_refused(value: str, tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    values = {
        "model": str(MODEL),
        "settings": {"device": {"model": "pcm-nandakumar"}},
        "axes": {"device.time": [0, value]},
    }
    file.write_text(yaml.safe_dump(values))
    with pytest.raises(InputError) as refused:
        read_plan(file)
    assert "device.time" in str(refused.value)
    assert "\n" not in str(refused.value)


# The page


def evaluation(path: Path, over_time: Any, **settings: Any) -> Material:
    """Write what `rxsim eval --json` writes, as far as reports read it."""
    point = made_point({"device.model": "pcm-nandakumar"}, names=["conv1"])
    details = details_of(point.settings, ["conv1"])
    details["ladder"]["nonideal"] = rung(CLEAN - 0.02, 12.0)
    content = {**details, "settings": {**point.settings, **settings}, "over_time": over_time}
    path.write_text(json.dumps(content))
    return read_material(path)


def at_time(seconds: Any, accuracy: float, spread: float = 0.01) -> dict[str, Any]:
    values = rung(accuracy, 10.0)
    values["accuracy"] |= {
        "std": spread,
        "interval_these_images": [accuracy - spread, accuracy + spread],
        "per_trial": [accuracy - spread, accuracy + spread],
    }
    return {"time": seconds, **values}


def test_the_page_shows_an_evaluation_over_time(tmp_path: Path) -> None:
    rows = [at_time(DAY, 0.8), at_time(0, 0.9), at_time(HOUR, 0.85)]
    material = evaluation(tmp_path / "e.json", rows, drift_compensation="layer")
    section = over_time_section(material, SvgMaker())
    assert section is not None
    (table,) = (block for block in section.blocks if isinstance(block, Table))
    assert [row[:3] for row in table.rows] == [
        ("0 s", "90.00", "0.00"),
        ("1 h", "85.00", "\N{MINUS SIGN}5.00"),
        ("1 d", "80.00", "\N{MINUS SIGN}10.00"),
    ]
    assert table.head[2] == "against 0 s"
    assert table.rows[2][4] == "79.00 to 81.00"
    (chart,) = (block for block in section.blocks if isinstance(block, Chart))
    texts = [part.partition("<")[0] for part in str(chart.svg).split(">")]
    assert {"0 s", "1 h", "1 d", "/"} <= set(texts)
    page = build_page(material)
    assert 'id="over-time"' in page
    assert "Drift compensation: layer; programmed anew: never." in page
    without_0 = evaluation(tmp_path / "f.json", rows[:1] + rows[2:])
    section = over_time_section(without_0, SvgMaker())
    assert section is not None
    (table,) = (block for block in section.blocks if isinstance(block, Table))
    assert table.head[2] == "against float32"
    assert table.rows[0][2] == f"\N{MINUS SIGN}{100 * (CLEAN - 0.85):.2f}"


@pytest.mark.parametrize(
    "stored",
    [
        *(None, 3, SCRIPT, [], [None, 7], {"a": 1}, [at_time(0, 0.9)]),
        [at_time(SCRIPT, 0.9), at_time(-1, 0.9), at_time(None, 0.9), at_time(True, 0.9)],
        [{"time": 0}, {"time": 1, "accuracy": SCRIPT}, {"time": 2, "accuracy": {"mean": SCRIPT}}],
        [at_time(10.0**300, 0.9), at_time(0, 0.9), at_time(1e-300, 0.8)],
        [at_time(time, 0.9) for time in range(1000)],
    ],
)
def test_whatever_a_file_holds_the_page_is_written(
    stored: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in ("ladder_section", "layers_section"):  # long to draw; neither reads it
        monkeypatch.setattr(page_module, other, lambda *given: None)
    material = evaluation(tmp_path / "e.json", stored, drift_compensation=SCRIPT)
    section = over_time_section(material, SvgMaker())
    page = build_page(material)
    assert SCRIPT not in page
    if isinstance(stored, list) and len(stored) in (3, 1000):
        assert section is not None
        assert len(section.blocks) >= 2
    else:
        assert section is None
