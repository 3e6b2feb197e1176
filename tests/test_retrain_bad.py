"""What can't be trained: one sentence, exit code 2, and every file as it was."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper, parser
from small_networks import network

import rxsim
from rxsim.cli import main
from rxsim.errors import InputError
from rxsim.pipeline import DataOptions

MODELS = Path(__file__).parent.parent / "models"
TRAIN = MODELS / "digits_train.npz"
MLP = MODELS / "digits_mlp.onnx"
QUICK = ["--xbar", "32x32", "--threads", "1", "--iterations", "2", "--batch", "8"]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with an earlier result, and data with and without labels."""
    (tmp_path / "out.onnx").write_bytes(b"an earlier result")
    with np.load(TRAIN) as data:
        x, y = data["x"], data["y"]
    np.savez(tmp_path / "plain.npz", x=x)
    np.savez(tmp_path / "far.npz", x=x, y=np.where(np.arange(300) == 7, 12, y))
    return tmp_path


def refused(place: Path, capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 2) -> str:
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        main(["retrain", *QUICK, *arguments, "-o", str(place / "out.onnx"), "--quiet"])
    printed = capsys.readouterr()
    assert end.value.code == code, printed
    assert printed.out == ""
    (line,) = printed.err.strip().splitlines()
    assert line.startswith("rxsim: ")
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before
    return line


