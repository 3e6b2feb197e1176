"""`rxsim patch` evaluates nothing: no labels, calibration data alone, or no data at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from small_networks import dense

import rxsim
from rxsim.cli import main

RNG = np.random.default_rng(0)
WEIGHT = RNG.normal(size=(6, 3)).astype(np.float32)
X = RNG.normal(size=(20, 6)).astype(np.float32)
OTHER = 3 * RNG.normal(size=(10, 6)).astype(np.float32)
LABELS = np.arange(20) % 3
SETTINGS = ("--xbar=8x4", "--set", "calibration.samples=8")


@pytest.fixture
def net(tmp_path: Path) -> Path:
    onnx.save(dense(WEIGHT), tmp_path / "net.onnx")
    np.savez(tmp_path / "with.npz", x=X, y=LABELS)
    np.savez(tmp_path / "without.npz", x=X)
    np.savez(tmp_path / "other.npz", x=OTHER)
    return tmp_path / "net.onnx"


def patched(net: Path, *words: str, exit_code: int = 0) -> dict[str, str]:
    """Patch a network and return what the file says of its ranges."""
    output = net.parent / "out.onnx"
    named = [str(net.parent / word) if word.endswith(".npz") else word for word in words]
    with pytest.raises(SystemExit) as end:
        main(["patch", str(net), "-o", str(output), *SETTINGS, *named])
    assert end.value.code in (exit_code, None if exit_code == 0 else exit_code)
    if exit_code:
        return {}
    said = {entry.key: entry.value for entry in onnx.load(output).metadata_props}
    return {key: value for key, value in said.items() if key.startswith("rxsim.ranges.")}


def largest_input(net: Path) -> float:
    """Find the largest input that the patched network's DACs pass on: beyond it nothing changes."""
    import onnxruntime as ort

    session = ort.InferenceSession(str(net.parent / "out.onnx"), providers=["CPUExecutionProvider"])
    x = np.zeros((400, 6), np.float32)
    x[:, 0] = np.linspace(0, 20, 400)
    y = session.run(None, {"x": x})[0]
    last = np.flatnonzero((y != y[-1]).any(axis=1))[-1]
    return float(x[last + 1, 0])


def test_data_without_labels_fix_the_ranges(net: Path) -> None:
    said = patched(net, "--data", "without.npz")
    assert (said["rxsim.ranges.data"], said["rxsim.ranges.made_up"]) == ("without.npz", "false")
    assert largest_input(net) <= np.abs(X).max()


def test_wrong_labels_are_no_hindrance_and_right_ones_balance_as_in_eval(net: Path) -> None:
    np.savez(net.parent / "wrong.npz", x=X, y=LABELS + 7)
    assert patched(net, "--data", "wrong.npz")["rxsim.ranges.data"] == "wrong.npz"
    patched(net, "--data", "with.npz")
    saved = net.parent / "saved.onnx"
    words = [*SETTINGS, "--data", str(net.parent / "with.npz"), "--save-patched", str(saved)]
    with pytest.raises(SystemExit):
        main(["eval", str(net), *words])
    assert saved.read_bytes() == (net.parent / "out.onnx").read_bytes()


def test_calibration_data_alone_are_enough(net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = patched(net, "--calibrate", "other.npz")
    assert said["rxsim.ranges.data"] == "other.npz"
    assert "made-up" not in capsys.readouterr().out
    alone = (net.parent / "out.onnx").read_bytes()
    assert largest_input(net) > np.abs(X).max()
    patched(net, "--calibrate", "other.npz", "--data", "with.npz")
    assert (net.parent / "out.onnx").read_bytes() == alone
    options = rxsim.DataOptions(calibrate=net.parent / "other.npz")
    settings = rxsim.settings("8x4", changes={"calibration.samples": 8})
    assert rxsim.patched(net, settings, options) == onnx.load_from_string(alone)


def test_missing_data_of_a_card_are_no_hindrance_beside_calibration_data(net: Path) -> None:
    net.with_suffix(".yaml").write_text("data: absent.npz\n")
    assert patched(net, "--calibrate", "other.npz")["rxsim.ranges.data"] == "other.npz"
    net.with_suffix(".yaml").write_text("data: absent.npz\ncalibrate: other.npz\n")
    assert patched(net)["rxsim.ranges.data"] == "other.npz"


def test_without_any_data_inputs_are_made_up_and_it_is_said(
    net: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert patched(net) == {"rxsim.ranges.made_up": "true", "rxsim.ranges.data": "made up"}
    assert capsys.readouterr().out.endswith("; ranges were measured on made-up inputs\n")


@pytest.mark.parametrize(
    ("words", "phrases"),
    [
        (("--data", "wide.npz"), ("wide.npz", "[7]")),
        (("--calibrate", "wide.npz"), ("wide.npz", "[7]")),
        (("--calibrate", "absent.npz"), ("absent.npz", "No such file")),
        (("--data", "absent.npz"), ("absent.npz", "No such file")),
    ],
)
def test_unusable_data_are_refused(
    net: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], phrases: tuple[str, ...]
) -> None:
    np.savez(net.parent / "wide.npz", x=np.ones((4, 7), np.float32))
    patched(net, *words, exit_code=2)
    (line,) = capsys.readouterr().err.splitlines()
    assert all(phrase in line for phrase in phrases)


def test_an_evaluation_still_wants_data_to_evaluate(
    net: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["eval", str(net), "--calibrate", str(net.parent / "other.npz")])
    assert end.value.code == 2
    assert "--calibrate was given without --data" in capsys.readouterr().err
