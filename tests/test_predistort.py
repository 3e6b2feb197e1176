"""Predistortion: against a brute-force optimiser, through whole networks, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from chips import found
from circuits import Circuit
from onnx import TensorProto, helper, numpy_helper
from scipy.optimize import least_squares, minimize

import rxsim
from rxsim.circuit import solve_array
from rxsim.cli import main
from rxsim.compensate.predistortion import predistorted
from rxsim.compensate.predistortion.scale import Freedom, Reach, Scale, best_scale
from rxsim.config import Crossbar
from rxsim.data import GivenArrays
from rxsim.errors import SettingError
from rxsim.pipeline import DataOptions, Study, open_study
from rxsim.pipeline.chip.foundries import Foundries
from rxsim.pipeline.chip.foundry import MadeChip
from rxsim.scenarios import SCENARIOS

MILD = Crossbar(r_wire_wl=2.5, r_wire_bl=2.5, r_driver=100, r_sense=100)
MILD_RANGE = (1 / 1.4e6, 1 / 200e3)
HARSH_RANGE = (1e-5, 1e-4)
# Range of the cells, resistance of a wire, and of a driver and a sense.
HARD: dict[str, tuple[tuple[float, float], float, float]] = {
    "mild": (MILD_RANGE, 2.5, 100),
    "harsh": (HARSH_RANGE, 10, 100),
    "harsh wires": (HARSH_RANGE, 100, 100),
    "harsh ends": (HARSH_RANGE, 100, 1000),
    "on/off 1000": ((1e-6, 1e-3), 20, 50),
}
OPTIONS: tuple[dict[str, Any], ...] = (
    {"scale": "none"},
    {"scale": "layer"},
    {"scale": "layer", "headroom": None},
)


def uniform(seed: int, n: int, limits: tuple[float, float]) -> np.ndarray:
    return np.asarray(np.random.default_rng(seed).uniform(*limits, (n, n)))


def one_sided(seed: int, n: int, limits: tuple[float, float]) -> np.ndarray:
    """Conductances of the positive weights of a normal distribution."""
    w = np.maximum(np.random.default_rng(seed).normal(size=(n, n)), 0)
    return np.asarray(limits[0] + (limits[1] - limits[0]) * w / w.max())


def crossbar(wire: float, end: float) -> Crossbar:
    return Crossbar(r_wire_wl=wire, r_wire_bl=wire, r_driver=end, r_sense=end)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("hard", HARD)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_residual_is_that_of_a_brute_force_optimiser(
    seed: int, hard: str, options: dict[str, Any]
) -> None:
    """Within 5 %, by bounded least squares on the exact g_eff with finite differences."""
    limits, wire, end = HARD[hard]
    span, bar = limits[1] - limits[0], crossbar(wire, end)
    wanted = uniform(seed, 8, limits) if seed % 2 else one_sided(seed, 8, limits)
    result = predistorted(wanted, limits, bar, **{"headroom": 0.0, **options})
    gain, shift = result.gain[0], result.shift[0]

    def error(x: np.ndarray) -> np.ndarray:
        g_eff = solve_array(x.reshape(8, 8) * span + limits[0], bar).g_eff
        return np.asarray(((g_eff - shift) / gain - wanted) / span).ravel()

    start = np.clip((result.g.ravel() - limits[0]) / span, 1e-6, 1 - 1e-6)
    best = least_squares(error, start, bounds=(0, 1), xtol=1e-10, ftol=1e-10, max_nfev=25)
    least = float(np.sqrt(np.mean(best.fun**2)))
    assert result.after <= max(1.05 * least, 3e-5)  # below that the search ends
    by_oracle = Circuit(result.g, bar).reference()
    exact = np.sqrt(np.mean((((by_oracle - shift) / gain - wanted) / span) ** 2))
    assert result.after == pytest.approx(exact, rel=1e-5, abs=1e-8)
    assert limits[0] <= result.g.min() <= result.g.max() <= limits[1]
    assert result.after < result.before


@pytest.mark.parametrize("make", [uniform, one_sided])
def test_a_mild_array_becomes_nearly_exact_in_few_solves(make: Any) -> None:
    result = predistorted(make(3, 64, MILD_RANGE), MILD_RANGE, MILD)
    assert result.before > 5e-3
    assert result.after < 7e-4
    assert result.solves <= 4


@pytest.mark.parametrize("make", [uniform, one_sided])
@pytest.mark.parametrize("headroom", [0.0, None])
def test_a_harsh_array_halves_the_residual_of_the_best_single_factor(
    make: Any, headroom: float | None
) -> None:
    bar, span = crossbar(10, 100), HARSH_RANGE[1] - HARSH_RANGE[0]
    wanted = make(4, 64, HARSH_RANGE)
    plain = solve_array(wanted, bar).g_eff.ravel()
    factor = plain @ wanted.ravel() / (plain @ plain)
    single = np.sqrt(np.mean((factor * plain - wanted.ravel()) ** 2)) / span
    result = predistorted(wanted, HARSH_RANGE, bar, headroom=headroom)
    assert result.after < 0.5 * single


@pytest.mark.parametrize("shift", [False, True])
def test_the_scale_is_the_least_of_a_convex_function(shift: bool) -> None:
    rng = np.random.default_rng(5)
    wanted, ratio = rng.uniform(0.1, 1, 400), rng.uniform(0.4, 0.9, 400)
    reach = Reach(wanted=wanted, low=0.1 * ratio, high=ratio, slots=np.zeros(400, dtype=np.int64))
    freedom = Freedom(gain=True, shift=shift, noise=0.01)

    def cost(x: np.ndarray) -> float:
        a, b = x[0], x[1] if shift else 0.0
        held = np.clip((wanted - b) / a, reach.low, reach.high)
        return float(np.sum((a * held + b - wanted) ** 2) + 400 * (0.01 * a) ** 2)

    scale = best_scale(reach, Scale.plain(1), freedom)
    a, b = scale.coefficients
    best = minimize(cost, [1.5, 0.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-14})
    assert cost(np.array([a[0], b[0]])) == pytest.approx(best.fun, rel=1e-4)
    assert (b[0] != 0) == shift


@pytest.mark.parametrize("scale", ["none", "layer", "column"])
def test_without_wires_targets_stay_exactly(scale: Any) -> None:
    wanted = uniform(6, 12, HARSH_RANGE)
    result = predistorted(wanted, HARSH_RANGE, crossbar(0, 0), scale=scale, headroom=None)
    assert np.array_equal(result.g, wanted)
    assert (result.gain == 1).all()
    assert (result.shift == 0).all()
    assert result.before == result.after == 0


@pytest.mark.parametrize("limits", [HARSH_RANGE, (0.0, 1e-4)], ids=["off", "zero"])
def test_more_passes_never_make_it_worse(limits: tuple[float, float]) -> None:
    wanted = one_sided(7, 16, limits)
    for options in OPTIONS:
        errors = [
            predistorted(wanted, limits, crossbar(40, 300), passes=n, **options).after
            for n in (1, 2, 4, 8)
        ]
        before = predistorted(wanted, limits, crossbar(40, 300), passes=1).before
        assert max(errors) <= before
        if options["scale"] == "none":
            assert errors == sorted(errors, reverse=True)


def test_columns_get_gains_of_their_own_and_open_places_stay_open() -> None:
    wanted = uniform(8, 24, HARSH_RANGE)
    wanted[3:9, 5] = 0.0
    of_layer, of_columns = (
        predistorted(wanted, HARSH_RANGE, crossbar(5, 100), scale=scale)
        for scale in ("layer", "column")
    )
    assert len(set(of_columns.gain)) == 24
    assert len(set(of_layer.gain)) == 1
    assert of_columns.after < of_layer.after
    assert (of_columns.g[3:9, 5] == 0).all()


def test_access_resistances_are_made_up_for() -> None:
    bar = Crossbar(r_wire_wl=0, r_wire_bl=0, r_driver=0, r_sense=0, r_access=2000)
    wanted = uniform(9, 6, HARSH_RANGE)
    result = predistorted(wanted, HARSH_RANGE, bar, headroom=None)
    assert result.after < 1e-3 < result.before
    held = result.g / (1 + 2000 * result.g)
    assert result.g_eff == pytest.approx(held, rel=1e-9)


RNG = np.random.default_rng(12)
WEIGHTS = RNG.normal(size=(30, 10)).astype(np.float32)
INPUTS = RNG.normal(size=(60, 30)).astype(np.float32)
DEPTHWISE = RNG.normal(size=(4, 1, 3, 3)).astype(np.float32)
HARSH = {
    "device.r_on": 10e3,
    "device.r_off": 100e3,
    "crossbar.r_wire_wl": 10,
    "crossbar.r_wire_bl": 10,
}
EXACT = {"device.n_bits": None, "dac.n_bits": None, "adc.n_bits": None}


def matmul() -> onnx.ModelProto:
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"], "product")],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 30])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 10])],
        [numpy_helper.from_array(WEIGHTS, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def depthwise() -> onnx.ModelProto:
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"], "conv", group=4)],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4, 5, 5])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4, 3, 3])],
        [numpy_helper.from_array(DEPTHWISE, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def study_of(model: onnx.ModelProto | None = None, threads: int = 1, **changes: Any) -> Study:
    given: dict[str, Any] = {"compensate": ["predistort"], **EXACT, **HARSH}
    given |= {name.replace("__", "."): value for name, value in changes.items()}
    inputs = INPUTS if model is None else RNG.normal(size=(20, 4, 5, 5)).astype(np.float32)
    options = DataOptions(
        data=GivenArrays({"x": inputs}, "inputs"),
        calibrate=GivenArrays({"x": inputs}, "calibration"),
        metric="none",
    )
    settings = rxsim.settings(xbar=str(given.pop("xbar", "16x8")), changes=given)
    return open_study(model or matmul(), settings, options, threads=threads)


def chip(study: Study, scenario: str = "compensated") -> MadeChip:
    return Foundries(study).open(SCENARIOS[scenario]).make(0)


def errors_of(study: Study) -> tuple[float, float, MadeChip]:
    """The error of the layer's output without and with compensation, and the compensated chip."""
    wanted = found(study)
    made = [chip(study, scenario) for scenario in ("nonideal", "compensated")]
    before, after = (np.std(found(study, one.network.model) - wanted) for one in made)
    return float(before), float(after), made[1]


