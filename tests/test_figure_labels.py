"""Labels in figures: none covers a point or leaves the picture, and tied settings are all named."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_results import CLEAN, made_point, made_trial, rung
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from rxsim.report.drawing import REFERENCE
from rxsim.report.figure import Plot, draw_figure
from rxsim.report.html import build_page
from rxsim.report.html.ladder_section import ladder_numbers
from rxsim.report.html.svg import SvgMaker
from rxsim.report.material import Material, read_material
from rxsim.report.tied import tied_label
from rxsim.store import open_results

SIZES = (16, 32, 64)


def written(
    path: Path,
    changes: Sequence[dict[str, Any]],
    accuracies: Sequence[float],
    ladder: dict[str, Any] | None = None,
) -> Material:
    """Write points of two chips each, with these accuracies."""
    with open_results(path, write=True) as results:
        for change, accuracy in zip(changes, accuracies, strict=True):
            point = made_point(change, names=["conv1"])
            details = {**(point.details or {}), **({"ladder": ladder} if ladder else {})}
            for number in range(2):
                results.add(point, made_trial(point, number, accuracy + 0.001 * number), details)
    return read_material(path, quantity="accuracy")


def zipped(names: Sequence[str], values: Sequence[Sequence[float]]) -> list[dict[str, Any]]:
    return [dict(zip(names, some, strict=True)) for some in values]


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Every figure that is drawn, its layout done."""
    kept: list[Figure] = []
    save, markup = Figure.savefig, SvgMaker.markup

    def saved(self: Figure, *given: Any, **more: Any) -> Any:
        done = save(self, *given, **more)
        kept.append(self)
        return done

    def marked(self: SvgMaker, figure: Figure, *given: Any) -> Any:
        done = markup(self, figure, *given)
        kept.append(figure)
        return done

    monkeypatch.setattr(Figure, "savefig", saved)
    monkeypatch.setattr(SvgMaker, "markup", marked)
    return kept


def texts(figure: Figure) -> list[tuple[str, Bbox]]:
    """Every text that is shown, and the room it takes, in pixels."""
    figure.draw_without_rendering()
    shown = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip()]
    ticks = {id(t) for axes in figure.axes for t in unseen_ticks(axes)}
    return [(t.get_text(), t.get_window_extent()) for t in shown if id(t) not in ticks]


def unseen_ticks(axes: Axes) -> Iterator[Text]:
    """Labels of ticks outside of the range, which matplotlib keeps but does not draw."""
    for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            if not low <= tick.get_loc() <= high:
                yield from (tick.label1, tick.label2)


def marks(axes: Axes) -> np.ndarray:
    """The places of all points of an axes, in pixels, (n, 2)."""
    lines = [np.asarray(line.get_xydata()) for line in axes.lines if line.get_marker() != "None"]
    return np.concatenate([axes.transData.transform(points) for points in lines if len(points)])


CASES = {
    "at the reference": (CLEAN, CLEAN, CLEAN),
    "above it at the right": (0.7, 0.8, CLEAN + 0.002),
    "below it": (0.5, 0.6, 0.7),
    "near it": (CLEAN - 0.004, CLEAN + 0.004, CLEAN - 0.001),
}


@pytest.mark.parametrize("case", CASES)
def test_the_name_of_the_reference_covers_no_point(
    case: str, tmp_path: Path, figures: list[Figure]
) -> None:
    changes: list[dict[str, Any]] = [{"crossbar.rows": size} for size in SIZES]
    material = written(tmp_path / "r.sqlite", changes, CASES[case])
    draw_figure(material, Plot(x="crossbar.rows"), "png")
    build_page(material)
    named = 0
    for figure in figures:
        for text, box in texts(figure):
            if text != REFERENCE or not figure.axes[0].containers:
                continue  # the ladder has a rung of this name
            named += 1
            reach = 4.0 * figure.dpi / 72  # half a mark
            places = marks(figure.axes[0])
            assert len(places) >= 3
            low, high = np.array(box.min), np.array(box.max)
            inside = (places > low - reach) & (places < high + reach)
            assert not inside.all(axis=1).any()
    assert named == 2


