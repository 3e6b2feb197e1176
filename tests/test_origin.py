"""A patched file says where it comes from, and is known again when it is given as a model."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import yaml
from small_networks import dense

import rxsim
from rxsim.cli import main
from rxsim.config import load_settings, settings_hash

CHANGES = ("device.write_sigma=0.05", "adc.n_bits=7", "seed=3")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("origin") / "net.onnx"
    model = dense(np.random.default_rng(0).normal(size=(6, 3)))
    entry = model.metadata_props.add()
    entry.key, entry.value = "author", "someone"
    onnx.save(model, path)
    return path


def rxsim_command(*words: object) -> int:
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    return int(end.value.code or 0)


def patch(source: Path, output: Path, *words: object) -> dict[str, str]:
    """Patch a model and return the metadata of the file."""
    changes = [word for change in CHANGES for word in ("--set", change)]
    assert rxsim_command("patch", source, "-o", output, "--xbar=8x4", *changes, *words) == 0
    return {entry.key: entry.value for entry in onnx.load(output).metadata_props}


def test_a_patched_file_says_where_it_comes_from(source: Path, tmp_path: Path) -> None:
    said = patch(source, tmp_path / "chip.onnx", "--trial=2")
    assert said.pop("author") == "someone"
    settings = tmp_path / "settings.yaml"
    settings.write_text(said.pop("rxsim.settings"))
    wanted = load_settings(None, xbar="8x4", assignments=CHANGES)
    assert load_settings(settings) == wanted
    assert said == {
        "rxsim.version": rxsim.__version__,
        "rxsim.source.name": "net.onnx",
        "rxsim.source.sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
        "rxsim.settings.sha256": settings_hash(wanted),
        "rxsim.seed": "3",
        "rxsim.chip": "2",
        "rxsim.scenario": "nonideal",
        "rxsim.ranges.made_up": "true",
        "rxsim.ranges.data": "made up",
    }


def test_data_of_the_ranges_are_named(source: Path, tmp_path: Path) -> None:
    x = np.random.default_rng(1).normal(size=(12, 6)).astype(np.float32)
    np.savez(tmp_path / "some.npz", x=x)
    said = patch(source, tmp_path / "a.onnx", "--data", tmp_path / "some.npz", "--metric", "none")
    assert said["rxsim.ranges.made_up"] == "false"
    assert said["rxsim.ranges.data"] == "some.npz"
    assert len(bytes.fromhex(said["rxsim.ranges.sha256"])) == 32


def test_the_bytes_repeat_and_all_doors_write_the_same(source: Path, tmp_path: Path) -> None:
    files = [tmp_path / f"{name}.onnx" for name in ("one", "two", "saved", "python")]
    patch(source, files[0])
    patch(source, files[1])
    changes = [word for change in CHANGES for word in ("--set", change)]
    saved = ("--save-patched", files[2], "--limit=4")
    assert rxsim_command("eval", source, "--xbar=8x4", *changes, *saved) == 0
    given = {"device.write_sigma": 0.05, "adc.n_bits": 7, "seed": 3}
    settings = rxsim.settings("8x4", changes=given)
    returned = rxsim.patched(source, settings, output=files[3])
    assert len({path.read_bytes() for path in files}) == 1
    assert onnx.load(files[3]) == returned
    x = np.random.default_rng(1).normal(size=(2, 6)).astype(np.float32)
    session = ort.InferenceSession(str(files[0]), providers=["CPUExecutionProvider"])
    first = rxsim.evaluate(source, settings, limit=4).first_chip.model
    assert not any(entry.key.startswith("rxsim.") for entry in first.metadata_props)
    plain = ort.InferenceSession(first.SerializeToString(), providers=["CPUExecutionProvider"])
    assert np.array_equal(session.run(None, {"x": x})[0], plain.run(None, {"x": x})[0])


@pytest.mark.parametrize(
    "words",
    ["eval {} --xbar 8x4 --limit 4", "map {}", "patch {} -o {}.onnx", "calibrate {} -o {}.json"],
)
def test_a_patched_file_given_as_a_model_is_warned_of(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    chip = tmp_path / "chip.onnx"
    patch(source, chip)
    capsys.readouterr()
    assert rxsim_command(*words.replace("{}", str(chip)).split()) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        f"warning: chip.onnx was patched by rxsim {rxsim.__version__} from net.onnx: this puts "
        "hardware on hardware; evaluate the source model"
    )
    assert rxsim_command(*words.replace("{}", str(chip)).split(), "--quiet") == 0
    assert capsys.readouterr().err == ""
    assert rxsim_command(*words.replace("{}", str(source)).split()) == 0
    assert capsys.readouterr().err == ""


def test_a_patched_file_patched_again_names_its_source_only(source: Path, tmp_path: Path) -> None:
    chip = tmp_path / "chip.onnx"
    patch(source, chip)
    said = patch(chip, tmp_path / "twice.onnx")
    assert said["rxsim.source.name"] == "chip.onnx"
    assert said["rxsim.source.sha256"] == hashlib.sha256(chip.read_bytes()).hexdigest()
    keys = [entry.key for entry in onnx.load(tmp_path / "twice.onnx").metadata_props]
    assert len(keys) == len(set(keys))
    assert keys[0] == "author"
    assert keys[1:] == sorted(keys[1:])
    assert yaml.safe_load(said["rxsim.settings"])["adc"]["n_bits"] == 7


def test_python_warns_too_and_results_say_it(source: Path, tmp_path: Path) -> None:
    chip = tmp_path / "chip.onnx"
    patch(source, chip)
    with pytest.warns(UserWarning, match="hardware on hardware") as caught:
        result = rxsim.evaluate(chip, "8x4", limit=4)
    assert caught[0].filename == __file__
    assert "from net.onnx" in result.as_json()["provenance"]["patched_before"]
    with pytest.warns(UserWarning, match="hardware on hardware") as caught:
        rxsim.inventory(chip)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clean = rxsim.evaluate(source, "8x4", limit=4)
    assert "patched_before" not in clean.as_json()["provenance"]
