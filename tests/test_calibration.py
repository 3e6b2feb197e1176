"""A calibration file: later runs give the very results, and refuse what it was not measured for."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import rxsim
from rxsim.cli import main
from rxsim.config import load_settings
from rxsim.errors import InputError
from rxsim.pipeline import calibrate, open_study, read_calibration
from rxsim.pipeline.study.calibration import from_json
from rxsim.pipeline.study.calibration_match import calibrated_by

MEASURING = {"calibrate", "operating points", "adc ranges"}
SMALL = ["--xbar=16x8", "--limit=30", "--set=calibration.samples=12"]
CHANGES = {"crossbar.rows": 16, "crossbar.cols": 8, "calibration.samples": 12}


def weights(rng: np.random.Generator, name: str, *shape: int) -> onnx.TensorProto:
    return numpy_helper.from_array(rng.standard_normal(shape).astype(np.float32) / 3, name)


def network(seed: int) -> onnx.ModelProto:
    """Three layers: a convolution, a depthwise one of signed inputs, a matrix product."""
    rng = np.random.default_rng(seed)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w1"], ["a"], "one", pads=[1, 1, 1, 1]),
            helper.make_node("Conv", ["a", "w2"], ["b"], "two", group=4),
            helper.make_node("Relu", ["b"], ["c"], "relu"),
            helper.make_node("Flatten", ["c"], ["d"], "flatten"),
            helper.make_node("Gemm", ["d", "w3"], ["y"], "three"),
        ],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 2, 6, 6])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 5])],
        [
            weights(rng, "w1", 4, 2, 3, 3),
            weights(rng, "w2", 4, 1, 3, 3),
            weights(rng, "w3", 64, 5),
        ],
    )
    opset = helper.make_opsetid("", 17)
    return helper.make_model(graph, ir_version=8, opset_imports=[opset])


def save_data(path: Path, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.random((count, 2, 6, 6), dtype=np.float32)
    np.savez(path, x=x, y=rng.integers(5, size=count))


@dataclass(frozen=True)
class Case:
    """A network, its data, and a calibration of them."""

    folder: Path

    @property
    def model(self) -> Path:
        return self.folder / "net.onnx"

    @property
    def file(self) -> Path:
        return self.folder / "cal.json"

    @property
    def data(self) -> list[str]:
        return [f"--data={self.folder / 'test.npz'}"]

    @property
    def own(self) -> list[str]:
        return [*self.data, f"--calibrate={self.folder / 'train.npz'}"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Calibrated on data of their own."""
    case = Case(tmp_path_factory.mktemp("calibration"))
    onnx.save(network(0), case.model)
    save_data(case.folder / "test.npz", 60, 1)
    save_data(case.folder / "train.npz", 50, 2)
    run("calibrate", case.model, *SMALL, *case.own, "-o", case.file)
    return case


@pytest.fixture
def case(made: Case, tmp_path: Path) -> Case:
    """A copy that a test may spoil."""
    shutil.copytree(made.folder, tmp_path / "copy")
    return Case(tmp_path / "copy")


def run(*arguments: object, code: int = 0) -> None:
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    assert end.value.code == code


