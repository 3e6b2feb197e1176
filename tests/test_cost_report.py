"""What a network costs, as a page and as figures: numbers, hostile names, malformed files."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from html_page import Page
from matplotlib.figure import Figure
from small_networks import network
from test_html_hostile import HOSTILE

import rxsim
from rxsim.commands.plot import command as plot
from rxsim.commands.report import command as report
from rxsim.errors import InputError
from rxsim.report.cost_charts import COST_QUANTITIES, OTHERS, draw_cost_layers, stacks
from rxsim.report.cost_kind import cost_json
from rxsim.report.cost_values import read_cost
from rxsim.report.html import build_page
from rxsim.report.html.cost_page import build_cost_page
from rxsim.report.labels import shortened
from rxsim.report.material import read_material
from rxsim.report.si_units import prefix_of, si

SETTINGS = {"crossbar.rows": 8, "crossbar.cols": 8, "cost.technology": "isaac"}


@pytest.fixture(scope="module")
def evaluation() -> Any:
    rng = np.random.default_rng(5)
    weights = {"w": rng.normal(size=(12, 10)), "v": rng.normal(size=(10, 3))}
    text = "[first] h = Gemm(x, w) [act] r = Relu(h) [second] y = Gemm(r, v)"
    data = rng.normal(size=(12, 12)).astype(np.float32), rng.integers(0, 3, 12)
    result = rxsim.evaluate(network(text, (12,), weights), SETTINGS, data)
    return json.loads(json.dumps(result.as_json(), allow_nan=False))


@pytest.fixture(scope="module")
def content(evaluation: Any) -> Any:
    return {"schema_version": 1, "kind": "cost", "model": "m.onnx", **evaluation["cost"]}


def written(content: Any, path: Path) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def drawn(source: Path, output: Path, *options: str) -> Result:
    return CliRunner().invoke(plot, [str(source), "-o", str(output), *options])


def refused(result: Result) -> str:
    assert isinstance(result.exception, InputError), result.exception
    assert result.exception.exit_code == 2
    assert "\n" not in str(result.exception)
    return str(result.exception)


# The page


def test_the_page_has_every_component_layer_model_and_source(content: Any) -> None:
    page = Page(build_cost_page(content, "c.json", "rxsim report c.json"))
    assert page.tags["script"] == page.tags["img"] == 0
    assert page.tags["svg"] == 2
    assert len(set(page.ids)) == len(page.ids)
    components = page.table("component")
    assert [row[0] for row in components] == [each["name"] for each in content["components"]]
    assert [row[2] for row in components] == [si(e["energy_j"], "J") for e in content["components"]]
    shares = [float(row[3].removesuffix(" %").lstrip("<")) for row in components if row[3] != "-"]
    assert sum(shares) == pytest.approx(100, abs=0.01 * len(shares) + 0.5)  # three digits each
    layers = page.table("layer")
    assert [row[0] for row in layers][:2] == ["first", "second"]
    models = page.table("model")
    assert {row[0] for row in models} == set(content["adc_models"]["energy_j"])
    sources = page.table("entry")
    assert [(row[0], row[4], row[5]) for row in sources] == [
        (each["entry"], each["status"], each["source"]) for each in content["sources"]
    ]
    text = " ".join(page.text)
    assert all(note[1:] in text for note in content["notes"])
    assert "Every number of the technology" in text


def test_shares_of_adcs_are_of_their_scope(content: Any) -> None:
    page = Page(build_cost_page(content, "c.json"))
    adc = math.fsum(
        each["energy_j"] for each in content["components"] if each["action"] == "conversion"
    )
    rows = page.table("scope")
    assert [row[0] for row in rows] == [f"all within one {name}" for name in content["within"]]
    for row, level in zip(rows, content["within"].values(), strict=True):
        shown = float(row[1].removesuffix(" %"))
        assert shown == pytest.approx(100 * adc / level["energy_j"], rel=0.006)  # three digits


def test_the_report_of_an_evaluation_has_the_same_section(
    evaluation: Any, content: Any, tmp_path: Path
) -> None:
    whole = Page(build_page(read_material(written(evaluation, tmp_path / "e.json"))))
    alone = Page(build_cost_page(content, "c.json"))
    for head in ("component", "scope", "model", "entry"):
        assert whole.table(head) == alone.table(head)
    assert "cost" in whole.ids
    without = {name: part for name, part in evaluation.items() if name != "cost"}
    page = Page(build_page(read_material(written(without, tmp_path / "w.json"))))
    assert "cost" not in page.ids


def test_report_writes_the_page_of_a_cost(content: Any, tmp_path: Path) -> None:
    source, output = written(content, tmp_path / "c.json"), tmp_path / "c.html"
    pages = []
    for _ in range(2):
        result = CliRunner().invoke(report, [str(source), "-o", str(output), "--quiet"])
        assert result.exit_code == 0, result.exception
        pages.append(output.read_bytes())
    assert pages[0] == pages[1]
    assert "the cost of a network" in result.stdout
    assert "What m.onnx costs" in pages[0].decode()
    result = CliRunner().invoke(report, [str(source), "-o", str(output), "--sweep", "x"])
    assert "--sweep" in refused(result)


def test_a_point_of_a_sweep_has_no_layers(content: Any) -> None:
    page = Page(build_cost_page({**content, "layers": []}, "c.json"))
    assert page.tags["svg"] == 1
    assert page.table("component")


def test_hostile_names_are_only_text(content: Any) -> None:
    """As components, layers, models, notes and sources, all of them in one page."""
    part, layer, source = (content[name][0] for name in ("components", "layers", "sources"))
    other = {
        **content,
        **dict.fromkeys(("technology", "about", "array_inputs", "model"), " ".join(HOSTILE)),
        "components": [{**part, "name": name, "level": name, "status": name} for name in HOSTILE],
        "layers": [
            {**layer, "name": name, "op": name, "components": [{**part, "name": name}]}
            for name in HOSTILE
        ],
        "within": {name: {"energy_j": 1.0, "area_mm2": 1.0} for name in HOSTILE},
        "levels": [{"name": name, "needed": 1} for name in HOSTILE],
        "adc_models": {
            "energy_j": dict.fromkeys(HOSTILE, 1.0),
            "left_out": {name: name for name in HOSTILE},
        },
        "notes": list(HOSTILE),
        "sources": [
            {**source, "entry": name, "about": name, "source": name, "numbers": {name: 1.0}}
            for name in HOSTILE
        ],
    }
    text = build_cost_page(other, " ".join(HOSTILE), " ".join(HOSTILE))
    text.encode()
    page = Page(text)
    assert page.tags["script"] == page.tags["img"] == 0
    shown = [shortened(name, 120) for name in HOSTILE]
    for head in ("component", "layer", "entry"):
        assert [row[0] for row in page.table(head)][: len(shown)] == shown
    assert not set("\x00\x1b\u202e\u2028") & set(text)


@pytest.mark.parametrize("value", [None, "x", 1e300, [3], {"a": [1]}])
def test_malformed_parts_are_left_out(value: Any, content: Any) -> None:
    """Each entry in turn, in a cost of one layer and two components: most of the time is drawing."""
    small = {**content, "components": content["components"][:2], "layers": content["layers"][:1]}
    small["sources"] = content["sources"][:1]
    junk = {name: value for name in small if name not in ("kind", "components")}
    Page(build_cost_page({**small, **junk}, "c.json"))
    inner = {
        "components": [dict.fromkeys(small["components"][0], value), value],
        "layers": [dict.fromkeys(small["layers"][0], value), value],
        "sources": [dict.fromkeys(small["sources"][0], value), value],
        "levels": [{"name": value, "needed": value}, value],
        "within": {"array": value},
        "adc_models": {"energy_j": value, "left_out": value},
        "writing": dict.fromkeys(small["writing"], value),
    }
    Page(build_cost_page({**small, **inner}, "c.json"))


def test_files_that_hold_no_cost(content: Any, tmp_path: Path) -> None:
    path = tmp_path / "x"
    for text in (
        "",
        "[1]",
        "{}",
        '{"kind": "explanation"}',
        '{"cost": "cost"}',
        "SQLite format 3\0",
    ):
        path.write_text(text)
        assert cost_json(path) is None
    assert cost_json(tmp_path) is None
    assert cost_json(tmp_path / "missing") is None
    path.write_text('{"kind" : "cost", ')
    with pytest.raises(InputError, match="not valid JSON"):
        cost_json(path)
    malformed: tuple[dict[str, Any], ...] = ({}, {"components": []}, {"components": "x"})
    for broken in malformed:
        path.write_text(json.dumps({"kind": "cost", **broken}))
        result = CliRunner().invoke(report, [str(path), "-o", str(tmp_path / "c.html")])
        assert "without components" in refused(result)
        assert "without layers" in refused(drawn(path, tmp_path / "c.pdf"))
    assert not (tmp_path / "c.html").exists()


# Figures


@pytest.mark.parametrize("quantity", ["energy", "area"])
def test_stacks_are_the_components_of_layers(quantity: str, content: Any) -> None:
    cost = read_cost(content)
    assert cost is not None
    key = {"energy": "energy_j", "area": "area_mm2"}[quantity]
    names, table = stacks(cost, cost.layers, COST_QUANTITIES[quantity])
    for row, layer in zip(table, content["layers"], strict=True):
        assert row.sum() == pytest.approx(layer[key], rel=1e-12)
        values = {part["name"]: part[key] for part in layer["components"]}
        for name, value in zip(names, row, strict=True):
            if name != OTHERS:
                assert value == values[name]
    assert len(names) <= 6


def test_bars_are_as_long_as_the_numbers(content: Any) -> None:
    cost = read_cost(content)
    assert cost is not None
    axes = Figure().subplots()
    draw_cost_layers(axes, cost, COST_QUANTITIES["energy"])
    _, factor = prefix_of(max(layer["energy_j"] for layer in content["layers"]))
    ends: dict[int, float] = {}
    for container in axes.containers:
        for place, bar in enumerate(container):
            ends[place] = max(ends.get(place, 0.0), bar.get_x() + bar.get_width())
    for place, layer in enumerate(content["layers"]):
        assert ends[place] == pytest.approx(layer["energy_j"] * factor, rel=1e-9)


@pytest.mark.parametrize(
    ("form", "magic"), [("pdf", b"%PDF"), ("svg", b"<?xml"), ("png", b"\x89PNG")]
)
def test_plot_of_a_cost_and_of_an_evaluation(
    form: str, magic: bytes, content: Any, evaluation: Any, tmp_path: Path
) -> None:
    source, whole = written(content, tmp_path / "c.json"), written(evaluation, tmp_path / "e.json")
    first, second = tmp_path / f"a.{form}", tmp_path / f"b.{form}"
    result = drawn(source, first, "--quiet")
    assert result.exit_code == 0, result.exception
    assert "energy by layers" in result.stdout
    assert first.read_bytes().startswith(magic)
    assert drawn(whole, second, "--x", "layers", "--quiet").exit_code == 0
    assert first.read_bytes() == second.read_bytes()
    if form == "svg":
        options = ("--x", "components", "--y", "area", "--title", "A <title>")
        assert drawn(source, second, *options).exit_code == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--x", "adc.n_bits"), "layers or components"),
        (("--y", "accuracy"), "energy or area"),
        (("--by", "layers"), "--by"),
        (("--mean",), "--mean"),
        (("--where", "a=b"), "--where"),
        (("--width", "20"), "--width"),
        (("--width", "60"), "75 mm"),
    ],
)
def test_options_that_a_cost_has_no_use_for(
    options: tuple[str, ...], words: str, content: Any, tmp_path: Path
) -> None:
    output = tmp_path / "f.pdf"
    assert words in refused(drawn(written(content, tmp_path / "c.json"), output, *options))
    assert not output.exists()


def test_an_evaluation_without_a_cost_says_how_to_get_one(evaluation: Any, tmp_path: Path) -> None:
    without = {name: part for name, part in evaluation.items() if name != "cost"}
    source = written(without, tmp_path / "w.json")
    assert "eval --cost" in refused(drawn(source, tmp_path / "f.pdf", "--x", "layers"))


@pytest.mark.parametrize(
    ("largest", "prefix", "number"),
    [(0.0, "", 0.0), (4.2e-9, "n", 4.2), (1e-12, "p", 1.0), (999.0, "", 999.0), (2e-20, "f", 2e-5)],
)
def test_prefixes_of_axes(largest: float, prefix: str, number: float) -> None:
    found, factor = prefix_of(largest)
    assert found == prefix
    assert largest * factor == pytest.approx(number)


def test_few_digits_are_written_without_an_exponent() -> None:
    assert si(3.84e-13, "J", 2) == "380 fJ"
    assert si(3.84e-14, "J", 2) == "38 fJ"
