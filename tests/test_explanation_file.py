"""Explanations out of JSON: what is written is read, and what is malformed is named."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from made_explanations import made_effects, made_explanation

from rxsim.commands.plot import command as plot
from rxsim.commands.report import command as report
from rxsim.errors import InputError
from rxsim.explain.result import Explanation, Untried
from rxsim.report.explanation_file import explanation_of
from rxsim.report.explanation_kind import explanation_json


def content(explanation: Explanation | None = None) -> Any:
    return json.loads(json.dumps((explanation or made_explanation()).as_json(), allow_nan=False))


@pytest.mark.parametrize(
    "explanation",
    [
        made_explanation(),
        made_explanation(effects=made_effects(sampled=True), interval=None),
        made_explanation(effects=None, layers=None, attempts=None, better=None, traps=()),
        made_explanation(quantity="snr_db", effects=made_effects(shapley=False)),
        made_explanation(attempts=(), better=None, untried=Untried.NO_TIME),
    ],
)
def test_what_is_written_is_read(explanation: Explanation) -> None:
    written = content(explanation)
    assert content(explanation_of(written, "x")) == written


MALFORMED: tuple[tuple[tuple[str | int, ...], Any, str], ...] = (
    (("schema_version",), 2, "schema_version"),
    (("quantity",), "beauty", "quantity"),
    (("float32",), "high", "float32"),
    (("all",), True, "all"),
    (("chips",), 2.5, "chips"),
    (("images",), -1, "images"),
    (("interval_new_images",), [0.7, 0.6], "interval_new_images"),
    (("effects",), [], "effects"),
    (("effects", "rows"), {}, "effects.rows"),
    (("effects", "rows", 1, "alone", "mean"), None, "effects.rows[1].alone.mean"),
    (("effects", "rows", 0, "title"), 3, "effects.rows[0].title"),
    (("effects", "sets", 0, "mean"), "x", "effects.sets[0].mean"),
    (("layers", "worst_first"), ["elsewhere"], "layers.worst_first[0]"),
    (("layers", "rows", 2, "noise_alone"), [1], "layers.rows[2].noise_alone"),
    (("layers", "arrays", 0, "ratio"), [[1.0], [1.0, 2.0]], "layers.arrays[0].ratio"),
    (("layers", "arrays", 0, "error"), [[1.0]], "layers.arrays[0].error"),
    (("attempts", 0, "gain", "interval"), [1.0], "attempts[0].gain.interval"),
    (("better",), {"crossbar": {"rows": -3}}, "better"),
    (("traps",), ["x"], "traps"),
    (("left_out",), "x", "left_out"),
    (("untried",), "no idea", "untried"),
    (("settings",), None, "settings"),
    (("timing",), None, "timing"),
    (("none",), 1e300, "none"),
)


@pytest.mark.parametrize(("way", "value", "named"), MALFORMED)
@pytest.mark.parametrize("command", [report, plot])
def test_a_malformed_part_is_named_in_one_sentence(
    tmp_path: Path, command: Any, way: tuple[str | int, ...], value: Any, named: str
) -> None:
    broken = content()
    part = broken
    for name in way[:-1]:
        part = part[name]
    part[way[-1]] = value
    path, output = tmp_path / "x.json", tmp_path / ("x.html" if command is report else "x.svg")
    path.write_text(json.dumps(broken))
    result = CliRunner().invoke(command, [str(path), "-o", str(output)])
    assert isinstance(result.exception, InputError)
    assert result.exception.exit_code == 2
    message = str(result.exception)
    assert f"{named} is " in message
    assert "\n" not in message
    assert not output.exists()


@pytest.mark.parametrize("missing", sorted(set(content()) - {"kind"}))
def test_a_missing_part_is_named_or_means_nothing(missing: str) -> None:
    broken = content()
    del broken[missing]
    optional = {"interval_new_images", "effects", "layers", "attempts", "better", "untried"}
    if missing in optional:
        assert explanation_of(broken, "x") is not None
    else:
        with pytest.raises(InputError, match=missing):
            explanation_of(broken, "x")


def test_other_files_are_no_explanations(tmp_path: Path) -> None:
    path = tmp_path / "x"
    for text in ("", "[1]", '{"kind": "evaluation"}', "SQLite format 3\0", '["explanation"]'):
        path.write_text(text)
        assert explanation_json(path) is None
    path.write_text('{"layer": "explanation"}')
    assert explanation_json(path) is None
    assert explanation_json(tmp_path) is None
    assert explanation_json(tmp_path / "missing") is None
    path.write_text('{"padding": "' + "x" * 3_000_000 + '", "kind": "explanation"}')
    assert explanation_json(path) is not None
    path.write_text('{"kind": "explanation", ')
    with pytest.raises(InputError, match="not valid JSON"):
        explanation_json(path)
