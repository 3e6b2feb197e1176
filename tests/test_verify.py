"""`rxsim verify`: real vectors, independent references, a gate that no wrong solver passes."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from arrays import exact_currents, one_sided, random_case
from onnx import numpy_helper, parser
from oracles import sparse

import rxsim
from rxsim.calibrate import InputRange
from rxsim.cli import main
from rxsim.config import IV, load_settings
from rxsim.converters import Dac, InputVectors
from rxsim.errors import CircuitError, SettingError
from rxsim.load import load_network
from rxsim.mapping import map_layer
from rxsim.onnx_graph import with_outputs
from rxsim.pipeline import open_study, verify
from rxsim.pipeline.inspect import probe, verification
from rxsim.session import Session
from rxsim.verify import compare, sparse_direct
from rxsim.verify.compare import current_errors
from rxsim.verify.ngspice import ngspice_currents, ngspice_installed
from rxsim.verify.sparse_direct import sparse_currents

MODELS = Path(__file__).resolve().parents[1] / "models"
needs_ngspice = pytest.mark.skipif(not ngspice_installed(), reason="ngspice is not installed")

NETWORK = """
<ir_version: 8, opset_import: ["" : 17]>
g (float[N, 4, 7, 6] x) => (float[N, 5] y)
{ [first] a = Conv<group=2, strides=[2, 1], pads=[1, 1, 1, 1]>(x, w, b)  r = Relu(a)
  [second] c = Conv(r, u)  f = Flatten(c)  [last] y = Gemm<transB=1>(f, m) }
