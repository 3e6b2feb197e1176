"""Presets as files: those that rxsim brings, and a user's own."""

from __future__ import annotations

import json
import pickle
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

import rxsim
from rxsim import api
from rxsim.cli import root
from rxsim.config import (
    STEPS,
    Device,
    Preset,
    Settings,
    as_plain,
    as_yaml,
    load_settings,
    named_preset,
    preset_names,
    settings_hash,
)
from rxsim.devices import Chip, check_presets, program
from rxsim.devices.cell_curve import FORMS
from rxsim.devices.law import LAWS
from rxsim.errors import InputError
from rxsim.gate import read_cases
from rxsim.mapping import PhysicalArray
from rxsim.pipeline import DataOptions
from rxsim.pipeline.study.calibration_match import calibrated_by
from rxsim.sweep import read_plan
from rxsim.tiles import TILES

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "models" / "digits_mlp.onnx"
OWN: dict[str, Any] = {
    "schema_version": 1,
    "about": "a device of this laboratory",
    "source": "measured here",
    "status": "measured",
    "unit": "microsiemens",
    "range": {"low": 1, "high": 20},
    "device": {"n_bits": 4},
    "laws": {"write_error": {"law": "polynomial", "coefficients": [0.3, 0.01]}},
}


def write(path: Path, **changes: Any) -> Path:
    """Write a preset's file; a change to None leaves the key out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = {key: value for key, value in {**OWN, **changes}.items() if value is not None}
    path.write_text(yaml.safe_dump(values))
    return path


def settings_file(folder: Path, text: str = "device: {model: mine.yaml}\n") -> Path:
    path = folder / "settings.yaml"
    path.write_text(text)
    return path


def programmed(device: Device) -> np.ndarray:
    g = np.linspace(device.g_off, device.g_on, 30 * 20).reshape(30, 20)
    array = PhysicalArray(
        index=0,
        conversion=0,
        target=g,
        blank=np.zeros(g.shape, dtype=bool),
        rows=np.arange(30),
        row_signs=np.ones(30),
        cols=np.arange(20),
        col_signs=np.ones(20),
        references=np.full(20, -1),
    )
    return program(array, 0, device, Chip(0, 0))


def test_a_path_starts_from_the_settings_files_folder_or_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "lab" / "mine.yaml")
    write(tmp_path / "mine.yaml", range={"low": 1, "high": 30})
    monkeypatch.chdir(tmp_path)
    from_file = load_settings(settings_file(tmp_path / "lab"))
    assert from_file.device.g_on == pytest.approx(20e-6)
    assert from_file.device.g_off == pytest.approx(1e-6)
    assert from_file.device.levels == 16
    for here in (
        load_settings(assignments=["device.model=mine.yaml"]),
        load_settings(settings_file(tmp_path / "lab"), assignments=["device.model=mine.yaml"]),
        api.settings(changes={"device.model": str(tmp_path / "mine.yaml")}),
        Settings.model_validate({"device": {"model": "mine.yaml"}}),
    ):
        assert here.device.g_on == pytest.approx(30e-6)


def test_a_file_of_a_presets_content_programs_the_same_cells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in preset_names():
        text = (ROOT / "rxsim/devices/presets" / f"{name}.yaml").read_text()
        (tmp_path / "copy.yaml").write_text(text)
        assert (programmed(Device(model="copy.yaml")) == programmed(Device(model=name))).all()


def test_identity_follows_from_the_content_and_not_from_the_place(tmp_path: Path) -> None:
    def hashes(name: str, **changes: Any) -> tuple[str, str]:
        folder = tmp_path / name
        write(folder / "mine.yaml", **changes)
        whole = settings_hash(load_settings(settings_file(folder)))
        layer = settings_file(folder, "layers: {one: {device: {model: mine.yaml}}}\n")
        return whole, settings_hash(load_settings(layer))

    first = hashes("a")
    assert hashes("b") == first
    assert hashes("c", range={"low": "1e0", "high": 20.0}) == first
    number = {"law": "polynomial", "coefficients": ["3e-1", 0.01]}
    assert hashes("d", laws={"write_error": number}) == first
    others = [
        hashes("e", laws={"write_error": {"law": "polynomial", "coefficients": [0.3, 0.02]}}),
        hashes("f", laws=None),
        hashes("g", range={"low": 1, "high": 21}),
        hashes("h", unit="nanosiemens"),
    ]
    for place in (0, 1):
        assert len({first[place], *(other[place] for other in others)}) == 5


def test_resolved_settings_need_the_file_no_more(tmp_path: Path) -> None:
    write(tmp_path / "lab" / "mine.yaml", device={"r_on": 1e5, "iv": {"form": "sinh", "v0": 0.3}})
    text = "device: {model: mine.yaml}\nlayers: {t*: {device: {model: mine.yaml, n_bits: 3}}}\n"
    first = load_settings(settings_file(tmp_path / "lab", text))
    (tmp_path / "lab" / "mine.yaml").unlink()
    for again in (
        load_settings(settings_file(tmp_path, as_yaml(first))),
        Settings.model_validate(json.loads(json.dumps(as_plain(first)))),
        pickle.loads(pickle.dumps(first)),
    ):
        assert as_plain(again) == as_plain(first)
        assert settings_hash(again) == settings_hash(first)
        assert (programmed(again.device) == programmed(first.device)).all()
    assert first.device.g_on == 1e-5
    assert as_plain(first)["device"]["model"]["about"] == OWN["about"]


def test_the_settings_of_a_preset_that_rxsim_brings_are_its_name() -> None:
    assert as_plain(load_settings(assignments=["device.model=pcm-joshi"]))["device"]["model"] == (
        "pcm-joshi"
    )


def test_one_file_replaces_another_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "mine.yaml")
    write(tmp_path / "bare.yaml", laws=None, range=None, device=None)
    device = load_settings(settings_file(tmp_path), assignments=["device.model=bare.yaml"]).device
    assert (device.preset.laws, device.g_on) == ({}, Device().g_on)
    inline = settings_file(tmp_path, as_yaml(load_settings(settings_file(tmp_path))))
    given = load_settings(
        inline,
        assignments=["device.model={schema_version: 1, about: a, source: '-', status: assumption}"],
    ).device
    assert given.preset.laws == {}


def test_a_users_key_wins_over_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "mine.yaml", device={"n_levels": 5, "iv": {"form": "sinh", "v0": 0.2}})
    own: dict[str, Any] = {"model": "mine.yaml"}
    assert Device(**own).levels == 5
    assert Device(**own, n_bits=3).levels == 8
    assert Device(**own, n_bits=None).levels is None
    assert Device(**own, iv={"form": "linear"}).iv.form == "linear"
    assert Device.model_validate({**own, "r_on": 1e5}).g_on == 1e-5


def test_a_calibration_depends_on_what_nominal_cells_are(tmp_path: Path) -> None:
    def calibrated(**changes: Any) -> dict[str, Any]:
        write(tmp_path / "mine.yaml", **changes)
        return calibrated_by().of(load_settings(settings_file(tmp_path)))

    first = calibrated()
    assert not [name for name in first if name.startswith("device.model")]
    assert calibrated(laws=None) == first  # as of a preset by name: what it draws is no part of it
    assert calibrated(range={"low": 1, "high": 25}) != first
    assert calibrated(device={"n_bits": 5}) != first
    assert calibrated(device={"n_bits": 4, "iv": {"form": "sinh", "v0": 1}}) != first


def test_kept_arrays_depend_on_what_a_file_says(tmp_path: Path) -> None:
    def key(name: str, **changes: Any) -> dict[str, Any]:
        write(tmp_path / name / "mine.yaml", **changes)
        return TILES.of(load_settings(settings_file(tmp_path / name)))

    first = key("a")
    assert key("b") == first
    assert key("c", laws={"write_error": {"law": "polynomial", "coefficients": [0.4]}}) != first


def test_an_evaluation_with_a_file_is_that_of_a_preset_of_the_same_content(tmp_path: Path) -> None:
    shutil.copy(ROOT / "rxsim/devices/presets/pcm-joshi.yaml", tmp_path / "mine.yaml")
    evaluated = [
        rxsim.evaluate(
            MODEL,
            rxsim.settings(xbar="32x32", changes={"device.model": model, "trials": 2}),
            DataOptions(limit=20),
        )
        for model in (str(tmp_path / "mine.yaml"), "pcm-joshi")
    ]
    own, shipped = (json.loads(json.dumps(result.as_json())) for result in evaluated)
    assert own["ladder"]["nonideal"]["accuracy"]["per_trial"]
    assert {name for name in own if own[name] != shipped[name]} == {
        *("settings", "provenance", "timing"),
    }
    (tmp_path / "own.json").write_text(json.dumps(own))
    page = tmp_path / "own.html"
    report = CliRunner().invoke(root, ["report", str(tmp_path / "own.json"), "-o", str(page)])
    assert report.exit_code == 0, report.output
    cited = "Joshi et al., Nat. Commun. 11, 2020, Fig. 3b; CrossSim&#39;s fit (device model: phase"
    assert cited in page.read_text()
    again = Settings.model_validate(own["settings"])
    assert settings_hash(again) == own["provenance"]["settings_sha256"]


def test_points_of_a_sweep_differ_by_the_content_of_files_beside_it(tmp_path: Path) -> None:
    lab = tmp_path / "lab"
    write(lab / "mine.yaml")
    write(lab / "same.yaml")
    write(lab / "other.yaml", laws=None)
    (lab / "sweep.yaml").write_text(
        f"model: {MODEL}\nlimit: 20\n"
        "axes: {device.model: [pcm-joshi, mine.yaml, same.yaml, other.yaml]}\n"
    )
    points = read_plan(lab / "sweep.yaml").points
    assert [point.values["device.model"] for point in points] == [
        *("pcm-joshi", "mine.yaml", "other.yaml"),
    ]
    assert [point.is_random for point in points] == [True, True, False]
    base = settings_file(lab)
    (lab / "sweep.yaml").write_text(f"model: {MODEL}\nlimit: 20\nconfig: {base.name}\n")
    assert [point.point.key for point in read_plan(lab / "sweep.yaml").points] == [
        points[1].point.key
    ]


def test_a_case_of_a_gate_names_a_file_beside_it(tmp_path: Path) -> None:
    lab = tmp_path / "lab"
    own = write(lab / "mine.yaml")
    (lab / "regress.yaml").write_text(
        "cases: [{name: a, model: m.onnx, settings: {device.model: mine.yaml}}]\n"
    )
    (case,) = read_cases(lab / "regress.yaml").cases
    assert case.settings.device.g_on == pytest.approx(20e-6)
    assert own in case.reads


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema_version": 2}, "schema_version: found 2, expected 1"),
        ({"source": None}, "source is missing"),
        ({"status": "guess"}, "status: found 'guess', expected 'measured', 'fit' or 'assumption'"),
        ({"unit": "uS"}, "unit: found 'uS', expected 'siemens'"),
        ({"range": {"low": 5, "high": 5}}, "expected low below high"),
        ({"range": {"low": 5}}, "range.high is missing"),
        ({"abuot": "x"}, "abuot is not a setting; did you mean about?"),
        ({"device": {"n_bit": 4}}, "n_bit is not a setting; did you mean n_bits?"),
        ({"device": {"model": "ideal"}}, "found device.model, expected no preset in a preset"),
        ({"device": {"g_on": 1e-3}}, "expected a range within the 1e-06 to 2e-05 S"),
        ({"device": {"write_sigma": 0.1}}, "found write_sigma together with model"),
        ({"laws": {"writing": {"law": "polynomial"}}}, "laws.writing: found 'writing', expected"),
        (
            {"laws": {"write_error": {"law": "cubic"}}},
            "laws.write_error.law: found 'cubic', expected",
        ),
        (
            {"laws": {"write_error": {"law": "polynomial", "coefficients": [1, None]}}},
            "laws.write_error.coefficients: found null, expected numbers",
        ),
        (
            {"laws": {"write_error": {"law": "polynomial", "coefficients": [float("nan")]}}},
            "expected a finite number",
        ),
        (
            {"laws": {"write_error": {"law": "polynomial"}}},
            "laws.write_error: coefficients is missing",
        ),
        (
            {"laws": {"write_error": {"law": "stuck"}}},
            "laws.write_error: found law 'stuck', expected polynomial or saturating",
        ),
        (
            {"laws": {"drift": {"law": "polynomial", "coefficients": [1]}}},
            "laws.drift: found law 'polynomial', expected power_drift",
        ),
    ],
)
def test_a_bad_file_is_told_in_one_sentence(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    write(tmp_path / "mine.yaml", **changes)
    settings_file(tmp_path)
    for arguments in (
        ["config", "validate", str(tmp_path / "settings.yaml")],
        ["presets", str(tmp_path / "mine.yaml")],
        ["eval", str(MODEL), "--config", str(tmp_path / "settings.yaml")],
        ["eval", str(MODEL), "--set", f"layers={{x: {{device: {{model: {tmp_path}/mine.yaml}}}}}}"],
    ):
        result = CliRunner().invoke(root, arguments)
        assert isinstance(result.exception, InputError), result.output
        sentence = str(result.exception)
        assert words in sentence
        assert "\n" not in sentence


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("none.yaml", "the preset file none.yaml can't be read: No such file"),
        (
            "pcm-josh",
            "device.model: found 'pcm-josh', expected a preset's name or file; did you mean",
        ),
        ("[1]", "device.model: found \\[1\\], expected a preset's name or file"),
        ("{about: x}", "device.model: schema_version is missing"),
        ("list.yaml", "list.yaml holds a list, expected a mapping"),
    ],
)
def test_a_model_that_is_none_is_told_in_one_sentence(
    model: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.yaml").write_text("[1, 2]\n")
    with pytest.raises(InputError, match=words):
        load_settings(assignments=[f"device.model={model}"])


def test_no_output_takes_the_place_of_a_presets_file(tmp_path: Path) -> None:
    own = write(tmp_path / "mine.yaml")
    settings_file(tmp_path)
    for given in (["--config", f"{tmp_path}/settings.yaml"], ["--set", f"device.model={own}"]):
        result = CliRunner().invoke(root, ["eval", str(MODEL), *given, "--json", str(own)])
        assert isinstance(result.exception, InputError)
        assert "is another file of this command" in str(result.exception)


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_can_be_shown_and_used(name: str) -> None:
    result = CliRunner().invoke(root, ["presets", name])
    assert result.exit_code == 0, result.output
    preset = named_preset(name)
    assert preset.about in result.output
    assert f"source: {preset.source}" in result.output
    check_presets(load_settings(assignments=[f"device.model={name}"]))
    listed = CliRunner().invoke(root, ["presets"]).output
    assert f"\n{name} " in listed


def test_a_presets_numbers_law_and_range_are_shown() -> None:
    text = CliRunner().invoke(root, ["presets", "pcm-nandakumar"]).output
    for line in (
        "range: 0 to 25 uS",
        "    g_on: 2.5e-05",
        "write_error: polynomial, conductances in uS",
        "  sigma = c0 + c1 x + c2 x^2 + .., x = G / scale, not below 0",
        "  coefficients: [0.26348, 1.965, -1.1731]",
        "  scale: 25",
    ):
        assert line in text.splitlines()


def test_the_json_schema_describes_a_preset() -> None:
    schema = Settings.model_json_schema()["$defs"]
    assert {"MeasuredRange", "LawChoice", "Preset"} <= schema.keys()
    assert "pcm-joshi" not in schema  # names are no part of it: any file may be given
    assert set(Preset.model_fields) == set(schema["Preset"]["properties"])


def test_the_file_that_the_docs_show_is_the_one_that_rxsim_brings() -> None:
    text = (ROOT / "docs/concepts/devices.md").read_text()
    (shown,) = (
        part.split("```")[0] for part in text.split("```yaml\n") if "schema_version: 1" in part[:20]
    )
    assert shown == (ROOT / "rxsim/devices/presets/pcm-joshi.yaml").read_text()


def test_the_docs_name_every_law_form_and_key_of_a_file() -> None:
    text = (ROOT / "docs/concepts/devices.md").read_text()
    names = {*LAWS.names, *FORMS.names, *STEPS, *Preset.model_fields}
    assert {name for name in names if f"`{name}`" not in text} == set()


def test_a_wheel_holds_the_presets_and_says_that_it_is_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = pytest.importorskip("flit_core.buildapi")
    monkeypatch.chdir(ROOT)
    with zipfile.ZipFile(tmp_path / build.build_wheel(str(tmp_path))) as wheel:
        names = wheel.namelist()
    held = {Path(name).stem for name in names if "devices/presets/" in name}
    assert held == {*preset_names()}
    assert "rxsim/py.typed" in names