REFERENCE = {"mapping__scheme": "offset", "mapping__offset_removal": "reference_column"}
SCHEMES: dict[str, dict[str, Any]] = {
    "one-sided": {},
    "two-sided": {"mapping__balance": "two_sided"},
    "digital subtraction": {"mapping__subtract": "digital"},
    "adjacent": {"mapping__layout": "adjacent"},
    "offset": {"mapping__scheme": "offset"},
    "reference column": REFERENCE,
    "digital reference": {**REFERENCE, "mapping__subtract": "digital"},
    "permuted": {"mapping__row_permutation": "random", "mapping__col_permutation": "reversed"},
    "open places": {"mapping__unused_cells": "open"},
    "column scales": {"mapping__w_max_scope": "column"},
    "converted by layer": {"adc__where": "per_layer"},
    "slices": {"mapping__weight_bits": 9, "mapping__bits_per_cell": 4},
    "sliced offset": {
        **{"mapping__scheme": "offset", "mapping__weight_bits": 8},
        "mapping__bits_per_cell": 4,
    },
    "two phases": {"input__signed_input": "two_phase"},
    "shifted inputs": {"input__signed_input": "offset", "dac__n_bits": 12},
}


ALL = [(scheme, "layer") for scheme in SCHEMES]
ALL += [(scheme, "none") for scheme in ("one-sided", "offset", "reference column")]
BY_COLUMN = ("one-sided", "digital subtraction", "adjacent", "converted by layer", "slices")
ALL += [(scheme, "column") for scheme in (*BY_COLUMN, "column scales", "permuted")]


