"""Bad input: one clear sentence, exit code 2, no traceback, nothing written, nothing lost."""

import errno
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper, parser

from rxsim import files as rxsim_files
from rxsim.cli import main

ROOT = Path(__file__).resolve().parents[1]
MODELS = ROOT / "models"
CUTS = (1, 40, 200, 1000, 20000, -1)
"""Where digits_cnn.onnx is cut: in the header, the graph, the weights, and one byte short."""

LINEAR = """
<ir_version: 8, opset_import: ["" : 17]>
net (float[N, 4] x) => (float[N, 3] y)
<float[4, 3] w = {0.5, -0.5, 1, 0.25, 0.5, 0.75, -1, 0, 1, 0.5, 0.5, 0.5}>
{
    [fc] y = MatMul(x, w)
}
"""
NO_LAYER = """
<ir_version: 8, opset_import: ["" : 17]>
net (float[N, 4] x) => (float[N, 4] y)
{
    [act] y = Relu(x)
}
"""
EMPTY_GRAPH = """
<ir_version: 8, opset_import: ["" : 17]>
net (float[N, 4] x) => (float[N, 4] x)
{
}
"""


def _write_models(folder: Path) -> None:
    whole = (MODELS / "digits_cnn.onnx").read_bytes()
    for cut in CUTS:
        (folder / f"cut{cut}.onnx").write_bytes(whole[:cut])
    (folder / "text.onnx").write_text("this is a text, not a network\n")
    (folder / "picture.onnx").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)))
    (folder / "empty.onnx").write_bytes(b"")
    (folder / "folder.onnx").mkdir()
    shutil.copy(MODELS / "digits_mlp.onnx", folder / "alone.onnx")
    for name, text in (("linear", LINEAR), ("nolayer", NO_LAYER), ("nograph", EMPTY_GRAPH)):
        onnx.save(parser.parse_model(text), folder / f"{name}.onnx")
    for name, value in (("nan", np.nan), ("infinite", np.inf)):
        model = parser.parse_model(LINEAR)
        weights = numpy_helper.to_array(model.graph.initializer[0]).copy()
        weights[1, 2] = value
        model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights, "w"))
        onnx.save(model, folder / f"{name}.onnx")
    (folder / "noproto.onnx").write_bytes(onnx.ModelProto(ir_version=8).SerializeToString())


