"""Shares in percent, and numbers that no device has."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import onnx
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from small_networks import dense

import rxsim
from rxsim.cli import root
from rxsim.config import load_settings, settings_hash
from rxsim.dotted import at
from rxsim.errors import SettingError

SHARES = ("device.write_sigma", "device.d2d_sigma", "device.stuck_lrs", "device.stuck_hrs")
GAINS = ("adc.gain_sigma", "dac.gain_sigma")
PERCENTILES = ("adc.percentile", "input.percentile", "mapping.w_percentile")


@pytest.mark.parametrize("name", [*SHARES, *GAINS])
def test_a_share_may_be_written_in_percent(tmp_path: Path, name: str) -> None:
    section, key = name.split(".")
    (tmp_path / "s.yaml").write_text(f"{section}: {{{key}: 3%}}\n")
    from_file = load_settings(tmp_path / "s.yaml")
    from_option = load_settings(None, assignments=[f"{name}=3 %"])
    from_python = rxsim.settings(changes={name: "3%"})
    plain = load_settings(None, assignments=[f"{name}=0.03"])
    assert at(plain, name) == 0.03
    assert from_file == from_option == from_python == plain
    assert settings_hash(from_file) == settings_hash(plain)


@given(st.decimals(0, 50, places=5))
def test_percent_are_exact(percent: Any) -> None:
    found = load_settings(None, assignments=[f"device.stuck_lrs={percent:f}%"]).device.stuck_lrs
    assert found == float(Fraction(percent) / 100)  # the nearest double, not one beside it


@pytest.mark.parametrize("name", PERCENTILES)
def test_a_percentile_is_in_percent_already(name: str) -> None:
    assert at(load_settings(None, assignments=[f"{name}=99.9%"]), name) == 99.9
    with pytest.raises(SettingError, match=rf"{name}: found 300.0, expected 100 or below"):
        load_settings(None, assignments=[f"{name}=300%"])


REFUSED = [
    ("device.write_sigma=5", "found 5, expected 1 or below: it is a share of g_on - g_off"),
    ("device.write_sigma=500%", "found 5, expected 1 or below"),
    ("device.d2d_sigma=50", "found 50, expected 2 or below: it is the sigma of ln g"),
    ("adc.gain_sigma=2", "found 2, expected 0.5 or below: it is a share of the gain"),
    ("dac.gain_sigma=51%", "found 0.51, expected 0.5 or below"),
    (
        "adc.offset_sigma=33",
        "adc: found offset_sigma 33 with n_bits 6, expected 32 or below: it is",
    ),
    ("dac.inl=40", "dac: found inl 40 with n_bits 6, expected 32 or below"),
    ("adc.dnl=33", "adc: found dnl 33 with n_bits 6, expected 32 or below"),
    ("device.write_sigma=-1%", "found -0.01, expected 0 or above"),
    ("device.write_sigma=nan%", "expected a finite number"),
    ("device.write_sigma=x%", "found 'x%', expected a number"),
    ("device.write_sigma=1e999999999%", "expected a number"),
    ("input.v_read=3%", "found '3%', expected a number"),
    ("adc.offset_sigma=5%", "found '5%', expected a number"),
    ("adc.n_bits=0", "null removes the converter"),
    ("dac.n_bits=0", "null removes the converter"),
    ("adc.n_bits=1", "found 1, expected 2 or above"),
]


@pytest.mark.parametrize(("assignment", "sentence"), REFUSED)
def test_what_no_device_has_is_refused(assignment: str, sentence: str) -> None:
    with pytest.raises(SettingError) as error:
        load_settings(None, assignments=[assignment])
    assert sentence in str(error.value)


ACCEPTED = [
    "device.write_sigma=1",
    "device.d2d_sigma=2",
    "adc.gain_sigma=0.5",
    "adc.offset_sigma=32",
]


@pytest.mark.parametrize("assignment", ACCEPTED)
def test_the_bounds_themselves_are_accepted(assignment: str) -> None:
    load_settings(None, assignments=[assignment])


def test_the_schema_states_the_bounds() -> None:
    found = json.loads(CliRunner().invoke(root, ["config", "schema"]).output)["$defs"]
    assert found["Device"]["properties"]["write_sigma"]["maximum"] == 1
    assert found["Device"]["properties"]["write_sigma"]["minimum"] == 0
    assert found["Adc"]["properties"]["percentile"]["maximum"] == 100


@pytest.mark.usefixtures("sweeps_run_here")
def test_an_axis_in_percent_is_an_axis_of_numbers(tmp_path: Path) -> None:
    onnx.save(dense([[1.0, -1.0], [0.5, 0.25]]), tmp_path / "net.onnx")
    (tmp_path / "sweep.yaml").write_text(
        "model: net.onnx\nlimit: 4\naxes: {device.write_sigma: [1%, 0.03]}\ntrials: 2\n"
        "stop: {half_width: 1%, at_least: 2}\nsettings: {crossbar.rows: 4, crossbar.cols: 4}\n"
    )
    results = str(tmp_path / "results.sqlite")
    done = CliRunner().invoke(root, ["sweep", str(tmp_path / "sweep.yaml"), "-o", results])
    assert done.exit_code == 0, done.output
    shown = CliRunner().invoke(root, ["results", "show", results, "--json"]).output
    points = json.loads(shown)["points"]
    assert sorted(point["values"]["device.write_sigma"] for point in points) == [0.01, 0.03]
