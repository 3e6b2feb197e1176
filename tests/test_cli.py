"""The commands from outside: what they print, what they write, and that it repeats."""

import copy
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from oracles import sparse
from PIL import Image

import rxsim
from rxsim.cli import main, run
from rxsim.load.digital import reason_for
from rxsim.pipeline import Inventory
from rxsim.report.terminal import PLUMBING, inventory_tables

ROOT = Path(__file__).resolve().parents[1]
MODELS = ROOT / "models"
SMALL = ["--xbar", "32x32", "--set", "device.write_sigma=0.05"]
"""Small arrays that are quick to solve, and chips that differ."""
RUNGS = ["float32", "weights", "ideal", "nonideal"]


def _run(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run a command in this process; return its standard output, nothing being on the other."""
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert (stop.value.code, err) == (0, "")
    return out


def _strict(text: str) -> Any:
    """Read JSON without Python's extras (NaN and Infinity)."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    """The digits' test images as network inputs, and their labels."""
    with np.load(MODELS / "digits_test.npz") as archive:
        return archive["x"].astype(np.float32) / np.float32(16), archive["y"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Results of `rxsim eval` on all the digits with three chips, read from the file."""
    path = tmp_path_factory.mktemp("eval") / "result.json"
    with pytest.raises(SystemExit) as stop:
        main(["eval", str(MODELS / "digits_cnn.onnx"), *SMALL, "--trials=3", f"--json={path}"])
    assert stop.value.code == 0
    result = _strict(path.read_text())
    assert isinstance(result, dict)
    return result


def test_help_is_quick_because_it_imports_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from rxsim.cli import main\n"
        "try:\n    main(['--help'])\n"
        "except SystemExit as stop:\n    assert stop.code == 0\n"
        "heavy = {'numpy', 'scipy', 'numba', 'onnx', 'onnxruntime', 'pydantic', 'rich'}\n"
        "found = heavy & set(sys.modules)\n"
        "sys.exit(f'imported {sorted(found)}' if found else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    for command in ("eval", "patch", "solve", "verify", "spice", "config"):
        assert f"\n  {command} " in done.stdout


@pytest.mark.parametrize(
    "command", [["eval"], ["patch"], ["solve"], ["verify"], ["spice"], ["config", "show"]]
)
def test_every_command_has_help(capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    text = _run(capsys, *command, "--help")
    assert text.startswith(f"Usage: rxsim {' '.join(command)} [OPTIONS]")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_completes_commands_and_options(
    shell: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["rxsim"])

    def complete(variables: dict[str, str]) -> str:
        with monkeypatch.context() as shells:
            for name, value in variables.items():
                shells.setenv(name, value)
            with pytest.raises(SystemExit):
                run()
        return capsys.readouterr().out

    assert "_RXSIM_COMPLETE" in complete({"_RXSIM_COMPLETE": f"{shell}_source"})
    answer = {"_RXSIM_COMPLETE": f"{shell}_complete", "COMP_CWORD": "1"}
    fish = shell == "fish"
    commands = complete(
        {**answer, "COMP_WORDS": "rxsim ev"} | ({"COMP_CWORD": "ev"} if fish else {})
    )
    assert "eval" in commands
    assert "patch" not in commands
    answer["COMP_CWORD"] = "--sav" if fish else "2"
    options = complete({**answer, "COMP_WORDS": "rxsim eval --sav"})
    assert "--save-patched" in options


def test_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(capsys, "--version") == f"rxsim, version {rxsim.__version__}\n"


def _rows(text: str, title: str) -> dict[str, list[str]]:
    """Return the rows of the table under a title, by their first cell."""
    lines = text[text.index(title) :].splitlines()
    rows = {}
    for line in lines[4:]:
        if not line.startswith("│"):
            break
        cells = [cell.strip() for cell in line.strip("│").split("│")]
        rows[cells[0]] = cells[1:]
    return rows


def test_eval_prints_the_ladder_and_the_layers(
    capsys: pytest.CaptureFixture[str], whole: dict[str, Any]
) -> None:
    text = _run(capsys, "eval", MODELS / "digits_cnn.onnx", *SMALL, "--trials", 3)
    assert text.startswith("digits_cnn.onnx on 32x32 arrays, 200 to 1400 kohm; 540 samples of ")
    ladder = _rows(text, "The ladder")
    assert list(ladder) == RUNGS
    # Source: the card's float_accuracy (scripts/train_models.py, plain onnxruntime).
    assert ladder["float32"][0] == "0.9944"
    for rung in RUNGS:
        assert ladder[rung][0] == f"{whole['ladder'][rung]['accuracy']['mean']:.4f}"
    layers = _rows(text, "By layer")
    # Matrix shapes and counts of arrays by hand: ceil(K/32) x ceil(N/32) tiles of two arrays each.
    assert {name: row[:2] for name, row in layers.items()} == {
        "conv1": ["9x16", "2"],
        "conv2": ["144x32", "10"],
        "fc1": ["128x64", "16"],
        "fc2": ["64x10", "4"],
    }
    assert "On crossbars: 4 layers, 32 arrays, 100 % of multiply-accumulates" in text
    assert list(_rows(text, " digital ")) == ["Relu", "MaxPool", "Flatten"]


def test_what_stays_digital_begins_with_the_most_arithmetic() -> None:
    """Operators that only move values share the last line."""
    rows = [("Add", "element by element", 9, 0), ("Concat", PLUMBING, 3, 0), ("Conv", "why", 1, 70)]
    rows += [("Gemm", "why", 2, 900), ("Relu", "activation function", 4, 0)]
    rows += [("Reshape", PLUMBING, 5, 0)]
    names = ("op", "reason", "nodes", "macs")
    digital = tuple(dict(zip(names, row, strict=True)) for row in rows)
    (_, table) = inventory_tables(Inventory(layers=(), digital=digital, shares={}))
    cells = list(zip(*(column.cells for column in table.columns), strict=True))
    assert cells == [
        ("Gemm", "2", "900", "-", "why"),
        ("Conv", "1", "70", "-", "why"),
        ("Add", "9", "-", "-", "element by element"),
        ("Relu", "4", "-", "-", "activation function"),
        ("Concat, Reshape", "8", "-", "-", PLUMBING),
    ]
    assert {reason_for(op) for op in ("Concat", "Reshape", "Cast", "Constant")} == {PLUMBING}


def test_json_on_standard_output_is_one_document_and_nothing_else(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = _run(capsys, "eval", MODELS / "digits_mlp.onnx", *SMALL, "--limit", 50, "--json", "-")
    assert text.endswith("}\n")
    assert text.count("\n") == 1
    result = _strict(text)
    assert result["schema_version"] == 1
    assert list(result["ladder"]) == RUNGS
    assert result["settings"]["crossbar"]["rows"] == 32
    assert result["provenance"]["model"]["name"] == "digits_mlp.onnx"
    assert result["provenance"]["evaluated"] == 50
    assert result["provenance"]["calibration"]["overlap"] == 0


def test_the_json_names_its_inputs_by_their_hashes(whole: dict[str, Any]) -> None:
    names = {
        "model": "digits_cnn.onnx",
        "data": "digits_test.npz",
        "calibration": "digits_train.npz",
    }
    for role, name in names.items():
        done = subprocess.run(
            ["sha256sum", MODELS / name], capture_output=True, text=True, check=True
        )
        assert whole["provenance"][role]["name"] == name
        assert whole["provenance"][role]["sha256"] == done.stdout.split()[0]


def test_predictions_and_labels_give_the_stated_accuracies(
    whole: dict[str, Any], digits: tuple[np.ndarray, np.ndarray]
) -> None:
    images = whole["images"]
    assert images["indices"] == list(range(540))
    assert images["labels"] == digits[1].tolist()
    labels = np.array(images["labels"])
    reference = np.array(images["predictions"]["float32"][0])
    for rung in RUNGS:
        predictions = np.array(images["predictions"][rung])
        stated = whole["ladder"][rung]
        assert predictions.shape == (3 if rung == "nonideal" else 1, 540)
        assert stated["trials"] == len(predictions)
        hits = (predictions == labels).mean(axis=1)
        np.testing.assert_allclose(stated["accuracy"]["per_trial"], hits, rtol=1e-12)
        assert stated["accuracy"]["mean"] == pytest.approx(hits.mean(), rel=1e-12)
        agreement = (predictions == reference).mean(axis=1)
        np.testing.assert_allclose(stated["agreement"]["per_trial"], agreement, rtol=1e-12)


def test_the_float_rung_is_plain_onnxruntime(
    whole: dict[str, Any], digits: tuple[np.ndarray, np.ndarray]
) -> None:
    assert whole["images"]["predictions"]["float32"] == [
        _plain_predictions(MODELS / "digits_cnn.onnx", digits[0])
    ]


def test_chips_differ_and_the_other_rungs_have_one_run(whole: dict[str, Any]) -> None:
    assert not whole["deterministic"]
    snrs = whole["ladder"]["nonideal"]["snr_db"]["per_trial"]
    assert len(set(snrs)) == 3
    assert [whole["ladder"][rung]["trials"] for rung in RUNGS] == [1, 1, 1, 3]


def test_without_data_no_accuracy_is_claimed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = shutil.copy(MODELS / "digits_mlp.onnx", tmp_path / "alone.onnx")
    path = tmp_path / "result.json"
    text = _run(capsys, "eval", alone, *SMALL, "--json", path)
    assert "No accuracy was measured" in text
    assert "64 made-up inputs" in text
    assert "accuracy" not in text[text.index("The ladder") : text.index("No accuracy")]
    result = _strict(path.read_text())
    assert result["provenance"]["made_up"] is True
    assert result["images"]["labels"] is None
    for rung in RUNGS:
        assert result["ladder"][rung]["accuracy"] is None
        assert len(result["images"]["predictions"][rung][0]) == 64


def test_trials_that_can_not_differ_are_said_to_be_one_chip(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = _run(
        capsys, "eval", MODELS / "digits_mlp.onnx", "--xbar=32x32", "--trials=3", "--limit=20"
    )
    assert "nothing in these settings is random, so all 3 trials are the same chip" in text


def test_an_overlap_with_the_calibration_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    data = MODELS / "digits_test.npz"
    text = _run(capsys, "eval", MODELS / "digits_mlp.onnx", "--xbar=32x32", "--data", data)
    assert "Note: 128 of 128 calibration inputs are among the evaluated ones" in text


def test_an_overlap_is_told_where_one_file_is_given_twice(
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = MODELS / "digits_test.npz"
    options = ["--xbar=32x32", "--data", data, "--calibrate", data]
    text = _run(capsys, "eval", MODELS / "digits_mlp.onnx", *options)
    assert "Note: 128 of 128 calibration inputs are among the evaluated ones" in text


def _process(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rxsim", *(str(argument) for argument in arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def test_quiet_leaves_standard_error_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """What libraries write to the file of standard error without Python's knowledge included."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(["eval", str(MODELS / "digits_mlp.onnx"), *SMALL, "--limit=20", "-q"])
    out, err = capfd.readouterr()
    assert (stop.value.code, err) == (0, "")
    assert "\x1b" not in out
    assert "The ladder" in out
    assert list(tmp_path.iterdir()) == []


STAGES = [
    *("load", "data", "float32", "calibrate", "map", "levels", "patch", "weights"),
    *("adc ranges", "ideal", "solve", "nonideal", "diagnose"),
]


def test_verbose_tells_every_stage_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    model = str(MODELS / "digits_mlp.onnx")
    with pytest.raises(SystemExit) as stop:
        main(["eval", model, *SMALL, "--limit=20", "-v", "--json=-"])
    assert stop.value.code == 0
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert all(re.fullmatch(r"[a-z0-9 ]+: (\d+ times, )?\d+\.\d s", line) for line in lines)
    assert {line.split(":")[0] for line in lines} == set(STAGES)
    assert set(_strict(out)["timing"]["seconds"]) == set(STAGES)


def test_quiet_and_verbose_together_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["map", str(MODELS / "digits_mlp.onnx"), "-q", "-v"])
    assert stop.value.code == 2
    assert "expected one of them" in capsys.readouterr().err


class _Clock:
    """A clock that tests set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from rxsim import stages
        from rxsim.commands import progress

        self.now = 0.0
        for module, name in ((progress, "monotonic"), (stages, "perf_counter")):
            monkeypatch.setattr(module.time, name, lambda: self.now)
        monkeypatch.setattr(progress, "LONG_SECONDS", 1.0)


def test_where_there_is_no_terminal_long_stages_have_a_line_each(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from rxsim.commands.progress import watched
    from rxsim.stages import Stages

    clock = _Clock(monkeypatch)
    with watched(solves=False) as watcher:
        stages = Stages(watcher)
        with stages("load"):
            clock.now += 0.9
        assert capsys.readouterr().err == ""
        with stages("solve") as progress:
            clock.now += 30
            progress(1, 4000)
            clock.now += 31
            progress(2000, 4000)
            clock.now += 1
        assert capsys.readouterr().err == "solve: 2,000 of 4,000\nsolve: 62.0 s\n"
        for _ in range(3):  # repeated: a line a minute
            with stages("solve"):
                clock.now += 25
        assert capsys.readouterr().err == "solve: 4 times, 137.0 s\n"
    assert stages.seconds == {"load": pytest.approx(0.9), "solve": pytest.approx(137)}


def test_a_terminal_shows_each_stage_once_it_has_run_for_a_second(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also one that does not tell how far it is; and nothing stays when it is over."""
    from rxsim.commands import progress

    clock = _Clock(monkeypatch)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    with progress.watched(solves=False) as watcher:
        assert isinstance(watcher, progress._Bars)
        watcher.begin("load")
        clock.now = 0.5
        watcher._bars.refresh()
        assert "load" not in capsys.readouterr().err
        clock.now = 1.5
        watcher._bars.refresh()
        assert "load" in capsys.readouterr().err
        watcher.end("load", 1.5)
        watcher.begin("solve")
        watcher.advance("solve", 3, 10)
        clock.now = 3.0
        watcher._bars.refresh()
        shown = capsys.readouterr().err
        assert "load" not in shown
        assert "solve" in shown
        assert "3/10" in shown
    assert capsys.readouterr().out == ""


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no pseudo-terminals here")
def test_a_terminal_on_standard_error_leaves_json_alone() -> None:
    leader, follower = os.openpty()
    command = [sys.executable, "-m", "rxsim", "eval", str(MODELS / "digits_mlp.onnx")]
    done = subprocess.run(
        [*command, *SMALL, "--limit=20", "--json=-"],
        stdout=subprocess.PIPE,
        stderr=follower,
        text=True,
        check=False,
    )
    os.close(follower)
    os.close(leader)
    assert done.returncode == 0
    assert _strict(done.stdout)["schema_version"] == 1


def _plain_predictions(path: Path, inputs: np.ndarray) -> list[int]:
    """Run a model in plain onnxruntime, on one thread and in one batch."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (outputs,) = session.run(None, {session.get_inputs()[0].name: inputs})
    return [int(value) for value in outputs.argmax(axis=1)]


@pytest.mark.parametrize("name", ["digits_cnn", "digits_dsconv"])
def test_the_patched_model_is_standard_onnx_and_predicts_what_eval_lists(
    name: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    digits: tuple[np.ndarray, np.ndarray],
) -> None:
    model, patched, saved = MODELS / f"{name}.onnx", tmp_path / "p.onnx", tmp_path / "s.onnx"
    text = _run(capsys, "patch", model, *SMALL, "-o", patched)
    assert text.startswith(f"{patched}: ")
    result = _strict(
        _run(capsys, "eval", model, *SMALL, "--trials=2", "--json=-", "--save-patched", saved)
    )
    assert _plain_predictions(patched, digits[0]) == result["images"]["predictions"]["nonideal"][0]
    assert saved.read_bytes() == patched.read_bytes()

    loaded = onnx.load(patched)
    onnx.checker.check_model(loaded, full_check=True)
    original = onnx.load(model)
    nodes = [*loaded.graph.node, *(node for inner in loaded.functions for node in inner.node)]
    local = {(inner.domain, inner.name) for inner in loaded.functions}
    for node in nodes:
        assert node.domain in ("", "ai.onnx") or (node.domain, node.op_type) in local
    assert [value.name for value in loaded.graph.input] == [
        value.name for value in original.graph.input
    ]
    assert [value.name for value in loaded.graph.output] == [
        value.name for value in original.graph.output
    ]


def test_patch_writes_the_chip_that_is_asked_for(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    digits: tuple[np.ndarray, np.ndarray],
    whole: dict[str, Any],
) -> None:
    patched = tmp_path / "p.onnx"
    _run(capsys, "patch", MODELS / "digits_cnn.onnx", *SMALL, "--trial", 2, "-o", patched)
    assert _plain_predictions(patched, digits[0]) == whole["images"]["predictions"]["nonideal"][2]


@pytest.mark.parametrize("option", [["--threads", "1"], ["--threads", "2"]])
def test_the_same_seed_gives_the_same_json_for_any_number_of_threads(
    option: list[str], capsys: pytest.CaptureFixture[str], whole: dict[str, Any]
) -> None:
    model = MODELS / "digits_cnn.onnx"
    again = _strict(_run(capsys, "eval", model, *SMALL, "--trials=3", "--json=-", *option))
    first = copy.deepcopy(whole)
    assert again.pop("timing")["seconds"]
    assert first.pop("timing")["seconds"]
    assert again == first


def test_another_seed_gives_other_chips(
    capsys: pytest.CaptureFixture[str], whole: dict[str, Any]
) -> None:
    model = MODELS / "digits_cnn.onnx"
    other = _strict(_run(capsys, "eval", model, *SMALL, "--seed=1", "--json=-"))
    assert (
        other["ladder"]["nonideal"]["snr_db"]["per_trial"][0]
        not in whole["ladder"]["nonideal"]["snr_db"]["per_trial"]
    )


RESISTANCES = {
    "default": ({}, (2.5, 2.5, 100.0, 100.0)),
    "unequal": (
        {"r-wire-wl": 7.0, "r-wire-bl": 0.3, "r-driver": 55.0, "r-sense": 1000.0},
        (7.0, 0.3, 55.0, 1000.0),
    ),
    "ideal": (dict.fromkeys(["r-wire-wl", "r-wire-bl", "r-driver", "r-sense"], 0.0), (0.0,) * 4),
}


@pytest.mark.parametrize("case", RESISTANCES)
def test_solve_is_the_sparse_oracles_circuit(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named, resistances = RESISTANCES[case]
    rng = np.random.default_rng(3)
    g = np.exp(rng.uniform(np.log(1e-6), np.log(1e-4), (7, 5)))
    g[2, 3] = 0.0
    v_in = rng.uniform(-0.2, 0.2, 7)
    np.save(tmp_path / "g.npy", g)
    np.save(tmp_path / "v.npy", v_in)
    options = [f"--{name}={value}" for name, value in named.items()]
    path = tmp_path / "out.npz"
    text = _run(
        capsys, "solve", tmp_path / "g.npy", "--v-in", tmp_path / "v.npy", "-o", path, *options
    )
    g_eff = sparse.g_eff(g, *resistances)
    v_wl, v_bl, i_out = sparse.node_voltages(g, *resistances, v_in)
    with np.load(path) as found:
        assert set(found.files) == {"g_eff", "i_out", "v_wl", "v_bl"}
        np.testing.assert_allclose(found["g_eff"], g_eff, rtol=1e-12, atol=0)
        np.testing.assert_allclose(found["i_out"], i_out, rtol=0, atol=1e-12 * abs(i_out).max())
        np.testing.assert_allclose(found["v_wl"], v_wl, rtol=0, atol=1e-12 * abs(v_wl).max())
        np.testing.assert_allclose(found["v_bl"], v_bl, rtol=0, atol=1e-12 * abs(v_in).max())
    assert f"sum(g_eff)/sum(g) = {g_eff.sum() / g.sum():.6f}" in text


def test_solve_puts_the_access_resistance_in_series_with_every_cell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    g = np.random.default_rng(4).uniform(1e-6, 1e-3, (4, 6))
    np.save(tmp_path / "g.npy", g)
    path = tmp_path / "out.npz"
    _run(capsys, "solve", tmp_path / "g.npy", "-o", path, "--r-access", 2000)
    wanted = sparse.g_eff(1 / (1 / g + 2000), 2.5, 2.5, 100.0, 100.0)
    with np.load(path) as found:
        assert found.files == ["g_eff"]
        np.testing.assert_allclose(found["g_eff"], wanted, rtol=1e-12, atol=0)


def test_solve_draws_what_the_wires_take(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The picture shows three maps: a wordline loses most at its far end, a bitline at its top."""
    g = np.full((24, 16), 1e-4)
    np.save(tmp_path / "g.npy", g)
    picture = tmp_path / "array.png"
    arguments = ["--r-wire-wl=20", "--r-wire-bl=20", "--plot", picture, "-o", tmp_path / "o.npz"]
    text = _run(capsys, "solve", tmp_path / "g.npy", *arguments)
    assert "error below" in text
    assert set(np.load(tmp_path / "o.npz").files) == {"g_eff"}
    with Image.open(picture) as image:
        image.verify()
        assert image.format == "PNG"
        assert image.size[0] > 1000


@pytest.mark.parametrize(("shape", "fits"), [("1,8,8", True), ("3,8,8", False), ("5,7", False)])
def test_an_input_shape_that_contradicts_the_model_is_refused(
    shape: str, fits: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["map", str(MODELS / "digits_cnn.onnx"), "--input-shape", shape])
    assert end.value.code == (0 if fits else 2)
    assert fits or "expected the shape of one input" in capsys.readouterr().err


def test_the_result_says_which_output_and_input_were_used(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = _run(capsys, "eval", MODELS / "digits_mlp.onnx", "--limit=20", "--json", "-")
    provenance = json.loads(text)["provenance"]
    assert (provenance["input"], provenance["output"]) == ("image", "logits")
