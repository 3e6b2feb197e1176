"""How a cost is told: headline, narrow consoles, what a technology says of itself, page and figure."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from html_page import Page
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rich.console import Console
from test_html_hostile import HOSTILE

from rxsim.cli import root
from rxsim.cost.technology_files import named_technology
from rxsim.report.cost_charts import COST_QUANTITIES, draw_cost_layers
from rxsim.report.cost_figure import draw_cost
from rxsim.report.cost_values import read_cost
from rxsim.report.cost_words import (
    array_energy,
    digital_share,
    left_out,
    on_crossbars,
    powered_throughout,
    second_hand,
    whole_levels,
)
from rxsim.report.fitting_table import Column, print_fitting
from rxsim.report.html.cost_background import adc_scopes
from rxsim.report.html.cost_layout import layout, published_ratios, steps
from rxsim.report.html.cost_page import build_cost_page
from rxsim.report.si_units import mm2, si
from rxsim.report.style import figure_style

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "models" / "digits_resnet.onnx"
NOT_RUN = ("--array-energy", "technology", "-q")
PUMA = ("--config", str(ROOT / "configs" / "puma.yaml"), "--technology", "puma")


def run(*words: str, columns: int = 120) -> Result:
    result = CliRunner().invoke(
        root, ["cost", str(MODEL), *NOT_RUN, *words], env={"COLUMNS": str(columns)}
    )
    assert result.exit_code == 0, result.output
    return result


def cost_of(*words: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(run(*words, "--json", "-").stdout)
    return values


@pytest.fixture(scope="module")
def puma() -> dict[str, Any]:
    return cost_of(*PUMA, "--compensate", "columns")


# Consoles of any width


def printed(width: int, names: Sequence[str], columns: Sequence[Column]) -> list[str]:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    print_fitting("Title", "name", names, columns, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


COLUMNS = [
    Column(title="stays", cells=["1,234 um2", "-"]),
    Column(title="goes second", cells=["a", "b"], leaves=2),
    Column(title="goes first", cells=["[red]x[/red]", "y"], leaves=1),
]


@pytest.mark.parametrize(
    ("width", "titles"),
    [
        (120, ["stays", "goes second", "goes first"]),
        # By hand: rules and padding take 3 a column and 1; cells of 5, 9, 11 and 12 letters.
        (50, ["stays", "goes second", "goes first"]),
        (49, ["stays", "goes second"]),
        (35, ["stays", "goes second"]),
        (34, ["stays"]),
        (21, ["stays"]),
        (20, []),
    ],
)
def test_columns_leave_in_order_and_no_cell_is_broken(width: int, titles: list[str]) -> None:
    lines = printed(width, ["first", "other"], COLUMNS)
    text = "\n".join(lines)
    if not titles:
        assert lines[1:] == [
            "- first: stays 1,234 um2, goes second a, goes first [red]x[/red]",
            "- other: goes second b, goes first y",
        ]
        return
    table = [line for line in lines if set(line) & set("┃│┏┡└")]
    assert max(map(len, table)) <= width
    assert [part.strip() for part in table[1].split("┃")[1:-1]] == ["name", *titles]
    gone = [column.title for column in COLUMNS if column.title not in titles]
    assert (f"also has: {', '.join(gone)}" in text) == bool(gone)
    cells = [[part.strip() for part in line.split("│")[1:-1]] for line in table if "│" in line]
    wanted = [
        [name, *(c.cells[place] for c in COLUMNS if c.title in titles)]
        for place, name in enumerate(("first", "other"))
    ]
    assert cells == wanted


@pytest.mark.parametrize("columns", [120, 80, 50])
@pytest.mark.parametrize("words", [("--technology", "isaac"), PUMA])
def test_tables_are_whole_at_any_width(columns: int, words: tuple[str, ...]) -> None:
    values = cost_of(*words, "--compensate", "columns")
    lines = run(*words, "--compensate", "columns", columns=columns).stdout.splitlines()
    table = [line for line in lines if set(line) & set("┃│┏┡└")]
    assert max(map(len, table), default=0) <= columns
    for row in (*values["components"], *values["layers"]):
        (line,) = [
            line
            for line in lines
            if re.match(rf"[│-] {re.escape(row['name'])}(:| +│)", line)
            and si(row["energy_j"], "J") in line
        ]
        assert "…" not in line


# The headline


def test_the_headline_says_what_is_in_the_number(puma: dict[str, Any]) -> None:
    lines = run(*PUMA, "--compensate", "columns").stdout.splitlines()
    assert lines[1].startswith("Energy of an inference on crossbars ")
    whole = puma["energy_j"]
    parts = {each["name"]: each for each in puma["components"]}
    read = sum(each["energy_j"] for each in parts.values() if each["status"] == "R")
    shown = re.search(r"second-hand \(R\): ([\d.]+) %", lines[1])
    assert shown is not None
    assert float(shown[1]) == pytest.approx(100 * read / whole, rel=0.006)
    tiles = whole - sum(each["energy_j"] for each in parts.values() if each["level"] == "chip")
    tiles -= parts["compensation"]["energy_j"]  # it stands at no level
    share = 100 * parts["link"]["energy_j"] / whole
    assert lines[2].startswith(f"link: {share:.3g} % of the energy, its power ")
    assert lines[2].endswith(f"; within tiles {si(tiles, 'J')}")
    assert lines[3] == (
        f"Power {si(whole / puma['latency_s'], 'W')} of an inference, "
        f"{si(whole / puma['interval_s'], 'W')} pipelined"
    )
    (time,) = [line for line in lines if line.startswith("Time of an inference")]
    assert "without digital operators and transfers" in time


def test_whole_levels_stand_beside_the_area_in_use() -> None:
    """ISAAC: a tile 0.372 mm2, the chip 85.4 mm2, as its paper prints."""
    lines = run("--config", str(ROOT / "configs" / "isaac.yaml"), "--technology", "isaac").stdout
    assert "; whole: 1 tile 0.372 mm2, 1 chip 85.4 mm2; " in lines


def test_parts_within_another_have_no_area_of_their_own(puma: dict[str, Any]) -> None:
    for columns in (120, 80):
        lines = run(*PUMA, columns=columns).stdout.splitlines()
        for name in ("adc", "dac", "array", "shift_add"):
            (line,) = [line for line in lines if line.startswith(f"│ {name} ")]
            assert " in core_rest " in line
            assert "0 mm2" not in line
    rows = {row[0]: row for row in Page(build_cost_page(puma, "c.json")).table("component")}
    assert rows["adc"][4:6] == ["in core_rest", "-"]
    core = puma["components"][[c["name"] for c in puma["components"]].index("core_rest")]
    assert rows["core_rest"][4] == mm2(core["area_mm2"])


def test_areas_that_leave_something_out_are_bounds(puma: dict[str, Any]) -> None:
    # The area of what multiplies for compensation is not stated.
    lines = run(*PUMA, "--compensate", "columns").stdout
    assert f"Area in use at least {mm2(puma['area_mm2'])}; " in lines
    assert f"; at most {si(puma['ops_per_s_mm2'], 'OPS/mm2')} pipelined" in lines
    assert "at least" not in run(*PUMA).stdout
    whole = {**puma, "area_is_lower_bound": False}
    text = " ".join(Page(build_cost_page({**puma, "area_is_lower_bound": True}, "c.json")).text)
    assert f"at least {mm2(puma['area_mm2'])}" in text
    assert f"at most {si(puma['ops_per_s_mm2'], 'OPS/mm2')}" in text
    text = " ".join(Page(build_cost_page(whole, "c.json")).text)
    assert "at least" not in text
    assert "at most" not in text


def test_work_that_stays_digital_is_counted() -> None:
    """Conv 2 of block 1: 8 x 8 places of 16 x 16 channels of 3 x 3 weights stay digital."""
    whole = cost_of("--technology", "isaac")
    layer = next(each for each in whole["layers"] if each["name"] == "block1.conv2")
    less = layer["actions"]["macs"]
    assert less == 8 * 8 * 16 * 16 * 3 * 3
    words = ("--technology", "isaac", "--set", "layers={block1.conv2: {digital: true}}")
    lines = run(*words).stdout
    shown = f"{si(less, 'MAC')} ({100 * less / whole['macs']:.3g} % of the network's multiply-acc"
    assert shown in lines
    assert "stay digital and are not priced" in lines
    assert "stay digital" not in run("--technology", "isaac").stdout


def test_weights_of_zero_without_cells_are_told_apart(puma: dict[str, Any]) -> None:
    zeros = {**puma, "macs": 1000, "macs_of_network": 1250}
    for content, wanted in ((zeros, ", 250 MAC of weights of 0 need none"), (puma, "")):
        cost = read_cost(content)
        assert cost is not None
        assert on_crossbars(cost) == f"{si(content['macs'], 'MAC')} on crossbars{wanted}"


def test_the_solved_arrays_stand_beside_the_technologys_number() -> None:
    """The technology's number is that of a run with it."""
    words = ["cost", str(MODEL), "-q", "--xbar", "16x16", "--set", "calibration.samples=2"]
    result = CliRunner().invoke(root, words)
    stated = cost_of("--xbar", "16x16")
    (array,) = [each for each in stated["components"] if each["name"] == "array"]
    number = si(array["energy_j"], "J")
    (line,) = [x for x in result.stdout.splitlines() if x.startswith("Energy of the arrays: ")]
    assert " from their solved circuits, on " in line
    assert line.endswith(f"; rxnn-64's number for its array makes {number}.")
    assert f"the technology's number ({number})" in run("--xbar", "16x16").stdout


