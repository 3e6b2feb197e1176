"""The last line of `rxsim eval`: the rung that fell most, and a command that explains it."""

from __future__ import annotations

import json
import shlex
import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from rxsim.cli import main
from rxsim.config import load_settings
from rxsim.pipeline import DataOptions, evaluate, open_study
from rxsim.report.largest_fall import largest_fall

MODELS = Path(__file__).parents[1] / "models"
MODEL = MODELS / "digits_mlp.onnx"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    with pytest.raises(SystemExit) as end:
        main([str(item) for item in arguments])
    assert end.value.code == 0
    return capsys.readouterr().out


def closing(text: str) -> tuple[str, list[str]]:
    fall, _, command = text.splitlines()[-1].partition(" Why: ")
    return fall, shlex.split(command)


def test_it_names_the_rung_that_fell_most(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    options = ["--limit=60", "--set=adc.n_bits=2", "--quiet"]
    fall, command = closing(run(capsys, "eval", MODEL, *options))
    run(capsys, "eval", MODEL, *options, "--json", tmp_path / "a.json")
    ladder = json.loads((tmp_path / "a.json").read_text())["ladder"]
    means = [(name, rung["accuracy"]["mean"]) for name, rung in ladder.items()]
    falls = {name: (before, after) for (_, before), (name, after) in pairwise(means)}
    worst = max(falls, key=lambda name: falls[name][0] - falls[name][1])
    before, after = falls[worst]
    assert fall == f"{worst} fell most: accuracy {100 * before:.2f} % -> {100 * after:.2f} %."
    assert command[:2] == ["rxsim", "explain"]


def test_its_command_explains_the_same_evaluation(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Paths with spaces, repeated options, flags; without what explain does not take."""
    folder = tmp_path / "a folder"
    folder.mkdir()
    for name in ("digits_mlp.onnx", "digits_mlp.yaml", "digits_test.npz", "digits_train.npz"):
        shutil.copy(MODELS / name, folder / name)
    text = run(
        *(capsys, "eval", folder / "digits_mlp.onnx", "--limit", 40, "--set", "adc.n_bits=2"),
        *("--set", "device.write_sigma=0.02", "--trials", 2, "--only", "adc", "--quiet"),
        *("--threads", 1),
        *("--save-patched", tmp_path / "p.onnx", "--yield-at", 1),
    )
    _, command = closing(text)
    assert not {"--only", "--save-patched", "--yield-at", "--quiet", "--threads"} & set(command)
    run(capsys, *command[1:], "--no-remedies", "--by", "effects", "--json", tmp_path / "why.json")
    why = json.loads((tmp_path / "why.json").read_text())
    assert (why["chips"], why["images"], why["settings"]["adc"]["n_bits"]) == (2, 40, 2)
    run(capsys, "eval", *command[2:], "--json", tmp_path / "eval.json")
    ladder = json.loads((tmp_path / "eval.json").read_text())["ladder"]
    assert why["all"] == ladder["nonideal"]["accuracy"]["mean"]


def test_its_command_takes_the_chips_that_were_needed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    options = ["--limit", 40, "--set", "adc.n_bits=3", "--set", "device.write_sigma=0.3", "--quiet"]
    until = ["--until-ci", 1.5, "--trials", 30]
    _, command = closing(run(capsys, "eval", MODEL, *options, *until))
    run(capsys, "eval", MODEL, *options, *until, "--json", tmp_path / "a.json")
    took = json.loads((tmp_path / "a.json").read_text())["ladder"]["nonideal"]["accuracy"]
    assert command.count("--trials") == 1
    assert int(command[command.index("--trials") + 1]) == len(took["per_trial"]) > 10
    assert "--until-ci" not in command
    # Also where no number was given.
    _, command = closing(run(capsys, "eval", MODEL, *options, "--until-ci", 20))
    assert command[command.index("--trials") + 1] == "10"


def test_of_several_times_it_takes_the_ladders(capsys: pytest.CaptureFixture[str]) -> None:
    text = run(
        *(capsys, "eval", MODEL, "--limit", 40, "--set", "adc.n_bits=2"),
        *("--set", "device.model=pcm-hermes", "--time", "1h,1y", "--quiet"),
    )
    _, command = closing(text)
    assert command[command.index("--time") + 1] == "1h"


def test_nothing_is_said_where_nothing_fell(capsys: pytest.CaptureFixture[str]) -> None:
    text = run(capsys, "eval", MODEL, "--limit", 40, "--quiet", "--set", "adc.n_bits=null")
    assert "fell most" not in text


def test_nothing_is_said_where_the_last_rung_is_as_good_as_the_first() -> None:
    settings = load_settings(assignments=["adc.n_bits=2"])
    result = evaluate(open_study(MODEL, settings, DataOptions(limit=40)))
    first, fallen = result.ladder[0], result.ladder[-1]
    assert largest_fall(replace(result, ladder=(first, fallen))) is not None
    assert largest_fall(replace(result, ladder=(first, fallen, first))) is None