"""
SHAPES = {"w": (6, 2, 3, 3), "b": (6,), "u": (3, 6, 2, 2), "m": (5, 45)}
SMALL = ["--xbar=8x6", "--set=calibration.samples=5", "--set=device.write_sigma=0.05"]


def with_weights(text: str, shapes: dict[str, tuple[int, ...]], seed: int = 0) -> onnx.ModelProto:
    model = parser.parse_model(text)
    rng = np.random.default_rng(seed)
    for name, shape in shapes.items():
        value = rng.standard_normal(shape).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(value, name))
    return model


@pytest.fixture
def network(tmp_path: Path) -> Path:
    path = tmp_path / "net.onnx"
    path.write_bytes(with_weights(NETWORK, SHAPES).SerializeToString())
    return path


# The sparse reference.


@pytest.mark.parametrize("seed", range(60))
def test_the_sparse_reference_solves_ends_of_every_kind(seed: int) -> None:
    case = random_case(seed)
    wanted = exact_currents(case)
    scale = max(np.abs(wanted).max(), 1e-9)
    np.testing.assert_allclose(sparse_currents(*case.solved), wanted, rtol=0, atol=1e-9 * scale)


@pytest.mark.parametrize(
    "r", [(2.5, 2.5, 100.0, 100.0), (1e-3, 1e-3, 1e-3, 1e-3), (0.0, 40.0, 0.0, 900.0)]
)
@pytest.mark.parametrize("shape", [(24, 20), (1, 30), (30, 1)])
def test_the_sparse_reference_equals_the_oracle(
    r: tuple[float, float, float, float], shape: tuple[int, int]
) -> None:
    rng = np.random.default_rng(3)
    g = np.exp(rng.uniform(np.log(1e-7), np.log(1e-3), shape)) * (rng.random(shape) > 0.1)
    v_in = rng.uniform(-0.2, 0.2, (3, shape[0]))
    found = sparse_currents(g, one_sided(shape, *r), v_in)
    errors = current_errors(found, v_in @ sparse.g_eff(g, *r))
    assert errors.max() < 1e-13


def test_the_sparse_reference_says_when_it_did_not_settle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparse_direct, "_MOST_STEPS", 1)
    case = replace(random_case(3), lines=one_sided((2, 2), 1, 1, 9, 9), g=np.full((2, 2), 1e-5))
    with pytest.raises(CircuitError, match="did not settle"):
        sparse_currents(case.g, case.lines, np.array([[0.1, 0.2]]))


@needs_ngspice
def test_ngspice_takes_one_vector_or_many() -> None:
    rng = np.random.default_rng(0)
    g, lines = rng.uniform(1e-6, 1e-5, (6, 5)), one_sided((6, 5), 2.5, 2.5, 100.0, 100.0)
    for count in (1, 2, 60):
        v_in = rng.uniform(-0.2, 0.2, (count, 6))
        found = ngspice_currents(g, lines, v_in)
        assert current_errors(found, sparse_currents(g, lines, v_in)).max() < 1e-12


def test_errors_are_counted_of_the_vectors_largest_current() -> None:
    reference = np.array([[2.0, -1.0], [0.0, 0.0], [0.0, 0.0], [1.0, 1.0]])
    found = np.array([[2.2, -1.0], [0.0, 0.0], [0.0, 1e-9], [np.nan, 1.0]])
    wanted = [[0.1, 0.0], [0.0, 0.0], [0.0, np.inf], [np.inf, 0.0]]
    np.testing.assert_allclose(current_errors(found, reference), wanted, rtol=1e-12)


# Real vectors.

CONVS: dict[str, tuple[str, tuple[int, ...]]] = {
    "plain": ("", (6, 4, 3, 3)),
    "strides and pads": ("<strides=[2, 3], pads=[1, 0, 2, 3]>", (6, 4, 3, 2)),
    "groups": ("<group=2, pads=[1, 1, 1, 1]>", (6, 2, 3, 3)),
    "depthwise": ("<group=4, strides=[2, 2]>", (8, 1, 3, 3)),
    "dilations": ("<dilations=[2, 1], pads=[2, 1, 0, 1], strides=[1, 2]>", (5, 4, 3, 3)),
    "same upper": ('<auto_pad="SAME_UPPER", strides=[2, 2]>', (5, 4, 2, 3)),
    "same lower": ('<auto_pad="SAME_LOWER", strides=[2, 2]>', (5, 4, 2, 3)),
    "valid": ('<auto_pad="VALID", strides=[1, 2]>', (5, 4, 3, 3)),
    "pointwise": ("<strides=[2, 2]>", (5, 4, 1, 1)),
}


def layer_and_tensors(
    text: str, shapes: dict[str, tuple[int, ...]], shape: tuple[int, ...], folder: Path
) -> tuple[Any, np.ndarray, np.ndarray]:
    """Load a network of one layer; return it with its input and output tensors."""
    path = folder / "one.onnx"
    path.write_bytes(with_weights(text, shapes).SerializeToString())
    network = load_network(path)
    (layer,) = network.layers
    x = np.random.default_rng(9).standard_normal(shape).astype(np.float32)
    session = Session(with_outputs(network.model, [layer.input, layer.output]), "it")
    values, result = session.run([layer.input, layer.output], {"x": x})
    return layer, values, result


def products(layer: Any, vectors: InputVectors, order: str) -> np.ndarray:
    """Multiply each array's row voltages with the weights that its maps name; (positions, outputs)."""
    settings = load_settings(
        None, xbar="7x3", assignments=[f"mapping.row_order={order}"], overrides={}
    )
    mapped = map_layer(layer, settings.crossbar, settings.device, settings.mapping)
    total = np.zeros((vectors.positions, layer.groups * layer.n_outputs))
    everywhere = np.arange(vectors.positions)
    for index in range(0, mapped.n_arrays, 2):
        array = mapped.array(index)
        volts = vectors.at(array.rows, array.row_signs, everywhere)
        assert (volts[:, array.rows < 0] == 0).all()
        rows, cols = array.rows[array.rows >= 0], array.cols[array.cols >= 0]
        group = rows[0] // layer.n_inputs
        weights = layer.matrices[group][rows % layer.n_inputs][:, cols % layer.n_outputs]
        total[:, cols] += volts[:, array.rows >= 0] @ weights.astype(np.float64)
    return total