def test_what_has_no_component_is_the_last_line_of_the_headline() -> None:
    lines = run("--technology", "rxnn-64").stdout.splitlines()
    last = next(one for one, after in pairwise(lines) if after.startswith("By component"))
    assert last.startswith("Left out, as rxnn-64 has no component for it: ")
    for name in ("sample-and-holds", "bits of buffers", "bits over the network", "activation"):
        assert name in last
    # ISAAC has a sigmoid and a max pool, and no adder for sums of tensors.
    assert cost_of("--technology", "isaac")["left_out"] == [
        "digital operators (addition of a bias, elementwise)"
    ]


def test_words_of_malformed_costs_are_left_out() -> None:
    for broken in ({}, {"energy_j": 0}, {"energy_j": "x", "macs_of_network": [1], "within": 3}):
        cost = read_cost({"components": [{"name": "a", "status": "R", "energy_j": 1}], **broken})
        assert cost is not None
        assert second_hand(cost) == digital_share(cost) == ""
        assert powered_throughout(cost) == []


def test_published_models_of_adcs_change_the_total(puma: dict[str, Any]) -> None:
    """Each model's total is that of a run with this model."""
    rows = {row[0]: row for row in Page(build_cost_page(puma, "c.json")).table("model")}
    for model in ("saberi", "zigzag"):
        other = cost_of(*PUMA, "--compensate", "columns", "--adc-model", model)
        assert rows[model][3] == si(other["energy_j"], "J")
    text = run(*PUMA, "--compensate", "columns").stdout
    energies = puma["adc_models"]["energy_j"]
    most, least = max(energies, key=energies.get), min(energies, key=energies.get)
    ratio = energies[most] / energies[least]
    assert f"; {most} {ratio:.3g} times {least}, all components {rows[least][3]} to " in text


