"""Every example of the guide to the Python interface runs, and the guide names all of the interface."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

import rxsim
from rxsim.cli import main

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "guides" / "python.md").read_text(encoding="utf-8")
FUNCTIONS = (
    *(
        "calibration",
        "check",
        "compare",
        "evaluate",
        "explanation",
        "fit",
        "inventory",
        "netlist",
        "patched",
        "predistorted",
        "price",
        "retrained",
        "run_search",
        "run_sweep",
        "settings",
    ),
    *("solve", "torch_module", "verification"),
)


def blocks() -> list[tuple[str, str]]:
    return re.findall(r"^```(python|bash)\n(.*?)^```", GUIDE, flags=re.DOTALL | re.MULTILINE)


def run_in_the_terminal(block: str) -> None:
    for line in block.splitlines():
        name, *arguments = shlex.split(line)
        assert name == "rxsim"
        with pytest.raises(SystemExit) as end:
            main(arguments)
        assert end.value.code == 0


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that examples may write into, with the models and settings beside them."""
    for name in ("models", "configs"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("sweeps_run_here")
def test_the_examples_run_from_the_top_to_the_bottom(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    assert len(blocks()) >= 10
    for number, (language, block) in enumerate(blocks()):
        if language == "bash":
            run_in_the_terminal(block)
        else:
            exec(compile(block, f"example {number + 1}", "exec"), names)
    printed = capsys.readouterr().out
    # Digits of the shipped card and of the settings that the text gives.
    assert "9 3 7" in printed
    assert "2 0\n" in printed
    assert printed.rstrip().endswith("did you mean adc.n_bits?")
    assert (place / "chip.onnx").is_file()
    assert names["gate"].named("regression") == []
    assert names["result"].rung("nonideal").table("accuracy").shape == (1, 100)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_is_in_the_guide_and_has_an_example(name: str) -> None:
    assert f"rxsim.{name}" in GUIDE
    assert "Example:" in (getattr(rxsim, name).__doc__ or "")


def test_the_functions_of_the_interface_are_those_of_this_test() -> None:
    assert [n for n in dir(rxsim) if n[0].islower()] == list(FUNCTIONS)
