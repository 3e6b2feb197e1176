"""Settings that can't be used are told in a settings file's words, not in those of pydantic."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from rxsim.cli import root
from rxsim.compensate import STEPS
from rxsim.config import Preset, load_settings
from rxsim.devices.laws.polynomial import Numbers
from rxsim.errors import SettingError
from rxsim.schema import validated
from rxsim.sweep.axes import Axis


@pytest.mark.parametrize(
    ("assignment", "sentence"),
    [
        (
            "compensate=3",
            "compensate: found 3, expected a list of steps such as [predistort, columns], or auto",
        ),
        (
            "compensate=[foo]",
            f"compensate: found 'foo', expected steps of {', '.join(STEPS.names)}, each a name "
            "or a mapping such as {predistort: {passes: 4}}",
        ),
        (
            "layers={fc1: {digital: maybe}}",
            "layers.fc1.digital: found 'maybe', expected true or false",
        ),
        ("adc.nb=3", "adc.nb is not a setting; did you mean adc.n_bits?"),
        ("mapping.shceme=x", "mapping.shceme is not a setting; did you mean mapping.scheme?"),
    ],
)
def test_a_setting_is_told_in_plain_words(assignment: str, sentence: str) -> None:
    with pytest.raises(SettingError) as caught:
        load_settings(assignments=[assignment])
    assert str(caught.value) == f"settings: {sentence}"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (0.2, "laws: coefficients: found 0.2, expected a list such as [1, 2]"),
        ([], "laws: coefficients: found [], expected a list of at least 1 value"),
    ],
)
def test_a_laws_numbers_are_told_in_plain_words(given: object, sentence: str) -> None:
    with pytest.raises(SettingError) as caught:
        validated(Numbers, {"coefficients": given}, "laws")
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("spread", "sentence"),
    [
        (
            {"logspace": [0, 8], "count": 3},
            "axes.trials: logspace: found [0.0, 8.0], expected ends above 0",
        ),
        (
            {"range": [8, 4]},
            "axes.trials: range: found [8, 4], expected a step from the first to the last",
        ),
    ],
)
def test_a_check_of_an_axis_speaks_for_itself(spread: dict[str, object], sentence: str) -> None:
    with pytest.raises(SettingError) as caught:
        Axis("trials", spread)
    assert str(caught.value) == sentence


def test_a_misspelt_key_is_named_before_the_one_that_is_missing_for_it() -> None:
    values = {"schema_version": 1, "abuot": "x", "source": "y", "status": "fit"}
    with pytest.raises(SettingError) as caught:
        validated(Preset, values, "preset")
    assert str(caught.value) == "preset: abuot is not a setting; did you mean about?"


def test_a_preset_file_is_no_settings_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("schema_version: 1\nabout: x\nsource: y\nstatus: fit\n")
    result = CliRunner().invoke(root, ["config", "validate", str(path)])
    assert str(result.exception) == (
        f"{path} looks like a preset file, expected a settings file; use 'rxsim presets {path}'"
    )