@pytest.mark.parametrize(("scheme", "scale"), ALL)
def test_outputs_become_better_as_the_residual_says(scheme: str, scale: str) -> None:
    """Gains are divided out and shifts cancel: else errors would grow by far.

    Inputs are independent with a variance of 1: an error e of each cell, of the range, makes one of
    e w_max sqrt(30) of an output, times sqrt(2) for a pair, 2 for a middle that is half the range away,
    2 sqrt(2) with the error of a reference. A factor of 2 allows for errors that are not alike, and
    integers of slices have their own rounding.
    """
    changes = SCHEMES[scheme]
    study = study_of(compensate=[{"predistort": {"scale": scale}}], **changes)
    before, after, made = errors_of(study)
    residual = made.residuals["product"]["predistort"]
    assert residual.after < residual.before
    assert after < before
    cells = 2.0 if changes.get("mapping__scheme") == "offset" else 2**0.5
    cells *= 2**0.5 if "reference" in scheme else 1.0
    rounding = {"slices": 1 / 255, "sliced offset": 1 / 127, "shifted inputs": 1 / 2047}
    each = cells * residual.after + rounding.get(scheme, 0.0)
    each *= 1 + np.abs(INPUTS).max() if scheme == "shifted inputs" else 1  # whose mean is not 0
    assert after < 2 * each * np.abs(WEIGHTS).max() * 30**0.5


