"""`rxsim plot`: what it draws against plain numbers, the file it writes, and what it refuses."""

import dataclasses
import re
import struct
import xml.etree.ElementTree as ElementTree
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from known import known
from made_results import CLEAN, made_point, made_trial, write_sweep
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from scipy import stats

from rxsim.commands.plot import command
from rxsim.errors import InputError
from rxsim.report import drawing, figure
from rxsim.store import open_results

WIRES = (1.0, 2.5, 10.0)


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    path = tmp_path_factory.mktemp("plot") / "sweep.sqlite"
    return path, write_sweep(path, rows=(32, 64), wires=WIRES, bits=(5, 8), names=["conv1"])


def bars_of(axes: Axes) -> list[ErrorbarContainer]:
    """Return the bars of error on some axes."""
    return [bars for bars in axes.containers if isinstance(bars, ErrorbarContainer)]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Axes]:
    """The axes that the command draws on."""
    kept: list[Axes] = []
    original = drawing.draw_curves

    def draw(axes: Axes, *given: Any) -> Any:
        kept.append(axes)
        return original(axes, *given)

    monkeypatch.setattr(figure, "draw_curves", draw)
    return kept


def run(results: Path, output: Path, *arguments: object) -> Result:
    given = [str(results), "-o", str(output), *map(str, arguments)]
    return CliRunner().invoke(command, given)


def refused(result: Result) -> str:
    assert isinstance(result.exception, InputError)
    assert result.exception.exit_code == 2
    assert "\n" not in str(result.exception)
    return str(result.exception)


def values_of(written: list[Any], rows: int, wire: float, bits: int) -> np.ndarray:
    (found,) = [
        np.array([trial.values["accuracy"] for trial in trials])
        for point, trials in written
        if point.settings["crossbar"]["rows"] == rows
        and point.settings["crossbar"]["r_wire_wl"] == wire
        and point.settings["adc"]["n_bits"] == bits
    ]
    return found


def test_means_and_intervals_are_those_of_the_chips(
    swept: tuple[Path, list[Any]], drawn: list[Axes], tmp_path: Path
) -> None:
    result = run(
        swept[0], tmp_path / "f.pdf", "--x", "crossbar.r_wire_wl", "--y", "accuracy",
        "--by", "crossbar.rows", "--where", "adc.n_bits=8",
    )  # fmt: skip
    assert result.exit_code == 0, result.exception
    (axes,) = drawn
    bars = bars_of(axes)
    assert len(bars) == 2
    for rows, bar in zip((32, 64), bars, strict=True):
        line, _, (reach,) = bar.lines
        assert np.asarray(line.get_xdata()).tolist() == list(WIRES)
        for place, wire in enumerate(WIRES):
            chips = 100 * values_of(swept[1], rows, wire, 8)
            low, high = stats.t.interval(0.95, 4, loc=chips.mean(), scale=stats.sem(chips))
            assert np.asarray(line.get_ydata())[place] == pytest.approx(chips.mean())
            assert reach.get_segments()[place][:, 1] == pytest.approx([low, min(high, 100)])
    assert axes.get_xscale() == "log"
    assert axes.get_xlabel() == "Wordline resistance per cell (Ω)"
    assert axes.get_ylabel() == "Accuracy (%)"
    legend = known(axes.get_legend())
    assert legend.get_title().get_text() == "Array rows"
    assert [text.get_text() for text in legend.get_texts()] == ["32", "64"]
    dashed = [line for line in axes.lines if np.asarray(line.get_xdata()).tolist() == [0, 1]]
    assert [np.asarray(line.get_ydata())[0] for line in dashed] == [pytest.approx(100 * CLEAN)]


def test_mean_averages_over_the_other_settings(
    swept: tuple[Path, list[Any]], drawn: list[Axes], tmp_path: Path
) -> None:
    result = run(
        *(swept[0], tmp_path / "f.png", "--x", "adc.n_bits", "--y", "accuracy", "--mean"),
        "--log-x",
    )
    assert result.exit_code == 0, result.exception
    (bar,) = bars_of(drawn[0])
    for place, bits in enumerate((5, 8)):
        table = [values_of(swept[1], rows, wire, bits) for rows in (32, 64) for wire in WIRES]
        chips = 100 * np.mean(table, axis=0)
        low, high = stats.t.interval(0.95, 4, loc=chips.mean(), scale=stats.sem(chips))
        assert np.asarray(bar.lines[0].get_ydata())[place] == pytest.approx(chips.mean())
        assert bar.lines[2][0].get_segments()[place][:, 1] == pytest.approx([low, high])
    assert drawn[0].get_xscale() == "log"