def test_ranges_of_a_calibration_can_not_be_held_on_to() -> None:
    pytest.importorskip("torch")
    data = DataOptions(data=TRAIN)
    held = rxsim.calibration(MLP, "32x32", data)
    with pytest.raises(InputError, match="ranges: found kept beside the calibration, which states"):
        rxsim.retrained(MLP, "32x32", data, calibration=held, ranges="kept", iterations=1, batch=8)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--iterations", "0"], "iterations: found 0, expected 1 or above"),
        (["--iterations", "many"], "--iterations: found 'many', expected a whole number"),
        (["--batch", "-3"], "batch: found -3"),
        (["--batch", "290"], "found 270 inputs to train on .* expected 290 at least"),
        (["--refresh", "0"], "refresh: found 0"),
        (["--learning-rate", "0"], "learning_rate: found 0, expected a finite number above 0"),
        (["--learning-rate", "nan"], "learning_rate: found nan"),
        (["--temperature", "-1"], "temperature: found -1"),
        (["--clip", "0"], "clip: found 0"),
        (["--held-out", "1"], "held_out: found 1, expected a share above 0 and below 1"),
        (["--patience", "0"], "patience: found 0"),
        (["--chip", "-1"], "chip: found -1"),
        (["--noise", "gauss:0.1"], "noise: found 'gauss:0.1', expected exact, none or gaussian:S"),
        (["--noise", "gaussian:"], "noise: found 'gaussian:'"),
        (["--noise", "gaussian:2"], "noise: found 'gaussian:2'"),
        (["--optimiser", "lion"], "--optimiser: 'lion' is not one of"),
        (["--gradient", "exact"], "--gradient: 'exact' is not one of"),
        (["--train", "fc1,conv*"], r"train: found 'conv\*', expected .* fc1, fc2, fc3"),
        (["--ranges", "kept"], "--ranges: found kept without --save-settings"),
        (["--save-settings", "s.yaml"], "--save-settings: found it with --ranges measured"),
        (["--start", "matched"], "start: found matched with ranges measured, expected ranges kept"),
        (
            ["--ranges", "learned", "--noise", "none"],
            "ranges: found learned with noise none, which has no chip",
        ),
        (
            ["--train", "norms,fc1"],
            "train: found norms among others in 'norms,fc1', expected it alone",
        ),
        (
            ["--set", "dac.n_bits=null", "--ranges", "learned", "--save-settings", "s.yaml"],
            "ranges: found learned, but no layer whose DACs have a calibrated range",
        ),
        (["--train", ""], "train: found ''"),
        (["--metric", "mse"], "found the metric mse, expected a classifier"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_options_that_can_not_be_used(
    options: list[str], words: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    line = refused(place, capsys, str(MLP), "--data", str(TRAIN), *options)
    assert re.search(words, line), line


def scan_model() -> onnx.ModelProto:
    """Return a network whose only layer lies in the body of a Scan over its rows."""
    body = parser.parse_graph(
        "b (float[1,3] s) => (float[1,3] t) { [inner] p = MatMul(s, w) t = Tanh(p) }"
    )
    weight = np.random.default_rng(0).normal(size=(3, 3)).astype(np.float32)
    body.initializer.append(numpy_helper.from_array(weight, "w"))
    nodes = [
        helper.make_node("Unsqueeze", ["x", "one"], ["u"], "unsqueeze"),
        helper.make_node("Scan", ["u"], ["v"], "scan", body=body, num_scan_inputs=1),
        helper.make_node("Squeeze", ["v", "one"], ["y"], "squeeze"),
    ]
    kind = TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, ["N", 3])],
        [helper.make_tensor_value_info("y", kind, ["N", 3])],
        [numpy_helper.from_array(np.array([1]), "one")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def row_model(nodes: str, shape: tuple[int, ...] = (6,), **more: Any) -> onnx.ModelProto:
    weight = np.random.default_rng(0).normal(size=(6, 4))
    return network(nodes, shape, {"w": weight, **more})


WRONG_MODELS: dict[str, tuple[onnx.ModelProto, str]] = {
    "an operator that is not known": (
        row_model("[a] h = MatMul(x, w) [b] y = Hardmax(h)"),
        r"can't be trained through: b \(Hardmax: an operator that is not known\)",
    ),
    "scores at several places": (
        row_model("[a] y = MatMul(x, w)", (5, 6)),
        r"found rows of the shape \[5, 4\] at the output y, expected a row of two scores",
    ),
    "one score": (
        row_model("[a] h = MatMul(x, w) y = ReduceSum(h, axis)", axis=np.array([1])),
        r"found rows of the shape \[1\]",
    ),
    "weights that are computed": (
        row_model("v = Mul(w, w) [a] y = MatMul(x, v)"),
        "nothing of the network can be trained",
    ),
    "a loop": (scan_model(), "layer inner: it lies in a body of a loop"),
}
WRONG_MODELS["one score"][0].graph.initializer[1].CopyFrom(
    numpy_helper.from_array(np.array([1]), "axis")
)


@pytest.mark.parametrize("name", WRONG_MODELS)
def test_networks_that_can_not_be_trained(
    name: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    model, words = WRONG_MODELS[name]
    (value,) = model.graph.input
    shape = [axis.dim_value for axis in value.type.tensor_type.shape.dim][1:]
    x = np.random.default_rng(1).normal(size=(40, *shape)).astype(np.float32)
    np.savez(place / "x.npz", x=x)
    onnx.save(model, place / "net.onnx")
    line = refused(place, capsys, str(place / "net.onnx"), "--data", str(place / "x.npz"))
    assert re.search(words, line), line


def test_data_that_can_not_be_trained_on(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    onnx.save(onnx.load(MLP), place / "net.onnx")  # without a card
    line = refused(place, capsys, str(place / "net.onnx"))
    assert "found no data, expected inputs to train on" in line
    plain, far = str(place / "plain.npz"), str(place / "far.npz")
    line = refused(place, capsys, str(MLP), "--data", plain, "--train-on", "labels")
    assert "has no y (found: x), expected x (samples) and y (labels)" in line
    line = refused(
        place, capsys, str(MLP), "--data", plain, "--train-on", "labels", "--metric", "none"
    )
    assert "found data without labels, expected some to train on" in line
    line = refused(place, capsys, str(MLP), "--data", far, "--train-on", "labels")
    assert "12" in line
    assert "label" in line


def test_a_loss_that_is_no_number(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    rate = ["--learning-rate", "1e38", "--optimiser", "sgd", "--iterations", "9"]
    for more in ([], ["--refresh", "1"], ["--noise", "none", "--refresh", "2"]):
        line = refused(place, capsys, str(MLP), "--data", str(TRAIN), *rate, *more)
        assert re.search("iteration [0-9]+: found .*, expected", line), line
        assert "take a smaller --learning-rate" in line


def test_checkpoints_that_can_not_be_gone_on_from(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    arguments = [str(MLP), "--data", str(TRAIN), "--resume"]
    assert "found no checkpoint" in refused(place, capsys, *arguments)
    checkpoint = place / "out.onnx.checkpoint.npz"
    for content in (b"", b"PK\x03\x04 no archive", TRAIN.read_bytes()):
        checkpoint.write_bytes(content)
        assert "found no checkpoint of a training" in refused(place, capsys, *arguments)
    kept: list[Any] = []
    from rxsim.config import load_settings
    from rxsim.pipeline import open_study
    from rxsim.retrain.checkpoint import Checkpoint
    from rxsim.retrain.options import RetrainOptions
    from rxsim.retrain.retrained import retrained

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoint, "write", lambda self, path: kept.append(self))
        study = open_study(MLP, load_settings(xbar="32x32"), DataOptions(data=TRAIN), threads=1)
        retrained(study, RetrainOptions(iterations=2, batch=8), checkpoint)
    kept[0].write(checkpoint)
    others = (["--iterations", "3"], ["--xbar", "16x32"], ["--data", str(place / "plain.npz")])
    for other in (*others, ["--seed", "1"]):
        assert "of another training" in refused(place, capsys, *arguments, *other)
    (place / "out.onnx").unlink()
    with pytest.raises(SystemExit) as end:
        main(["retrain", *QUICK, *arguments, "-o", str(place / "out.onnx"), "--quiet"])
    assert end.value.code == 0
    assert not checkpoint.exists()


def test_outputs_that_would_overwrite_what_is_read(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = place / "net.onnx"
    copy.write_bytes(MLP.read_bytes())
    for output, more in (
        (copy, []),
        (place / "plain.npz", []),
        (place / "new.onnx", ["--json", str(copy)]),
        (place / "new.onnx", ["--json", str(place / "new.onnx")]),
        (place / "new.onnx", ["--json", str(place / "new.onnx.checkpoint.npz")]),
        (place / "no" / "folder.onnx", []),
    ):
        before = sorted(place.iterdir())
        with pytest.raises(SystemExit) as end:
            main(
                ["retrain", str(copy), "--data", str(place / "plain.npz"), "-o", str(output), *more]
            )
        assert end.value.code in (2, 4)
        assert sorted(place.iterdir()) == before
        assert copy.read_bytes() == MLP.read_bytes()
        assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_arguments_of_the_interface() -> None:
    call: Any = rxsim.retrained
    for options, words in (
        (
            {"iteration": 3},
            "found the option 'iteration' of a training, expected one of iterations",
        ),
        ({"iterations": 2.5}, "iterations: found 2.5, expected a whole number"),
        ({"learning_rate": "fast"}, "learning_rate: found 'fast', expected a number"),
        ({"train_on": "data"}, "train_on: found 'data', expected none or labels"),
        ({"noise": 0.1}, "noise: found 0.1"),
        ({"train": ["fc1"]}, "train: found a value of type list"),
        ({"optimiser": "lion"}, "optimiser: found 'lion'"),
        ({"output": 3}, "output: found 3, expected a path"),
    ):
        with pytest.raises(InputError, match=re.escape(words)) as caught:
            call(MLP, "32x32", TRAIN, **options)
        assert "\n" not in str(caught.value)
    pytest.importorskip("torch")
    with pytest.raises(InputError, match="no file for checkpoints"):
        call(MLP, "32x32", TRAIN, resume=True)
    with pytest.raises(InputError, match="expected names of float initialisers"):
        rxsim.torch_module(MLP, trainable=["fc9.weight"])


def test_without_torch_all_else_works(tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['torch'] = None\n"
        "import rxsim, rxsim.api\n"
        "from rxsim.cli import main\n"
        f"model, data = {str(MLP)!r}, {str(TRAIN)!r}\n"
        "for call in (rxsim.retrained, rxsim.torch_module):\n"
        "    try:\n        call(model)\n"
        "    except rxsim.RxsimError as error:\n        print(error)\n"
        "main(['retrain', model, '-o', 'out.onnx'])"
    )
    environment = {**os.environ, "PYTHONPATH": str(MODELS.parent)}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert [line[:14] for line in done.stdout.splitlines()] == ["found no torch"] * 2
    assert done.stderr.startswith("rxsim: found no torch, expected version 2.4 or later")
    assert "pip install 'rxsim[retrain]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
