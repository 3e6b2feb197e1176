"""Laws of the settings' vocabulary: what must not depend on how a product is realised.

All with linear devices and perfect wires, to what float32 rounds.
"""

from __future__ import annotations

import itertools
import json
from functools import cache
from typing import Any

import numpy as np
import onnx
import pytest
from beside_twin import output as run
from beside_twin import patched
from small_networks import conv, dense, network

NO_WIRES = dict.fromkeys(("r_wire_wl", "r_wire_bl", "r_driver", "r_sense"), 0)
CUT = {"weight_bits": 8, "bits_per_cell": 3}
CUTS: dict[str, dict[str, Any]] = {"whole": {}, "sliced": CUT}
OFFSET = {"scheme": "offset"}
MEASURED = {**OFFSET, "offset_removal": "reference_column"}
SCHEMES: dict[str, dict[str, Any]] = {
    "pairs": {},
    "pairs, converted twice": {"subtract": "digital"},
    "offset": OFFSET,
    "offset, measured": MEASURED,
    "offset, measured and converted": {**MEASURED, "subtract": "digital"},
}
LAYOUTS: dict[str, dict[str, Any]] = {
    "adjacent": {"layout": "adjacent"},
    "packed": {"pack_groups": True},
    "packed and adjacent": {"pack_groups": True, "layout": "adjacent"},
    "equal parts": {"split": "equal"},
    "reversed": {"row_permutation": "reversed", "col_permutation": "reversed"},
    "random": {"row_permutation": "random", "col_permutation": "random"},
    "kernel position first": {"row_order": "kernel_major"},
    "spare columns": {"spare_cols": 4},
    "everything": {
        **{"layout": "adjacent", "pack_groups": True, "split": "equal", "spare_cols": 3},
        **{"row_permutation": "random", "col_permutation": "random"},
    },
}
SIGNED = ("bipolar", "two_phase", "twos_complement", "offset")


def settings(**sections: dict[str, Any]) -> dict[str, Any]:
    """Perfect arrays and open ADCs, with some keys replaced."""
    base: dict[str, dict[str, Any]] = {
        "crossbar": {"rows": 8, "cols": 20, **NO_WIRES},
        "device": {"g_on": 5e-5, "g_off": 1e-6, "n_bits": None},
        "mapping": {},
        "input": {},
        "dac": {"n_bits": 6},
        "adc": {"n_bits": None},
    }
    for name, keys in sections.items():
        base[name] |= keys
    return base


def example(model: str, seed: int = 0) -> tuple[onnx.ModelProto, np.ndarray]:
    """Return a network by name and inputs of both signs."""
    rng = np.random.default_rng(seed)
    if model == "gemm":
        return dense(rng.standard_normal((19, 7)), rng.standard_normal(7)), rng.standard_normal(
            (5, 19)
        )
    x = rng.standard_normal((3, 6, 5, 4))
    if model == "grouped":
        attributes = ", pads=[1,0,0,1], strides=[1,2]"
        return conv(rng.standard_normal((9, 2, 2, 1)), (6, 5, 4), 3, attributes), x
    tensors = {"v": rng.standard_normal((6, 1, 3, 3)), "w": rng.standard_normal((6 * 5 * 4, 4))}
    text = "[a] h = Conv<group=6, pads=[1,1,1,1]>(x, v)  f = Flatten(h)  [c] y = Gemm(f, w)"
    return network(text, (6, 5, 4), tensors), x


def output(
    model: onnx.ModelProto, chosen: dict[str, Any], x: np.ndarray, trial: int = 0
) -> np.ndarray:
    """Return the package's output for the inputs that it was calibrated on."""
    return run(patched(model, chosen, x, trial), x)


@cache
def plain(model: str) -> np.ndarray:
    """Return the output of a network by name in the plainest settings."""
    graph, x = example(model)
    return output(graph, settings(), x)


def assert_same(found: np.ndarray, expected: np.ndarray, tolerance: float = 3e-6) -> None:
    """Compare to what float32 rounds: currents may cancel, so it goes by the largest output."""
    assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