def test_a_pdf_is_a_column_wide_with_embedded_fonts_and_no_date(
    swept: tuple[Path, list[Any]], tmp_path: Path
) -> None:
    given = ("--x", "crossbar.r_wire_wl", "--y", "accuracy", "--mean")
    assert run(swept[0], tmp_path / "a.pdf", *given).exit_code == 0
    assert run(swept[0], tmp_path / "b.pdf", *given, "--width", 89).exit_code == 0
    content = (tmp_path / "a.pdf").read_bytes()
    assert content == (tmp_path / "b.pdf").read_bytes()
    box = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+)", content)
    assert box is not None
    assert float(box[1]) / 72 * 25.4 == pytest.approx(89, abs=0.1)
    # Type 42 fonts are TrueType files inside the PDF; Type 3 is what publishers refuse.
    assert b"/FontFile2" in content
    assert b"/Subtype /Type3" not in content
    assert b"CreationDate" not in content
    sizes = {
        float(size)
        for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", content, re.DOTALL)
        for size in re.findall(rb"/F\d+ ([\d.]+) Tf", _inflated(stream))
    }
    assert sizes == {8.0}


def _inflated(stream: bytes) -> bytes:
    try:
        return zlib.decompress(stream)
    except zlib.error:
        return b""


def test_svg_and_png_repeat_and_have_the_width(
    swept: tuple[Path, list[Any]], tmp_path: Path
) -> None:
    for form in ("svg", "png"):
        given = (
            "--x",
            "adc.n_bits",
            "--y",
            "snr_db",
            "--mean",
            "--width",
            120,
            "--title",
            "$\\frac{",
        )
        first, second = tmp_path / f"1.{form}", tmp_path / f"2.{form}"
        assert run(swept[0], first, *given).exit_code == 0
        assert run(swept[0], second, *given).exit_code == 0
        content = first.read_bytes()
        assert content == second.read_bytes()
        if form == "svg":
            width = ElementTree.fromstring(content).attrib["width"]
            assert float(width.removesuffix("pt")) / 72 * 25.4 == pytest.approx(120, abs=0.1)
        else:
            pixels = struct.unpack(">I", content[16:20])[0]
            assert pixels / 600 * 25.4 == pytest.approx(120, abs=0.2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--x", "crossbar.r_wire", "--y", "accuracy"), "did you mean crossbar.r_wire_wl?"),
        (
            ("--x", "nonsense", "--y", "accuracy"),
            "what varies is crossbar.rows, crossbar.r_wire_wl",
        ),
        (("--x", "device.n_bits", "--y", "accuracy"), "device.n_bits is 6 in all points"),
        (("--x", "model", "--y", "accuracy"), "model is resnet20.onnx in all points"),
        (("--x", "adc.n_bits", "--y", "acuracy"), "did you mean accuracy?"),
        (("--x", "adc.n_bits", "--y", "top5", "--mean"), "no chosen point has a value of top5"),
        (("--x", "adc.n_bits", "--y", "accuracy"), "differ in crossbar.rows, crossbar.r_wire_wl"),
        (
            ("--x", "adc.n_bits", "--y", "accuracy", "--by", "crossbar.rows"),
            "--where crossbar.r_wire_wl=1, or average with --mean",
        ),
        (("--x", "adc.n_bits", "--y", "accuracy", "--by", "adc.n_bits"), "which is --x as well"),
        (
            ("--x", "adc.n_bits", "--y", "accuracy", "--where", "crossbar.rows=33"),
            "found '33', which no chosen point has, expected one of 32, 64",
        ),
        (
            ("--x", "adc.n_bits", "--y", "accuracy", "--where", "adc.n_bits=8", "--mean"),
            "one value",
        ),
        (("--x", "adc.n_bits", "--y", "accuracy", "--where", "8"), "expected NAME=VALUE"),
        (("--x", "adc.n_bits", "--y", "accuracy", "--width", "0"), "expected 30 to 1000 mm"),
        (("--x", "adc.n_bits", "--y", "accuracy", "--width", "nan"), "expected 30 to 1000 mm"),
        (("--x", "adc.n_bits", "--y", "accuracy", "--sweep", "other"), "other"),
    ],
)
def test_what_can_not_be_drawn_is_refused(
    arguments: tuple[str, ...], words: str, swept: tuple[Path, list[Any]], tmp_path: Path
) -> None:
    output = tmp_path / "f.pdf"
    assert words in refused(run(swept[0], output, *arguments))
    assert not output.exists()


