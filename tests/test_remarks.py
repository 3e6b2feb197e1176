"""A network whose output tells nothing: the terminal, the JSON and the HTML report say so."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from html_page import Page
from small_networks import network

import rxsim
from rxsim.cli import main, root
from rxsim.run import remarks_on

RNG = np.random.default_rng(0)
SAME = "the float network gives the same output for every input: agreement and SNR tell nothing"
ZERO = "the float network gives the same output for every input, zeros only: agreement and SNR tell"
SINGLE = "so agreement is not measured"


def relu(shift: float, outputs: int = 3, bias: float = 0.0) -> onnx.ModelProto:
    """A layer, ReLU and a bias; far below zero nothing passes."""
    text = "[fc] m = Gemm(x, w, b) [act] r = Relu(m) [out] y = Add(r, c)"
    tensors = {"w": RNG.normal(size=(5, outputs)), "b": np.full(outputs, shift)}
    return network(text, (5,), {**tensors, "c": np.full(outputs, bias)})


@pytest.fixture
def evaluated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[dict[str, Any], str, Page]]:
    """Evaluate a model: its JSON, what the terminal shows, and its report."""

    def run(model: onnx.ModelProto, *words: str) -> tuple[dict[str, Any], str, Page]:
        onnx.save(model, tmp_path / "net.onnx")
        result, page = tmp_path / "result.json", tmp_path / "page.html"
        with pytest.raises(SystemExit) as end:
            main(["eval", str(tmp_path / "net.onnx"), "--xbar=8x4", "--json", str(result), *words])
        assert not end.value.code
        shown = capsys.readouterr().out
        done = CliRunner().invoke(root, ["report", str(result), "-o", str(page)])
        assert done.exit_code == 0, done.exception
        return json.loads(result.read_text()), shown, Page(page.read_text())

    return run


def told(page: Page) -> str:
    return " ".join(" ".join(page.text).split())


@pytest.mark.parametrize(("bias", "sentence"), [(0.0, ZERO), (0.7, SAME)])
def test_an_output_that_does_not_vary_is_said(evaluated: Any, bias: float, sentence: str) -> None:
    result, shown, page = evaluated(relu(-100, bias=bias), "--limit=6")
    assert list(result["remarks"]) == ["output_does_not_vary"]
    assert result["remarks"]["output_does_not_vary"].startswith(sentence)
    assert sum(line.startswith(f"Note: {sentence}") for line in shown.splitlines()) == 1
    assert sentence[1:] in told(page)


def test_an_output_that_varies_or_a_single_input_is_not(evaluated: Any) -> None:
    for model, words in ((relu(0), "--limit=6"), (relu(-100), "--limit=1")):
        result, shown, page = evaluated(model, words)
        assert "remarks" not in result
        assert "tell nothing" not in shown + told(page)


def test_agreement_of_single_values_is_not_measured(evaluated: Any) -> None:
    result, shown, page = evaluated(relu(5, outputs=1), "--limit=6")
    assert list(result["remarks"]) == ["single_value"]
    assert all(rung["agreement"] is None for rung in result["ladder"].values())
    assert all(rung["snr_db"] is not None for rung in result["ladder"].values())
    assert SINGLE in shown
    assert "agreement ┃" not in shown
    assert "SNR compares with the float network" in shown
    assert SINGLE in told(page)
    assert "On crossbars: output SNR" in told(page)


@pytest.mark.usefixtures("sweeps_run_here")
def test_a_sweep_over_a_single_value_compares_snr(tmp_path: Path) -> None:
    onnx.save(relu(5, outputs=1), tmp_path / "net.onnx")
    (tmp_path / "sweep.yaml").write_text(
        "model: net.onnx\naxes: {adc.n_bits: [4, 8]}\nlimit: 6\nsettings: {crossbar.rows: 8}\n"
    )
    run = CliRunner().invoke
    results = str(tmp_path / "results.sqlite")
    done = run(root, ["sweep", str(tmp_path / "sweep.yaml"), "-o", results])
    assert done.exit_code == 0, done.output
    shown = run(root, ["results", "show", results, "--json"])
    found = json.loads(shown.output)
    assert "snr_db" in shown.output
    assert found
    done = run(root, ["report", results, "-o", str(tmp_path / "page.html")])
    assert done.exit_code == 0, done.exception
    text = told(Page((tmp_path / "page.html").read_text()))
    assert SINGLE in text


def test_what_counts_as_the_same_output() -> None:
    row = RNG.normal(size=4).astype(np.float32)
    same = np.tile(row, (7, 1))
    assert "output_does_not_vary" in remarks_on(same)
    rounded = same * np.float32(1 + 1e-7)
    assert "output_does_not_vary" in remarks_on(np.concatenate([same, rounded]))
    varied = same.copy()
    varied[3, 2] += np.float32(1e-4)
    assert remarks_on(varied) == {}
    assert remarks_on(same[:1]) == {}
    assert list(remarks_on(np.zeros((3, 1), np.float32))) == [
        "output_does_not_vary",
        "single_value",
    ]


def test_python_has_them_too() -> None:
    result = rxsim.evaluate(relu(-100), "8x4", limit=4)
    assert "zeros only" in result.remarks["output_does_not_vary"]
    assert "Note: the float network gives the same output" in str(result)
    assert "<p>Note: the float network" in result._repr_html_()
