"""Settings: defaults, coercion, precedence, identity, round trips and the printed schema."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rxsim.cli import main
from rxsim.config import Settings, as_plain, as_yaml, load_settings, settings_hash
from rxsim.errors import SettingError
from rxsim.files import parse_yaml

ROOT = Path(__file__).resolve().parents[1]

# MODEL.md section 9, written out by hand; r_on and r_off are told as conductances.
PRINTED: dict[str, Any] = {
    "crossbar": {
        "rows": 64,
        "cols": 64,
        "r_wire_wl": 2.5,
        "r_wire_bl": 2.5,
        "r_driver": 100,
        "r_sense": 100,
        "r_access": 0,
    },
    "device": {
        "g_on": 5e-6,
        "g_off": 1 / 1.4e6,
        "n_bits": 6,
        "n_levels": None,
        "model": "ideal",
        "write_sigma": 0,
        "write_unit": "range",
        "d2d_sigma": 0,
        "stuck_lrs": 0,
        "stuck_hrs": 0,
        "time": 0,
    },
    "mapping": {
        "scheme": "differential",
        "balance": "one_sided",
        "subtract": "analog",
        "w_max_scope": "layer",
        "w_percentile": 100,
        "row_order": "channel_major",
        "split": "fill",
        "unused_cells": "g_off",
        "weight_bits": None,
        "bits_per_cell": None,
        "offset_removal": "digital",
    },
    "input": {
        "encoding": "amplitude",
        "v_read": 0.2,
        "percentile": 100,
        "signed_input": "bipolar",
        "bits_per_pulse": 1,
        "pulses": 64,
        "adc_per_pass": True,
    },
    "dac": {"n_bits": 6, "gain_sigma": 0, "offset_sigma": 0, "inl": 0, "dnl": 0},
    "adc": {
        "n_bits": 6,
        "where": "per_tile",
        "range": "calibrated",
        "scope": "layer",
        "percentile": 100,
        "gain_sigma": 0,
        "offset_sigma": 0,
        "inl": 0,
        "dnl": 0,
        "share": 1,
    },
    "calibration": {"samples": 128},
    "trials": 1,
    "seed": 0,
}


BEYOND: dict[str, dict[str, Any]] = {
    "crossbar": {
        "topology": "crossbar",
        "drive_side": "left",
        "sense_side": "bottom",
        "r_driver_far": None,
        "r_sense_far": None,
    },
    "mapping": {
        "layout": "separate",
        "pack_groups": False,
        "spare_cols": 0,
        "row_permutation": "none",
        "col_permutation": "none",
        "dynamic": "digital",
    },
    "input": {"range": "calibrated"},
    "adc": {"criterion": "percentile"},
    "device": {"iv": {"form": "linear", "v0": None, "cubic": None, "v": None, "f": None}},
}
"""Keys beyond the printed ones; their defaults change nothing."""
DEFAULTS = {
    section: {**value, **BEYOND.get(section, {})} if isinstance(value, dict) else value
    for section, value in PRINTED.items()
} | {"layers": {}}


def _file(folder: Path, text: str, name: str = "settings.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def _printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as stop:
        main(list(arguments))
    out, err = capsys.readouterr()
    assert (stop.value.code, err) == (0, "")
    return out


def test_the_defaults_are_the_printed_values() -> None:
    assert as_plain(load_settings()) == DEFAULTS


def test_the_shipped_file_holds_the_defaults() -> None:
    assert as_plain(load_settings(ROOT / "configs" / "rxnn-64.yaml")) == DEFAULTS


def test_the_shipped_file_names_every_printed_key() -> None:
    shipped = yaml.safe_load((ROOT / "configs" / "rxnn-64.yaml").read_text())
    named = {
        section: set(value) if isinstance(value, dict) else None
        for section, value in shipped.items()
    }
    wanted = {
        section: set(value) if isinstance(value, dict) else None
        for section, value in PRINTED.items()
    }
    wanted["device"] = (set(PRINTED["device"]) - {"g_on", "g_off", "n_levels"}) | {"r_on", "r_off"}
    assert named == wanted


def test_an_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    assert as_plain(load_settings(_file(tmp_path, "# nothing\n"))) == DEFAULTS


@pytest.mark.parametrize(
    ("text", "section", "key", "value"),
    [
        ("device: {r_on: 200e3}", "device", "g_on", 5e-6),
        ("device: {r_on: 1e5}", "device", "g_on", 1e-5),
        ("device: {g_off: 1e-7}", "device", "g_off", 1e-7),
        ("device: {g_off: '0'}", "device", "g_off", 0.0),
        ("crossbar: {r_driver: 1e3}", "crossbar", "r_driver", 1000.0),
        ("crossbar: {r_sense: '50'}", "crossbar", "r_sense", 50.0),
        ("crossbar: {rows: '32'}", "crossbar", "rows", 32),
        ("crossbar: {rows: 32.0}", "crossbar", "rows", 32),
        ("calibration: {samples: 1e3}", "calibration", "samples", 1000),
        ("dac: {gain_sigma: 0e0}", "dac", "gain_sigma", 0.0),
        ("adc: {share: 1.0}", "adc", "share", 1),
        ("device: {n_bits: null}", "device", "n_bits", None),
    ],
)
def test_numbers_that_yaml_leaves_as_text_are_numbers(
    tmp_path: Path, text: str, section: str, key: str, value: float | None
) -> None:
    found = as_plain(load_settings(_file(tmp_path, text)))[section][key]
    assert found == value
    assert type(found) is type(value)


def test_yaml_itself_reads_such_numbers_as_text() -> None:
    assert parse_yaml("[1e-6, 200e3]", "test") == ["1e-6", "200e3"]


def test_set_wins_over_xbar_over_the_file_over_the_default(tmp_path: Path) -> None:
    path = _file(tmp_path, "crossbar: {rows: 16, cols: 24, r_driver: 7}\nseed: 5\n")
    from_file = load_settings(path).crossbar
    assert (from_file.rows, from_file.cols, from_file.r_driver) == (16, 24, 7.0)
    assert from_file.r_sense == 100.0
    from_option = load_settings(path, xbar="128x32").crossbar
    assert (from_option.rows, from_option.cols, from_option.r_driver) == (128, 32, 7.0)
    from_set = load_settings(path, xbar="128x32", assignments=["crossbar.rows=256"]).crossbar
    assert (from_set.rows, from_set.cols, from_set.r_driver) == (256, 32, 7.0)


def test_set_wins_over_the_seed_option_over_the_file(tmp_path: Path) -> None:
    path = _file(tmp_path, "seed: 5\n")
    assert load_settings(path, overrides={"seed": None}).seed == 5
    assert load_settings(path, overrides={"seed": 6}).seed == 6
    assert load_settings(path, overrides={"seed": 6}, assignments=["seed=7"]).seed == 7


def test_the_last_set_wins() -> None:
    assert load_settings(assignments=["adc.n_bits=4", "adc.n_bits=9"]).adc.n_bits == 9


@pytest.mark.parametrize(
    ("text", "assignment", "key", "value"),
    [
        ("r_on: 100e3", "g_on=2e-5", "g_on", 2e-5),
        ("g_on: 2e-5", "r_on=100e3", "g_on", 1e-5),
        ("r_off: 2e6", "g_off=0", "g_off", 0.0),
        ("g_off: 0", "r_off=2e6", "g_off", 5e-7),
        ("n_bits: 4", "n_levels=9", "levels", 9),
        ("n_levels: 9", "n_bits=4", "levels", 16),
    ],
)
def test_another_name_of_the_same_quantity_replaces_it(
    tmp_path: Path, text: str, assignment: str, key: str, value: float
) -> None:
    path = _file(tmp_path, f"device: {{{text}}}")
    device = load_settings(path, assignments=[f"device.{assignment}"]).device
    assert getattr(device, key) == value


def test_a_bad_file_is_refused_even_where_set_would_mend_it(tmp_path: Path) -> None:
    path = _file(tmp_path, "seed: -1\n")
    with pytest.raises(SettingError, match=r"settings\.yaml: seed: found -1"):
        load_settings(path, assignments=["seed=1"])


SAME = [
    "",
    "seed: 0",
    "device: {r_on: 200e3}",
    "device: {g_on: 5e-6}",
    "device: {g_on: 0.000005, r_off: 1400000}",
    "device: {n_levels: 64}",
    "crossbar: {r_driver: 100.0, rows: '64'}",
    "crossbar: {r_access: -0.0}",
    "dac: {inl: 0.0}",
    "{trials: 1, adc: {share: 1.0}, device: {stuck_lrs: 0.0}}",
]
DIFFERENT = [
    "seed: 1",
    "trials: 2",
    "device: {r_on: 200001}",
    "device: {r_off: 1.4000001e6}",
    "device: {n_bits: null}",
    "device: {n_levels: 63}",
    "device: {write_sigma: 1e-9}",
    "device: {write_unit: relative}",
    "device: {stuck_lrs: 0.01}",
    "device: {stuck_hrs: 0.01}",
    "crossbar: {rows: 32}",
    "crossbar: {cols: 32}",
    "crossbar: {r_wire_wl: 2}",
    "crossbar: {r_wire_bl: 2}",
    "mapping: {w_max_scope: tile}",
    "adc: {n_bits: 7}",
    "dac: {n_bits: 7}",
    "calibration: {samples: 127}",
]


def test_the_same_settings_hash_alike_however_they_are_written(tmp_path: Path) -> None:
    hashes = {settings_hash(load_settings(_file(tmp_path, text))) for text in SAME}
    assert len(hashes) == 1


def test_different_settings_hash_differently(tmp_path: Path) -> None:
    hashes = {settings_hash(load_settings(_file(tmp_path, text))) for text in ["", *DIFFERENT]}
    assert len(hashes) == len(DIFFERENT) + 1


@pytest.mark.parametrize("text", [*SAME, *DIFFERENT])
def test_config_show_prints_what_loads_to_the_same_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    path = _file(tmp_path, text)
    printed = _printed(capsys, "config", "show", "--config", str(path))
    again = _file(tmp_path, printed, "again.yaml")
    assert as_plain(load_settings(again)) == as_plain(load_settings(path))


def test_config_show_prints_every_key(capsys: pytest.CaptureFixture[str]) -> None:
    """Also keys at their default that identities leave out."""
    printed = yaml.safe_load(_printed(capsys, "config", "show"))
    schema = Settings.model_json_schema()
    assert set(printed) == set(schema["properties"])
    for name, value in schema["properties"].items():
        if "$ref" in value:
            keys = set(schema["$defs"][value["$ref"].rpartition("/")[2]]["properties"])
            assert set(printed[name]) == keys - {"r_on", "r_off"}, name


def test_config_show_takes_options(capsys: pytest.CaptureFixture[str]) -> None:
    printed = _printed(capsys, "config", "show", "--xbar", "16x8", "--set", "adc.n_bits=null")
    values = yaml.safe_load(printed)
    assert (values["crossbar"]["rows"], values["crossbar"]["cols"]) == (16, 8)
    assert values["adc"]["n_bits"] is None


def test_config_validate_accepts_the_shipped_file(capsys: pytest.CaptureFixture[str]) -> None:
    path = ROOT / "configs" / "rxnn-64.yaml"
    assert _printed(capsys, "config", "validate", str(path)) == f"{path}: ok\n"


# What JSON Schema (draft 2020-12) knows of the words that numbers and choices need.
_SCHEMA_WORDS = {
    *("type", "anyOf", "oneOf", "const", "enum", "default", "title", "description", "$ref"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "items", "minItems"),
}


def _words(schema: dict[str, Any]) -> set[str]:
    inner = [
        word
        for part in (*schema.get("anyOf", []), *schema.get("oneOf", []))
        for word in _words(part)
    ]
    return {*schema, *inner}


UNPRINTED = {
    "mapping": {"fold", "skip_zero"},
    "dac": {"noise"},
    "adc": {"noise", "thresholds"},
    "device": {
        *("without", "verify", "array_sigma", "chip_sigma", "gradient", "refresh", "faults"),
        *("read_noise", "run_time", "read_sigma", "read_unit", "dead_rows", "dead_cols"),
    },
}


def test_config_schema_knows_every_printed_key(capsys: pytest.CaptureFixture[str]) -> None:
    schema = json.loads(_printed(capsys, "config", "schema"))
    # Settings that came later are not printed at their defaults: earlier results keep their identity.
    assert set(schema["properties"]) == {*DEFAULTS, "compensate", "cost", "drift_compensation"}
    for section, value in DEFAULTS.items():
        if not isinstance(value, dict) or section == "layers":
            continue
        reference = schema["properties"][section]["$ref"].rsplit("/", 1)[-1]
        known = schema["$defs"][reference]
        aliases = {"r_on", "r_off"} if section == "device" else set()
        assert set(known["properties"]) == set(value) | aliases | UNPRINTED.get(section, set())
        assert known["additionalProperties"] is False
        for key, one in known["properties"].items():
            assert _words(one) <= _SCHEMA_WORDS, (section, key)


def test_config_schema_tells_the_bounds(capsys: pytest.CaptureFixture[str]) -> None:
    schema = json.loads(_printed(capsys, "config", "schema"))["$defs"]
    bits = schema["Adc"]["properties"]["n_bits"]["anyOf"][0]
    assert (bits["type"], bits["minimum"], bits["maximum"]) == ("integer", 2, 24)
    assert schema["Crossbar"]["properties"]["r_driver"]["minimum"] == 0
    assert schema["Device"]["properties"]["g_on"]["exclusiveMinimum"] == 0


def _reals(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False, allow_infinity=False)


def _some(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=keys)


def _bits(low: int) -> st.SearchStrategy[int | None]:
    return st.none() | st.integers(low, 24)


VALID = _some(
    crossbar=_some(
        rows=st.integers(1, 65536),
        cols=st.integers(1, 65536),
        r_wire_wl=_reals(0, 1e9),
        r_wire_bl=_reals(0, 1e9),
        r_driver=_reals(0, 1e9),
        r_sense=_reals(0, 1e9),
        r_access=_reals(0, 1e9),
    ),
    device=_some(
        g_on=_reals(1e-5, 1e-2),
        g_off=_reals(0, 1e-6),
        n_bits=_bits(1),
        write_sigma=_reals(0, 1),
        write_unit=st.sampled_from(["range", "relative"]),
        d2d_sigma=_reals(0, 2),
        stuck_lrs=_reals(0, 0.5),
        stuck_hrs=_reals(0, 0.5),
    )
    | _some(
        r_on=_reals(1, 1e5), r_off=_reals(1e6, 1e300), n_levels=st.none() | st.integers(2, 10**9)
    ),
    mapping=_some(
        w_max_scope=st.sampled_from(["layer", "column"]),
        w_percentile=_reals(1e-300, 100),
        row_order=st.sampled_from(["channel_major", "kernel_major"]),
        unused_cells=st.sampled_from(["g_off", "open"]),
    ),
    input=_some(v_read=_reals(1e-12, 100), percentile=_reals(1e-300, 100)),
    dac=_some(n_bits=_bits(1)),
    adc=_some(
        n_bits=_bits(2),
        where=st.sampled_from(["per_tile", "per_layer"]),
        range=st.sampled_from(["calibrated", "full_scale"]),
        scope=st.sampled_from(["layer", "column"]),
        percentile=_reals(1e-300, 100),
    ),
    calibration=_some(samples=st.integers(1, 10**9)),
    trials=st.integers(1, 10**9),
    seed=st.integers(0, 10**30),
)


@settings(max_examples=75, deadline=None)
@given(values=VALID)
def test_any_valid_settings_survive_yaml(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, Any]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    first = load_settings(_file(folder, yaml.safe_dump(values), "round-trip.yaml"))
    again = load_settings(_file(folder, as_yaml(first), "round-trip.yaml"))
    assert again == first
    assert settings_hash(again) == settings_hash(first)
    plain = as_plain(first)
    for section, given_values in values.items():
        if not isinstance(given_values, dict):
            assert plain[section] == given_values
            continue
        for key, value in given_values.items():
            if key in ("r_on", "r_off"):
                assert plain[section][f"g_{key[2:]}"] == pytest.approx(1 / value, rel=1e-15)
            else:
                assert plain[section][key] == value
