"""Ctrl-C at every stage of a run: exit code 130, one sentence, no file touched."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rxsim.cli import main
from rxsim.stages import Stages

MODEL = Path(__file__).parents[1] / "models" / "digits_mlp.onnx"
STAGES = [
    *("load", "data", "float32", "calibrate", "map", "levels", "patch", "weights"),
    *("adc ranges", "ideal", "solve", "nonideal", "diagnose"),
]


@pytest.mark.parametrize("when", ["entering", "leaving"])
@pytest.mark.parametrize("stage", STAGES)
def test_an_interrupt_leaves_everything_as_it_was(
    stage: str,
    when: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    timed = Stages.__call__
    met = []

    @contextmanager
    def interrupted(self: Stages, name: str) -> Iterator[object]:
        met.append(name)
        if name == stage and when == "entering":
            raise KeyboardInterrupt
        with timed(self, name) as progress:
            yield progress
        if name == stage:
            raise KeyboardInterrupt

    monkeypatch.setattr(Stages, "__call__", interrupted)
    earlier = tmp_path / "result.json"
    earlier.write_text("an earlier result\n")
    options = ["--xbar", "32x32", "--limit", "20", "--save-patched", str(tmp_path / "out.onnx")]
    with pytest.raises(SystemExit) as end:
        main(["eval", str(MODEL), *options, "--json", str(earlier)])
    assert stage in met
    assert end.value.code == 130
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.strip().splitlines() == ["rxsim: interrupted; no unfinished file was left"]
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]
    assert earlier.read_text() == "an earlier result\n"
