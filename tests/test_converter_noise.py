"""Thermal noise of converters: reproducible, of the stated size, independent, off where it should."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from beside_twin import compare, inputs_of, output, patched, settings_of, tensors
from numpy.typing import NDArray
from small_networks import conv, dense, network
from twin import build

import rxsim
from rxsim.config import load_settings, settings_hash
from rxsim.effects import EFFECTS, without
from rxsim.errors import SettingError
from rxsim.pipeline import DataOptions, evaluate, open_study
from rxsim.pipeline.chip.foundry import is_random
from rxsim.pipeline.study.calibration_match import calibrated_by

MODELS = Path(__file__).parents[1] / "models"
BARS = {"rows": 8, "cols": 6, "r_wire_bl": 20}
Section = dict[str, Any]
Array = NDArray[Any]


@pytest.fixture(scope="module")
def some() -> tuple[onnx.ModelProto, NDArray[np.float32]]:
    rng = np.random.default_rng(3)
    weights = {"v": rng.standard_normal((6, 2, 3, 3)), "w": rng.standard_normal((96, 4))}
    text = (
        "[a] h = Conv<group=2, pads=[1,1,1,1]>(x, v) m = Relu(h) f = Flatten(m) [c] y = Gemm(f, w)"
    )
    return network(text, (4, 4, 4), weights), rng.standard_normal((48, 4, 4, 4)).astype(np.float32)


def drawn_nodes(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    return [node for node in model.graph.node if node.op_type == "RandomNormalLike"]


def within(values: Array, expected: float, error: float) -> None:
    """Four standard errors."""
    assert abs(float(np.mean(values)) - expected) < 4 * error


# --- what is drawn --------------------------------------------------------------------------------


def test_every_conversion_and_every_pass_has_a_seed_of_its_own(
    some: tuple[onnx.ModelProto, NDArray[np.float32]],
) -> None:
    model, x = some
    given: Section = {
        "crossbar": BARS,
        "input": {"encoding": "bit_serial", "bits_per_pulse": 3},
        "adc": {"noise": 0.5},
        "dac": {"noise": 0.25},
    }
    seeds: set[float] = set()
    total = 0
    for changes in ({}, {"trial": 1}, {"seed": 1}):
        chosen = {**given, "seed": changes.get("seed", 0)}
        nodes = drawn_nodes(patched(model, chosen, x, changes.get("trial", 0)))
        values = {a.f for node in nodes for a in node.attribute if a.name == "seed"}
        assert {a.name for node in nodes for a in node.attribute} == {"mean", "scale", "seed"}
        # Two passes of digits; 3 row tiles of 18 rows, 12 of 96.
        assert len(nodes) == 2 * (3 + 12) + 2 * 2
        seeds |= values
        total += len(nodes)
    assert len(seeds) == total
    assert all(value.is_integer() and 0 < value < 2**24 for value in seeds)


def test_layers_that_read_one_tensor_do_not_share_noise() -> None:
    rng = np.random.default_rng(0)
    weights = {name: rng.standard_normal((5, 3)) for name in "vw"}
    model = network("[a] h = MatMul(x, v) [c] k = MatMul(x, w) y = Add(h, k)", (5,), weights)
    chip = patched(model, {"dac": {"noise": 1}}, rng.standard_normal((9, 5)))
    assert len({node.input[0] for node in drawn_nodes(chip)}) == 1  # the same codes
    assert len({node.output[0] for node in drawn_nodes(chip)}) == 2


def test_without_noise_graphs_and_identities_are_those_of_before(
    some: tuple[onnx.ModelProto, NDArray[np.float32]],
) -> None:
    model, x = some
    assert not drawn_nodes(patched(model, {"crossbar": BARS}, x))
    plain = rxsim.settings()
    assert settings_hash(plain) == settings_hash(rxsim.settings(changes={"adc.noise": 0}))
    assert settings_hash(plain) != settings_hash(rxsim.settings(changes={"adc.noise": 0.1}))
    assert settings_hash(plain) != settings_hash(rxsim.settings(changes={"dac.noise": 0.1}))
    assert not calibrated_by().covers("adc.noise")
    assert not calibrated_by().covers("dac.noise")


@pytest.mark.parametrize("name", ["adc.noise", "dac.noise"])
def test_noise_is_a_converter_error_that_makes_chips_differ(name: str) -> None:
    noisy = rxsim.settings(changes={name: 0.5})
    assert is_random(noisy)
    assert EFFECTS["converter_errors"].is_active(noisy)
    assert without(noisy, ["converter_errors"]) == rxsim.settings()
    section = name.partition(".")[0]
    assert without(noisy, [section]) == without(rxsim.settings(), [section])


def test_calibration_sees_no_noise(some: tuple[onnx.ModelProto, NDArray[np.float32]]) -> None:
    model, x = some
    data = inputs_of(x)
    texts = [
        rxsim.calibration(model, settings_of(given, x), data, threads=1).to_json()
        for given in ({}, {"adc": {"noise": 3}, "dac": {"noise": 2}})
    ]
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"adc.noise": -1}, "adc.noise: found -1, expected 0 or above"),
        ({"dac.noise": "loud"}, "dac.noise: found 'loud', expected a number"),
        ({"adc.noise": float("inf")}, "expected a finite number"),
        ({"adc.noise": 33}, "found noise 33 with n_bits 6, expected 32 or below"),
        ({"dac.n_bits": 4, "dac.noise": 9}, "found noise 9 with n_bits 4, expected 8 or below"),
        ({"adc.n_bits": None, "adc.noise": 1}, "errors of an ADC with adc.n_bits: null"),
        ({"dac.n_bits": None, "dac.noise": 1}, "errors of a DAC with dac.n_bits: null"),
    ],
    ids=str,
)
def test_bad_noise_gets_a_sentence(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingError) as refused:
        rxsim.settings(changes=changes)
    assert said in str(refused.value)


def test_noise_of_dacs_whose_rows_are_switched_off_is_refused() -> None:
    given: Section = {
        "crossbar": {"topology": "input_gated"},
        "input": {"encoding": "bit_serial"},
        "dac": {"noise": 0.1},
    }
    rng = np.random.default_rng(0)
    with pytest.raises(
        SettingError, match=r"dac\.noise: 0\.1 with crossbar\.topology: input_gated"
    ):
        patched(dense(rng.standard_normal((4, 2))), given, rng.standard_normal((5, 4)))


# --- the same again -------------------------------------------------------------------------------


def test_results_follow_from_seed_and_trial_whatever_the_threads() -> None:
    assignments = ["calibration.samples=8", "adc.noise=1", "dac.noise=0.5", "trials=2"]

    def scores(threads: int, *more: str) -> tuple[Array, Array, str]:
        settings = load_settings(None, xbar="32x32", assignments=[*assignments, *more])
        study = open_study(
            MODELS / "digits_cnn.onnx", settings, DataOptions(limit=120), threads=threads
        )
        result = evaluate(study)
        rung = result.rung("nonideal")
        health = [(row.snr_db, row.adc_clipping) for row in result.layers]
        snr, accuracy = rung.table("snr_db"), rung.table("accuracy")
        assert snr is not None
        assert accuracy is not None
        return snr, accuracy, str(health)

    once = scores(1)
    for threads in (1, 2, 4):
        again = scores(threads)
        assert (once[0] == again[0]).all()
        assert (once[1] == again[1]).all()
        assert once[2] == again[2]
    assert once[0][0] != once[0][1]  # another chip
    other = scores(2, "seed=1")
    assert not (once[0] == other[0]).any()


# --- its size -------------------------------------------------------------------------------------


def watched(model: onnx.ModelProto, x: Array, *parts: str) -> list[Array]:
    """Return tensors of a patched network whose names end like this."""
    names = [name for node in model.graph.node for name in node.output]
    wanted = [next(name for name in names if name.endswith(part)) for part in parts]
    values = tensors(model, wanted, x)
    return [values[name].astype(np.float64) for name in wanted]


def test_noise_of_adcs_is_added_behind_gain_offset_and_curve() -> None:
    """A rounded sum of a current and a normal number: its variance is that of both, LSB^2."""
    rng = np.random.default_rng(1)
    model, x = dense(rng.standard_normal((12, 6))), rng.standard_normal((4000, 12))
    sigma = 2.0
    adc = {"n_bits": 12, "noise": sigma, "gain_sigma": 0.3, "offset_sigma": 5, "inl": 9}
    chip = patched(model, {"crossbar": BARS, "adc": adc}, x[:200])
    bent, codes = watched(chip, x, "/bent_1", "/codes_1")
    off = codes - bent
    assert (codes == np.rint(codes)).all()
    n = off.size
    assert n == 24000
    # Sheppard's correction: the rounding of a sum so noisy adds 1/12, to 1e-8.
    variance = sigma**2 + 1 / 12
    within(off, 0, np.sqrt(variance / n))
    within(off**2, variance, variance * np.sqrt(2 / n))
    columns = np.asarray(np.corrcoef(off.T))[np.triu_indices(6, 1)]
    assert np.abs(columns).max() < 4 / np.sqrt(len(x))
    assert np.abs(np.mean(off[1:] * off[:-1])) < 4 * variance / np.sqrt(n)


def test_noise_of_layers_conversions_and_trials_is_uncorrelated(
    some: tuple[onnx.ModelProto, NDArray[np.float32]],
) -> None:
    model, x = some
    given = {"crossbar": BARS, "adc": {"n_bits": 10, "noise": 1.5}, "dac": {"noise": 0.5}}
    streams = []
    for trial in (0, 1):
        chip = patched(model, given, x, trial)
        names = [node.output[0] for node in drawn_nodes(chip)]
        assert len(names) == 3 + 12 + 2
        values = tensors(chip, names, np.tile(x, (20, 1, 1, 1)))
        streams += [values[name].ravel()[: 960 * 4].astype(np.float64) for name in names]
    found = np.asarray(np.corrcoef(streams))
    n = len(streams[0])
    pairs = found[np.triu_indices(len(streams), 1)]
    # 561 pairs: the largest of so many normal numbers stays below 4.5 standard errors but for 0.4 %.
    assert np.abs(pairs).max() < 4.5 / np.sqrt(n)
    assert np.mean(pairs**2) == pytest.approx(1 / n, rel=4 * np.sqrt(2 / len(pairs)))


@pytest.mark.parametrize(
    ("drive", "shares", "full"),
    [
        ({}, [1.0], 15),
        ({"encoding": "pulse_width"}, [1.0], 15),
        ({"encoding": "bit_serial", "bits_per_pulse": 2, "adc_per_pass": False}, [1.0, 4.0], 15),
        ({"encoding": "stochastic", "pulses": 4}, [1.0], 1),
        ({"encoding": "stochastic", "pulses": 4, "adc_per_pass": False}, [0.25] * 4, 1),
    ],
    ids=str,
)
def test_noise_of_dacs_is_an_lsb_of_each_set_of_voltages(
    drive: Section, shares: list[float], full: int
) -> None:
    """A column's current varies by the sum of its squared conductances times the DAC's LSB."""
    rng = np.random.default_rng(2)
    model, sigma = dense(rng.standard_normal((6, 4))), 0.75
    calibration = rng.standard_normal((50, 6))
    given: Section = {
        "crossbar": {"rows": 8, "cols": 4},
        "input": drive,
        "dac": {"n_bits": 5, "noise": sigma},
        "adc": {"n_bits": 14},
    }
    x = np.repeat(calibration[:1], 5000, axis=0)
    noisy = patched(model, given, calibration)
    quiet = patched(model, {**given, "dac": {"n_bits": 5}}, calibration)
    (current,), (still,) = (watched(chip, x, "/current_0") for chip in (noisy, quiet))
    # What a row's LSB is worth in LSB of the ADC: its full input drives so many.
    (alone,) = watched(quiet, np.eye(6) * np.abs(calibration).max(), "/current_0")
    variance = sigma**2 * np.sum(np.square(shares)) * np.square(alone / full).sum(axis=0)
    off = current - still
    n = len(off)
    for column in range(4):
        within(off[:, column], 0, np.sqrt(variance[column] / n))
        within(off[:, column] ** 2, variance[column], variance[column] * np.sqrt(2 / n))


def test_what_is_removed_digitally_has_no_noise() -> None:
    """The offset of cells is known by codes: noise of the DACs reaches outputs through cells only."""
    rng = np.random.default_rng(4)
    model, x = dense(np.zeros((6, 3))), rng.standard_normal((3000, 6))
    given: Section = {
        "crossbar": {"rows": 8, "cols": 4, **dict.fromkeys(("r_wire_bl", "r_wire_wl"), 0)},
        "mapping": {"scheme": "offset"},
        "dac": {"n_bits": 8, "noise": 2},
        "adc": {"n_bits": 20, "range": "full_scale"},
    }
    quiet = {**given, "dac": {"n_bits": 8}}
    off = output(patched(model, given, x[:60]), x) - output(patched(model, quiet, x[:60]), x)
    # Weights of zero: cells at (g_on + g_off)/2, whose noise is all there is; a weight of w_max = 1
    # is half of g_on - g_off.
    g_on, g_off = 1 / 200e3, 1 / 1.4e6
    middle, half = (g_on + g_off) / 2, (g_on - g_off) / 2
    x_max = np.abs(x[:60]).max()
    expected = 6 * (2 * x_max / 127 * middle / half) ** 2
    assert np.std(off) ** 2 == pytest.approx(expected, rel=0.02 + 4 * np.sqrt(2 / off.size))


def test_noise_in_front_of_cells_that_are_not_linear_goes_by_their_slope() -> None:
    """sinh(v/v0): a small deviation counts by cosh of the voltage that a row is at."""
    model = dense([[1.0]])
    x = np.linspace(-1, 1, 21, dtype=np.float32)[:, None]
    wireless = dict.fromkeys(("r_wire_wl", "r_wire_bl", "r_driver", "r_sense"), 0)
    sigma, steps, v_read, v0 = 0.05, 127, 0.2, 0.06
    given: Section = {
        "crossbar": {"rows": 1, "cols": 1, **wireless},
        "device": {"g_off": 0, "g_on": 5e-5, "n_bits": None, "iv": {"form": "sinh", "v0": v0}},
        "dac": {"n_bits": 8, "noise": sigma},
        "adc": {"n_bits": 20},
    }
    asked, n = x[[2, 5, 10, 18]], 4000
    many = np.repeat(asked, n, axis=0)
    quiet = {**given, "dac": {"n_bits": 8}}
    off = output(patched(model, given, x), many) - output(patched(model, quiet, x), many)
    found = off.reshape(4, n).std(axis=1)
    lsb = v_read / steps
    volts = np.rint(asked[:, 0] * steps) * lsb
    expected = sigma * lsb * np.cosh(volts / v0) / (v0 * np.sinh(v_read / v0))
    assert found == pytest.approx(expected, rel=4 / np.sqrt(2 * n))


def test_noise_of_an_input_is_shared_by_the_windows_that_read_it() -> None:
    """Two windows read the same pixel through equal weights: their noise is the same."""
    model = conv(np.ones((1, 1, 1, 2)), (1, 1, 3))
    x = np.ones((2000, 1, 1, 3), np.float32)
    given = {"dac": {"n_bits": 6, "noise": 1}, "adc": {"n_bits": 16, "range": "full_scale"}}
    off = output(patched(model, given, x[:20]), x).reshape(2000, 2)
    found = np.asarray(np.corrcoef(off.T))[0, 1]
    assert found == pytest.approx(0.5, abs=4 * (1 - 0.25) / np.sqrt(2000) + 1e-3)


@pytest.mark.parametrize("changes", [{}, {"mapping": {"subtract": "digital"}}], ids=str)
def test_noisy_networks_are_the_twins_but_for_their_noise(changes: Section) -> None:
    """The twin has no noise: what is left is centred, and as wide as it should be."""
    rng = np.random.default_rng(6)
    model, x = dense(rng.standard_normal((7, 5))), rng.standard_normal((2000, 7))
    sigma, n_bits = 3.0, 12
    given: Section = {"crossbar": {**BARS, "cols": 12}, **changes}
    quiet = {**given, "adc": {"n_bits": n_bits, "gain_sigma": 0.05}}
    noisy = {**given, "adc": {"n_bits": n_bits, "gain_sigma": 0.05, "noise": sigma}}
    twin = build(model, quiet, x[:100], 0)
    counts = compare(patched(model, quiet, x[:100]), twin, x[:100])
    assert counts.differing <= counts.risky
    (layer,) = twin.layers.values()
    assert layer.ranges is not None
    expected, _, _ = layer.forward(x)
    off = output(patched(model, noisy, x[:100]), x) - expected
    sides = 2 if changes else 1  # each side of a pair is converted by itself
    high = 2**n_bits - 1 if changes and not layer.drive.both_signs else 2 ** (n_bits - 1) - 1
    lsb = layer.ranges[0].main[0].max() / high
    per_ampere = layer.x_max * layer.w_max.max() / (0.2 * (1 / 200e3 - 1 / 1.4e6))
    # The noise, and the rounding of either network.
    variance = sides * (lsb * per_ampere) ** 2 * (sigma**2 + 2 / 12)
    n = off.size
    within(off, 0, np.sqrt(variance / n))
    within(off**2, variance, variance * np.sqrt(2 / n))
