"""`rxsim map --compensate`, and --compensate beside other options."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from small_networks import dense

from rxsim.cli import main

WEIGHT = np.outer(np.linspace(1, 3, 7), np.array([1.0, -5.0, 2.0]))
BAR = ["--xbar", "8x5", "--set", "crossbar.r_wire_bl=30", "--quiet"]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "net.onnx"
    onnx.save(dense(WEIGHT), path)
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main([str(item) for item in arguments])
    told = capsys.readouterr()
    return int(end.value.code or 0), told.out, told.err


def mapped(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    code, out, _ = run(capsys, "map", *arguments, "--json", "-")
    assert code == 0
    values: dict[str, Any] = json.loads(out)
    return values


def test_it_tells_where_rows_and_columns_lie(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (layer,) = mapped(capsys, model, *BAR, "--compensate", "order")["placement"]
    assert layer["layer"] == "fc"
    for array in layer["arrays"]:
        # The sense is at the bottom: input 6 has the largest weights, the row without input is on top.
        assert array["rows"] == [-1, 0, 1, 2, 3, 4, 5, 6]
        # Drivers are on the left: output 1 has the largest weights.
        assert array["cols"] == [1, 2, 0, -1, -1]
        assert array["spare_cols"] == 2
        assert array["references"] == []
    told = layer["residuals"]["order"]
    assert 0 < told["after"] < told["before"]


def test_a_reference_column_is_no_spare_one(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    offset = ["--set", "mapping.scheme=offset", "--set", "mapping.offset_removal=reference_column"]
    (layer,) = mapped(capsys, model, *BAR, *offset, "--compensate", "order")["placement"]
    (array,) = layer["arrays"]
    assert array["spare_cols"] == 1
    (reference,) = array["references"]
    assert array["cols"][reference] == -1


def test_without_steps_of_the_design_the_report_is_what_it_was(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = mapped(capsys, model, *BAR)
    assert mapped(capsys, model, *BAR, "--compensate", "ranges") == plain
    assert "placement" not in plain


def test_the_terminal_tells_it_in_a_table(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "map", model, *BAR, "--compensate", "order,ranges")
    assert code == 0
    assert "After the design steps of compensation" in out
    assert "Behind the design, with data only ('rxsim eval'): ranges." in out


def test_cells_that_are_not_linear_wait_for_data(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sinh = ["--set", "device.iv.form=sinh", "--set", "device.iv.v0=0.25"]
    (layer,) = mapped(capsys, model, *BAR, *sinh, "--compensate", "order")["placement"]
    assert layer["arrays"] == []
    assert "which 'rxsim eval' has" in run(
        capsys, "map", model, *BAR, *sinh, "--compensate", "order"
    )[1].replace("\n", " ")


def test_it_is_the_short_form_of_a_setting(capsys: pytest.CaptureFixture[str]) -> None:
    short = run(capsys, "config", "show", "--compensate", "order, ranges")
    long = run(capsys, "config", "show", "--set", "compensate=[order, ranges]")
    assert short == long
    assert short[0] == 0
    assert "- ranges" in short[1]
    assert "- auto" in run(capsys, "config", "show", "--compensate", "auto")[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--compensate", "order,"], "--compensate: found 'order,', expected names of steps"),
        (["--compensate", ""], "--compensate: found '', expected names of steps"),
        (["--compensate", "sort"], "found 'sort', expected steps of"),
        (["--compensate", "auto,order"], "expected auto alone, or steps"),
        (["--compensate", "order", "--set", "compensate=[ranges]"], "found --compensate beside"),
        (["--compensate", "order", "--set", "adc.where=per_layer"], "layer fc: found adc.where"),
    ],
)
def test_bad_input_is_one_sentence(
    model: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    code, out, err = run(capsys, "map", model, *BAR, *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err