@pytest.mark.parametrize("order", ["channel_major", "kernel_major"])
@pytest.mark.parametrize("name", CONVS)
def test_a_convs_vectors_times_its_weights_are_its_outputs(
    name: str, order: str, tmp_path: Path
) -> None:
    given, shape = CONVS[name]
    text = (
        '<ir_version: 8, opset_import: ["" : 17]>\n'
        f"g (float[N, 4, 8, 9] x) => (float[N, C, H, W] y) {{ [c] y = Conv{given}(x, w) }}"
    )
    layer, x, y = layer_and_tensors(text, {"w": shape}, (2, 4, 8, 9), tmp_path)
    found = products(layer, InputVectors(layer, x), order)
    wanted = y.transpose(0, 2, 3, 1).reshape(-1, y.shape[1])
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())


@pytest.mark.parametrize(
    ("axes", "kernel", "given"),
    [
        ("L", (5, 3, 4), "<strides=[2], pads=[3, 1]>"),
        ("D,H,W", (4, 3, 2, 1, 2), "<pads=[1, 0, 0, 0, 0, 1], dilations=[1, 1, 2]>"),
    ],
)
def test_convs_of_one_and_three_axes(
    axes: str, kernel: tuple[int, ...], given: str, tmp_path: Path
) -> None:
    text = (
        '<ir_version: 8, opset_import: ["" : 17]>\n'
        f"g (float[N, 3, {axes}] x) => (float[N, C, {axes}] y) {{ [c] y = Conv{given}(x, w) }}"
    )
    shape = (1, 3, *(6, 5, 7)[: len(kernel) - 2])
    layer, x, y = layer_and_tensors(text, {"w": kernel}, shape, tmp_path)
    found = products(layer, InputVectors(layer, x), "kernel_major")
    wanted = np.moveaxis(y, 1, -1).reshape(-1, y.shape[1])
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())


def test_a_product_has_a_position_for_every_row_of_activations(tmp_path: Path) -> None:
    text = (
        '<ir_version: 8, opset_import: ["" : 17]>\n'
        "g (float[N, 3, 10] x) => (float[N, 3, 4] y) { [m] y = MatMul(x, w) }"
    )
    layer, x, y = layer_and_tensors(text, {"w": (10, 4)}, (2, 3, 10), tmp_path)
    found = products(layer, InputVectors(layer, x), "channel_major")
    np.testing.assert_allclose(found, y.reshape(-1, 4), rtol=0, atol=1e-5)


def test_the_dacs_round_and_saturate(tmp_path: Path) -> None:
    text = (
        '<ir_version: 8, opset_import: ["" : 17]>\n'
        "g (float[N, 6] x) => (float[N, 2] y) { [m] y = MatMul(x, w) }"
    )
    layer, _, _ = layer_and_tensors(text, {"w": (6, 2)}, (1, 6), tmp_path)
    dac = Dac(code_per_x=31 / 2.0, volt_per_code=0.2 / 31, low=-31, high=31)
    x = np.array([[2.0, 5.0, -9.0, 0.0, 1 / 31, 3 / 31]])  # the last two lie half way: ties to even
    signs = np.array([1.0, 1, 1, 1, 1, -1, 1])
    rows = np.array([0, 1, 2, 3, 4, 5, -1])
    found = InputVectors(layer, dac.codes(x) * dac.volt_per_code).at(rows, signs, np.array([0]))
    np.testing.assert_allclose(found, [[0.2, 0.2, -0.2, 0, 0, -2 * 0.2 / 31, 0]], rtol=1e-12)


# The command.


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(["verify", *(str(argument) for argument in arguments)])
    code = end.value.code
    assert isinstance(code, int)
    return code, *capsys.readouterr()


