"""Netlists: ngspice makes of them the circuit of MODEL.md, and the command's file runs as it is."""

from __future__ import annotations

import itertools
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from arrays import Case, exact_currents, one_sided, random_case
from chips import mapped_of
from oracles import sparse
from scipy.optimize import brentq, fsolve

import rxsim
from rxsim.circuit.lines import lines_of
from rxsim.cli import main
from rxsim.config import IV, Crossbar
from rxsim.devices import Chip, curve_of
from rxsim.effects import without
from rxsim.pipeline import open_study, spice_netlist
from rxsim.pipeline.chip.solved import SolvedArrays
from rxsim.verify import array_netlist, law_of
from rxsim.verify.ngspice import ngspice_currents, ngspice_installed
from rxsim.verify.sparse_direct import sparse_currents

MODELS = Path(__file__).resolve().parents[1] / "models"
MODEL = MODELS / "digits_cnn.onnx"
SMALL = ["--xbar=16x12", "--set=calibration.samples=4", "--set=device.write_sigma=0.05"]
SHAPE = (5, 4)
needs_ngspice = pytest.mark.skipif(not ngspice_installed(), reason="ngspice is not installed")


def printed(netlist: str) -> np.ndarray:
    """Run a netlist as a user does and return its i_out."""
    done = subprocess.run(
        ["ngspice", "-n", "-b"], input=netlist, capture_output=True, text=True, check=True
    )
    assert "singular" not in done.stderr
    found = re.findall(r"^i_out\[(\d+)\] = (\S+)$", done.stdout, re.MULTILINE)
    assert [int(j) for j, _ in found] == list(range(len(found)))
    return np.array([float(value) for _, value in found])


def conductances(shape: tuple[int, int] = SHAPE, seed: int = 1) -> np.ndarray:
    g = np.exp(np.random.default_rng(seed).uniform(np.log(1e-6), np.log(1e-4), shape))
    g[1, shape[1] // 2] = 0.0
    return g


def volts(n_rows: int) -> np.ndarray:
    return np.linspace(0.2, -0.15, n_rows)


def close(found: np.ndarray, wanted: np.ndarray, tolerance: float = 1e-11) -> None:
    np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance * np.abs(wanted).max())


@needs_ngspice
@pytest.mark.parametrize("zero", list(itertools.product([False, True], repeat=4)))
def test_ngspice_finds_the_oracles_currents_whichever_resistances_are_zero(
    zero: tuple[bool, ...],
) -> None:
    """A resistor of 0 ohm would be 1 mohm to ngspice: the nodes are one instead."""
    r = [0.0 if gone else ohm for gone, ohm in zip(zero, (3.0, 0.7, 80.0, 150.0), strict=True)]
    g, v_in = conductances(), volts(5)
    netlist = array_netlist(g, one_sided(SHAPE, *r), v_in)
    assert not re.search(r"^r\S+ \S+ \S+ 0(\.0)?$", netlist, re.MULTILINE)
    close(printed(netlist), v_in @ sparse.g_eff(g, *r))


@needs_ngspice
@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (6, 1)])
def test_arrays_of_one_row_or_column(shape: tuple[int, int]) -> None:
    g, v_in = np.full(shape, 2e-5), volts(shape[0]) + 0.01
    found = printed(array_netlist(g, one_sided(shape, 2.5, 2.5, 100.0, 100.0), v_in))
    close(found, v_in @ sparse.g_eff(g, 2.5, 2.5, 100.0, 100.0))


@needs_ngspice
def test_open_cells_and_floating_parts_are_left_out() -> None:
    g = conductances()
    g[:, 2] = 0.0
    g[3, :] = 0.0
    v_in = volts(5)
    lines = one_sided(SHAPE, 3.0, 0.7, 80.0, 150.0)
    close(printed(array_netlist(g, lines, v_in)), v_in @ sparse.g_eff(g, 3.0, 0.7, 80.0, 150.0))
    lines.bottom[1] = np.inf  # a bitline without a sense only carries sneak currents
    lines.left[:] = np.inf  # and without sources nothing flows
    assert (printed(array_netlist(g, lines, v_in)) == 0).all()
    assert (printed(array_netlist(np.zeros(SHAPE), lines, v_in)) == 0).all()