@pytest.mark.parametrize("unused", ["g_off", "open"])
def test_packed_groups_become_better(unused: str) -> None:
    study = study_of(
        depthwise(), mapping__pack_groups=True, mapping__unused_cells=unused, xbar="40x8"
    )
    before, after, _ = errors_of(study)
    assert after < 0.3 * before


@pytest.mark.parametrize(
    "changes",
    [
        {"device.iv.form": "sinh", "device.iv.v0": 0.2, "dac.n_bits": 10},
        {"crossbar.topology": "input_gated", "input.encoding": "bit_serial", "dac.n_bits": 4},
        {"crossbar.r_access": 500},
        {"crossbar.drive_side": "alternate", "crossbar.r_sense_far": 200},
    ],
    ids=["curved", "gated", "access", "ends"],
)
def test_circuits_of_every_kind_get_a_smaller_residual(changes: dict[str, Any]) -> None:
    made = chip(study_of(**{name.replace(".", "__"): value for name, value in changes.items()}))
    residual = made.residuals["product"]["predistort"]
    assert residual.after < 0.5 * residual.before


def test_headroom_moves_both_ends_and_cancels() -> None:
    study = study_of(compensate=[{"predistort": {"headroom": 0.1}}], crossbar__r_wire_wl=2)
    before, after, made = errors_of(study)
    assert after < 0.2 * before
    gain = made.transfers[0].mapped.gain
    assert gain is not None
    assert gain.max() <= 0.8


def test_threads_change_no_byte() -> None:
    models = [chip(study_of(threads=n)).network.model.SerializeToString() for n in (1, 3)]
    assert models[0] == models[1]


def test_a_layer_without_wires_stays_as_it_is() -> None:
    wires: dict[str, Any] = {
        f"crossbar__{name}": 0 for name in ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense")
    }
    study = study_of(**wires)
    plain, same = (chip(study, name).network.model for name in ("nonideal", "compensated"))
    assert plain.SerializeToString() == same.SerializeToString()


