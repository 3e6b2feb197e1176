"""Messages that name the place: the file, the row and column, the option's kind of value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from small_networks import dense

import rxsim
from rxsim.cli import main, root
from rxsim.report.labels import label_of

PRESET = """schema_version: 1
about: one of mine
source: "-"
status: assumption
range: {low: 1, high: 20}
laws: {write_error: {law: polynomial, coefficients: [1, x]}}
"""


def sentence(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.fixture
def net(tmp_path: Path) -> Path:
    onnx.save(dense(np.eye(3) - 0.5), tmp_path / "net.onnx")
    return tmp_path / "net.onnx"


def test_a_number_of_a_law_is_told_with_its_file(
    net: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    preset, config = tmp_path / "mine.yaml", tmp_path / "settings.yaml"
    preset.write_text(PRESET)
    config.write_text("device: {model: mine.yaml}\n")
    by_option = ("--set", f"device.model={preset}")
    for words in (
        ("eval", net, *by_option),
        ("map", net, "--config", config),
        ("config", "show", *by_option),
        ("config", "validate", config),
        ("presets", preset),
    ):
        said = sentence(capsys, *words)
        assert f"preset file {preset}: laws.write_error: coefficients" in said
    with pytest.raises(rxsim.RxsimError, match=r"preset file .*mine\.yaml: laws\.write_error"):
        rxsim.settings(config)


@pytest.mark.parametrize(
    ("value", "told"), [(-1e-6, "-1e-06"), (np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf")]
)
def test_a_conductance_that_can_not_be_is_told_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], value: float, told: str
) -> None:
    g = np.full((3, 4), 1e-5)
    g[2, 1] = value
    wanted = f"found the conductance {told} S at row 2, column 1 (from 0)"
    with pytest.raises(rxsim.RxsimError) as error:
        rxsim.solve(g)
    assert wanted in str(error.value)
    np.save(tmp_path / "g.npy", g)
    assert wanted in sentence(capsys, "solve", tmp_path / "g.npy", "-o", tmp_path / "o.npz")


def test_a_voltage_that_can_not_be_is_told_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    g, v_in = np.full((3, 4), 1e-5), np.array([0.1, np.nan, -0.2])
    with pytest.raises(rxsim.RxsimError, match="the voltage nan V at row 1"):
        rxsim.solve(g, v_in=v_in)
    np.save(tmp_path / "g.npy", g)
    np.save(tmp_path / "v.npy", v_in)
    words = ("solve", tmp_path / "g.npy", "-o", tmp_path / "o.npz", "--v-in", tmp_path / "v.npy")
    assert "the voltage nan V at row 1" in sentence(capsys, *words)
    assert rxsim.solve(g, v_in=np.array([0.1, -0.2, 0.0])).i_out is not None


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("--limit abc", "--limit: found 'abc', expected a whole number, 1 or above; see"),
        ("--limit 1.5", "--limit: found '1.5', expected a whole number, 1 or above; see"),
        ("--seed x", "--seed: found 'x', expected a whole number; see"),
        ("--limit 0", "--limit: 0 is not in the range"),
    ],
)
def test_what_is_no_number_is_told_in_plain_words(
    net: Path, capsys: pytest.CaptureFixture[str], words: str, wanted: str
) -> None:
    assert wanted in sentence(capsys, "eval", net, *words.split())


def test_bytes_in_memory_are_told_what_python_can_do(net: Path) -> None:
    x = np.ones((4, 3), np.uint8)
    for model in (net, onnx.load(net)):
        with pytest.raises(rxsim.RxsimError) as error:
            rxsim.evaluate(model, "4x4", x)
        assert "uint8" in str(error.value)
        assert "x / 255.0" in str(error.value)
        assert "--scale" not in str(error.value)
        assert ".yaml" not in str(error.value)
    given: Any = x  # as the sentence says
    options = rxsim.DataOptions(data=given, preprocess={"scale": "1/255"})
    rxsim.evaluate(net, "4x4", options)
    rxsim.evaluate(net, "4x4", x / np.float32(255))


def test_a_report_is_a_page_of_html(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "r.json").write_text("{}")
    for name in ("page.pdf", "page", "page.html.gz"):
        said = sentence(capsys, "report", tmp_path / "r.json", "-o", tmp_path / name)
        assert f"--output: found {name}, expected a name that ends in .html" in said
        assert not (tmp_path / name).exists()


def test_an_open_cell_is_no_number_of_kohm(net: Path) -> None:
    given = ["eval", str(net), "--xbar=4x4", "--limit=2", "--set", "device.g_off=0"]
    assert ", 200 kohm to open; " in CliRunner().invoke(root, given).output
    assert ", 200 to 1400 kohm; " in CliRunner().invoke(root, given[:-2]).output


def test_a_scenario_given_twice_is_named(net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = sentence(capsys, "eval", net, "--limit=2", "--only", "wires", "--only", "wires")
    assert "scenarios: found only wires 2 times, expected each scenario once" in said
    with pytest.raises(rxsim.RxsimError, match="found ideal 2 times"):
        rxsim.evaluate(net, "4x4", scenarios=["ideal", "weights", "ideal"])
    with pytest.raises(rxsim.RxsimError, match="float32 not among them"):
        rxsim.evaluate(net, "4x4", scenarios=[rxsim.Scenario("float32", frozenset())])


def test_the_label_of_a_scope_is_a_noun() -> None:
    assert label_of("adc.scope").text == "ADC range scope"


@pytest.mark.usefixtures("sweeps_run_here")
def test_entries_of_a_legend_hold_values_and_its_title_the_names(net: Path, tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text(
        "model: net.onnx\nlimit: 4\nsettings: {crossbar.rows: 4, crossbar.cols: 4}\naxes:\n"
        "  adc.n_bits: [4, 8]\n  mapping.w_max_scope: [layer, column]\n"
        "  adc.scope: [layer, column]\n"
    )
    results, page = str(tmp_path / "r.sqlite"), tmp_path / "r.html"
    assert (
        CliRunner().invoke(root, ["sweep", str(tmp_path / "sweep.yaml"), "-o", results]).exit_code
        == 0
    )
    assert CliRunner().invoke(root, ["report", results, "-o", str(page)]).exit_code == 0
    text = page.read_text()
    assert ">column, layer<" in text
    assert "…" not in text
