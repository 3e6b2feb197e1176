"""Defect maps: which cells they break, what identifies them, where they are found, what is refused."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from beside_twin import array_of
from cell_arrays import read
from hypothesis import given, settings
from hypothesis import strategies as st
from small_networks import network

import rxsim
from rxsim.cli import main
from rxsim.config import (
    Device,
    Settings,
    as_full_yaml,
    as_yaml,
    fault_files,
    fault_maps,
    load_settings,
    settings_hash,
)
from rxsim.gate import read_cases
from rxsim.sweep import read_plan
from rxsim.tiles import TILES

MODEL = Path(__file__).parents[1] / "models" / "digits_mlp.onnx"
ROWS, COLS = 6, 5
CODES = np.random.default_rng(0).integers(0, 4, (ROWS, COLS))
SIEMENS = np.where(CODES == 0, np.nan, CODES * 1.5e-5)
WORKING: dict[str, Any] = {"*": np.zeros((64, 64), int)}
RANGE: dict[str, Any] = {"g_on": 1e-4, "g_off": 1e-6, "n_bits": None}


def save(path: Path, **maps: Any) -> Path:
    path.parent.mkdir(exist_ok=True)
    np.savez(path, **maps)
    return path


def broken(given: np.ndarray, g: np.ndarray, on: float, off: float) -> np.ndarray:
    """Return conductances with the faults of a map, cell by cell."""
    result = g.copy()
    for cell in np.ndindex(g.shape):
        if given.dtype.kind == "f":
            result[cell] = g[cell] if np.isnan(given[cell]) else given[cell]
        else:
            result[cell] = [g[cell], on, off, 0.0][int(given[cell])]
    return result


# What a map does


@pytest.mark.parametrize(
    "given",
    [CODES, SIEMENS, CODES.astype(np.uint8), SIEMENS.astype("f4"), CODES == 1, CODES * 1.5e-5],
)
def test_a_map_breaks_its_cells_and_no_others(given: np.ndarray, tmp_path: Path) -> None:
    errors: dict[str, Any] = {**RANGE, "write_sigma": 0.1, "d2d_sigma": 0.1}
    target = np.full((ROWS, COLS), 5e-5)
    file = save(tmp_path / "map.npz", **{"*": given})
    found = read(Device.model_validate({**errors, "faults": str(file)}), target).g
    expected = broken(given, read(Device(**errors), target).g, 1e-4, 1e-6)
    assert found == pytest.approx(expected, rel=1e-7)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_known_defects_override_stuck_cells_and_dead_lines_override_both(seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = save(Path(folder) / "map.npz", **{"*": CODES})
        keys: dict[str, Any] = {**RANGE, "stuck_lrs": 0.4, "stuck_hrs": 0.4}
        target = np.full((ROWS, COLS), 5e-5)
        stuck = read(Device(**keys), target, seed=seed).g
        device = Device.model_validate({**keys, "faults": str(file), "dead_rows": 0.4})
        dead = read(Device(**RANGE, dead_rows=0.4), target, seed=seed).g == 0
        expected = np.where(dead, 0, broken(CODES, stuck, 1e-4, 1e-6))
        assert (read(device, target, seed=seed).g == expected).all()


def test_a_layer_has_the_map_of_its_name_and_an_array_that_of_its_number(tmp_path: Path) -> None:
    """As netlists state the arrays: two layers, three arrays and more of the first."""
    rng = np.random.default_rng(4)
    tensors = {"v": rng.standard_normal((10, 4)), "w": rng.standard_normal((4, 3))}
    model = network("[a] h = Gemm(x, v) [m] r = Relu(h) [c] y = Gemm(r, w)", (10,), tensors)
    x = rng.random((4, 10))
    own = rng.integers(0, 4, (4, ROWS, COLS))
    file = save(tmp_path / "map.npz", a=own, **{"*": CODES})
    given: dict[str, Any] = {
        "crossbar": {"rows": ROWS, "cols": COLS},
        "device": {**RANGE, "write_sigma": 0.1},
    }
    faulty = {**given, "device": {**given["device"], "faults": str(file)}}
    for layer, number, each in [("a", n, own[n]) for n in range(4)] + [("c", 1, CODES)]:
        plain, found = (array_of(model, one, x, (layer, number), 2) for one in (given, faulty))
        assert found == pytest.approx(broken(each, plain, 1e-4, 1e-6), rel=1e-9)
    alone = save(tmp_path / "alone.npz", a=own)
    faulty["device"]["faults"] = str(alone)
    plain, found = (array_of(model, one, x, ("c", 1), 2) for one in (given, faulty))
    assert (found == plain).all()  # no map for it, and none for all others


def test_layers_on_the_same_arrays_have_the_same_map(tmp_path: Path) -> None:
    """A weight that two nodes use lies on one set of arrays."""
    weight = np.random.default_rng(5).standard_normal((4, 4))
    text = "[a] h = Gemm(x, v) [m] r = Relu(h) [c] y = Gemm(r, v)"
    model, x = network(text, (4,), {"v": weight}), np.ones((3, 4))
    given: dict[str, Any] = {"crossbar": {"rows": ROWS, "cols": COLS}, "device": {**RANGE}}
    for maps in ({"a": CODES, "c": CODES}, {"*": SIEMENS}, {"a": CODES, "*": CODES}):
        given["device"]["faults"] = str(save(tmp_path / "map.npz", **maps))
        one, other = (array_of(model, given, x, (layer, 0), 0) for layer in ("a", "c"))
        assert (one == other).all()
    given["device"]["faults"] = str(save(tmp_path / "map.npz", a=CODES))
    with pytest.raises(rxsim.RxsimError, match="found different maps for c and a, which are on"):
        array_of(model, given, x, ("a", 0), 0)


# What identifies it


def test_content_identifies_a_map_and_not_its_place(tmp_path: Path) -> None:
    first = save(tmp_path / "a" / "map.npz", **WORKING)
    second = tmp_path / "b" / "other.npz"
    second.parent.mkdir()
    shutil.copy(first, second)
    third = save(tmp_path / "c.npz", **{"*": np.full((64, 64), 3)})
    chosen = [
        rxsim.settings(changes={"device.faults": str(file)}) for file in (first, second, third)
    ]
    one, same, other = map(settings_hash, chosen)
    assert one == same != other
    assert settings_hash(rxsim.settings()) not in (one, other)
    keys = [json.dumps(TILES.of(each)) for each in chosen]
    assert keys[0] == keys[1] != keys[2]
    layer = [
        rxsim.settings(changes={"layers": {"fc1": {"device": {"faults": str(file)}}}})
        for file in (first, second, third)
    ]
    assert settings_hash(layer[0]) == settings_hash(layer[1]) != settings_hash(layer[2])


def test_settings_that_are_printed_load_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "map.npz", **WORKING)
    verify = "{tolerance: 2%, attempts: 7, read_sigma: 0.01}"
    keys = [
        "device.model=pcm-hermes",
        "device.time=1mo",
        "device.refresh=10d",
        "device.run_time=1ms",
    ]
    keys += ["device.read_noise=fresh", f"device.verify={verify}", "device.faults=map.npz"]
    keys += ["layers={fc1: {device: {faults: map.npz, dead_rows: 1%}}}", "device.array_sigma=0.1"]
    with pytest.raises(SystemExit, match="0"):
        main(["config", "show", *[word for key in keys for word in ("--set", key)]])
    shown = capsys.readouterr().out
    chosen = load_settings(assignments=keys)
    (tmp_path / "elsewhere").mkdir()
    printed = tmp_path / "elsewhere" / "settings.yaml"
    printed.write_text(shown)
    for again in (load_settings(printed), Settings.model_validate(yaml.safe_load(shown))):
        assert again.device == chosen.device
        assert settings_hash(again) == settings_hash(chosen)
        assert as_full_yaml(again) == shown
    assert fault_files(printed, ()) == [tmp_path / "map.npz"] * 2


# Where it is found


def test_a_name_starts_from_the_settings_files_folder_or_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = tmp_path / "lab"
    there = save(lab / "map.npz", **WORKING)
    here = save(tmp_path / "map.npz", **{"*": np.ones((64, 64), int)})
    monkeypatch.chdir(tmp_path)
    for number, text in enumerate(
        (
            "device: {faults: map.npz}",
            "device: {faults: {file: map.npz}}",
            "layers: {fc1: {device: {faults: map.npz}}}",
        )
    ):
        file = lab / f"{number}.yaml"
        file.write_text(text)
        chosen = load_settings(file)
        faults = chosen.device.faults or chosen.layers["fc1"].device["faults"]
        assert faults.file == str(there)
        assert fault_files(file, ()) == [there]
    for assignment in ("device.faults=map.npz", "device.faults.file=map.npz"):
        over = load_settings(lab / "0.yaml", assignments=[assignment])
        assert over.device.faults is not None
        assert over.device.faults.file == str(here)
    assert load_settings(lab / "0.yaml", assignments=["device.faults=null"]) == Settings()


def test_a_sweep_goes_over_maps_beside_it(tmp_path: Path) -> None:
    lab = tmp_path / "lab"
    save(lab / "one.npz", **WORKING)
    save(lab / "two.npz", **{"*": np.ones((64, 64), int)})
    sweep = lab / "sweep.yaml"
    sweep.write_text(
        f"model: {MODEL}\nlimit: 20\naxes: {{device.faults: [null, one.npz, two.npz]}}\n"
    )
    plan = read_plan(sweep)
    assert [point.values["device.faults"] for point in plan.points] == [None, "one.npz", "two.npz"]
    sweep.write_text(
        f"model: {MODEL}\nlimit: 20\nsettings: {{device: {{faults: one.npz}}}}\n"
        "axes: {device.dead_rows: [0, 5%]}\n"
    )
    first = read_plan(sweep).points[0]
    assert first.point.key == plan.points[1].point.key


def test_a_case_of_a_gate_reads_a_map_beside_it(tmp_path: Path) -> None:
    lab = tmp_path / "lab"
    file = save(lab / "map.npz", **WORKING)
    (lab / "regress.yaml").write_text(
        "cases: [{name: a, model: m.onnx, settings: {device.faults: map.npz}}]\n"
    )
    (case,) = read_cases(lab / "regress.yaml").cases
    assert file in case.reads


def sentence(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that must fail for its input; return what it says, a line."""
    with pytest.raises(SystemExit) as end:
        main(words)
    told = capsys.readouterr()
    assert end.value.code == 2
    assert not told.out
    assert told.err.count("\n") == 1
    return told.err