# What a technology says of itself


def test_caveats_stand_in_terminal_page_and_json(tmp_path: Path) -> None:
    (caveat,) = named_technology("rxnn-64").caveats
    assert "DACs" in caveat
    text, values = run().stdout, cost_of()
    assert f"Note: {caveat}." in text
    assert values["notes"][0] == caveat
    assert caveat in " ".join(Page(build_cost_page(values, "c.json")).text)
    mine = tmp_path / "mine.yaml"
    for caveats, wanted in (([], None), (["Only a test."], "Only a test"), (None, caveat)):
        content = {"base": "rxnn-64"} | ({} if caveats is None else {"caveats": caveats})
        mine.write_text(yaml.safe_dump(content))
        notes = cost_of("--technology", str(mine))["notes"]
        assert (caveat in notes) == (wanted == caveat)
        assert wanted is None or notes[0] == wanted


@pytest.mark.parametrize("caveats", ["text", [""], [3], {"a": "b"}])
def test_caveats_of_another_form_are_refused(caveats: Any, tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(yaml.safe_dump({"base": "isaac", "caveats": caveats}))
    words = ["cost", str(MODEL), *NOT_RUN, "--technology", str(mine)]
    result = CliRunner().invoke(root, words)
    assert result.exit_code != 0
    assert "caveats" in str(result.exception)
    assert "\n" not in str(result.exception)


# The page


def test_the_page_says_where_layers_lie_and_what_moves(puma: dict[str, Any]) -> None:
    page = Page(build_cost_page(puma, "c.json"))
    levels = puma["layout"]["levels"]
    assert page.table("level") == [
        [level["name"], str(level["used"])]
        + [
            si(level[key], "bit")
            for key in ("bits", "activation_bits", "partial_sum_bits", "digital_bits")
        ]
        for level in levels
    ]
    places = page.table("layer", "first unit")
    assert [row[:3] for row in places] == [
        [each["name"], str(each["first_unit"]), str(each["units"])]
        for each in puma["layout"]["layers"]
    ]
    steps = page.table("step")
    (step,) = puma["compensation"]
    assert steps[0][:2] == ["columns", f"{step['multiplications']:,}"]
    ratios = page.table("against")
    assert len(ratios) == len(named_technology("puma").comparisons) == len(puma["comparisons"])
    assert ["energy", "MLP", "30", "80"] in [row[1:5] for row in ratios]


def test_hostile_layouts_steps_and_ratios_are_only_text(puma: dict[str, Any]) -> None:
    lies, (step,) = puma["layout"], puma["compensation"]
    row = puma["comparisons"][0]
    other = {
        **puma,
        "components": puma["components"][:2],
        "layers": [],
        "layout": {
            **lies,
            "unit": HOSTILE[0],
            "levels": [{**lies["levels"][0], "name": n, "unknown": [n, 3]} for n in HOSTILE],
            "layers": [{**lies["layers"][0], "name": n, "spans": {n: [0, 1]}} for n in HOSTILE],
        },
        "compensation": [{**step, "name": name} for name in HOSTILE],
        "comparisons": [{**row, "against": n, "network": n, "source": n} for n in HOSTILE],
        "left_out": list(HOSTILE),
    }
    page = Page(build_cost_page(other, "c.json"))
    assert page.tags["script"] == page.tags["img"] == 0


@pytest.mark.parametrize(
    "value", [None, "x", 1e300, [3], {"a": [1]}, [{"name": 3, "spans": {"chip": 3}, "low": "x"}]]
)
def test_malformed_layouts_steps_and_ratios_are_left_out(puma: dict[str, Any], value: Any) -> None:
    inner = {**puma["layout"], "levels": value, "layers": value, "unit": value}
    keys = ("layout", "compensation", "comparisons", "left_out", "levels", "within", "technology")
    for changed in ({"layout": inner}, *({key: value} for key in keys)):
        cost = read_cost({**puma, **changed})
        assert cost is not None
        for blocks in (layout(cost), steps(cost), published_ratios(cost), adc_scopes(cost)):
            assert isinstance(blocks, list)
        for text in (left_out(cost), whole_levels(cost), array_energy(cost)):
            assert isinstance(text, str)


# Figures


@pytest.fixture(scope="module")
def isaac() -> dict[str, Any]:
    return cost_of("--technology", "isaac")


@pytest.mark.parametrize("width_mm", [75, 88, 180])
def test_no_name_of_the_legend_is_cut(isaac: dict[str, Any], width_mm: float) -> None:
    cost = read_cost(isaac)
    assert cost is not None
    with figure_style(8.0):
        figure = Figure(figsize=(width_mm / 25.4, 1.5), layout="constrained")
        FigureCanvasAgg(figure)
        draw_cost_layers(figure.subplots(), cost, COST_QUANTITIES["energy"])
        figure.draw_without_rendering()
        (legend,) = figure.legends
        names = [text.get_text() for text in legend.get_texts()]
        assert "input_register" in names
        for text in legend.get_texts():
            box = text.get_window_extent()
            assert 0 <= box.x0 <= box.x1 <= figure.bbox.width
            assert 0 <= box.y0 <= box.y1 <= figure.bbox.height


def test_the_figure_names_what_it_is_priced_with(isaac: dict[str, Any]) -> None:
    def drawn(title: str | None, **more: Any) -> bytes:
        content = {**isaac, **more}
        return draw_cost(content, "c", "layers", "energy", "svg", width_mm=88, title=title)

    assert drawn(None) == drawn("isaac, ADC model table, in part second-hand (R)")
    printed_only = [each for each in isaac["components"] if each["status"] != "R"]
    assert drawn(None, components=printed_only) == drawn(
        "isaac, ADC model table", components=printed_only
    )
    assert len(drawn("")) < len(drawn(None))