@needs_ngspice
def test_a_part_that_floats_is_not_written() -> None:
    """Cells between a wordline without a source and a bitline without a sense hang in the air."""
    g = np.diag([1e-5, 2e-5])
    lines = one_sided((2, 2), 1.0, 1.0, 10.0, 10.0)
    lines.left[1] = lines.bottom[1] = np.inf
    netlist = array_netlist(g, lines, np.array([0.1, 0.2]))
    assert "rx0_0 " in netlist
    assert not re.search(r"[wb]1_1", netlist)
    close(printed(netlist), np.array([0.1 / (1e5 + 21.0), 0.0]))


@needs_ngspice
def test_the_access_resistance_is_in_series_with_every_cell() -> None:
    g, v_in = conductances(), volts(5)
    found = printed(array_netlist(g, one_sided(SHAPE, 1, 2, 30, 40), v_in, r_access=5e3))
    close(found, v_in @ sparse.g_eff(g / (1 + 5e3 * g), 1, 2, 30, 40))


@needs_ngspice
@pytest.mark.parametrize("seed", range(25))
def test_ends_of_every_kind_on_both_sides(seed: int) -> None:
    """ngspice, the sparse reference and plain linear algebra agree; both ends add to i_out."""
    case = random_case(seed)
    found = ngspice_currents(*case.solved)
    scale = max(np.abs(found).max(), 1e-9)
    np.testing.assert_allclose(found, sparse_currents(*case.solved), rtol=0, atol=1e-12 * scale)
    np.testing.assert_allclose(found, exact_currents(case), rtol=0, atol=1e-9 * scale)
    one = printed(array_netlist(case.g, case.lines, case.v_in[0], r_access=case.r_access))
    np.testing.assert_allclose(one, found[0], rtol=0, atol=1e-12 * scale)


@needs_ngspice
def test_the_settings_ends_are_what_ngspice_solves() -> None:
    crossbar = Crossbar(
        drive_side="alternate", sense_side="top", r_driver_far=300.0, r_sense_far=0.0, r_wire_wl=30
    )
    g, v_in = conductances(), volts(5)
    lines = lines_of(crossbar, *SHAPE)
    wanted = exact_currents(Case(g, lines, v_in[None], 0.0))[0]
    close(printed(array_netlist(g, lines, v_in)), wanted, 1e-9)


IVS = {
    "sinh": IV(form="sinh", v0=0.1),
    "cubic": IV(form="cubic"),
    "cubic of its own": IV(form="cubic", cubic=2.0),
    "table": IV(form="table", v=(0.05, 0.1, 0.3), f=(0.04, 0.1, 0.5)),
    "two-sided table": IV(form="table", v=(-0.4, -0.1, 0.2, 0.5), f=(-0.2, -0.1, 0.2, 0.9)),
    "milo": IV(form="milo"),
}


@needs_ngspice
@pytest.mark.parametrize("name", IVS)
def test_a_behavioural_cell_carries_its_curves_current(name: str) -> None:
    """Cells on a diagonal without wires: i_out is the curve of `rxsim.devices` itself, both ways."""
    v_in = np.array([0.25, 0.2, 0.1, 0.03, 0.0, -0.07, -0.2, -0.28])
    g = np.linspace(65e-6, 105e-6, len(v_in))
    lines = one_sided((len(v_in), len(v_in)), 0.0, 0.0, 0.0, 0.0)
    found = printed(array_netlist(np.diag(g), lines, v_in, law=law_of(IVS[name], 0.2)))
    assert found == pytest.approx(curve_of(IVS[name], 0.2).current(g, v_in), rel=1e-12, abs=1e-25)


