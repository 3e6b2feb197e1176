"""Counts in words, in what users read."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from small_networks import dense

from rxsim.cli import root
from rxsim.counted import counted

# One of something, with a noun in the plural: "1 layers"; not the end of a longer number or name.
WRONG = re.compile(
    r"(?<![\d.,x/-])1 (?:[a-z-]+ )?(?!is\b|was\b|has\b|ohms\b|class\b|cross)[a-z]{3,}s\b(?<!ss)"
)


@pytest.mark.parametrize(
    ("count", "words", "text"),
    [
        (0, ("layer",), "0 layers"),
        (1, ("layer",), "1 layer"),
        (2, ("layer",), "2 layers"),
        (1200, ("made-up input",), "1,200 made-up inputs"),
        (1, ("axis", "axes"), "1 axis"),
        (3, ("axis", "axes"), "3 axes"),
    ],
)
def test_a_count_and_its_noun(count: int, words: tuple[str, ...], text: str) -> None:
    assert counted(count, *words) == text


def test_the_pattern_finds_what_is_wrong() -> None:
    assert WRONG.search("On crossbars: 1 layers, 2 arrays")
    assert WRONG.search("(1 real vectors each)")
    assert not WRONG.search("21 layers, 1 chip, 1 is enough, 0.1 layers")


@pytest.mark.usefixtures("sweeps_run_here")
def test_a_network_of_one_layer_reads_right(tmp_path: Path) -> None:
    net, sweep, results = (tmp_path / name for name in ("net.onnx", "s.yaml", "r.sqlite"))
    onnx.save(dense(np.eye(3) - 0.5), net)
    sweep.write_text("model: net.onnx\nlimit: 1\nsettings: {crossbar.rows: 4, crossbar.cols: 4}\n")
    small = ("--xbar=4x4", "--limit=1", "--set", "calibration.samples=1")
    shown = ""
    for words in (
        ("eval", net, *small),
        ("map", net, "--xbar=4x4"),
        ("patch", net, "-o", tmp_path / "p.onnx", *small),
        ("calibrate", net, "-o", tmp_path / "c.json", *small),
        ("verify", net, "--arrays=1", "--vectors=1", "--reference=sparse", *small),
        ("sweep", sweep, "--dry-run"),
        ("sweep", sweep, "-o", results),
        ("results", "show", results),
        ("results", "merge", tmp_path / "all.sqlite", results),
        ("results", "export", results, "-o", tmp_path / "t.csv"),
        ("report", results, "-o", tmp_path / "r.html"),
        ("spice", net, "--layer=fc", "--array=0", "--sample=0", "-o", tmp_path / "a.cir", *small),
    ):
        done = CliRunner().invoke(root, list(map(str, words)))
        assert done.exit_code == 0, (words, done.output)
        shown += done.output
    shown += re.sub(
        r"<style>.*?</style>|<[^>]+>", " ", (tmp_path / "r.html").read_text(), flags=re.S
    )
    wrong = [shown[max(0, m.start() - 30) : m.end() + 20] for m in WRONG.finditer(shown)]
    assert wrong == []