@pytest.mark.parametrize(
    "reference", [pytest.param("ngspice", marks=needs_ngspice), "sparse", "auto"]
)
def test_a_small_network_is_verified(
    reference: str, network: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [*SMALL, "--arrays=9", "--trial=1", f"--reference={reference}"]
    code, out, err = run(capsys, network, *options)
    assert (code, err) == (0, "")
    assert "9 of 30 arrays, 3 real input vectors each" in out
    for name in ("first", "second", "last", "total"):
        assert f"\n│ {name} " in out
    named = {"ngspice": "ngspice", "sparse": "refined sparse solve"}
    named["auto"] = named["ngspice" if ngspice_installed() else "sparse"]
    assert named[reference] in out
    assert "allowed: 1e-09" in out


@pytest.mark.parametrize("options", [["--set=dac.n_bits=null"], ["--set=crossbar.r_access=5000"]])
def test_other_settings_are_verified_too(
    options: list[str], network: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wires = ["--set=crossbar.r_wire_wl=40", "--set=crossbar.r_driver=0"]
    assert run(capsys, network, *SMALL, *options, *wires, "--reference=sparse")[0] == 0


def test_the_json_holds_every_array(
    network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "found.json"
    options = [*SMALL, "--arrays=5", "--vectors=4", "--reference=sparse"]
    code, out, _ = run(capsys, network, *options, "--json", path)
    assert code == 0
    assert "total" in out
    found = json.loads(path.read_text())
    assert (found["schema_version"], found["passed"], found["vectors"]) == (1, True, 4)
    assert len(set(found["calibration_inputs"])) == 4
    assert [check["reference"] for check in found["checks"]] == ["sparse"] * 5
    worst = max(check["error"]["max"] for check in found["checks"])
    assert found["worst"] == worst < 1e-9
    assert {check["layer"] for check in found["checks"]} == {"first", "second", "last"}
    code, out, _ = run(capsys, network, *options, "--json=-")
    again = json.loads(out)
    del found["timing"], again["timing"]
    assert (code, again) == (0, found)


def spoil(monkeypatch: pytest.MonkeyPatch, column: int, factor: float) -> None:
    """Make rxsim's g_eff wrong by a factor in one column of the second layer's last array."""
    true = probe.array_currents

    def wrong(programmed: Any, v_in: np.ndarray, columns: np.ndarray) -> np.ndarray:
        i_out = true(programmed, v_in, columns)
        if programmed.layer.layer.name == "second" and programmed.array.index == 5:
            i_out[:, column] *= factor
        return i_out

    monkeypatch.setattr(verification, "array_currents", wrong)


@pytest.mark.parametrize("factor", [1 + 1e-7, 3.0, np.nan])
@pytest.mark.parametrize("reference", ["sparse", "auto"])
def test_a_wrong_solver_fails_and_the_worst_array_is_named(
    factor: float,
    reference: str,
    network: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    spoil(monkeypatch, 0, factor)
    path = tmp_path / "found.json"
    options = [*SMALL, "--arrays=30", "--vectors=1", f"--reference={reference}"]
    code, out, err = run(capsys, network, *options, "--json", path)
    assert code == 1
    assert err.startswith("rxsim: layer second, array 5: i_out differs by ")
    assert "from the refined sparse solve, expected at most 1e-09" in err
    assert err.count("\n") == 1
    assert "total" in out
    found = json.loads(path.read_text())
    assert found["passed"] is False
    (wrong,) = [check for check in found["checks"] if (check["error"]["max"] or 1) > 1e-9]
    assert (wrong["layer"], wrong["array"]) == ("second", 5)
    if reference == "auto" and ngspice_installed():
        assert "Note: layer second, array 5: ngspice and rxsim differ by" in out
    loose = [*SMALL, "--arrays=30", "--vectors=1", "--reference=sparse", "--tol=10"]
    assert run(capsys, network, *loose)[0] == int(np.isnan(factor))


def test_where_ngspice_is_off_the_sparse_solve_decides(
    network: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def blurred(*solved: Any) -> np.ndarray:
        return sparse_currents(*solved) * (1 + 3e-8)

    monkeypatch.setattr(compare, "ngspice_installed", lambda: True)
    monkeypatch.setattr(compare, "ngspice_currents", blurred)
    code, out, err = run(capsys, network, *SMALL, "--arrays=3")
    assert (code, err) == (0, "")
    assert "ngspice + refined sparse solve" in out
    assert (
        "ngspice and rxsim differ by 3.0e-08; the refined sparse solve and rxsim differ by" in out
    )


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo 'Fatal error: no' >&2; exit 1", "ngspice failed (1): Fatal error: no"),
        ("cat > /dev/null; echo 'c0[0] = 1.0'", "ngspice printed 1 of"),
    ],
)
def test_an_ngspice_that_fails_is_told_and_the_sparse_solve_decides(
    script: str,
    words: str,
    network: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    program = tmp_path / "bin" / "ngspice"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    code, out, err = run(capsys, network, *SMALL, "--arrays=1")
    assert (code, err) == (0, "")
    assert f"no currents from ngspice ({words}" in out


def test_arrays_beyond_64_by_64_are_solved_by_the_sparse_reference() -> None:
    assert compare.reference_for("auto", (65, 64)) == "sparse"
    assert compare.reference_for("sparse", (8, 8)) == "sparse"
    assert (compare.reference_for("auto", (64, 64)) == "ngspice") is ngspice_installed()


def test_vectors_that_drive_no_row_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Inputs that are clipped to 0 leave the second layer without any voltage."""
    text = (
        '<ir_version: 8, opset_import: ["" : 17]>\n'
        "g (float[N, 3] x) => (float[N, 2] y)\n"
        "{ [a] h = MatMul(x, w)  z = Sub(h, h)  [b] y = MatMul(z, u) }"
    )
    path = tmp_path / "idle.onnx"
    path.write_bytes(with_weights(text, {"w": (3, 4), "u": (4, 2)}).SerializeToString())
    code, out, _ = run(capsys, path, *SMALL, "--arrays=4", "--vectors=2", "--reference=sparse")
    assert code == 0
    assert (
        "Note: no row of their array is driven by 4 of 8 vectors: they prove nothing."
        in " ".join(out.split())
    )


@pytest.mark.parametrize(("wanted", "layers"), [(2, 2), (3, 3), (4, 3), (9, 3), (99, 3)])
def test_arrays_are_spread_over_the_layers(wanted: int, layers: int) -> None:
    counts = [4, 1, 20]
    chosen = verification._choose_arrays(counts, wanted, np.random.default_rng(0))
    assert len(chosen) == len(set(chosen)) == min(wanted, 25)
    assert chosen == sorted(chosen)
    assert all(index < counts[layer] for layer, index in chosen)
    assert len({layer for layer, _ in chosen}) == layers


def test_the_seed_chooses_arrays_and_vectors(network: Path) -> None:
    found = [
        rxsim.verification(
            network,
            rxsim.settings(xbar="8x6", changes={"calibration.samples": 5, "seed": seed}),
            arrays=4,
            reference="sparse",
            threads=threads,
        )
        for seed, threads in ((0, 1), (0, 2), (1, 1))
    ]
    places = [[(c.layer, c.array, c.errors.tolist()) for c in item.checks] for item in found]
    assert places[0] == places[1] != places[2]
    assert all(item.passed for item in found)


ERRORS = {
    "tol zero": (["--tol=0"], "tol: found 0, expected a number above 0"),
    "tol nan": (["--tol=nan"], "tol: found nan"),
    "arrays": (["--arrays=0"], "--arrays: 0 is not in the range"),
    "reference": (["--reference=spectre"], "--reference: 'spectre' is not one of"),
    "json": (["--json=missing/x.json"], "lies in a folder that does not exist"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_unusable_options_are_told_in_one_sentence(
    name: str, network: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options, words = ERRORS[name]
    code, out, err = run(capsys, network, *SMALL, *options)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err


def test_a_missing_ngspice_is_told(
    network: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    code, out, err = run(capsys, network, *SMALL, "--reference=ngspice")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "there is no program ngspice on the PATH; install it" in err
    code, out, _ = run(capsys, network, *SMALL)
    assert code == 0
    assert "refined sparse solve" in out


def test_the_functions_refuse_what_the_options_would(network: Path) -> None:
    for given, words in (
        ({"reference": "other"}, "expected one of auto, ngspice, sparse"),
        ({"vectors": 0}, "vectors: found 0, expected 1 or above"),
        ({"trial": -1}, "trial: found -1, expected 0 or above"),
    ):
        with pytest.raises(rxsim.RxsimError, match=words):
            rxsim.verification(network, rxsim.settings(xbar="8x6"), **given)
    with pytest.raises(rxsim.RxsimError, match="trial: found -1"):
        rxsim.netlist(network, layer="first", array=0, trial=-1)


def test_cells_that_one_matrix_does_not_describe_are_refused(network: Path) -> None:
    """`open_study` may refuse them first; the verification itself does too."""
    study = open_study(network, rxsim.settings(xbar="8x6"))
    settings = study.settings
    sinh = settings.device.model_copy(update={"iv": IV(form="sinh", v0=0.1)})
    gated = settings.crossbar.model_copy(update={"topology": "input_gated"})
    for changes, words in (
        ({"device": sinh}, "layer first: found device.iv.form: sinh"),
        ({"crossbar": gated}, "layer first: found crossbar.topology: input_gated"),
    ):
        with pytest.raises(SettingError, match=words):
            verify(replace(study, settings=settings.model_copy(update=changes)))


@pytest.mark.slow
@needs_ngspice
def test_a_shipped_network_on_full_arrays() -> None:
    result = rxsim.verification(MODELS / "digits_resnet.onnx", arrays=2, vectors=2)
    assert result.passed
    assert {check.reference for check in result.checks} == {"ngspice"}


# What an encoding really drives.

PRODUCT = (
    '<ir_version: 8, opset_import: ["" : 17]>\n'
    "g (float[N, 6] x) => (float[N, 3] y) { [m] y = MatMul(x, w) }"
)
CODES = np.array([7.0, -3.0, 0.0, 1.0, -7.0, 4.0])  # of 4 bits, signed; the largest input is 1


def levels(*values: float) -> set[float]:
    return {round(0.2 * value, 12) for value in values}


ENCODINGS = {
    "amplitude": ([], [0.2 * CODES / 7]),
    "two_phase": (
        ["input.signed_input=two_phase"],
        [0.2 * np.maximum(CODES, 0) / 7, 0.2 * np.maximum(-CODES, 0) / 7],
    ),
    "offset": (["input.signed_input=offset"], [0.2 * (CODES + 8) / 15]),
    "bits": (
        ["input.encoding=bit_serial"],
        [0.2 * np.sign(CODES) * (np.abs(CODES).astype(int) >> k & 1) for k in range(3)],
    ),
    "bits summed": (
        ["input.encoding=bit_serial", "input.adc_per_pass=false"],
        [0.2 * np.sign(CODES) * (np.abs(CODES).astype(int) >> k & 1) for k in range(3)],
    ),
    "digits": (
        ["input.encoding=bit_serial", "input.bits_per_pulse=2"],
        [0.2 / 3 * np.sign(CODES) * (np.abs(CODES).astype(int) >> k & 3) for k in (0, 2)],
    ),
    "two's complement": (
        ["input.encoding=bit_serial", "input.signed_input=twos_complement"],
        [0.2 * (CODES.astype(int) >> k & 1) for k in range(4)],
    ),
}


def layer_input(folder: Path, *assignments: str) -> Any:
    """One product of 6 inputs, driven by known codes."""
    path = folder / "one.onnx"
    path.write_bytes(with_weights(PRODUCT, {"w": (6, 3)}).SerializeToString())
    (layer,) = load_network(path).layers
    settings = load_settings(None, xbar="8x8", assignments=["dac.n_bits=4", *assignments])
    mapped = map_layer(layer, settings.crossbar, settings.device, settings.mapping)
    measured = InputRange(1.0, True, (6,))
    x = (CODES / 7)[None].astype(np.float32)
    return probe.LayerInput(mapped, settings, measured, x, 0)


def driven(given: Any, number: int) -> Any:
    rows = given.layer.array(0).rows
    wordlines = given.voltages(number)
    found = wordlines.volts(rows, np.ones(8), np.array([0]))[0]
    assert (found[6:] == 0).all()
    assert wordlines.activity(rows) == pytest.approx([np.abs(found).sum()])
    return found[:6]


@pytest.mark.parametrize("name", ENCODINGS)
def test_every_pass_has_the_voltages_of_its_encoding(name: str, tmp_path: Path) -> None:
    assignments, wanted = ENCODINGS[name]
    given = layer_input(tmp_path, *assignments)
    assert given.count == len(wanted)
    for number, volts in enumerate(wanted):
        np.testing.assert_allclose(driven(given, number), volts, rtol=0, atol=1e-12)


def test_pulses_of_some_width_are_on_until_they_end(tmp_path: Path) -> None:
    given = layer_input(tmp_path, "input.encoding=pulse_width", "input.signed_input=offset")
    wordlines, rows = given.voltages(0), given.layer.array(0).rows
    for share in (0.0, 0.3, 0.5, 0.9):
        found = wordlines.volts(rows, np.ones(8), np.array([0]), share)[0, :6]
        np.testing.assert_allclose(found, 0.2 * (share < (CODES + 8) / 15), atol=1e-12)


def test_random_pulses_are_the_chips_own(tmp_path: Path) -> None:
    """Their mean is what the patched network multiplies with the matrix; all are of one voltage."""
    count = 500
    given = layer_input(tmp_path, "input.encoding=stochastic", f"input.pulses={count}")
    volts = np.array([driven(given, number) for number in range(given.count)])
    assert {round(v, 12) for v in np.abs(volts).ravel()} == levels(0, 1)
    np.testing.assert_allclose(volts.mean(axis=0), 0.2 * CODES / 7, atol=0.2 * 3 / np.sqrt(count))
    thresholds = np.random.Generator(
        np.random.PCG64(np.random.SeedSequence(0, spawn_key=(0, given.layer.layer.index, 5, 0)))
    )
    channels = thresholds.random((count, 6), dtype=np.float32)
    level = (channels + thresholds.random((count, 1), dtype=np.float32)) % 1
    on = np.abs(CODES / 7).astype(np.float32) > level
    np.testing.assert_allclose(volts, 0.2 * np.sign(CODES) * on, atol=1e-12)


@pytest.mark.parametrize("name", [*ENCODINGS, "pulse_width", "stochastic"])
def test_every_encoding_is_verified(
    name: str, network: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = ENCODINGS[name][0] if name in ENCODINGS else [f"input.encoding={name}"]
    options = [*SMALL, *(f"--set={one}" for one in own), "--arrays=6", "--reference=sparse"]
    assert run(capsys, network, *options)[0] == 0


def test_verified_vectors_hold_nothing_that_no_pulse_has(
    network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bits on all arrays: 0 or the read voltage with a sign, and padding of offset inputs too."""
    seen: list[np.ndarray] = []
    true = probe.array_currents

    def watched(programmed: Any, v_in: np.ndarray, columns: np.ndarray) -> np.ndarray:
        seen.append(v_in)
        return true(programmed, v_in, columns)

    monkeypatch.setattr(verification, "array_currents", watched)
    changes = {
        "calibration.samples": 5,
        "input.encoding": "bit_serial",
        "input.signed_input": "offset",
    }
    settings = rxsim.settings(xbar="8x6", changes=changes)
    rxsim.verification(network, settings, arrays=12, reference="sparse")
    assert {round(v, 12) for v in np.concatenate([one.ravel() for one in seen])} == levels(0, 1)