@pytest.mark.parametrize("by", [False, True])
def test_no_text_leaves_the_picture_or_covers_another(
    by: bool, tmp_path: Path, figures: list[Figure]
) -> None:
    changes: list[dict[str, Any]] = [
        {"crossbar.rows": size, "crossbar.cols": size, "crossbar.r_wire_wl": wire}
        for size in SIZES
        for wire in ((1.0, 2.5) if by else (1.0,))
    ]
    material = written(tmp_path / "r.sqlite", changes, np.linspace(0.3, 0.9, len(changes)).tolist())
    draw_figure(material, Plot(x="crossbar.rows", by="crossbar.r_wire_wl" if by else None), "png")
    build_page(material)
    assert len(figures) >= 3
    for figure in figures:
        shown = texts(figure)
        whole = figure.bbox.padded(1.0)
        for text, box in shown:
            assert whole.contains(*box.min), text
            assert whole.contains(*box.max), text
        for place, (text, box) in enumerate(shown):
            for other, where in shown[:place]:
                assert not box.shrunk(0.9, 0.8).overlaps(where), (text, other)


def test_rows_and_columns_that_vary_together_are_both_named(tmp_path: Path) -> None:
    names = ("crossbar.rows", "crossbar.cols")
    values = [(size, size) for size in SIZES]
    material = written(tmp_path / "r.sqlite", zipped(names, values), (0.5, 0.6, 0.7))
    label = tied_label(material.rows, "crossbar.rows", material.more)
    assert label.full == "Array rows and columns"
    page = build_page(material)
    assert page.count("<h3>Array rows and columns</h3>") == 1
    assert "Accuracy against array rows and columns, with" in page


WIRES = ("crossbar.r_wire_wl", "crossbar.r_wire_bl")


@pytest.mark.parametrize(
    ("names", "values", "label"),
    [
        (WIRES, [(1, 1), (2, 2)], "Wordline and bitline resistance per cell (Ω)"),
        (
            WIRES,
            [(1, 2), (2, 4)],
            "Wordline resistance per cell (Ω), with bitline resistance per cell",
        ),
        (WIRES, [(1, 2), (2, 2)], "Wordline resistance per cell (Ω)"),
        (
            ("crossbar.r_driver", "dac.n_bits"),
            [(50, 5), (200, 8)],
            "Driver resistance (Ω), with DAC resolution",
        ),
        (("dac.n_bits", "adc.n_bits"), [(5, 5), (8, 8)], "DAC and ADC resolution (bits)"),
    ],
)
def test_a_label_names_what_varies_together(
    names: Sequence[str], values: Sequence[Sequence[float]], label: str, tmp_path: Path
) -> None:
    material = written(tmp_path / "r.sqlite", zipped(names, values), (0.5, 0.6))
    assert tied_label(material.rows, names[0], names[1:]).full == label


def test_axes_of_a_random_design_are_not_tied(tmp_path: Path) -> None:
    names = ("device.write_sigma", "device.stuck_lrs")
    values = [(0.01, 0.002), (0.03, 0.001), (0.02, 0.004)]
    material = written(tmp_path / "r.sqlite", zipped(names, values), (0.5, 0.6, 0.7))
    assert set(names) <= set(material.names)
    label = tied_label(material.rows, names[0], material.more)
    assert label.full == "Write error, standard deviation"


def test_a_single_value_and_many_tied_settings_keep_their_own_label(tmp_path: Path) -> None:
    names = ("crossbar.rows", "crossbar.cols", "dac.n_bits", "adc.n_bits")
    values = [(16, 16, 6, 6), (32, 32, 8, 8)]
    material = written(tmp_path / "r.sqlite", zipped(names, values), (0.5, 0.6))
    assert tied_label(material.rows, "crossbar.rows", names[1:]).full == "Array rows"
    assert tied_label(material.rows[:1], "crossbar.rows", names[1:2]).full == "Array rows"


def test_the_ladder_shows_rungs_of_any_name_after_its_own(
    tmp_path: Path, figures: list[Figure]
) -> None:
    stored = {
        "only <wires>": rung(0.8, 12.0),
        "ideal": rung(0.9, 20.0),
        "float32": rung(CLEAN, None),
        "compensated": rung(0.85, 15.0),
    }
    material = written(tmp_path / "r.sqlite", [{"crossbar.rows": 16}], (0.5,), stored)
    assert material.chosen is not None
    names = [r.name for r in ladder_numbers(material.chosen, material.quantity)]
    assert names == ["float32", "ideal", "nonideal", "compensated", "only <wires>"]
    page = build_page(material)
    assert "only <wires>" not in page
    assert "only &lt;wires&gt;" in page
    ticks = [text for text, _ in texts(figures[0])]
    assert "+ compensation" in ticks
    shown = [float(m[1]) for text in ticks if (m := re.fullmatch(r"([\d.]+) %", text))]
    assert shown == [91.3, 90.0, 50.05, 85.0, 80.0]