def test_a_linear_cell_needs_no_law_and_a_separable_one_is_scaled_to_v_read() -> None:
    assert law_of(IV(), 0.2) is None
    law = law_of(IV(form="cubic", cubic=1.0), 0.2)
    assert law is not None
    assert eval(law(3e-6, "0.2")) == pytest.approx(3e-6 * 0.2, rel=1e-14)


@needs_ngspice
def test_a_behavioural_cell_with_resistances_solves_its_scalar_equation() -> None:
    """g v0' sinh(v/v0) through wires: v + r i(v) = v_in."""
    g, v0, v_in, r_access = 4e-5, 0.08, 0.2, 2e3
    series = 150.0 + 250.0 + r_access
    scale = 0.2 / np.sinh(0.2 / v0)

    def current(v: float) -> float:
        return float(g * scale * np.sinh(v / v0))

    v = brentq(lambda v: v + series * current(v) - v_in, 0, v_in, xtol=1e-17, rtol=1e-15)
    lines = one_sided((1, 1), 7.0, 9.0, 150.0, 250.0)
    law = law_of(IV(form="sinh", v0=v0), 0.2)
    array = np.array([[g]])
    netlist = array_netlist(array, lines, np.array([v_in]), r_access=r_access, law=law)
    assert printed(netlist)[0] == pytest.approx(current(v), rel=1e-11)


@needs_ngspice
def test_four_behavioural_cells_solve_their_equations() -> None:
    """A 2x2 array of cubic cells, by Kirchhoff's law at its eight nodes."""
    g = np.array([[1e-4, 5e-5], [2e-5, 8e-5]])
    v_in, cubic = np.array([0.2, -0.1]), 3.0
    wl, bl, driver, sense = 400.0, 300.0, 1000.0, 700.0
    scale = 1 / (1 - cubic * 0.2**2)

    def balance(x: np.ndarray) -> np.ndarray:
        w, b = x[:4].reshape(2, 2), x[4:].reshape(2, 2)
        v = w - b
        cell = g * scale * (v - cubic * v**3)
        along = (w[:, 0] - w[:, 1]) / wl
        down = (b[0] - b[1]) / bl
        into_w = np.stack([(v_in - w[:, 0]) / driver - along, along], axis=1) - cell
        into_b = cell + np.stack([-down, down - b[1] / sense])
        return 1e6 * np.concatenate([into_w.ravel(), into_b.ravel()])

    solution = fsolve(balance, np.zeros(8), xtol=1e-13)
    assert np.abs(balance(solution)).max() < 1e-9
    wanted = solution[6:] / sense
    law = law_of(IV(form="cubic", cubic=cubic), 0.2)
    close(
        printed(array_netlist(g, one_sided((2, 2), wl, bl, driver, sense), v_in, law=law)), wanted
    )


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    code = end.value.code
    assert isinstance(code, int)
    return code, *capsys.readouterr()