def _write_data(folder: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.random((20, 1, 8, 8), dtype=np.float32)
    y = np.arange(20) % 10
    spoilt = x.copy()
    spoilt[3, 0, 2, 2] = np.nan
    huge = x.astype(np.float64)
    huge[3, 0, 2, 2] = 1e300
    negative = y.copy()
    negative[5] = -2
    beyond = y.copy()
    beyond[5] = 10
    objects = np.array([{"a": 1}] * 20, dtype=object)
    grey = rng.integers(0, 17, (20, 1, 8, 8), dtype=np.uint8)
    sets: dict[str, dict[str, Any]] = {
        "good": {"x": x, "y": y},
        "no_x": {"images": x, "y": y},
        "no_y": {"x": x},
        "short_y": {"x": x, "y": y[:19]},
        "onehot_y": {"x": x, "y": np.eye(10)[y]},
        "float_y": {"x": x, "y": y.astype(np.float64)},
        "negative_y": {"x": x, "y": negative},
        "beyond_y": {"x": x, "y": beyond},
        "uint64_y": {"x": x, "y": y.astype(np.uint64) + np.uint64(2**63)},
        "wrong_shape": {"x": x[:, :, :7], "y": y},
        "flat": {"x": x[:, 0, 0, 0], "y": y},
        "text_x": {"x": np.full((20, 1, 8, 8), "a"), "y": y},
        "complex_x": {"x": x.astype(np.complex64), "y": y},
        "nan_x": {"x": spoilt, "y": y},
        "huge_x": {"x": huge, "y": y},
        "empty_x": {"x": x[:0], "y": y[:0]},
        "integers": {"x": grey, "y": y},
        "pickled": {"x": objects, "y": y},
        "pickled_y": {"x": x, "y": objects},
    }
    for name, arrays in sets.items():
        np.savez(folder / f"{name}.npz", **arrays)
    whole = (folder / "good.npz").read_bytes()
    (folder / "cut.npz").write_bytes(whole[: len(whole) // 2])
    middle = whole.index(x.tobytes()[:64]) + 100
    (folder / "damaged.npz").write_bytes(
        whole[:middle] + bytes(b ^ 255 for b in whole[middle : middle + 16]) + whole[middle + 16 :]
    )
    (folder / "empty.npz").write_bytes(b"")
    (folder / "text.npz").write_text("x,y\n1,2\n")
    (folder / "pickle.npz").write_bytes(pickle.dumps({"x": 1}))
    with (folder / "array.npz").open("wb") as handle:
        np.save(handle, x)


def _write_settings(folder: Path) -> None:
    texts = {
        "list": "- 1\n- 2\n",
        "scalar": "64\n",
        "broken": "crossbar: {rows: 64\ndevice: ]\n",
        "twice": "seed: 1\ntrials: 2\nseed: 3\n",
        "twice_nested": "adc: {n_bits: 4, n_bits: 5}\n",
        "python": "seed: !!python/object/apply:os.getcwd []\n",
        "unknown": "crosbar: {rows: 64}\n",
        "nested": "adc: {nbits: 4}\n",
        "infinite": "crossbar: {r_driver: .inf}\n",
        "key_on": "device: {on: 1}\n",
        "loop": "adc: &again\n  n_bits: *again\n",
        "tab": "adc:\n\tn_bits: 4\n",
    }
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text)
    (folder / "latin.yaml").write_bytes("# gr\xfcn\nseed: 1\n".encode("latin-1"))
    (folder / "null.yaml").write_bytes(b"seed: 1\0\n")
    cards = {
        "unknown_card": "preproces: {scale: 1}\n",
        "nested_card": "preprocess: {scal: 2}\n",
        "layout_card": "preprocess: {data_layout: CHWN}\n",
        "means_card": "preprocess: {mean: [0.1, 0.2, 0.3]}\n",
        "std_card": "preprocess: {std: 0}\n",
        "scale_card": "preprocess: {scale: 1/0}\n",
        "grey_card": "preprocess: {data_layout: NHW, data_color: BGR}\n",
        "missing_data_card": "data: absent.npz\n",
    }
    for name, text in cards.items():
        (folder / f"{name}.yml").write_text(text)


def _write_arrays(folder: Path) -> None:
    g = np.full((4, 3), 1e-5)
    np.save(folder / "g.npy", g)
    np.save(folder / "line.npy", g[0])
    np.save(folder / "complex.npy", g.astype(complex))
    np.save(folder / "nothing.npy", g[:0])
    np.save(folder / "objects.npy", np.array([[None, 1]], dtype=object), allow_pickle=True)
    np.save(folder / "v3.npy", np.ones(3))
    np.save(folder / "vnan.npy", np.array([1.0, np.nan, 0.0, 0.0]))
    for name, value in (("minus", -1e-6), ("gnan", np.nan), ("ginf", np.inf)):
        bad = g.copy()
        bad[2, 1] = value
        np.save(folder / f"{name}.npy", bad)
    whole = (folder / "g.npy").read_bytes()
    (folder / "cut.npy").write_bytes(whole[:-9])
    (folder / "header.npy").write_bytes(whole[:40])
    (folder / "text.npy").write_text("1 2\n3 4\n")
    (folder / "empty.npy").write_bytes(b"")
    (folder / "zip.npy").write_bytes(b"PK\x03\x04" + bytes(40))


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of inputs, each valid up to one fault."""
    folder = tmp_path_factory.mktemp("given")
    for write in (_write_models, _write_data, _write_settings, _write_arrays):
        write(folder)
    return folder


def _snapshot(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b"folder"
        for path in folder.rglob("*")
    }


def _arguments(command: str, given: Path, out: Path) -> list[str]:
    places = {"G": str(given), "M": str(MODELS), "O": str(out), "LONG": "a" * 300}
    words = command.split()
    for place, path in places.items():
        words = [word.replace(f"@{place}", path) for word in words]
    return [word.replace("_EMPTY_", "").replace("~", " ") for word in words]


def _refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str], code: int = 2
) -> tuple[str, str]:
    """Run the command line in this process; return what it says on both streams."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(SystemExit) as stop:
            main(arguments)
    out, err = capsys.readouterr()
    assert stop.value.code == code, err
    return out, err


def _check_sentence(text: str, *phrases: str) -> None:
    assert text.startswith("rxsim: ")
    assert text.endswith("\n")
    assert text.count("\n") == 1, text
    assert "Traceback" not in text
    assert "internal error" not in text
    for phrase in phrases:
        assert phrase in text


EVAL = "--json @O/kept.json --save-patched @O/kept.onnx"
MLP = f"eval @G/alone.onnx {EVAL} --data @G/good.npz"
SET = f"eval @M/digits_mlp.onnx {EVAL} --set"
ADC_TILE = "{where:~per_layer,~scope:~tile}"

MODEL_FILES = [
    ("missing", "absent.onnx", ["absent.onnx", "does not exist", "check the path"]),
    ("a folder", "folder.onnx", ["is a folder", "expected an ONNX file"]),
    ("text", "text.onnx", ["text.onnx is not an ONNX", "export"]),
    ("a picture", "picture.onnx", ["picture.onnx is not an ONNX", "export"]),
    ("empty", "empty.onnx", ["empty.onnx is not an ONNX model", "export"]),
    ("without a graph", "noproto.onnx", ["no graph", "export"]),
    ("of an empty graph", "nograph.onnx", ["computes nothing", "export"]),
    ("without a mappable layer", "nolayer.onnx", ["no layer", "expected a Conv, "]),
    ("of NaN weights", "nan.onnx", ["layer fc", "NaN or infinity", "finite"]),
    ("of infinite weights", "infinite.onnx", ["layer fc", "NaN or infinity", "finite"]),
    *[(f"cut at {cut}", f"cut{cut}.onnx", [f"cut{cut}.onnx", "again"]) for cut in CUTS],
]
DATA_FILES = [
    ("missing", "absent", ["absent.npz", "No such file"]),
    ("empty", "empty", ["empty.npz", "can't be read"]),
    ("text", "text", ["text.npz", "not an npz"]),
    ("truncated", "cut", ["cut.npz", "can't be read"]),
    ("damaged inside", "damaged", ["damaged.npz", "it is damaged"]),
    ("a pickle", "pickle", ["pickle.npz", "pickled data are never loaded"]),
    ("npy, not npz", "array", ["array.npz", "single array", "npz with x and y"]),
    ("of pickled samples", "pickled", ["pickled objects", "never loaded"]),
    ("of pickled labels", "pickled_y", ["pickled objects", "never loaded"]),
    ("without x", "no_x", ["has no x", "found: images, y", "expected x"]),
    ("without y", "no_y", ["has no y", "found: x", "leave --data out"]),
    ("short of a label", "short_y", ["y of shape [19]", "20 samples", "[20]"]),
    ("one-hot", "onehot_y", ["y of shape [20, 10]", "one label for each"]),
    ("of float labels", "float_y", ["y of type float64", "whole-number labels", "convert"]),
    ("of a negative label", "negative_y", ["the label -2", "0 and above"]),
    ("of labels beyond int64", "uint64_y", ["the label 9223372036854775817", "int64"]),
    ("of a label beyond the outputs", "beyond_y", ["the label 10", "below 10", "alone.onnx"]),
    ("of the wrong shape", "wrong_shape", ["shape [1, 7, 8]", "expected [1, 8, 8]"]),
    ("of one axis", "flat", ["x of shape [20]", "expected samples"]),
    ("of text", "text_x", ["x of type <U1", "expected real numbers"]),
    ("of complex numbers", "complex_x", ["x of type complex64", "expected real numbers"]),
    ("with a NaN", "nan_x", ["NaN or infinity", "expected finite numbers"]),
    ("beyond float32", "huge_x", ["beyond the range of float32", "scale"]),
    ("without samples", "empty_x", ["x of shape [0, 1, 8, 8]", "expected samples"]),
    ("of integers without a card", "integers", ["type uint8", "alone.yaml", "--scale"]),
]
PREPROCESSING = [
    ("layout of other axes", "--data-layout NHW", ["[1, 8, 8]", "2 axes", "NHW"]),
    ("layout that does not fit", "--data-layout NHWC", ["[8, 1, 8]", "expected [1, 8, 8]"]),
    ("three means for one channel", "--mean 1,2,3", ["preprocess.mean: found 3 numbers"]),
    ("three stds for one channel", "--std 1,2,3", ["preprocess.std: found 3 numbers"]),
    ("std of zero", "--std 0", ["found std [0.0]", "above 0"]),
    ("negative std", "--std -1", ["found std [-1.0]", "above 0"]),
    ("a word as mean", "--mean a", ["mean.0: found 'a'", "expected a number"]),
    ("an empty mean", "--mean 0.1,,0.2", ["--mean: found '0.1,,0.2'", "commas"]),
    ("NaN as scale", "--scale nan", ["scale: found 'nan'", "finite"]),
    ("division by zero as scale", "--scale 1/0", ["scale: found '1/0'", "fraction"]),
    ("colours of grey images", "--data-color BGR", ["[1, 8, 8]", "3 channels", "BGR into RGB"]),
    ("colours of one plane", "--data-layout NHW --data-color BGR", ["grey", "remove"]),
    ("unknown layout", "--data-layout HWC", ["--data-layout", "'HWC'", "'NHWC'"]),
]
CARDS = [
    ("missing", "absent", ["card", "absent.yml can't be read", "No such file"]),
    ("of an unknown key", "unknown_card", ["preproces is not", "did you mean preprocess?"]),
    ("of an unknown step", "nested_card", ["preprocess.scal is not", "mean preprocess.scale?"]),
    ("of an unknown layout", "layout_card", ["preprocess.data_layout: found 'CHWN'", "'NHWC'"]),
    ("of three means", "means_card", ["preprocess.mean: found 3 numbers", "correct the card"]),
    ("of a zero std", "std_card", ["found std [0.0]", "above 0"]),
    ("of a division by zero", "scale_card", ["preprocess.scale: found '1/0'"]),
    ("of colours for grey images", "grey_card", ["colour order on grey images"]),
]
SETTINGS_FILES = [
    ("missing", "absent", ["absent.yaml can't be read", "No such file"]),
    ("a list", "list", ["holds a list", "expected a mapping"]),
    ("a number", "scalar", ["holds a single value", "expected a mapping"]),
    ("broken", "broken", ["not valid YAML", "line", "correct it"]),
    ("indented by a tab", "tab", ["not valid YAML", "line 2"]),
    ("with a key twice", "twice", ["'seed' stands twice", "line 3"]),
    ("with a nested key twice", "twice_nested", ["'n_bits' stands twice", "line 1"]),
    ("with a Python tag", "python", ["not valid YAML", "python/object/apply:os.getcwd"]),
    ("that holds itself", "loop", ["adc.n_bits: found", "expected a whole number"]),
    ("in Latin-1", "latin", ["latin.yaml can't be read", "UTF-8"]),
    ("with a zero byte", "null", ["not valid YAML"]),
    ("of an unknown section", "unknown", ["crosbar is not", "did you mean crossbar?"]),
    ("of an unknown key", "nested", ["adc.nbits is not", "did you mean adc.n_bits?"]),
    ("of an infinite resistance", "infinite", ["crossbar.r_driver: found inf", "finite"]),
    ("with the key on", "key_on", ["device: the key true is not text", "quotes"]),
]
ASSIGNMENTS = [
    ("unknown name", "trails=3", ["trails is not a setting", "did you mean trials?"]),
    ("misspelt name", "crossbar.row=3", ["crossbar.row is not", "mean crossbar.rows?"]),
    ("misspelt bits", "adc.nbits=3", ["adc.nbits is not", "did you mean adc.n_bits?"]),
    ("hopeless name", "qqq=3", ["qqq is not a setting", "rxsim config schema"]),
    ("key of a setting", "seed.x=3", ["seed: found {'x': 3}", "expected a whole number"]),
    ("word", "crossbar.rows=many", ["crossbar.rows: found 'many'", "a whole number"]),
    ("fraction of a row", "crossbar.rows=1.5", ["crossbar.rows: found 1.5", "a whole number"]),
    ("bool as number", "adc.n_bits=true", ["adc.n_bits: found true", "expected a number"]),
    ("bool as resistance", "crossbar.r_sense=no", ["crossbar.r_sense: found false"]),
    ("empty value", "crossbar.rows=", ["crossbar.rows: found null", "a whole number"]),
    ("NaN", "crossbar.r_sense=.nan", ["crossbar.r_sense: found nan", "finite"]),
    ("infinity", "device.time=.inf", ["device.time: found inf", "finite"]),
    ("NaN as text", "input.v_read=nan", ["input.v_read: found nan", "finite"]),
    ("negative resistance", "crossbar.r_wire_wl=-1", ["r_wire_wl: found -1", "0 or above"]),
    ("no rows", "crossbar.rows=0", ["crossbar.rows: found 0", "1 or above"]),
    ("no levels", "device.n_levels=0", ["device.n_levels: found 0", "2 or above"]),
    ("one level", "device.n_levels=1", ["device.n_levels: found 1", "2 or above"]),
    ("no bits", "device.n_bits=0", ["device.n_bits: found 0", "1 or above"]),
    ("both names of g_on", "device={r_on:~1e5,~g_on:~1e-5}", ["both r_on and g_on", "remove"]),
    ("both names of g_off", "device={r_off:~1e7,~g_off:~0}", ["both r_off and g_off", "remove"]),
    ("g_off above g_on", "device.g_off=1e-3", ["g_off 0.001 S", "g_on 5e-06 S", "below"]),
    ("g_off of g_on", "device={g_on:~1e-5,~g_off:~1e-5}", ["g_off 1e-05 S", "below g_on"]),
    ("r_on of zero", "device.r_on=0", ["found r_on 0", "above 0 ohm"]),
    ("negative r_off", "device.r_off=-5", ["found r_off -5", "above 0 ohm", "g_off: 0"]),
    ("r_on that is no number", "device.r_on=[1]", ["found r_on [1]", "above 0 ohm"]),
    ("bits and levels", "device={n_bits:~4,~n_levels:~9}", ["both n_bits and n_levels"]),
    ("stuck shares", "device={stuck_lrs:~0.6,~stuck_hrs:~0.5}", ["stuck_lrs + stuck_hrs above 1"]),
    ("a stuck share", "device.stuck_lrs=1.5", ["stuck_lrs: found 1.5", "1 or below"]),
    ("percentile of 0", "input.percentile=0", ["input.percentile: found 0", "above 0"]),
    ("percentile of 101", "adc.percentile=101", ["adc.percentile: found 101", "100 or below"]),
    ("one-bit ADC", "adc.n_bits=1", ["adc.n_bits: found 1", "2 or above"]),
    ("unknown choice", "adc.where=row", ["adc.where: found 'row'", "'per_tile' or 'per_layer'"]),
    (
        "offset pulses",
        'input={"encoding":"stochastic","signed_input":"offset"}',
        [
            "signed_input: offset with encoding: stochastic",
            "amplitude or bit_serial or pulse_width",
        ],
    ),
    ("preset that does not exist", "device.model=pcm-josh", ["'pcm-josh'", "pcm-joshi?"]),
    ("time without drift", "device.time=100", ["found time 100 s", "model: ideal", "expected 0"]),
    ("time below 0", "device.time=-1h", ["device.time: found -3600", "0 or above"]),
    ("time in no unit", "device.time=3m", ["device.time: found '3m'", "such as 1h or 1d"]),
    ("half a slicing", "mapping.weight_bits=8", ["only one of weight_bits and bits_per_cell"]),
    ("too few levels", 'mapping={"weight_bits":16,"bits_per_cell":8}', ["64 levels", "256"]),
    ("reference of pairs", "mapping.offset_removal=reference_column", ["scheme: offset"]),
    ("gated analog", "crossbar.topology=input_gated", ["one-bit inputs", "bit_serial"]),
    ("no curve scale", "device.iv.form=sinh", ["form: sinh without v0"]),
    ("bad layer", 'layers={"conv1":{"adc":{"bits":3}}}', ["layers.conv1", "adc.bits"]),
    ("only spare columns", "mapping.spare_cols=64", ["spare_cols: 64", "left for weights"]),
    ("an empty table", "adc.inl=[]", ["adc.inl", "found []"]),
    (
        "digital and more",
        'layers={"fc1":{"digital":true,"adc":{"n_bits":4}}}',
        ["beside other settings"],
    ),
    ("negative DNL", "adc.dnl=-0.5", ["adc.dnl", "found -0.5", "0 or above"]),
    ("tile scope of a layer", f"adc={ADC_TILE}", ["adc.scope: tile", "layer or column"]),
    ("no equals sign", "adc.n_bits", ["--set: found 'adc.n_bits'", "name=value"]),
    ("no name", "=3", ["--set: found '=3'", "name=value"]),
    ("empty part", "adc..n_bits=3", ["--set: found 'adc..n_bits=3'", "name=value"]),
    ("broken YAML", "adc.n_bits=[1", ["--set adc.n_bits is not valid YAML"]),
    ("a section as number", "crossbar=64", ["crossbar: found 64", "a mapping"]),
    ("no samples", "calibration.samples=0", ["calibration.samples: found 0", "1 or above"]),
    ("no chips", "trials=0", ["trials: found 0", "1 or above"]),
]
OPTIONS = [
    *[
        (f"--xbar {text}", f"--xbar {text}", ["--xbar", f"'{text}'", "ROWSxCOLS", "64x64"])
        for text in ("64", "64x", "0x64", "64x0", "-1x4", "64x64x64", "axb")
    ],
    ("no trials", "--trials 0", ["trials: found 0", "1 or above"]),
    ("a word as trials", "--trials some", ["--trials", "'some'", "a whole number"]),
    ("half a trial", "--trials 1.5", ["--trials", "'1.5'", "a whole number"]),
    ("negative seed", "--seed -1", ["seed: found -1", "0 or above"]),
    ("no images", "--limit 0", ["--limit", "0 is not in the range x>=1", "--help"]),
    ("no threads", "--threads 0", ["--threads", "0 is not in the range x>=1"]),
    ("unknown option", "--trial 3", ["--trial is not an option", "did you mean --trials?"]),
    ("hopeless option", "--qqq", ["--qqq is not an option", "'rxsim eval --help'"]),
    ("no value", "--xbar", ["'--xbar' requires an argument", "--help"]),
]
SOLVE = "solve @G/g.npy -o @O/kept.npz"
ARRAYS = [
    ("missing", "absent", ["absent.npy can't be read", "No such file"]),
    ("of one axis", "line", ["shape [3]", "2 axes"]),
    ("complex", "complex", ["complex128", "real numbers"]),
    ("without cells", "nothing", ["no cells"]),
    ("negative", "minus", ["conductance -1e-06 S at row 2, column 1", "0 or above"]),
    ("NaN", "gnan", ["conductance nan S at row", "finite"]),
    ("infinite", "ginf", ["conductance inf S at row", "finite"]),
    ("pickled", "objects", ["never loaded", "numpy.save"]),
    ("truncated", "cut", ["cut.npy is not an npy file"]),
    ("cut in its header", "header", ["header.npy is not an npy file"]),
    ("text", "text", ["text.npy is not an npy file"]),
    ("empty", "empty", ["empty.npy is not an npy file"]),
    ("a broken archive", "zip", ["zip.npy is not an npy file"]),
]
COMMANDS = [
    ("unknown command", "evla", ["evla is not a command of 'rxsim'", "did you mean eval?"]),
    ("hopeless command", "zzz", ["zzz is not a command", "expected one of eval, "]),
    ("unknown subcommand", "config sho", ["sho is not a command", "did you mean show?"]),
    ("unknown top option", "--verison", ["--verison is not an option", "--version?"]),
    ("eval without a model", "eval", ["MODEL is missing", "rxsim eval [OPTIONS] MODEL"]),
    ("patch without output", "patch @M/digits_mlp.onnx", ["--output is missing", "add it"]),
    ("solve without an array", "solve -o @O/new.npz", ["G.npy is missing", "add it"]),
    ("validate without a file", "config validate", ["FILE... is missing"]),
    ("a second model", "eval a.onnx b.onnx", ["unexpected extra argument (b.onnx)"]),
    ("negative trial", "patch a.onnx -o @O/new.onnx --trial -1", ["--trial", "x>=0"]),
    ("show of a bad setting", "config show --set seed=-1", ["seed: found -1"]),
    ("validate of a bad file", "config validate @G/nested.yaml", ["adc.nbits", "adc.n_bits"]),
    (
        "--calibrate without --data",
        f"eval @G/alone.onnx {EVAL} --calibrate @G/good.npz",
        ["--calibrate was given without --data", "give --data"],
    ),
    (
        "missing data of a card",
        f"eval @G/alone.onnx {EVAL} --card @G/missing_data_card.yml",
        ["absent.npz", "No such file"],
    ),
    (
        "bad calibration data",
        f"{MLP} --calibrate @G/wrong_shape.npz",
        ["wrong_shape.npz", "[1, 7, 8]", "expected [1, 8, 8]"],
    ),
    (
        "one-bit DAC with signed inputs",
        f"{MLP} --mean 0.5 --set dac.n_bits=1",
        ["dac.n_bits: found 1", "both signs", "at least 2"],
    ),
    ("short v-in", f"{SOLVE} --v-in @G/v3.npy", ["3 voltages", "4 rows"]),
    ("v-in of two axes", f"{SOLVE} --v-in @G/g.npy", ["shape [4, 3]", "1 axis"]),
    (
        "v-in with NaN",
        f"{SOLVE} --v-in @G/vnan.npy",
        ["vnan.npy: found the voltage nan V at row 1"],
    ),
    ("negative resistance", f"{SOLVE} --r-driver -1", ["r_driver: found -1", "0 or above"]),
    ("NaN resistance", f"{SOLVE} --r-wire-wl nan", ["r_wire_wl: found nan", "finite"]),
    ("infinite resistance", f"{SOLVE} --r-sense inf", ["r_sense: found inf", "finite"]),
    ("a word as resistance", f"{SOLVE} --r-sense low", ["--r-sense", "'low'"]),
]
OUTPUTS = [
    (f"{what} of {start.split()[0]} {option}", f"{start} {option} {path}", phrases)
    for start, option in (
        ("eval @M/digits_mlp.onnx", "--json"),
        ("eval @M/digits_mlp.onnx", "--save-patched"),
        ("patch @M/digits_mlp.onnx", "-o"),
        ("solve @G/g.npy", "-o"),
    )
    for what, path, phrases in (
        ("missing folder", "@O/absent/new.out", ["new.out", "does not exist", "create it"]),
        ("folder", "@O", ["is a folder", "expected a file name"]),
        ("file as folder", "@O/kept.json/new.out", ["kept.json", "new.out"]),
        ("endless name", "@O/@LONG", ["File name too long", "choose another name"]),
        ("empty name", "_EMPTY_", ["is a folder"]),
    )
]
OWN_INPUT = [
    ("patch over its model", "patch @O/net.onnx -o @O/net.onnx"),
    ("patch over its card", "patch @O/net.onnx -o @O/net.yaml"),
    ("patch over its data", "patch @O/net.onnx --data @O/kept.npz -o @O/kept.npz"),
    ("solve over its array", "solve @O/g.npy -o @O/g.npy"),
    ("eval over its settings", "eval @O/net.onnx --config @O/s.yaml --json @O/s.yaml"),
    ("two results in one file", "eval @O/net.onnx --json @O/new --save-patched @O/new"),
]

CASES = [
    *[(f"model {n}", f"eval @G/{f} {EVAL}", p) for n, f, p in MODEL_FILES],
    *[(f"data {n}", f"eval @G/alone.onnx {EVAL} --data @G/{f}.npz", p) for n, f, p in DATA_FILES],
    ("data a folder", f"eval @G/alone.onnx {EVAL} --data @G", ["is a folder", "npz"]),
    *[(n, f"{MLP} {options}", p) for n, options, p in PREPROCESSING],
    *[(f"card {n}", f"{MLP} --card @G/{f}.yml", p) for n, f, p in CARDS],
    *[
        (f"settings {n}", f"eval @M/digits_mlp.onnx {EVAL} --config @G/{f}.yaml", p)
        for n, f, p in SETTINGS_FILES
    ],
    *[(f"--set with {n}", f"{SET} {text}", p) for n, text, p in ASSIGNMENTS],
    *[(n, f"eval @M/digits_mlp.onnx {EVAL} {text}", p) for n, text, p in OPTIONS],
    *[(f"array {n}", f"solve @G/{f}.npy -o @O/kept.npz", p) for n, f, p in ARRAYS],
    *COMMANDS,
    *OUTPUTS,
    *[(n, c, ["another file of this command", "choose another name"]) for n, c in OWN_INPUT],
]


@pytest.fixture
def out(tmp_path: Path, given: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An output folder with earlier results, and the working folder of the command."""
    for name in ("kept.json", "kept.onnx"):
        (tmp_path / name).write_text("an earlier result")
    shutil.copy(given / "good.npz", tmp_path / "kept.npz")
    shutil.copy(given / "g.npy", tmp_path / "g.npy")
    shutil.copy(given / "alone.onnx", tmp_path / "net.onnx")
    (tmp_path / "net.yaml").write_text("data: kept.npz\npreprocess: {}\n")
    (tmp_path / "s.yaml").write_text("seed: 1\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_case_has_a_name_of_its_own() -> None:
    names = [name for name, _, _ in CASES]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("command", "phrases"), [pytest.param(c, p, id=n) for n, c, p in CASES])
def test_bad_input_gets_one_sentence_and_changes_no_file(
    command: str,
    phrases: list[str],
    given: Path,
    out: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before, before_given = _snapshot(out), _snapshot(given)
    text, error = _refused(_arguments(command, given, out), capsys)
    assert text == ""
    _check_sentence(error, *phrases)
    assert _snapshot(out) == before
    assert _snapshot(given) == before_given


@pytest.mark.parametrize(
    ("command", "phrase"),
    [
        ("eval @G/cut1000.onnx --json @O/kept.json", "is cut short"),
        ("evla", "did you mean eval?"),
    ],
)
def test_a_real_process_says_the_same(command: str, phrase: str, given: Path, out: Path) -> None:
    before = _snapshot(out)
    done = subprocess.run(
        [sys.executable, "-m", "rxsim", *_arguments(command, given, out)],
        capture_output=True,
        text=True,
        check=False,
        cwd=out,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    _check_sentence(done.stderr, phrase)
    assert _snapshot(out) == before


@pytest.mark.parametrize("ending", ["json", "onnxtxt", "textproto"])
def test_a_model_under_another_name_is_judged_by_its_bytes(
    ending: str, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (out / f"net.{ending}").write_text("this is {no model\n")
    text, error = _refused(["eval", str(out / f"net.{ending}")], capsys)
    assert text == ""
    _check_sentence(error, f"net.{ending}")


def test_integers_are_refused_where_the_card_says_nothing_of_preprocessing(
    given: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (out / "net.yaml").write_text("about: {title: a network}\n")
    command = "eval @O/net.onnx --xbar 32x32 --data @G/integers.npz"
    _, error = _refused(_arguments(command, given, out), capsys)
    _check_sentence(error, "type uint8", "--scale")


WRITES = [
    "solve @G/g.npy -o @O/kept.npz",
    "patch @G/linear.onnx -o @O/kept.onnx",
    "eval @G/linear.onnx --json @O/kept.json",
    "eval @G/linear.onnx --save-patched @O/kept.onnx",
]


@pytest.mark.parametrize("command", WRITES)
@pytest.mark.parametrize("step", ["mkstemp", "fsync", "replace"])
def test_a_full_or_closed_disk_is_exit_4_and_keeps_the_earlier_result(
    command: str,
    step: str,
    given: Path,
    out: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code = {"mkstemp": errno.EACCES, "fsync": errno.ENOSPC, "replace": errno.EROFS}[step]

    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    where: ModuleType = tempfile if step == "mkstemp" else os
    monkeypatch.setattr(where, step, refuse)
    before = _snapshot(out)
    text, error = _refused(_arguments(command, given, out), capsys, code=4)
    assert text == ""
    _check_sentence(error, "kept.", "can't be written", os.strerror(code))
    assert _snapshot(out) == before


def test_an_interrupted_write_leaves_no_temporary_file(
    given: Path,
    out: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    before = _snapshot(out)
    _, error = _refused(_arguments(WRITES[0], given, out), capsys, code=130)
    # Click ends the terminal's line, which shows ^C, first.
    _check_sentence(error.lstrip("\n"), "interrupted")
    assert _snapshot(out) == before


def test_a_good_write_replaces_the_earlier_result_and_leaves_nothing_else(
    given: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = set(_snapshot(out))
    _refused(_arguments(WRITES[0], given, out), capsys, code=0)
    assert set(_snapshot(out)) == names
    with np.load(out / "kept.npz") as found:
        assert found["g_eff"].shape == (4, 3)


def test_a_link_stays_a_link_and_its_file_gets_the_result(
    given: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (out / "link.npz").symlink_to("kept.npz")
    _refused(_arguments("solve @G/g.npy -o @O/link.npz", given, out), capsys, code=0)
    assert (out / "link.npz").is_symlink()
    with np.load(out / "kept.npz") as found:
        assert "g_eff" in found.files


def test_a_pipe_is_written_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    rxsim_files.write_atomically(pipe, b"result")
    assert os.read(reader, 100) == b"result"
    os.close(reader)
    assert pipe.is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_standard_output_is_exit_4() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "rxsim", "config", "show"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 4
    _check_sentence(done.stderr, "standard output can't be written", "No space left")
