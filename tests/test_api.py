"""The Python interface gives what the commands give, and the guide's example runs as printed."""

from __future__ import annotations

import hashlib
import json
import pydoc
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from known import known
from oracles import sparse

import rxsim
from rxsim.circuit import ArraySolution
from rxsim.cli import main

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "models" / "digits_mlp.onnx"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    with pytest.raises(SystemExit) as end:
        main([str(item) for item in arguments])
    assert end.value.code == 0
    return capsys.readouterr().out


def test_evaluate_gives_what_eval_writes(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--xbar=32x32", "--limit=50", "--trials=2", "--set=device.write_sigma=0.05"]
    written = json.loads(run(capsys, "eval", MODEL, *options, "--json", "-"))
    settings = rxsim.settings(xbar="32x32", changes={"device.write_sigma": 0.05, "trials": 2})
    result = rxsim.evaluate(MODEL, settings, rxsim.DataOptions(limit=50)).as_json()
    del written["timing"], result["timing"]
    assert result == written


def test_patched_gives_what_patch_writes(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run(capsys, "patch", MODEL, "--xbar=32x32", "-o", tmp_path / "a.onnx")
    model = rxsim.patched(MODEL, "32x32", output=tmp_path / "b.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    assert onnx.load(tmp_path / "b.onnx") == model


def test_inventory_gives_what_map_writes(capsys: pytest.CaptureFixture[str]) -> None:
    written = json.loads(run(capsys, "map", MODEL, "--xbar=16x8", "--json", "-"))
    found = rxsim.inventory(MODEL, rxsim.settings(xbar="16x8")).as_json()
    assert {"schema_version": 1, **found} == written
    assert [layer["arrays"] for layer in found["layers"]] == [
        2 * (64 // 16) * (64 // 8),
        2 * (64 // 16) * (32 // 8),
        2 * (32 // 16) * 2,
    ]


def test_solve_solves_one_array() -> None:
    g = np.random.default_rng(0).uniform(1e-6, 1e-5, (6, 4))
    bar = rxsim.Crossbar(r_wire_wl=3, r_wire_bl=5, r_driver=70, r_sense=20)
    v_in = np.linspace(-0.2, 0.2, 6)
    solution = rxsim.solve(g, bar, v_in)
    assert isinstance(solution, ArraySolution)
    assert solution.g_eff == pytest.approx(sparse.g_eff(g, 3, 5, 70, 20), rel=1e-11)
    assert solution.i_out == pytest.approx(v_in @ solution.g_eff, rel=1e-10, abs=1e-18)


def test_unusable_input_raises_the_sentence_of_the_command() -> None:
    with pytest.raises(rxsim.RxsimError, match=r"did you mean adc\.n_bits"):
        rxsim.settings(changes={"adc.n_bit": 3})
    with pytest.raises(rxsim.RxsimError, match="does not exist"):
        rxsim.evaluate("missing.onnx")


def hostile() -> dict[str, Any]:
    x = np.zeros((4, 1, 8, 8), dtype=np.float32)
    return {
        "a number": 3,
        "nothing": "",
        "a name that no file can have": "a\0b",
        "a name too long": "n" * 300,
        "bytes": b"64x64",
        "a list": [1, 2, 3],
        "an empty mapping": {},
        "a mapping by number": {3: 4},
        "an object": object(),
        "text": "nonsense",
        "an array of text": np.array([["a"]]),
        "an array of objects": np.array([[object()]], dtype=object),
        "an array of no values": np.empty((0, 1, 8, 8)),
        "a pair of unlike lengths": (x, np.zeros(3, dtype=int)),
        "a pair with text": (x, "labels"),
        "a triple": (x, x, x),
    }


@pytest.mark.parametrize("what", hostile())
@pytest.mark.parametrize(
    "argument", ["model", "settings", "data", "calibration", "threads", "limit", "memory"]
)
def test_what_can_not_be_used_raises_one_sentence(argument: str, what: str) -> None:
    if (argument, what) == ("settings", "an empty mapping"):  # nothing differs from the defaults
        return
    arguments: dict[str, Any] = {
        "model": MODEL,
        "settings": {"crossbar.rows": 8},
        argument: hostile()[what],
    }
    if (argument, what) in (("threads", "a number"), ("limit", "a number")):
        return
    functions: list[Callable[..., Any]] = [rxsim.evaluate, rxsim.patched, rxsim.verification]
    for function in functions:
        with pytest.raises(rxsim.RxsimError) as error:
            function(**arguments)
        assert len(str(error.value).splitlines()) == 1
        assert type(error.value).exit_code == 2


def test_importing_rxsim_imports_nothing_heavy() -> None:
    code = "import rxsim, sys; print([m for m in ('numpy', 'onnx', 'numba') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "g", [[1e-5, 1e-5], [[1e-5], [1e-5, 2e-5]], [["a"]], np.empty((0, 2)), [[1e-5 + 1j]]]
)
def test_solve_refuses_what_is_no_array_of_conductances(g: Any) -> None:
    with pytest.raises(rxsim.RxsimError, match="conductances: found"):
        rxsim.solve(g)


def test_solve_refuses_a_crossbar_of_another_kind() -> None:
    with pytest.raises(rxsim.RxsimError, match="expected a Crossbar or a mapping"):
        rxsim.solve(np.eye(2), rxsim.settings())  # type: ignore[arg-type]


def test_solve_takes_settings_and_cells_that_are_not_linear() -> None:
    changes = {"device.iv": {"form": "sinh", "v0": 0.1}, "crossbar.r_driver": np.int64(50)}
    own = rxsim.settings(changes=changes)
    found = rxsim.solve(np.full((2, 2), 1e-5), settings=own)
    assert known(found.i_out).shape == (1, 2)
    again = rxsim.solve(np.full((2, 2), 1e-5), own.crossbar, np.full(2, 0.2), settings=own)
    assert (known(found.i_out) == known(again.i_out)).all()


def test_sweep_and_check_do_what_the_commands_do(tmp_path: Path) -> None:
    root = Path(__file__).parent.parent
    sweep = tmp_path / "sweep.yaml"
    model = json.dumps(str(root / "models" / "digits_mlp.onnx"))
    sweep.write_text(f"model: {model}\nlimit: 20\naxes: {{adc.n_bits: [4, 6]}}\n")
    end = rxsim.run_sweep(sweep, tmp_path / "r.sqlite", workers=1, cache=tmp_path / "cache")
    assert (end.new, end.failed) == (2, 0)
    assert rxsim.run_sweep(sweep, tmp_path / "r.sqlite", workers=1).known == 2
    gate = tmp_path / "gate.yaml"
    gate.write_text(f"cases: [{{name: a, model: {model}, limit: 20}}]\n")
    with pytest.raises(rxsim.RxsimError, match="--update"):
        rxsim.check(gate, tmp_path / "missing.json")


OTHER_CALLS: dict[str, Callable[[Any], object]] = {
    "evaluate scenarios": lambda bad: rxsim.evaluate(MODEL, "32x32", limit=4, scenarios=bad),
    "evaluate scenario": lambda bad: rxsim.evaluate(MODEL, "32x32", limit=4, scenarios=[bad]),
    "calibration": lambda bad: rxsim.calibration(MODEL, bad),
    "calibration output": lambda bad: rxsim.calibration(MODEL, output=bad),
    "check": lambda bad: rxsim.check(bad, bad),
    "inventory": lambda bad: rxsim.inventory(bad),
    "inventory shapes": lambda bad: rxsim.inventory(MODEL, None, bad),
    "inventory shape": lambda bad: rxsim.inventory(MODEL, None, {"image": bad}),
    "netlist": lambda bad: rxsim.netlist(MODEL, layer=bad, array=0),
    "netlist array": lambda bad: rxsim.netlist(MODEL, layer="fc1", array=bad),
    "patched trial": lambda bad: rxsim.patched(MODEL, trial=bad),
    "predistorted": lambda bad: rxsim.predistorted(bad),
    "predistorted scale": lambda bad: rxsim.predistorted(np.full((2, 2), 1e-6), scale=bad),
    "predistorted headroom": lambda bad: rxsim.predistorted(np.full((2, 2), 1e-6), headroom=bad),
    "predistorted passes": lambda bad: rxsim.predistorted(np.full((2, 2), 1e-6), passes=bad),
    "run_search": lambda bad: rxsim.run_search(bad, bad, bad, bad),
    "run_search goal": lambda bad: rxsim.run_search(MODEL, bad, "adc.n_bits=4", "r.sqlite"),
    "run_search over": lambda bad: rxsim.run_search(MODEL, "snr_db>=3", bad, "r.sqlite"),
    "run_sweep": lambda bad: rxsim.run_sweep(bad, bad),
    "settings": lambda bad: rxsim.settings(xbar=bad),
    "solve": lambda bad: rxsim.solve(bad),
    "solve crossbar": lambda bad: rxsim.solve(np.eye(2), bad),
    "verification": lambda bad: rxsim.verification(MODEL, reference=bad),
    "verification tolerance": lambda bad: rxsim.verification(MODEL, tolerance=bad),
}


BAD = {
    "an object": object(),
    "bytes": b"",
    "a zero byte": "a\0b",
    "a negative number": -7,
    "an empty row": [[]],
    "a mapping by number": {3: 4},
    "an array of text": np.array(["a"]),
}


@pytest.mark.parametrize("call", OTHER_CALLS)
@pytest.mark.parametrize("bad", BAD)
def test_other_functions_refuse_in_one_sentence_too(call: str, bad: str) -> None:
    with pytest.raises(rxsim.RxsimError) as error:
        OTHER_CALLS[call](BAD[bad])
    assert len(str(error.value).splitlines()) == 1
    assert type(error.value).exit_code == 2


def without_timing(result: Any) -> dict[str, Any]:
    values: dict[str, Any] = result.as_json()
    del values["timing"]
    return values


def test_the_second_argument_takes_every_form_of_settings(tmp_path: Path) -> None:
    changes = {"crossbar.rows": 16, "crossbar.cols": 8, "adc.n_bits": 7}
    expected = rxsim.settings(changes=changes)
    file = tmp_path / "own.yaml"
    file.write_text("crossbar: {rows: 16, cols: 8}\nadc: {n_bits: 7}\n")
    forms: list[Any] = [
        file,
        str(file),
        changes,
        {"crossbar": {"rows": np.int64(16), "cols": 8}, "adc": {"n_bits": 7}},
        {"crossbar": rxsim.Crossbar(rows=16, cols=8), "adc.n_bits": 7},
        expected,
    ]
    for form in forms:
        assert rxsim.settings(form) == expected
    assert rxsim.settings("16x8", changes={"adc.n_bits": 7}) == expected
    assert rxsim.settings(expected, xbar="4x4", trials=3, seed=5) == rxsim.settings(
        xbar="4x4", changes={"adc.n_bits": 7, "trials": 3, "seed": 5}
    )
    assert rxsim.inventory(MODEL, "16x8").layers[0].arrays == 2 * (64 // 16) * (64 // 8)


def test_changes_over_settings_are_those_over_their_file(tmp_path: Path) -> None:
    """A device model starts from its preset, and a resistance takes the place of a conductance."""
    file = ROOT / "configs" / "pcm-64.yaml"
    base = rxsim.settings(file)
    for changes in (
        {"device.model": "ideal"},
        {"device.r_on": 5e4},
        {"device": {"stuck_lrs": 0.1}},
    ):
        over = rxsim.settings(base, changes=changes)
        if "device.model" not in changes:
            assert over == rxsim.settings(file, changes=changes)
        else:
            assert over.device == rxsim.Settings().device


def test_arrays_and_a_model_in_memory_give_what_their_files_give(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(MODEL.read_bytes())
    with np.load(ROOT / "models" / "digits_test.npz") as archive:
        x, y = (archive["x"] / 16).astype(np.float32), archive["y"]
    np.savez(tmp_path / "f.npz", x=x, y=y)
    chosen: dict[str, Any] = {"settings": "32x32", "limit": 60, "seed": 3}
    expected = without_timing(rxsim.evaluate(path, data=str(tmp_path / "f.npz"), **chosen))
    loaded = onnx.load(path)
    before = loaded.SerializeToString()
    for model in (path, str(path), loaded):
        mapping: Any = {"x": x, "y": y}
        forms: list[Any] = [(x, y), [x, y], {"y": y, "x": x}, rxsim.DataOptions(data=mapping)]
        for data in forms:
            result = without_timing(rxsim.evaluate(model, data=data, **chosen))
            provenance, wanted = result.pop("provenance"), dict(expected)
            del wanted["provenance"]
            assert result == wanted
            assert provenance["evaluated"] == 60
    assert loaded.SerializeToString() == before
    assert provenance["model"]["sha256"] == hashlib.sha256(before).hexdigest()


def test_scenarios_are_the_rungs() -> None:
    result = rxsim.evaluate(MODEL, "32x32", limit=10, scenarios=["weights", "nonideal"])
    assert [rung.name for rung in result.ladder] == ["float32", "weights", "nonideal"]
    assert str(result).count("\n") == 7


def test_arrays_are_identified_by_what_they_hold() -> None:
    x = np.random.default_rng(0).random((40, 1, 8, 8), dtype=np.float32)

    def identity(samples: np.ndarray, labels: np.ndarray | None = None) -> str:
        data = samples if labels is None else (samples, labels)
        found = rxsim.evaluate(MODEL, "32x32", data, limit=4).provenance["data"]
        return str(found["sha256"])

    other = x.copy()
    other[7, 0, 3, 3] += 1e-6
    y = np.arange(40) % 10
    digests = [identity(x), identity(other), identity(x, y), identity(x, y[::-1])]
    digests.append(identity(x.astype(np.float64)))
    assert len(set(digests)) == len(digests)
    assert identity(np.asfortranarray(x)) == digests[0]
    # Independent of the package: the digest of the one array, its name, type and shape before it.
    assert digests[0] == hashlib.sha256(b"x\0<f4\0[40, 1, 8, 8]\0" + x.tobytes()).hexdigest()


def test_samples_alone_measure_agreement_only() -> None:
    x = np.random.default_rng(0).random((40, 1, 8, 8), dtype=np.float32)
    result = rxsim.evaluate(MODEL, "32x32", x, limit=8)
    assert (result.metric, result.labels) == ("none", None)
    assert "accuracy" not in str(result)


def test_a_model_whose_values_lie_in_files_is_told_to_be_given_by_its_path(tmp_path: Path) -> None:
    onnx.save(
        *(onnx.load(MODEL), tmp_path / "big.onnx"),
        save_as_external_data=True,
        size_threshold=0,
        location="big.bin",
    )
    bare = onnx.load(tmp_path / "big.onnx", load_external_data=False)
    with pytest.raises(rxsim.RxsimError, match="give the model's path"):
        rxsim.inventory(bare)
    assert len(rxsim.inventory(onnx.load(tmp_path / "big.onnx")).layers) == 3


def test_dir_help_and_star_show_the_interface() -> None:
    names = {*rxsim.__all__}
    assert set(dir(rxsim)) == names
    space: dict[str, Any] = {}
    exec("from rxsim import *", space)
    assert names <= set(space)
    text = pydoc.render_doc(rxsim, renderer=pydoc.plaintext)  # type: ignore[attr-defined]
    for name in ("evaluate(", "netlist(", "class DataOptions", "class Evaluation"):
        assert name in text


@pytest.fixture(scope="module")
def shown() -> Any:
    return rxsim.evaluate(MODEL, "32x32", limit=30, trials=2)


def test_an_evaluation_prints_as_the_ladder(shown: Any) -> None:
    lines = str(shown).splitlines()
    assert repr(shown) == str(shown)
    assert lines[0] == "The ladder"
    accuracy = shown.rung("nonideal").table("accuracy").mean()
    assert f"{accuracy:.4f}" in next(line for line in lines if "nonideal" in line)
    page = shown._repr_html_()
    assert page.startswith("<table>")
    assert f">{accuracy:.4f}</td>" in page


def test_what_a_notebook_shows_is_escaped() -> None:
    found = rxsim.inventory(MODEL, "32x32")
    name = "<script>alert(1)</script>[red]"
    evil = replace(found, layers=tuple(replace(place, name=name) for place in found.layers))
    page = evil._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;[red]" in page
    assert name in str(evil)


def test_a_frame_needs_pandas_and_says_so(shown: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(rxsim.RxsimError, match="pip install pandas"):
        shown.to_frame()
    with pytest.raises(rxsim.RxsimError, match="expected ladder, layers or over_time"):
        shown.to_frame("rungs")


def test_a_frame_has_a_row_a_rung_and_a_column_a_number(
    shown: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Frame:
        def __init__(self, rows: list[dict[str, Any]]) -> None:
            self.rows = rows

        def set_index(self, name: str) -> dict[str, dict[str, Any]]:
            return {row.pop(name): row for row in self.rows}

    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=Frame))
    table = shown.to_frame()
    assert list(table) == ["float32", "weights", "ideal", "nonideal"]
    summary = shown.rung("nonideal").summary()
    row = table["nonideal"]
    assert row["accuracy"] == summary["accuracy"]["mean"]
    assert row["accuracy.interval_new_images.low"] == summary["accuracy"]["interval_new_images"][0]
    assert row["snr_db"] == summary["snr_db"]["mean"]
    assert {frozenset(row) for row in table.values()} == {frozenset(row)}
    assert list(shown.to_frame("layers")) == ["fc1", "fc2", "fc3"]
    assert rxsim.inventory(MODEL, "32x32").to_frame()["fc1"]["arrays"] == 8