@needs_ngspice
@pytest.mark.parametrize(
    ("layer", "array", "more"),
    [
        ("conv2", 3, ["--sample=2", "--trial=1"]),
        ("conv1", 1, ["--position=9", "--set=mapping.row_order=kernel_major"]),
        ("fc2", 0, ["--set=crossbar.r_wire_wl=0", "--set=crossbar.r_access=900"]),
    ],
)
def test_the_file_runs_as_it_is_and_prints_what_rxsim_computed(
    layer: str,
    array: int,
    more: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "array.cir"
    options = [*SMALL, *more, f"--layer={layer}", f"--array={array}"]
    code, out, err = run(capsys, "spice", MODEL, *options, "-o", path)
    assert (code, err) == (0, "")
    assert f"run it with: ngspice -b {path}" in out
    done = subprocess.run(["ngspice", "-b", path], capture_output=True, text=True, check=True)
    found = np.array([float(x) for x in re.findall(r"^i_out\[\d+\] = (\S+)", done.stdout, re.M)])
    text = path.read_text()
    stated = np.array([float(x) for x in re.findall(r"rxsim i_out\[\d+\] = (\S+)", text)])
    assert len(found) == len(stated) == 12
    assert found.any()
    close(stated, found, 1e-9)


CELLS: dict[str, tuple[str, dict[str, object]]] = {
    **{name: ("device", {"iv": IVS[name]}) for name in ("sinh", "cubic of its own", "table")},
    "gated": ("crossbar", {"topology": "input_gated"}),
}


@needs_ngspice
@pytest.mark.parametrize("name", CELLS)
def test_other_cells_are_written_too(name: str) -> None:
    """`open_study` may refuse them for evaluations; netlist and rxsim agree about them."""
    changes = {"calibration.samples": 2, "crossbar.r_access": 3e3, "device.r_on": 2e4}
    study = open_study(MODEL, rxsim.settings(xbar="6x5", changes=changes))
    section, update = CELLS[name]
    changed = getattr(study.settings, section).model_copy(update=update)
    settings = study.settings.model_copy(update={section: changed})
    text = spice_netlist(replace(study, settings=settings), "conv2", 40, position=0).text
    stated = np.array([float(x) for x in re.findall(r"rxsim i_out\[\d+\] = (\S+)", text)])
    if name == "gated":
        off = re.findall(r"^vin(\d+) \S+ 0 dc 0\.0$", text, re.MULTILINE)
        assert off
        cells = re.findall(r"^rx(\d+)_", text, re.MULTILINE)
        assert set(cells) == set(map(str, range(6))) - set(off)
    else:
        assert f"(Newton's method for {IVS[name].form} cells)" in text
        assert len(re.findall(r"^bx\d+_\d+ ", text, re.MULTILINE)) == 30
    close(stated, printed(text), 1e-8)


def test_the_header_says_what_the_array_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "array.cir"
    options = [*SMALL, "--layer=conv2", "--array=7", "--trial=2", "--seed=5"]
    assert run(capsys, "spice", MODEL, *options, "-o", path)[0] == 0
    head = path.read_text().split("\nvin0")[0]
    for words in (
        f"* rxsim {rxsim.__version__}: layer conv2, array 7 of digits_cnn.onnx",
        "* Run it:  ngspice -b THIS_FILE",
        "* layer: conv2 (Conv), matrix 144x32",
        "* array: 7 of 54, 16x12",
        # 9 row tiles x 3 column tiles; array 7 is the minus half of row tile 1, column tile 0.
        "* tile: group 0, row tile 1; 16 rows (inputs 16 to 31), 12 columns (readouts 0 to 11)",
        "* polarity: minus (subtracted)",
        "* chip: trial 2 of seed 5",
        "*     write_sigma: 0.05",
    ):
        assert words in head, words
    assert all(line.startswith("*") for line in head.splitlines())


def test_the_array_is_the_one_that_evaluation_solves(tmp_path: Path) -> None:
    """Cells and voltages in the file give the patched network's own matrix of that chip."""
    settings = rxsim.settings(
        xbar="16x12", changes={"calibration.samples": 4, "device.write_sigma": 0.1}
    )
    text = rxsim.netlist(
        MODEL, settings, layer="conv2", array=2, trial=1, output=tmp_path / "a.cir"
    )
    assert (tmp_path / "a.cir").read_text() == text
    cells = re.findall(r"^rx(\d+)_(\d+) \S+ \S+ (\S+)$", text, re.MULTILINE)
    g = np.zeros((16, 12))
    for i, j, ohm in cells:
        g[int(i), int(j)] = 1 / float(ohm)
    study = open_study(MODEL, settings)
    mapped = mapped_of(study).under(lambda settings: without(settings, ["wires"]))
    plus_minus_minus = SolvedArrays(study).drawn(mapped, Chip(0, 1))[1].matrices[0]
    other = rxsim.netlist(MODEL, settings=settings, layer="conv2", array=3, trial=1)
    h = np.zeros((16, 12))
    for i, j, ohm in re.findall(r"^rx(\d+)_(\d+) \S+ \S+ (\S+)$", other, re.MULTILINE):
        h[int(i), int(j)] = 1 / float(ohm)
    np.testing.assert_allclose(g - h, plus_minus_minus[0][:, 12:24], rtol=0, atol=1e-18)


ERRORS = {
    "unknown layer": (
        ["--layer=conv3", "--array=0"],
        "found 'conv3', expected one of 4 layers",
    ),
    "nearest": (["--layer=conv_2", "--array=0"], "did you mean conv2?"),
    "digital": (["--layer=relu1", "--array=0"], "stays digital (activation function)"),
    "array": (["--layer=conv2", "--array=54"], "found 54, but layer conv2 has 54 arrays, expected"),
    "sample": (["--layer=conv2", "--array=0", "--sample=4"], "4 calibration inputs to choose from"),
    "position": (
        ["--layer=fc1", "--array=0", "--position=1"],
        "layer fc1 has 1 position a sample, expected 0",
    ),
    "negative": (["--layer=conv2", "--array=-1"], "--array: -1 is not in the range"),
    "no layer": (["--array=0"], "--layer is missing"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_what_can_not_be_written_is_told_in_one_sentence(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options, words = ERRORS[name]
    path = tmp_path / "array.cir"
    code, out, err = run(capsys, "spice", MODEL, *SMALL, *options, "-o", path)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err
    assert not path.exists()


@pytest.mark.parametrize("name", ["model.onnx", "missing/array.cir", ""])
def test_a_destination_is_checked_before_any_work(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(MODEL.read_bytes())
    options = ["--layer=conv2", "--array=0", "-o", tmp_path / name]
    code, _, err = run(capsys, "spice", model, *SMALL, *options)
    assert code == 2
    assert "the output" in err
    assert model.read_bytes() == MODEL.read_bytes()


@pytest.mark.parametrize("name", ["digits_test.npz", "digits_train.npz"])
def test_no_output_takes_the_place_of_data_that_the_card_names(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = Path(__file__).resolve().parents[1] / "models"
    for item in ("digits_mlp.onnx", "digits_mlp.yaml", "digits_test.npz", "digits_train.npz"):
        (tmp_path / item).write_bytes((models / item).read_bytes())
    before = (tmp_path / name).read_bytes()
    model = str(tmp_path / "digits_mlp.onnx")
    for command in (
        ["spice", model, "--layer", "fc1", "--array", "0", "-o", str(tmp_path / name)],
        ["patch", model, "-o", str(tmp_path / name)],
        ["calibrate", model, "-o", str(tmp_path / name)],
        ["eval", model, "--save-patched", str(tmp_path / name)],
    ):
        with pytest.raises(SystemExit) as stop:
            main(command)
        assert stop.value.code == 2
        assert "another file of this command" in capsys.readouterr().err
        assert (tmp_path / name).read_bytes() == before


@needs_ngspice
@pytest.mark.parametrize(
    ("own", "words"),
    [
        (["input.encoding=bit_serial"], r"pass \d of \d \(bit \d\)"),
        (["input.encoding=pulse_width"], "pulses of the input's width"),
        (["input.encoding=stochastic", "input.pulses=4"], r"pass \d of 4 \(random pulse \d\)"),
        (["input.encoding=bit_serial", "device.iv.form=cubic"], r"pass \d of \d \(bit \d\)"),
    ],
)
def test_the_netlist_holds_one_pass_of_the_encoding(
    own: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "array.cir"
    options = [*SMALL, *(f"--set={one}" for one in own), "--layer=conv2", "--array=3"]
    assert run(capsys, "spice", MODEL, *options, "-o", path)[0] == 0
    text = path.read_text()
    assert re.search(rf"^\* inputs: calibration input 0, position \d+ of \d+, {words};", text, re.M)
    sources = [float(v) for v in re.findall(r"^vin\d+ \S+ 0 dc (\S+)$", text, re.MULTILINE)]
    assert len(sources) == 16
    assert set(sources) == {0.0, 0.2}
    stated = np.array([float(x) for x in re.findall(r"rxsim i_out\[\d+\] = (\S+)", text)])
    close(stated, printed(text), 1e-8)
