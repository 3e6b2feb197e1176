"""`rxsim card`: what it infers, what it leaves open, and that the card loads."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import parser

from rxsim.cli import main
from rxsim.data import read_card

# Input, its channels, what comes before the convolution.
HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'
BODY = """
    maps = Conv({name}, w)
    mean = GlobalAveragePool(maps)
    y = Flatten(mean)
}}
"""
ONE = "<float[4, 1, 1, 1] w = {1, 2, 3, 4}>"
THREE = "<float[4, 3, 1, 1] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}"
FIRST = f"{HEAD}net (float[N, 1, 8, 8] x) => (float[N, 4] y)\n{ONE}\n{{" + BODY.format(name="x")
LAST = (
    f"{HEAD}net (float[N, 8, 8, 3] x) => (float[N, 4] y)\n{THREE}, float c = {{255}}>\n{{\n"
    "    turned = Transpose<perm = [0, 3, 1, 2]>(x)\n    scaled = Div(turned, c)"
) + BODY.format(name="scaled")
ROWS = f"""{HEAD}
net (float[N, 4] x, float[N, 4] second) => (float[N, 1001] y, float[N, 4] side)
<float[4, 1001] w = {{{", ".join(["1"] * 4004)}}}>
{{
    side = Add(x, x)
    y = MatMul(side, w)
}}
"""


def _write(folder: Path, text: str) -> Path:
    onnx.save(parser.parse_model(text), folder / "net.onnx")
    return folder / "net.onnx"


def _run(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> tuple[str, str]:
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert stop.value.code == code, err
    return out, err


@pytest.mark.parametrize(
    ("text", "phrases", "layout"),
    [
        (FIRST, ["x: float32 [any, 1, 8, 8]", "layout: NCHW", "4 classes", "none at the"], "NCHW"),
        (
            LAST,
            ["x: float32 [any, 8, 8, 3]", "layout: NHWC", "begins with Div", "scale: 1"],
            "NHWC",
        ),
        (
            ROWS,
            ["layout: unknown", "further input second", "further output side", "offset: 1"],
            None,
        ),
        (FIRST.replace("[N, 1, 8, 8]", "[N, 1, 8, 3]"), ["layout: unknown"], None),
    ],
)
def test_a_card_holds_what_the_model_tells(
    text: str,
    phrases: list[str],
    layout: str | None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = _write(tmp_path, text)
    out, _ = _run(capsys, "card", model)
    written = (tmp_path / "net.yaml").read_text()
    for phrase in phrases:
        assert phrase in out
        assert phrase in written
    card = read_card(tmp_path / "net.yaml")
    assert (card.input, card.output, card.data, card.metric) == ("x", "y", None, None)
    stated = card.preprocess.model_fields_set if card.preprocess else set()
    assert stated == ({"model_layout"} if layout else set())
    if layout:
        assert card.preprocess is not None
        assert card.preprocess.model_layout == layout


def test_the_open_lines_are_settings_once_their_mark_is_gone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _run(capsys, "card", _write(tmp_path, FIRST))
    lines = (tmp_path / "net.yaml").read_text().splitlines()
    start = lines.index('output: "y"')
    opened = [
        line.replace("# ", "", 1) if line.lstrip().startswith("# ") else line
        for line in lines[start:]
        if "left to you" not in line
    ]
    (tmp_path / "all.yaml").write_text("\n".join(opened))
    card = read_card(tmp_path / "all.yaml")
    assert (card.data, card.metric, card.labels.offset) == ("test.npz", "top1", 1)
    assert card.preprocess is not None
    assert [step.crop for step in card.preprocess.geometry] == [None, [224]]
    assert card.preprocess.scale == pytest.approx(1 / 255)


def test_eval_takes_a_fresh_card_and_says_what_it_lacks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = _write(tmp_path, FIRST)
    _run(capsys, "card", model)
    out, _ = _run(capsys, "eval", model, "--xbar=8x8", "--limit=4")
    assert "net.onnx" in out
    images = np.zeros((4, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "d.npz", x=images, y=np.arange(4))
    _, err = _run(capsys, "eval", model, "--data", tmp_path / "d.npz", code=2)
    assert "--scale" in err
    assert "net.yaml" in err
    more = ["--data", tmp_path / "d.npz", "--scale=1", "--data-layout=NHW"]
    _run(capsys, "eval", model, "--xbar=8x8", *more)


def test_a_card_is_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = _write(tmp_path, FIRST)
    (tmp_path / "net.yaml").write_text("about: {title: mine}\n")
    for arguments in (["card", model], ["card", model, "-o", tmp_path / "net.yaml"]):
        _, err = _run(capsys, *arguments, code=2)
        assert "exists already" in err
    _, err = _run(capsys, "card", model, "-o", model, code=2)
    assert "another file of this command" in err
    _, err = _run(capsys, "card", model, "-o", tmp_path / "absent" / "net.yaml", code=2)
    assert "does not exist" in err
    assert (tmp_path / "net.yaml").read_text() == "about: {title: mine}\n"
    _run(capsys, "card", model, "-o", tmp_path / "other.yaml")
    assert read_card(tmp_path / "other.yaml").input == "x"


def test_names_of_the_model_can_not_break_the_card(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = parser.parse_model(FIRST)
    name = 'a: "b"\n# c\té'
    model.graph.input[0].name = model.graph.node[0].input[0] = name
    onnx.save(model, tmp_path / "net.onnx")
    _run(capsys, "card", tmp_path / "net.onnx")
    assert read_card(tmp_path / "net.yaml").input == name


def test_a_model_that_is_none_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "net.onnx").write_text("no model")
    _, err = _run(capsys, "card", tmp_path / "net.onnx", code=2)
    assert "is not an ONNX" in err
    assert not (tmp_path / "net.yaml").exists()