@pytest.mark.parametrize("bits_per_cell", [1, 2, 3, 7, 8])
@pytest.mark.parametrize("layout", ["separate", "adjacent"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_slices_add_up_to_the_unsliced_integers(
    scheme: str, layout: str, bits_per_cell: int
) -> None:
    rng = np.random.default_rng(bits_per_cell)
    weight = rng.integers(-127, 128, (19, 4))
    weight[3, 1] = -127
    codes = rng.integers(-31, 32, (6, 19))
    codes[0, 0] = 31
    cut = {"weight_bits": 8, "bits_per_cell": bits_per_cell}
    chosen = settings(
        mapping={**SCHEMES[scheme], **cut, "layout": layout}, device={"n_bits": bits_per_cell}
    )
    found = output(dense(weight / 127), chosen, codes / 31)
    assert_same(found, codes @ weight / (127 * 31))


@pytest.mark.parametrize("n_bits", [3, 5, 6, 8])
def test_a_zero_weight_is_zero_on_devices_whose_levels_no_digit_meets(n_bits: int) -> None:
    """Digits of two bits are thirds of the range; of 8, 32, .. levels only some lie on thirds."""
    rng = np.random.default_rng(0)
    weight = rng.uniform(-1, 1, (6, 3))
    weight[:, 1] = 0
    for scheme in ("offset", "offset, measured"):
        mapping = {**SCHEMES[scheme], "weight_bits": 6, "bits_per_cell": 2}
        found = output(
            dense(weight), settings(mapping=mapping, device={"n_bits": n_bits}), np.eye(6)
        )
        assert np.abs(found[:, 1]).max() < 1e-6


@pytest.mark.parametrize("bits_per_pulse", [1, 2, 3, 5, 6, 8])
@pytest.mark.parametrize("mode", SIGNED)
@pytest.mark.parametrize("model", ["gemm", "grouped"])
def test_bit_serial_inputs_equal_amplitudes(model: str, mode: str, bits_per_pulse: int) -> None:
    graph, x = example(model)
    serial = {"encoding": "bit_serial", "bits_per_pulse": bits_per_pulse, "signed_input": mode}
    for per_pass in (True, False):
        found = output(graph, settings(input={**serial, "adc_per_pass": per_pass}), x)
        assert_same(found, plain(model))


@pytest.mark.parametrize("mode", ["two_phase", "offset"])
@pytest.mark.parametrize("encoding", ["amplitude", "pulse_width"])
@pytest.mark.parametrize("model", ["gemm", "grouped", "two layers"])
def test_signed_amplitudes_equal_bipolar_ones(model: str, encoding: str, mode: str) -> None:
    graph, x = example(model)
    chosen = settings(input={"encoding": encoding, "signed_input": mode})
    # Where one code lies on a threshold of the second layer, it differs by one step.
    tolerance = 3e-6 if model != "two layers" else 5e-3
    assert_same(output(graph, chosen, x), plain(model), tolerance)


@pytest.mark.parametrize("mode", SIGNED)
def test_how_signed_inputs_are_driven_does_not_matter_where_there_are_none(mode: str) -> None:
    graph, x = example("gemm")
    serial = {"encoding": "bit_serial", "signed_input": mode}
    with_adc = {"adc": {"n_bits": 5}}
    expected = output(graph, settings(input={"encoding": "bit_serial"}, **with_adc), np.abs(x))
    assert np.array_equal(output(graph, settings(input=serial, **with_adc), np.abs(x)), expected)


@pytest.mark.parametrize("adc", [{}, {"n_bits": 5}, {"n_bits": 7, "range": "full_scale"}])
def test_pulse_widths_are_amplitudes_bit_for_bit(adc: dict[Any, Any]) -> None:
    graph, x = example("two layers")
    wide = settings(input={"encoding": "pulse_width"}, adc=adc)
    assert np.array_equal(output(graph, wide, x), output(graph, settings(adc=adc), x))


@pytest.mark.parametrize("g_off", [0, 1e-6, 2e-5])
@pytest.mark.parametrize("unused", ["g_off", "open"])
@pytest.mark.parametrize("scheme", list(SCHEMES)[1:])
@pytest.mark.parametrize("model", ["gemm", "grouped"])
def test_every_scheme_gives_the_same_products(
    model: str, scheme: str, unused: str, g_off: float
) -> None:
    graph, x = example(model)
    chosen = settings(mapping={**SCHEMES[scheme], "unused_cells": unused}, device={"g_off": g_off})
    tolerance = 3e-6 * 5e-5 / (5e-5 - g_off)
    assert_same(output(graph, chosen, x), plain(model), tolerance)


# Any two of scheme, layout and cut meet in the quick half: one cut of each scheme and layout.
PLACES = [
    pytest.param(scheme, layout, cut, marks=[] if (i + j + k) % 2 == 0 else pytest.mark.slow)
    for i, scheme in enumerate(SCHEMES)
    for j, layout in enumerate(LAYOUTS)
    for k, cut in enumerate(CUTS)
]


@pytest.mark.parametrize(("scheme", "layout", "cut"), PLACES)
def test_where_weights_lie_changes_nothing(scheme: str, layout: str, cut: str) -> None:
    for model, scope in (("gemm", "layer"), ("grouped", "column")):
        graph, x = example(model)
        mapping = {**SCHEMES[scheme], **CUTS[cut], "w_max_scope": scope, **LAYOUTS[layout]}
        found = output(graph, settings(mapping=mapping, device={"n_bits": 3}), x)
        assert_same(found, laid_out_plainly(model, scheme, cut, scope))


@cache
def laid_out_plainly(model: str, scheme: str, cut: str, scope: str) -> np.ndarray:
    """Return the output of the default layout."""
    graph, x = example(model)
    mapping = {**SCHEMES[scheme], **CUTS[cut], "w_max_scope": scope}
    return output(graph, settings(mapping=mapping, device={"n_bits": 3}), x)


RANGES: dict[str, dict[str, Any]] = {
    "calibrated": {"n_bits": 5, "range": "calibrated", "scope": "tile"},
    "full scale": {"n_bits": 5, "range": "full_scale"},
}


@pytest.mark.parametrize("adc", RANGES)
@pytest.mark.parametrize("layout", ["reversed", "random", "spare columns"])
def test_permutations_change_no_conversion_either(layout: str, adc: str) -> None:
    for scheme in SCHEMES:
        expected, found = (converted(scheme, way, adc) for way in ("as it comes", layout))
        assert np.mean(np.abs(found - expected) > 1e-5 * np.abs(expected).max()) <= 0.03


@cache
def converted(scheme: str, layout: str, adc: str) -> np.ndarray:
    """Return the output behind ADCs of five bits."""
    graph, x = example("gemm")
    mapping = {**SCHEMES[scheme], **LAYOUTS.get(layout, {})}
    return output(graph, settings(mapping=mapping, adc=RANGES[adc], device={"n_bits": 4}), x)


def pulse_error(pulses: int, trials: int, **drive: Any) -> tuple[float, float]:
    """Return the rms error of random pulses over chips, and of the mean of all chips."""
    rng = np.random.default_rng(5)
    graph, x = dense(rng.standard_normal((12, 6))), rng.standard_normal((8, 12))
    base: dict[str, Any] = {"dac": {"n_bits": None}, "crossbar": {"rows": 12}}
    exact = output(graph, settings(**base), x)
    keys = {"encoding": "stochastic", "pulses": pulses, "adc_per_pass": False, **drive}
    chosen = settings(**base, input=keys)
    off = np.stack([output(graph, chosen, x, trial) - exact for trial in range(trials)])
    return float(np.sqrt(np.square(off).mean())), float(np.sqrt(np.square(off.mean(axis=0)).mean()))


@pytest.mark.parametrize("mode", ["bipolar", "two_phase"])
def test_random_pulses_converge_with_the_root_of_their_number(mode: str) -> None:
    lengths = (16, 64, 256)
    errors = [pulse_error(pulses, 12, signed_input=mode)[0] for pulses in lengths]
    for few, many in itertools.pairwise(errors):
        assert few / many == pytest.approx(2, rel=0.25)


def test_random_pulses_have_the_variance_of_bernoulli_draws_and_no_bias() -> None:
    rng = np.random.default_rng(5)
    weight, x = rng.standard_normal((12, 6)), rng.standard_normal((8, 12))
    x_max = np.abs(x).max()
    share = np.abs(x) / x_max
    expected = np.sqrt(((share * (1 - share) * x_max**2) @ weight**2).mean() / 32)
    error, bias = pulse_error(32, 30)
    assert error == pytest.approx(expected, rel=0.15)
    assert bias < 2 * expected / np.sqrt(30)


def test_converting_every_pulse_or_their_mean_is_the_same_without_adcs() -> None:
    graph, x = example("grouped")
    pulses = {"encoding": "stochastic", "pulses": 9}
    found = [
        output(graph, settings(input={**pulses, "adc_per_pass": each}), x) for each in (True, False)
    ]
    assert_same(found[0], found[1])


@pytest.mark.parametrize("per_pass", [True, False])
@pytest.mark.parametrize(
    "drive",
    [
        *({"encoding": "amplitude", "signed_input": mode} for mode in ("bipolar", "offset")),
        *({"encoding": "bit_serial", "signed_input": mode, "bits_per_pulse": 2} for mode in SIGNED),
        {"encoding": "stochastic", "pulses": 5},
        {"encoding": "stochastic", "pulses": 5, "signed_input": "two_phase"},
    ],
    ids=lambda keys: " ".join(map(str, keys.values())),
)
def test_a_wide_adc_of_one_step_an_lsb_changes_nothing(
    drive: dict[str, Any], per_pass: bool
) -> None:
    """Every current is a whole number of LSB: of levels, of digits, of pulses."""
    graph, x = example("gemm")
    wide = {"n_bits": 18, "range": "unit_lsb"}
    cuts = itertools.cycle(CUTS)
    for scheme, cut in zip((*SCHEMES, None), cuts, strict=False):
        keys = json.dumps({**drive, "adc_per_pass": per_pass})
        found = output(graph, whole_steps(keys, scheme, cut, adc=wide), x)
        assert_same(found, open_output(json.dumps(drive), scheme, cut))


def whole_steps(drive: str, scheme: str | None, cut: str, **more: Any) -> dict[str, Any]:
    """Return settings whose currents are whole numbers of steps; a drive's keys in JSON."""
    return settings(
        mapping={**({} if scheme is None else SCHEMES[scheme]), **CUTS[cut]},
        input=json.loads(drive),
        device={"g_off": 0, "n_bits": 3},
        dac={"n_bits": 4},
        **more,
    )


@cache
def open_output(drive: str, scheme: str | None, cut: str) -> np.ndarray:
    """Return the output without ADCs: when to convert does not matter then (the tests above)."""
    graph, x = example("gemm")
    return output(graph, whole_steps(drive, scheme, cut), x)


ISAAC: dict[str, dict[str, Any]] = {
    "crossbar": {"rows": 128, "cols": 128},
    "device": {"g_on": 5e-5, "g_off": 0, "n_bits": 2},
    "dac": {"n_bits": 16},
}


@pytest.mark.parametrize("layout", ["separate", "adjacent"])
@pytest.mark.parametrize(
    ("subtract", "n_bits"), [("analog", 10), ("digital", 9)], ids=["unit column in analog", "apart"]
)
@pytest.mark.parametrize("lowest", [-32767, 0])
def test_isaac_is_exact_integer_arithmetic(
    lowest: int, subtract: str, n_bits: int, layout: str
) -> None:
    """Shafiee et al., ISCA 2016: 2-bit cells, 16-bit weights and inputs, one-bit passes."""
    rng = np.random.default_rng(0)
    weight, codes = rng.integers(-32767, 32768, (200, 20)), rng.integers(lowest, 32768, (4, 200))
    weight[0, 0] = codes[0, 0] = 32767
    weight[:, 1] = 32767  # the largest current of a column: 128 digits of 3
    codes[1] = 32767
    if lowest:
        codes[2] = lowest
    mapping = {**MEASURED, "weight_bits": 16, "bits_per_cell": 2, "subtract": subtract}
    drive = {"encoding": "bit_serial", "signed_input": "twos_complement"}
    chosen = settings(
        **ISAAC,
        mapping={**mapping, "layout": layout},
        input=drive,
        adc={"n_bits": n_bits, "range": "unit_lsb"},
    )
    if not lowest:  # 16 bits unsigned: up to 65535
        codes = codes * 2 + 1
        codes[1] = 65535
    found = output(dense(weight / 2**15), chosen, codes / 2**15)
    exact = codes.astype(np.int64) @ weight.astype(np.int64)
    assert np.array_equal(found, (exact * 2.0**-30).astype(np.float32))
