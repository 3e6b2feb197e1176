"""scripts/loss_thresholds.py: the worst value that a loss allows, against hits and onnxruntime."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import onnxruntime
import pytest
from imported_scripts import imported

import rxsim
from rxsim.dotted import at

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    """scripts/loss_thresholds.py, and the files beside it."""
    with imported("loss_thresholds") as scripts:
        yield scripts["loss_thresholds"]


def searched(**losses: float) -> SimpleNamespace:
    """Return a search's result: loss by bits such as b5; up to five points meet the goal."""
    points = [
        SimpleNamespace(
            values={"adc.n_bits": int(name[1:])},
            judged=SimpleNamespace(value=loss, proven=loss == 0),
            meets=loss <= 0.05,
        )
        for name, loss in losses.items()
    ]
    return SimpleNamespace(points=points)


@pytest.mark.parametrize(
    ("losses", "value", "proven"),
    [
        ({"b8": 0.0, "b5": 0.04, "b4": 0.3}, 5, False),
        ({"b4": 0.3, "b8": 0.0}, 8, True),
        ({"b3": 0.03, "b4": 0.3, "b8": 0.0}, 3, False),  # not monotone: still the worst that meets
        ({"b8": 0.2}, None, False),
        ({}, None, False),
    ],
)
def test_the_worst_value_that_meets(
    script: ModuleType, losses: dict[str, float], value: int | None, proven: bool
) -> None:
    told = script.threshold(searched(**losses), script.VARIED["bits"])
    assert (told.value, told.proven) == (value, proven)


def setting(settings: rxsim.Settings, name: str) -> float:
    """Return a setting's value; of resistances, which are stored as conductances, to a micro-ohm."""
    stored = name.replace("device.r_", "device.g_")
    value = float(at(settings, stored))
    return value if stored == name else round(1 / value, 6)


def test_every_value_is_a_setting_and_the_papers_is_among_them(script: ModuleType) -> None:
    plain = rxsim.settings(ROOT / "configs" / "rxnn-64.yaml")
    for varied in script.VARIED.values():
        names = varied.names.split(",")
        seen = []
        for value in varied.values:
            each = value if isinstance(value, list) else [value] * len(names)
            changed = rxsim.settings(plain, changes=dict(zip(names, each, strict=True)))
            seen.append(tuple(setting(changed, name) for name in names))
        assert tuple(setting(plain, name) for name in names) in seen
        assert len(set(seen)) == len(varied.values)
        assert varied.shown in (sorted(varied.shown), sorted(varied.shown, reverse=True))
    for r_on, r_off in script.VARIED["r_min"].values:
        assert r_off / r_on == pytest.approx(1.4e6 / 200e3, rel=1e-12)


def float_accuracy() -> float:
    with np.load(ROOT / "models" / "digits_test.npz") as data:
        images, labels = data["x"].astype(np.float32) * 0.0625, data["y"]
    session = onnxruntime.InferenceSession(ROOT / "models" / "digits_mlp.onnx")
    (name,) = [each.name for each in session.get_inputs()]
    (outputs,) = session.run(None, {name: images.reshape(len(images), 1, 8, 8)})
    return float((np.asarray(outputs).argmax(1) == labels).mean())


def test_losses_are_those_of_the_stored_chips(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = replace(script.VARIED["bits"], values=[3, 6])
    monkeypatch.setattr(script, "VARIED", {"bits": few})
    words = ["-o", str(tmp_path), "--networks", "digits_mlp", "--limit", "540", "--chips", "2"]
    script.main([*words, "--settings", "bits"])
    with sqlite3.connect(tmp_path / "digits_mlp.sqlite") as results:
        means = dict(
            results.execute(
                "SELECT json_extract(points.settings, '$.adc.n_bits'), avg(accuracy) FROM trials "
                "JOIN points ON points.id = trials.point GROUP BY 1"
            ).fetchall()
        )
    losses = {bits: float_accuracy() - mean for bits, mean in means.items()}
    wanted = []
    for points in script.LOSSES:
        kept = [bits for bits, loss in losses.items() if loss <= points / 100]
        wanted.append(str(min(kept)) if kept else "-")
    last = (tmp_path / "thresholds.md").read_text(encoding="utf-8").splitlines()[-1]
    assert last.replace("~", "") == f"| digits MLP | {', '.join(wanted)} |"
    assert ElementTree.parse(tmp_path / "thresholds.svg").getroot().tag.endswith("svg")


def test_what_is_not_known_is_told(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words, told in (
        (["--networks", "digits"], "--networks: found digits, expected some of digits_mlp"),
        (["--settings", "wire"], "--settings: found wire, expected some of wires"),
        (["--chips", "0"], "expected a whole number above 0"),
        (["--networks", "digits_mlp", "-o", "/proc/nope"], "expected a folder"),
    ):
        with pytest.raises(SystemExit) as end:
            script.main(["-o", str(tmp_path), *words])
        assert end.value.code == 2
        assert told in capsys.readouterr().err