def test_other_kinds_of_files_are_refused(swept: tuple[Path, list[Any]], tmp_path: Path) -> None:
    given = ("--x", "adc.n_bits", "--y", "accuracy", "--mean")
    assert "ends in 'jpg'" in refused(run(swept[0], tmp_path / "f.jpg", *given))
    before = swept[0].read_bytes()
    refused(run(swept[0], swept[0], *given))
    link = tmp_path / "link.png"
    link.symlink_to(swept[0])
    assert "another file of this command" in refused(run(swept[0], link, *given))
    assert swept[0].read_bytes() == before


def test_categories_stand_beside_each_other(drawn: list[Axes], tmp_path: Path) -> None:
    """No converter is a value as well; names that are markup or begin with _ are only names."""
    path = tmp_path / "kinds.sqlite"
    names = ("_a.onnx", r"$\frac{x</text>.onnx")
    with open_results(path, write=True) as results:
        for name in names:
            for bits in (4, 8, None):
                point = made_point({"adc.n_bits": bits}, model=name, details=False)
                for number, accuracy in enumerate((0.5, 0.6)):
                    results.add(point, made_trial(point, number, accuracy))
    result = run(path, tmp_path / "f.svg", "--x", "adc.n_bits", "--y", "accuracy", "--by", "model")
    assert result.exit_code == 0, result.exception
    (axes,) = drawn
    assert [text.get_text() for text in axes.get_xticklabels()] == ["4", "8", "none"]
    places = [np.asarray(bar.lines[0].get_xdata()) for bar in bars_of(axes)]
    assert all(np.round(place).tolist() == [0, 1, 2] for place in places)
    assert not set(places[0]) & set(places[1])
    shown = [text.get_text().strip() for text in known(axes.get_legend()).get_texts()]
    assert sorted(shown) == sorted(names)


@pytest.mark.parametrize("title", [r"$\frac{a}{$", r"a $b$ $\sum_", "word " * 30, "x" * 150])
def test_a_title_is_only_text(
    title: str, swept: tuple[Path, list[Any]], drawn: list[Axes], tmp_path: Path
) -> None:
    given = ("--x", "adc.n_bits", "--y", "accuracy", "--mean", "--title", title)
    result = run(swept[0], tmp_path / "f.png", *given)
    assert result.exit_code == 0, result.exception
    shown = drawn[0].get_title()
    assert "".join(shown.split()) == "".join(title.split())
    whole: Any = drawn[0].get_figure()
    whole.draw_without_rendering()
    box = drawn[0].title.get_window_extent()
    assert whole.bbox.x0 <= box.x0 < box.x1 <= whole.bbox.x1