def sentence(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Return the one sentence on which a command ends with code 2."""
    capsys.readouterr()
    run(*arguments, code=2)
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("rxsim: ")
    assert "internal error" not in line
    return line


def evaluated(case: Case, *options: str) -> tuple[dict[str, Any], set[str]]:
    """Return the results of `rxsim eval` without the timing, and the stages it went through."""
    path = case.folder / "result.json"
    run("eval", case.model, *options, "--json", path)
    result = json.loads(path.read_text())
    return result, set(result.pop("timing")["seconds"])


def patched(case: Case, *options: str) -> bytes:
    path = case.folder / "patched.onnx"
    run("patch", case.model, *options, "-o", path)
    return path.read_bytes()


def settings_options(changes: list[str]) -> list[str]:
    return [f"--set={change}" for change in changes]


VARIANTS = {
    "defaults": [],
    "percentiles": ["adc.percentile=99", "input.percentile=99.5"],
    "mse": ["adc.criterion=mse"],
    "column": ["adc.scope=column", "mapping.w_max_scope=column"],
    "tile": ["adc.scope=tile"],
    "per layer": ["adc.where=per_layer"],
    "bit serial slices": [
        *("input.encoding=bit_serial", "mapping.weight_bits=8", "mapping.bits_per_cell=4"),
        *("mapping.subtract=digital", "adc.scope=column", "dac.n_bits=3"),
    ],
    "two phases": ["input.signed_input=two_phase"],
    "reference column": [
        *("mapping.scheme=offset", "device.n_bits=null", "mapping.subtract=digital"),
        "mapping.offset_removal=reference_column",
    ],
    "random pulses": ["input.encoding=stochastic", "input.pulses=3"],
    "not linear": ["device.iv={form: sinh, v0: 0.3}"],
    "gated": ["crossbar.topology=input_gated", "input.encoding=bit_serial", "dac.n_bits=2"],
    "full scale": ["adc.range=full_scale"],
    "no ADC": ["adc.n_bits=null"],
    "digital layer": ["layers={two: {digital: true}}"],
    "single layers": [
        "layers={one: {adc: {scope: column}}, t*: {adc: {n_bits: 9}}, three: {dac: {n_bits: 4}}}"
    ],
    "chips that differ": ["device.write_sigma=0.05", "device.stuck_hrs=0.01", "trials=2"],
    "preset": ["device.model=pcm-nandakumar"],
}


def variant(name: str) -> list[str]:
    return settings_options(VARIANTS[name])


# Each of them differs from another in a number, or is a part of another.
LONG = ("percentiles", "tile", "two phases", "preset")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if n in LONG else []) for n in VARIANTS]
)
def test_reused_ranges_give_the_very_same_results(name: str, case: Case) -> None:
    options = [*SMALL, *case.own, *variant(name)]
    run("calibrate", case.model, *options, "-o", case.file)
    one, two = case.folder / "one.onnx", case.folder / "two.onnx"
    wanted, measuring = evaluated(case, *options, f"--save-patched={one}")
    kept = [f"--calibration={case.file}", f"--save-patched={two}"]
    found, stages = evaluated(case, *options, *kept)
    assert found == wanted
    assert measuring & MEASURING
    assert not stages & MEASURING
    assert one.read_bytes() == two.read_bytes()


def test_one_file_serves_runs_with_and_without_steps(made: Case) -> None:
    """Rungs without steps are those without the list; with steps all is as if all were measured."""
    options = [*SMALL, *made.own]
    steps = [*options, "--compensate=order,ranges,columns"]
    plain, _ = evaluated(made, *options)
    wanted, _ = evaluated(made, *steps)
    found, _ = evaluated(made, *steps, f"--calibration={made.file}")
    assert found == wanted
    for rung in ("ideal", "nonideal"):
        assert found["ladder"][rung] == plain["ladder"][rung]


def test_a_patched_network_needs_no_calibration_either(case: Case) -> None:
    options = [*SMALL, *case.own, "--trial=3", "--set=device.d2d_sigma=0.2"]
    found = patched(case, *options, f"--calibration={case.file}")
    assert found == patched(case, *options)
    assert found != patched(case, *SMALL, *case.own)


def test_every_number_survives_the_file(made: Case) -> None:
    settings = rxsim.settings(changes={**CHANGES, "adc.scope": "column"})
    data = rxsim.DataOptions(data=made.folder / "test.npz", calibrate=made.folder / "train.npz")
    one = calibrate(open_study(made.model, settings, data))
    two = from_json(json.loads(one.to_json()))
    assert two.input_ranges == one.input_ranges
    assert list(two.input_ranges) == ["one", "two", "three"]
    assert [one.input_ranges[name].signed for name in one.input_ranges] == [False, True, False]
    for rung in ("ideal", "nonideal"):
        assert list(two.adc_ranges[rung]) == list(one.adc_ranges[rung])
        for name, values in one.adc_ranges[rung].items():
            assert values.tobytes() == two.adc_ranges[rung][name].tobytes()
    # One value for each output of each row tile: 18 inputs on 2 tiles, 4 groups, 64 inputs on 4.
    assert [len(values) for values in one.adc_ranges["ideal"].values()] == [2 * 4, 4, 4 * 5]
    assert two.to_json() == one.to_json()


def test_a_shared_range_is_written_once(made: Case) -> None:
    values = json.loads(made.file.read_text())
    for layer in values["layers"]:
        assert {rung: len(found) for rung, found in layer["adc"].items()} == {
            "ideal": 1,
            "nonideal": 1,
        }
    assert values["rxsim"] == rxsim.__version__
    assert values["data"]["samples"] == 12
    wires = [(layer["adc"]["ideal"], layer["adc"]["nonideal"]) for layer in values["layers"]]
    assert all(ideal != nonideal for ideal, nonideal in wires)


@pytest.mark.parametrize(
    "change",
    [
        *("trials=3", "device.write_sigma=0.1", "device.write_unit=relative"),
        *("device.d2d_sigma=0.1", "device.stuck_lrs=0.1", "device.stuck_hrs=0.1"),
        *("dac.gain_sigma=0.1", "dac.offset_sigma=0.1", "dac.inl=0.5", "dac.dnl=0.1"),
        *(
            "adc.gain_sigma=0.1",
            "adc.offset_sigma=0.1",
            "adc.inl=0.5",
            "adc.dnl=0.1",
            "adc.share=4",
        ),
        'layers={"one": {"device": {"write_sigma": 0.1}}}',
        "compensate=[order, ranges, columns]",
    ],
)
def test_errors_that_nominal_hardware_has_not_change_no_calibration(
    change: str, made: Case
) -> None:
    """The ranges are the same bits, and the file is taken."""
    settings = load_settings(None, xbar="16x8", assignments=["calibration.samples=12", change])
    data = rxsim.DataOptions(
        data=made.folder / "test.npz", calibrate=made.folder / "train.npz", limit=30
    )
    kept = read_calibration(made.file)
    open_study(made.model, settings, data, calibration=kept)
    assert calibrate(open_study(made.model, settings, data)).to_json() == kept.to_json()


def test_levels_count_however_they_are_written() -> None:
    one = load_settings(None, assignments=["device.n_bits=6"])
    two = load_settings(None, assignments=["device.n_levels=64"])
    assert calibrated_by().of(one) == calibrated_by().of(two)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("adc.n_bits=8", "adc.n_bits is 6 there, 8 here"),
        ("crossbar.r_wire_bl=1", "crossbar.r_wire_bl is 2.5 there, 1.0 here"),
        ("device.n_levels=30", "device.levels is 64 there, 30 here"),
        ("calibration.samples=13", "calibration.samples is 12 there, 13 here"),
        ("seed=4", "seed is 0 there, 4 here"),
        ("layers={tw*: {dac: {n_bits: 4}}}", "layer two: dac.n_bits is 6 there, 4 here"),
        ("layers={one: {digital: true}}", "layer one is on crossbars there, digital here"),
        ("device.iv={form: sinh, v0: 1}", "device.iv.form is 'linear' there, 'sinh' here"),
    ],
)
def test_other_settings_are_refused(
    change: str, words: str, made: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [*SMALL, *made.own, f"--calibration={made.file}", f"--set={change}"]
    line = sentence(capsys, "eval", made.model, *given)
    assert f"{made.file} was measured with other settings: {words}; use the same" in line
    assert "'rxsim calibrate'" in line


def test_another_model_is_refused(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    onnx.save(network(9), case.model)
    for command in (["eval"], ["patch", "-o", case.folder / "x.onnx"], ["verify"]):
        given = [case.model, *SMALL, *case.own, f"--calibration={case.file}"]
        assert "belongs to another model: net.onnx (SHA-256 " in sentence(
            capsys, command[0], *command[1:], *given
        )


def test_other_calibration_data_are_refused(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    kept = f"--calibration={case.file}"
    save_data(case.folder / "other.npz", 50, 5)
    given = [*SMALL, *case.data, f"--calibrate={case.folder / 'other.npz'}"]
    line = sentence(capsys, "eval", case.model, *given, kept)
    assert "was measured on other calibration data: train.npz (SHA-256 " in line
    assert "there, other.npz (SHA-256 " in line
    line = sentence(capsys, "eval", case.model, *SMALL, *case.own, "--scale=0.5", kept)
    assert "preprocess.scale is 1.0 there, 0.5 here" in line


def test_calibration_data_of_their_own_need_not_be_there(case: Case) -> None:
    wanted = evaluated(case, *SMALL, *case.own)[0]
    (case.folder / "train.npz").unlink()
    found = evaluated(case, *SMALL, *case.data, f"--calibration={case.file}")[0]
    assert found == wanted


def test_a_cards_missing_data_are_not_needed(
    case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    """Evaluating needs the evaluated data, patching none."""
    (case.folder / "net.yaml").write_text("data: test.npz\ncalibrate: train.npz\n")
    kept = f"--calibration={case.file}"
    wanted, network_wanted = evaluated(case, *SMALL)[0], patched(case, *SMALL)
    (case.folder / "train.npz").unlink()
    assert evaluated(case, *SMALL, kept)[0] == wanted
    (case.folder / "test.npz").unlink()
    assert patched(case, *SMALL, kept) == network_wanted
    assert "test.npz" in sentence(capsys, "eval", case.model, *SMALL, kept)


def test_an_overlap_with_the_evaluated_data_is_counted(case: Case) -> None:
    train = f"--data={case.folder / 'train.npz'}"
    options = ["--xbar=16x8", "--set=calibration.samples=12", train]
    result = evaluated(case, *options, f"--calibration={case.file}")[0]
    assert result["provenance"]["calibration"]["overlap"] == 12


def test_samples_left_over_by_the_evaluated_ones_are_compared(
    case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    run("calibrate", case.model, *SMALL, *case.data, "-o", case.file)
    kept = f"--calibration={case.file}"
    wanted = evaluated(case, *SMALL, *case.data)[0]
    assert evaluated(case, *SMALL, *case.data, kept)[0] == wanted
    line = sentence(capsys, "eval", case.model, *SMALL, *case.data, "--limit=31", kept)
    assert "other samples of test.npz (those that --limit leaves over" in line
    train = f"--data={case.folder / 'train.npz'}"
    line = sentence(capsys, "eval", case.model, *SMALL, train, kept)
    assert "test.npz (SHA-256 " in line
    assert patched(case, *SMALL, kept) == patched(case, *SMALL, *case.data)  # no data at all


def test_made_up_inputs(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    run("calibrate", case.model, *SMALL, "-o", case.file)
    kept = f"--calibration={case.file}"
    wanted = evaluated(case, *SMALL)[0]
    assert evaluated(case, *SMALL, kept)[0] == wanted
    line = sentence(capsys, "eval", case.model, *SMALL, *case.data, kept)
    assert "made-up inputs there, 12 samples of test.npz here" in line


def test_arrays_are_driven_by_the_calibration_inputs_all_the_same(
    case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = f"--calibration={case.file}"
    where = [*SMALL, "--layer=two", "--array=1", "-o"]
    run("spice", case.model, *case.own, *where, case.folder / "a.cir")
    run("spice", case.model, *case.own, kept, *where, case.folder / "b.cir")
    assert (case.folder / "a.cir").read_text() == (case.folder / "b.cir").read_text()
    run("verify", case.model, *SMALL, *case.own, kept, "--reference=sparse", "--arrays=2")
    line = sentence(capsys, "spice", case.model, *case.data, kept, *where, case.folder / "c.cir")
    assert "was measured on 12 samples of train.npz, which are not at hand" in line


def test_the_python_interface_gives_what_the_commands_give(case: Case) -> None:
    settings = rxsim.settings(changes=CHANGES)
    data = rxsim.DataOptions(
        data=case.folder / "test.npz", calibrate=case.folder / "train.npz", limit=30
    )
    written = case.file.read_text()
    found = rxsim.calibration(case.model, settings, data, output=case.folder / "b.json")
    assert (case.folder / "b.json").read_text() == written == found.to_json()
    result = rxsim.evaluate(case.model, settings, data, calibration=found)
    assert not set(result.seconds) & MEASURING
    one = rxsim.patched(case.model, settings, data, calibration=str(case.file))
    assert one == rxsim.patched(case.model, settings, data)


def test_the_summary_tells_the_ranges(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    options = settings_options(
        ["layers={one: {adc: {range: full_scale}}, two: {adc: {scope: tile}}}"]
    )
    run("calibrate", case.model, *SMALL, *case.own, *options, "-o", case.file)
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith(f"{case.file}: net.onnx, calibrated on 12 samples of train.npz\n")
    rows = [line.strip("│").split("│") for line in out.splitlines() if line.startswith("│")]
    cells = {row[0].strip(): [cell.strip() for cell in row[1:]] for row in rows}
    kept = read_calibration(case.file)
    assert cells["one"][1:] == ["no", "-", "-"]
    assert cells["two"][0] == f"{kept.input_range('two').x_max:.4g}"
    for column, rung in ((2, "ideal"), (3, "nonideal")):
        ranges = kept.adc_ranges[rung]["two"]
        assert cells["two"][column] == f"{ranges.min():.3e} .. {ranges.max():.3e}"
    assert "- : no ADC, or a range that follows from the settings" in out


def spoiled(case: Case, change: Callable[[dict[str, Any]], None], *, signed: bool = True) -> None:
    """Change what a file holds, and by default sign it anew."""
    values = json.loads(case.file.read_text())
    change(values)
    if signed:
        values.pop("sha256", None)
        of = {"settings": values.get("settings"), "layer_settings": values.get("layer_settings")}
        if "settings_sha256" in values:
            values["settings_sha256"] = sha256(of)
        values["sha256"] = sha256(values)
    case.file.write_text(json.dumps(values))


def sha256(values: Any) -> str:
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def put(*path: Any) -> Callable[[dict[str, Any]], None]:
    """Return what puts a value (the last) into the first layer, or elsewhere by keys."""
    *keys, last, value = path

    def change(values: dict[str, Any]) -> None:
        place: Any = values
        for key in keys:
            place = place[key]
        place[last] = value

    return change


def without(*path: Any) -> Callable[[dict[str, Any]], None]:
    def change(values: dict[str, Any]) -> None:
        place: Any = values
        for key in path[:-1]:
            place = place[key]
        del place[path[-1]]

    return change


FIRST = ("layers", 0)
HOSTILE = {
    "negative x_max": (put(*FIRST, "x_max", -1.0), "layers.0.x_max: found -1.0, expected 1e-45"),
    "x_max 0": (put(*FIRST, "x_max", 0), "layers.0.x_max: found 0"),
    "x_max next to 0": (put(*FIRST, "x_max", 5e-324), "layers.0.x_max: found 5e-324"),
    "huge x_max": (put(*FIRST, "x_max", 1e300), "expected 1e+20 or below"),
    "NaN": (put(*FIRST, "x_max", float("nan")), "is not valid JSON: it holds NaN"),
    "infinity": (put(*FIRST, "adc", "ideal", [float("inf")]), "it holds Infinity"),
    "text for a number": (put(*FIRST, "x_max", "1"), "layers.0.x_max: found '1', expected"),
    "true for a number": (put(*FIRST, "x_max", True), "layers.0.x_max: found true"),
    "signed in words": (put(*FIRST, "signed", "yes"), "layers.0.signed: found 'yes'"),
    "negative range": (put(*FIRST, "adc", "ideal", [-1e-6]), "layers.0.adc.ideal.0: found -1e-06"),
    "huge range": (put(*FIRST, "adc", "nonideal", [1e30]), "expected 1e+20 or below"),
    "range next to 0": (put(*FIRST, "adc", "ideal", [1e-320]), "found a range next to 0"),
    "no ranges": (put(*FIRST, "adc", "ideal", []), "layer one: found none among its ADC ranges"),
    "too many ranges": (
        put(*FIRST, "adc", "ideal", [1.0] * 7),
        "7 ADC ranges (ideal) of layer one",
    ),
    "one rung too few": (without(*FIRST, "adc", "nonideal"), "layers.0.adc.nonideal is missing"),
    "a list of lists": (
        put(*FIRST, "adc", "ideal", [[1e-6]]),
        "layers.0.adc.ideal.0: found [1e-06]",
    ),
    "ADC ranges left out": (put(*FIRST, "adc", None), "holds no ADC range (nonideal) of layer one"),
    "wrong axes": (
        put(*FIRST, "shape", [6, 6]),
        "found inputs of shape [6, 6], expected 2 channels",
    ),
    "wrong channels": (put(*FIRST, "shape", [3, 6, 6]), "expected 2 channels and 2 axes more"),
    "huge shape": (put(*FIRST, "shape", [2, 10**9, 10**9]), "layers.0.shape: found [2, 10000"),
    "negative shape": (put(*FIRST, "shape", [2, -6, 6]), "layers.0.shape.1: found -6"),
    "another name": (put(*FIRST, "name", "zero"), "ranges of other layers than settings"),
    "a name twice": (put(*FIRST, "name", "two"), "ranges of other layers than settings"),
    "a layer missing": (without(*FIRST), "ranges of other layers than settings"),
    "no layers": (without("layers"), "layers is missing"),
    "layers in words": (put("layers", "many"), "layers: found 'many', expected a list"),
    "no settings": (without("settings"), "settings is missing"),
    "a setting missing": (without("settings", "adc.n_bits"), "adc.n_bits is unknown there, 6 here"),
    "a setting too many": (put("settings", "adc.x", 1), "adc.x is 1 there, unknown here"),
    "indices in words": (put("data", "indices", ["a"]), "data.indices.0: found 'a'"),
    "samples": (put("data", "samples", 11), "11 samples of train.npz there, 12 here"),
    "another kind": (put("kind", "rxsim result"), "found kind 'rxsim result', expected rxsim"),
    "newer": (
        put("schema_version", 2),
        "schema_version 2, expected 1; install a newer rxsim, or run",
    ),
    "no version": (without("schema_version"), "has the schema_version null, expected 1"),
    "older numerics": (put("numerics", 0), "whose ranges may be others (numerics 0, expected 5)"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_one_sentence(
    name: str, case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    change, words = HOSTILE[name]
    spoiled(case, change)
    given = [*SMALL, *case.own, f"--calibration={case.file}", "-o", case.folder / "x.onnx"]
    command = "eval" if "ideal" in words else "patch"
    line = sentence(capsys, command, case.model, *(given[:-2] if command == "eval" else given))
    assert words in line
    assert str(case.file) in line
    assert not (case.folder / "x.onnx").exists()


def test_a_wrong_point_of_an_array_that_is_not_linear(
    case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [*SMALL, *case.own, *variant("not linear")]
    for change, words in (
        (put(*FIRST, "point", None), "holds no operating point of layer one"),
        (put(*FIRST, "point", "volt", 0.0), "layers.0.point.volt: found 0.0"),
        (put(*FIRST, "point", "activity", 2.0), "layers.0.point.activity: found 2.0"),
    ):
        run("calibrate", case.model, *options, "-o", case.file)
        spoiled(case, change)
        line = sentence(capsys, "eval", case.model, *options, f"--calibration={case.file}")
        assert words in line


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is not valid JSON: Expecting value"),
        (b"\xff\xfe", "can't be read: it is not UTF-8 text"),
        (b"[" * 100_000, "is not valid JSON: it is nested too deeply"),
        (b"[]", "is something else: found kind []"),
        (b"null", "is something else: found kind null"),
        (b'{"kind": ' + b"9" * 5000 + b"}", "is not valid JSON"),
        (b'{"kind": {"kind": 1}}', "is something else: found kind {'kind': 1}"),
        (None, "can't be read: No such file or directory"),
    ],
)
def test_what_is_no_calibration_is_one_sentence(
    content: bytes | None, words: str, case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is None:
        case.file.unlink()
    else:
        case.file.write_bytes(content)
    line = sentence(capsys, "eval", case.model, *SMALL, f"--calibration={case.file}")
    assert words in line


def test_a_damaged_file_is_found_out(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    kept = f"--calibration={case.file}"
    text = case.file.read_text()
    case.file.write_text(text[: len(text) // 2])
    assert "is not valid JSON" in sentence(capsys, "eval", case.model, *SMALL, *case.own, kept)
    case.file.write_text(text)
    spoiled(case, put(*FIRST, "x_max", 2.5), signed=False)
    line = sentence(capsys, "eval", case.model, *SMALL, *case.own, kept)
    assert "is damaged: its content has another SHA-256 than it states; run 'rxsim" in line


def test_a_folder_and_a_huge_file(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    line = sentence(capsys, "eval", case.model, *SMALL, f"--calibration={case.folder}")
    assert "is a folder or a device, expected a file" in line
    with case.file.open("r+b") as handle:
        handle.truncate(2**30)
    line = sentence(capsys, "eval", case.model, *SMALL, f"--calibration={case.file}")
    assert "has 1,073,741,824 bytes, expected at most" in line


def test_a_setting_that_was_changed_in_the_file_alone(case: Case) -> None:
    values = json.loads(case.file.read_text())
    values["settings"]["adc.n_bits"] = 7
    values["sha256"] = sha256({k: v for k, v in values.items() if k != "sha256"})
    with pytest.raises(InputError, match="holds settings of another SHA-256 than it states"):
        from_json(values)


def test_the_file_is_whole_or_absent_and_no_input(
    case: Case, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = [case.model, *SMALL, *case.own]
    assert "another file of this command" in sentence(capsys, "calibrate", *given, "-o", case.model)
    kept = [f"--calibration={case.file}", "-o", case.file]
    assert "another file of this command" in sentence(capsys, "patch", *given, *kept)
    missing = case.folder / "none" / "cal.json"
    assert "does not exist" in sentence(capsys, "calibrate", *given, "-o", missing)
    before = {path.name: path.read_bytes() for path in case.folder.iterdir()}

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    run("calibrate", *given, "-o", case.file, code=4)
    assert {path.name: path.read_bytes() for path in case.folder.iterdir()} == before