@pytest.mark.parametrize("option", ["--json", "--save-patched"])
@pytest.mark.parametrize("how", ["set", "config", "layer"])
def test_no_output_overwrites_a_map(
    option: str, how: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = save(tmp_path / "map.npz", **WORKING)
    before = file.read_bytes()
    (tmp_path / "config.yaml").write_text("device: {faults: map.npz}")
    given = {
        "set": ["--set", f"device.faults={file}"],
        "config": ["--config", str(tmp_path / "config.yaml")],
        "layer": ["--set", f"layers={{fc1: {{device: {{faults: {file}}}}}}}"],
    }[how]
    told = sentence(["eval", str(MODEL), *given, option, str(file)], capsys)
    assert "is another file of this command" in told
    assert file.read_bytes() == before


# What is refused

BAD: list[tuple[dict[str, Any], str]] = [
    ({"*": np.zeros((3, 64), int)}, "*: found arrays of 3x64, expected 64x64"),
    ({"*": np.zeros(64, int)}, "*: found the shape [64], expected (rows, cols)"),
    ({"*": np.zeros((0, 64), int)}, "*: found the shape [0, 64]"),
    (
        {"nolayer": np.zeros((64, 64), int)},
        "found a map for 'nolayer', expected layers on crossbars",
    ),
    ({"fc1": np.zeros((1, 64, 64), int)}, "fc1: found 1 array, expected 2 for layer fc1"),
    ({"*": np.full((64, 64), 4)}, "*: found the code 4, expected 0 (works)"),
    ({"*": np.full((64, 64), -1)}, "*: found the code -1, expected 0 (works)"),
    ({"*": np.full((64, 64), -1e-6)}, "*: found a conductance of -1e-06 S, expected 0 to 1 S"),
    ({"*": np.full((64, 64), np.inf)}, "*: found a conductance of inf S"),
    ({"*": np.full((64, 64), 25.0)}, "or bring it to siemens"),
    ({"*": np.full((64, 64), 1j)}, "*: found values of type complex128"),
    ({"*": np.full((64, 64), "1")}, "*: found values of type <U1"),
    ({"*": np.full((64, 64), None)}, "found no archive of plain arrays"),
    ({"*": np.zeros((64, 64))}, "found nothing but 0 as floats, which are siemens"),
    ({"*": np.eye(64)}, "found nothing but 0 and 1 as floats"),
    ({}, "found no array, expected one for each layer or '*'"),
]


@pytest.mark.parametrize(("maps", "words"), BAD, ids=[words[:40] for _, words in BAD])
def test_a_map_that_does_not_fit_is_refused_in_one_sentence(
    maps: dict[str, Any], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = save(tmp_path / "map.npz", **maps)
    for command in ("eval", "map"):
        told = sentence([command, str(MODEL), "--set", f"device.faults={file}"], capsys)
        assert words in told
        assert str(file) in told


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        (b"", "found no archive of plain arrays"),
        (b"PK\x03\x04 broken", "found no archive of plain arrays"),
        (b"\x80\x04N.", "found no archive of plain arrays"),  # a pickle
        (b"\x93NUMPY", "found no archive of plain arrays"),
    ],
)
def test_a_file_that_is_no_map_is_refused_in_one_sentence(
    content: bytes | None, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "map.npz"
    if content is not None:
        file.write_bytes(content)
    told = sentence(["eval", str(MODEL), "--set", f"device.faults={file}"], capsys)
    assert words in told
    assert str(file) in told


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("5", "device.faults: found 5, expected the name of a file"),
        ("[a]", "device.faults: found ['a'], expected the name of a file"),
        ("{fil: a}", "device.faults.fil is not a setting; did you mean device.faults.file?"),
        ('"a\\0b"', "b': no file can have this name; check the name"),
        ("''", "Is a directory"),
    ],
)
def test_a_value_that_names_no_file_is_refused_in_one_sentence(
    value: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert words in sentence(["eval", str(MODEL), "--set", f"device.faults={value}"], capsys)


def test_a_map_that_changed_since_settings_were_written_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = save(tmp_path / "map.npz", **{"*": np.full((64, 64), 2)})
    printed = tmp_path / "settings.yaml"
    printed.write_text(as_yaml(rxsim.settings(changes={"device.faults": str(file)})))
    save(file, **WORKING)
    fault_maps.cache_clear()  # a process goes on with the content that it has read
    told = sentence(["eval", str(MODEL), "--config", str(printed)], capsys)
    assert "found another content than these settings were made with" in told


def test_the_schema_takes_a_files_name() -> None:
    device = Settings.model_json_schema()["$defs"]["Device"]["properties"]
    for key in ("faults", "model", "time", "refresh"):
        assert "string" in [one.get("type") for one in device[key]["anyOf"]], key
    for key in ("faults", "refresh", "verify"):
        assert {"type": "null"} in device[key]["anyOf"], key