def test_levels_are_applied_afterwards() -> None:
    """The residual counts continuous targets; rounding to levels adds an error of its own."""
    fine, coarse = (errors_of(study_of(device__n_bits=bits))[1] for bits in (None, 4))
    assert coarse > 2 * fine


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"compensate": ["predistort", "predistort"]}, "found the step 2 times, expected it once"),
        (
            {"compensate": [{"predistort": {"headroom": 0.1}}], "mapping__scheme": "offset"},
            "found headroom: 0.1 with an offset that is removed digitally",
        ),
        (
            {"compensate": [{"predistort": {"scale": "column"}}], "mapping__scheme": "offset"},
            "found scale: column with mapping.scheme: offset, expected one gain",
        ),
        ({"compensate": [{"predistort": {"passes": 0}}]}, "passes"),
        ({"compensate": [{"predistort": {"headroom": 0.5}}]}, "headroom"),
        ({"compensate": [{"predistort": {"scale": "tile"}}]}, "scale"),
    ],
)
def test_what_can_not_be_decoded_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        chip(study_of(**changes))


def run(
    folder: Path, capsys: pytest.CaptureFixture[str], *options: str, g: np.ndarray | None = None
) -> tuple[int, str]:
    """Run the command on a matrix; return its exit code and what it said."""
    np.save(folder / "g.npy", uniform(10, 20, MILD_RANGE) if g is None else g)
    with pytest.raises(SystemExit) as stop:
        main(["solve", str(folder / "g.npy"), *options])
    said = capsys.readouterr()
    return int(stop.value.code or 0), said.out + said.err


def test_the_command_reports_and_keeps_targets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.npz"
    code, said = run(tmp_path, capsys, "--predistort", "--scale=column", "-o", str(out))
    wanted = uniform(10, 20, MILD_RANGE)
    with np.load(out) as kept:
        held = Circuit(kept["g"], MILD).reference()
        assert kept["g_eff"] == pytest.approx(held, rel=1e-8)
        span = MILD_RANGE[1] - MILD_RANGE[0]
        error = np.sqrt(np.mean(((held / kept["gain"] - wanted) / span) ** 2))
    assert code == 0
    assert f"{error:.2e} after" in said
    same = rxsim.predistorted(wanted, scale="column")
    assert same.after == pytest.approx(error, rel=1e-6)
    out.unlink()
    assert run(tmp_path, capsys, "--predistort") == (0, said_alone(same, tmp_path, capsys))
    assert not out.exists()


def said_alone(same: Any, folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What the command says without a file to write: the line on targets, of one gain."""
    code, said = run(folder, capsys, "--predistort", "--scale=layer")
    assert code == 0
    assert len(said.splitlines()) == 1
    assert f"{same.before:.2e} before" in said
    return said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "--output is missing"),
        (("--predistort", "--plot", "a.png"), "--output is missing"),
        (("--predistort", "--set", "device.r_on=300e3"), "expected 7.14286e-07 S to 3.33333e-06 S"),
        (("--predistort", "--headroom", "0.6"), "--headroom"),
        (("--predistort", "--headroom", "nan"), "--headroom: found nan"),
        (("-o", "out.npz", "--shift"), "found --shift without --predistort"),
        (("-o", "out.npz", "--scale", "layer"), "found --scale without --predistort"),
        (("-o", "out.npz", "--headroom", "0.1"), "found --headroom without --predistort"),
        (("--predistort", "--headroom", "0.1", "--shift"), "expected one of them"),
        (("--predistort", "--set", "device.iv.form=cubic"), "expected linear cells"),
        (("-o", "out.npz", "--set", "device.r_on=300e3"), "one array has no use for"),
    ],
)
def test_the_command_refuses_in_a_sentence(
    options: tuple[str, ...],
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, said = run(tmp_path, capsys, *options)
    assert code == 2
    assert words in said
    assert not list(tmp_path.glob("out.*"))
