"""The Python interface gives what the commands give, and the guide's example runs as printed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from oracles import sparse

import rxsim
from rxsim.cli import main

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "models" / "digits_mlp.onnx"


def run(capsys, *arguments: object) -> str:
    with pytest.raises(SystemExit) as end:
        main([str(item) for item in arguments])
    assert end.value.code == 0
    return capsys.readouterr().out


def test_the_guides_python_example_runs(tmp_path):
    guide = (ROOT / "docs" / "guides" / "python.md").read_text()
    examples = re.findall(r"```python\n(.*?)```", guide, flags=re.DOTALL)
    (example,) = [text for text in examples if text.startswith("import rxsim")]
    done = subprocess.run(
        [sys.executable, "-c", example], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    accuracy = float(done.stdout.split()[0])
    assert 0.5 < accuracy <= 1.0


def test_evaluate_gives_what_eval_writes(capsys):
    options = ["--xbar=32x32", "--limit=50", "--trials=2", "--set=device.write_sigma=0.05"]
    written = json.loads(run(capsys, "eval", MODEL, *options, "--json", "-"))
    settings = rxsim.settings(xbar="32x32", changes={"device.write_sigma": 0.05, "trials": 2})
    result = rxsim.evaluate(MODEL, settings, rxsim.DataOptions(limit=50)).as_json()
    del written["timing"], result["timing"]
    assert result == written


def test_patched_gives_what_patch_writes(capsys, tmp_path):
    run(capsys, "patch", MODEL, "--xbar=32x32", "-o", tmp_path / "a.onnx")
    model = rxsim.patched(MODEL, tmp_path / "b.onnx", rxsim.settings(xbar="32x32"))
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    assert onnx.load(tmp_path / "b.onnx") == model


def test_inventory_gives_what_map_writes(capsys):
    written = json.loads(run(capsys, "map", MODEL, "--xbar=16x8", "--json", "-"))
    found = rxsim.inventory(MODEL, rxsim.settings(xbar="16x8")).as_json()
    assert {"schema_version": 1, **found} == written
    assert [layer["arrays"] for layer in found["layers"]] == [
        2 * (64 // 16) * (64 // 8),
        2 * (64 // 16) * (32 // 8),
        2 * (32 // 16) * 2,
    ]


def test_solve_solves_one_array():
    g = np.random.default_rng(0).uniform(1e-6, 1e-5, (6, 4))
    bar = rxsim.Crossbar(r_wire_wl=3, r_wire_bl=5, r_driver=70, r_sense=20)
    v_in = np.linspace(-0.2, 0.2, 6)
    solution = rxsim.solve(g, bar, v_in)
    assert solution.g_eff == pytest.approx(sparse.g_eff(g, 3, 5, 70, 20), rel=1e-11)
    assert solution.i_out == pytest.approx(v_in @ solution.g_eff, rel=1e-10, abs=1e-18)


def test_unusable_input_raises_the_sentence_of_the_command():
    with pytest.raises(rxsim.RxsimError, match=r"did you mean adc\.n_bits"):
        rxsim.settings(changes={"adc.n_bit": 3})
    with pytest.raises(rxsim.RxsimError, match="does not exist"):
        rxsim.evaluate("missing.onnx")


def test_importing_rxsim_imports_nothing_heavy():
    code = "import rxsim, sys; print([m for m in ('numpy', 'onnx', 'numba') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "g", [[1e-5, 1e-5], [[1e-5], [1e-5, 2e-5]], [["a"]], np.empty((0, 2)), [[1e-5 + 1j]]]
)
def test_solve_refuses_what_is_no_array_of_conductances(g):
    with pytest.raises(rxsim.RxsimError, match="conductances: found"):
        rxsim.solve(g)


def test_solve_refuses_a_crossbar_of_another_kind():
    with pytest.raises(rxsim.RxsimError, match="expected a Crossbar and Settings"):
        rxsim.solve(np.eye(2), rxsim.settings())


def test_solve_takes_settings_and_cells_that_are_not_linear():
    changes = {"device.iv": {"form": "sinh", "v0": 0.1}, "crossbar.r_driver": np.int64(50)}
    own = rxsim.settings(changes=changes)
    found = rxsim.solve(np.full((2, 2), 1e-5), settings=own)
    assert found.i_out.shape == (1, 2)
    again = rxsim.solve(np.full((2, 2), 1e-5), own.crossbar, np.full(2, 0.2), settings=own)
    assert (found.i_out == again.i_out).all()


def test_sweep_and_check_do_what_the_commands_do(tmp_path):
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