def test_points_that_only_content_images_or_keys_tell_apart_are_not_averaged(
    drawn: list[Axes], tmp_path: Path
) -> None:
    """Two files of one name, and evaluations of more images: each needs a choice or a line."""
    cases: tuple[tuple[str, dict[str, Any], str], ...] = (
        ("model", {"model_sha256": "e" * 64}, "resnet20.onnx@eeeeeeee"),
        ("data", {"data_sha256": "e" * 64}, "cifar10_test.npz@eeeeeeee"),
        ("images", {"details": {"images": 30}}, "30"),
        ("point", {}, "f"),
    )
    for number, (name, changes, choice) in enumerate(cases):
        path = tmp_path / f"{number}.sqlite"
        with open_results(path, write=True) as results:
            for place, bits in enumerate((4, 6)):
                point = made_point({"adc.n_bits": bits})
                key = f"{place}{'f' * 63}"
                other = dataclasses.replace(point, **{"key": key, **changes})
                for one, accuracy in ((point, 0.5), (other, 0.9)):
                    results.add(one, made_trial(one, 0, accuracy), one.details)
        given = ("--x", "adc.n_bits", "--y", "accuracy")
        assert f"points differ in {name} besides adc.n_bits" in refused(
            run(path, tmp_path / "f.svg", *given)
        )
        if name == "point":
            continue
        drawn.clear()
        result = run(path, tmp_path / "f.svg", *given, "--where", f"{name}={choice}")
        assert result.exit_code == 0, result.exception
        (bar,) = bars_of(drawn[0])
        assert np.asarray(bar.lines[0].get_ydata()).tolist() == pytest.approx([90.0, 90.0])
        drawn.clear()
        assert run(path, tmp_path / "f.svg", *given, "--by", name).exit_code == 0
        assert len(drawn[0].containers) == 2


def test_axes_of_a_sweep_are_drawn_and_so_is_what_is_tied_to_them(
    drawn: list[Axes], tmp_path: Path
) -> None:
    path = tmp_path / "axes.sqlite"
    with open_results(path, write=True) as results:
        rows = []
        for config, off in (("isaac", 1e-6), ("puma", 2e-6)):
            for bits in (4, 6):
                point = made_point({"adc.n_bits": bits, "device.g_off": off}, details=False)
                results.add(point, made_trial(point, 0, 0.5 + bits / 100 + 1e5 * off))
                rows.append((point.key, {"config": config, "adc.n_bits": bits}))
        results.add_sweep("s", "x: 1", [key for key, _ in rows], [values for _, values in rows])
    given = ("--y", "accuracy", "--x")
    done = run(path, tmp_path / "f.svg", *given, "adc.n_bits", "--by", "config")
    assert done.exit_code == 0, done.exception
    legend = drawn[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["isaac", "puma"]
    drawn.clear()
    done = run(path, tmp_path / "f.svg", *given, "device.g_off", "--where", "adc.n_bits=4")
    assert done.exit_code == 0, done.exception
    assert np.asarray(bars_of(drawn[0])[0].lines[0].get_ydata()) == pytest.approx([64.0, 74.0])
    message = refused(run(path, tmp_path / "f.svg", *given, "nonsense"))
    assert message.endswith("what varies is config, adc.n_bits")


def test_failures_are_spoken_of_where_there_are_some(tmp_path: Path) -> None:
    path = tmp_path / "failed.sqlite"
    write_sweep(path, rows=(32,), wires=(1.0, 2.5), trials=1)
    given = ("--x", "crossbar.r_wire_wl", "--y", "top5")
    assert "failures" not in refused(run(path, tmp_path / "f.svg", *given))
    path.unlink()
    write_sweep(path, rows=(32,), wires=(1.0, 2.5), trials=1, failures=2)
    message = refused(run(path, tmp_path / "f.svg", *given[:3], "accuracy"))
    assert "no chosen point has a value of accuracy" in message
    assert message.endswith("see the failures with 'rxsim report'")


def test_log_x_needs_numbers_above_zero(tmp_path: Path) -> None:
    path = tmp_path / "zero.sqlite"
    with open_results(path, write=True) as results:
        for wire in (0.0, 1.0, 10.0):
            point = made_point({"crossbar.r_wire_wl": wire}, details=False)
            results.add(point, made_trial(point, 0, 0.5))
    given = ("--x", "crossbar.r_wire_wl", "--y", "accuracy")
    assert "found 0 among the values" in refused(run(path, tmp_path / "f.pdf", *given, "--log-x"))
    assert run(path, tmp_path / "f.pdf", *given).exit_code == 0


def test_an_evaluation_has_nothing_that_varies(tmp_path: Path) -> None:
    import json

    point = made_point({})
    assert point.details is not None
    ladder = {**point.details["ladder"], "nonideal": point.details["ladder"]["ideal"]}
    path = tmp_path / "eval.json"
    path.write_text(json.dumps({**point.details, "ladder": ladder, "settings": point.settings}))
    result = run(path, tmp_path / "f.pdf", "--x", "adc.n_bits", "--y", "accuracy")
    assert "nothing varies in the file" in refused(result)
