"""The weight transformation of arrays that are not linear: exact where it must be, judged where not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from beside_twin import assigned, calibrated, inputs_of, output, patched, settings_of
from chips import foundry_of
from known import known
from scipy.optimize import brentq
from small_networks import dense
from twin import complete
from twin.curves import curve_of as curve_of_twin

import rxsim
from rxsim.circuit import OperatingPoint, chord_matrix, full_currents, solve_array
from rxsim.config import IV, Crossbar, load_settings
from rxsim.converters import layer_input_plan
from rxsim.devices import SeparableCurve, curve_of
from rxsim.pipeline import open_study
from rxsim.pipeline.chip.foundry import Foundry
from rxsim.pipeline.inspect.transformation import _Probe, measure_transformation

SINH = IV(form="sinh", v0=0.08)
NO_WIRES = Crossbar(r_wire_wl=0, r_wire_bl=0, r_driver=0, r_sense=0)
MODELS = Path(__file__).parent.parent / "models"


def point(iv: IV = SINH, volt: float = 0.12, activity: float | None = None) -> OperatingPoint:
    return OperatingPoint(curve_of(iv, 0.2), volt, activity)


def array(seed: int, shape: tuple[int, int] = (12, 9)) -> np.ndarray:
    return np.random.default_rng(seed).uniform(1e-6, 5e-5, shape)


@pytest.mark.parametrize(
    "iv", [SINH, IV(form="cubic"), IV(form="table", v=(0.1, 0.3), f=(0.05, 0.4))]
)
def test_a_separable_curve_is_exact_without_wires(iv: IV) -> None:
    g, at = array(1), point(iv)
    assert isinstance(at.curve, SeparableCurve)
    v = np.random.default_rng(2).uniform(-0.2, 0.2, (7, 12))
    chords = chord_matrix(g, NO_WIRES, at, np.arange(12), np.arange(9))
    exact = np.array([[sum(g[i, j] * at.curve.f(row[i : i + 1])[0] for i in range(12))
                       for j in range(9)] for row in v])  # fmt: skip
    assert at.linear_volts(v) @ chords == pytest.approx(exact, rel=1e-9, abs=1e-18)


def test_at_the_operating_point_itself_the_chords_are_exact_with_wires() -> None:
    g, at = array(3), point()
    bar = Crossbar(r_wire_wl=20, r_wire_bl=30, r_driver=200, r_sense=100, r_access=500)
    v = np.full((1, 12), at.volt)
    chords = chord_matrix(g, bar, at, np.arange(12), np.arange(9))
    full = full_currents(g, bar, at, v)
    assert at.linear_volts(v) @ chords == pytest.approx(full, rel=1e-8)


def test_a_single_cell_with_its_resistances_is_the_root_of_one_equation() -> None:
    at = point()
    bar = Crossbar(r_driver=300, r_sense=200, r_access=100)

    def surplus(current: float) -> float:
        inside = at.volt - 600 * current
        return float(2e-4 * 0.2 * np.sinh(inside / 0.08) / np.sinh(0.2 / 0.08) - current)

    current = brentq(surplus, 0, at.volt / 600, xtol=1e-18, rtol=1e-14)
    chord = chord_matrix(np.array([[2e-4]]), bar, at, np.arange(1), np.arange(1))
    assert chord[0, 0] == pytest.approx(current / at.volt, rel=1e-9)


def test_rows_at_0_volt_and_unwanted_columns_are_left_out() -> None:
    g, at = array(5), point()
    bar = Crossbar(r_wire_wl=5, r_wire_bl=5)
    rows, cols = np.array([0, 3, 4]), np.array([2, 8])
    some = chord_matrix(g, bar, at, rows, cols)
    v = np.zeros((1, 12))
    v[0, rows] = at.volt
    assert some.shape == (3, 2)
    assert at.linear_volts(v)[0, rows] @ some == pytest.approx(
        full_currents(g, bar, at, v)[0, cols], rel=1e-8
    )


def test_gated_rows_are_open() -> None:
    g = array(6)
    bar = Crossbar(r_wire_wl=10, r_wire_bl=10, topology="input_gated")
    pattern = np.array([1, 0] * 6)
    full = full_currents(g, bar, point(IV(), 0.2, activity=0.5), 0.2 * pattern[None])[0]
    closed = Crossbar(r_wire_wl=10, r_wire_bl=10)
    by_hand = 0.2 * pattern @ solve_array(np.where(pattern[:, None] == 1, g, 0), closed).g_eff
    assert full == pytest.approx(by_hand, rel=1e-9)


def test_gated_rows_are_best_described_by_the_inputs_own_activity() -> None:
    g = array(8, (48, 40)) / 5
    bar = Crossbar(r_wire_wl=5, r_wire_bl=5, r_access=300, topology="input_gated")
    patterns = 0.2 * (np.random.default_rng(0).random((20, 48)) < 0.4)
    full = full_currents(g, bar, point(IV(), 0.2, 1.0), patterns)

    def error(activity: float) -> float:
        chords = chord_matrix(g, bar, point(IV(), 0.2, activity), np.arange(48), np.arange(40))
        return float(np.sqrt(np.mean((patterns @ chords / full - 1) ** 2)))

    assert error(0.4) < 0.7 * min(error(0.25), error(0.6))
    assert error(0.4) < 0.2 * error(1.0)


def test_gated_rows_without_wires_are_exact_for_every_pattern() -> None:
    g = array(7)
    bar = NO_WIRES.model_copy(update={"topology": "input_gated"})
    chords = chord_matrix(g, bar, point(IV(), 0.2, 0.3), np.arange(12), np.arange(9))
    assert chords == pytest.approx(g, rel=1e-9)


def evaluation(*assignments: str) -> rxsim.Evaluation:
    settings = load_settings(assignments=["calibration.samples=16", *assignments])
    return rxsim.evaluate(MODELS / "digits_cnn.onnx", settings, rxsim.DataOptions(limit=20))


def test_the_report_holds_the_error_against_full_solutions_and_plain_chords_are_worse() -> None:
    result = evaluation("device.iv={form: sinh, v0: 0.1}")
    for row in result.layers:
        found = row.transformation
        assert found is not None
        assert known(found.rms_lsb) < 0.5 * known(found.plain_rms_lsb)
        assert found.rms_share <= found.worst_share
        assert not found.flagged
    assert result.as_json()["layers"][0]["transformation"]["solutions"] > 0


def test_without_wires_the_report_finds_no_error_in_any_encoding() -> None:
    wires = [f"crossbar.{name}=0" for name in ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense")]
    for drive in ("amplitude", "pulse_width", "bit_serial", "stochastic"):
        pulses = ["input.pulses=4"] if drive == "stochastic" else []
        result = evaluation("device.iv={form: cubic}", f"input.encoding={drive}", *wires, *pulses)
        assert max(known(known(row.transformation).worst_lsb) for row in result.layers) < 1e-5, (
            drive
        )


def test_a_linear_layer_has_no_such_error() -> None:
    assert all(row.transformation is None for row in evaluation().layers)


def test_a_layer_far_from_its_transformation_is_flagged() -> None:
    result = evaluation(
        "device.iv={form: sinh, v0: 0.02}", "crossbar.r_wire_bl=200", "device.r_on=1e4",
        "device.r_off=1e5", "adc.n_bits=10",
    )  # fmt: skip
    assert any(known(row.transformation).flagged for row in result.layers)


INPUTS = np.random.default_rng(3).uniform(-1, 1, (40, 12))
SINH_SETTING = "device.iv={form: sinh, v0: 0.08}"


def product(*assignments: str) -> tuple[onnx.ModelProto, dict[str, Any]]:
    """Return a product of 12 inputs, and settings of an array of non-linear cells."""
    weight = np.random.default_rng(4).standard_normal((12, 5))
    given = ["crossbar.rows=12", "crossbar.cols=8", "dac.n_bits=5", *assignments]
    return dense(weight), assigned(*given)


def foundry(*assignments: str, x: np.ndarray = INPUTS) -> Foundry:
    """Open the foundry of such an array, calibrated on some inputs."""
    model, given = product(*assignments)
    return foundry_of(open_study(model, settings_of(given, x), inputs_of(x), threads=1))


def point_of(*assignments: str, x: np.ndarray = INPUTS) -> dict[str, float]:
    """Return the operating point that `rxsim calibrate` finds for it."""
    model, given = product(*assignments)
    (row,) = calibrated(model, given, x)["layers"]
    found: dict[str, float] = row["point"]
    return found


def codes_by_hand(steps: int) -> np.ndarray:
    largest = np.float32(np.abs(INPUTS).max())
    return np.asarray(np.rint(INPUTS.astype(np.float32) / largest * steps))


def rms(volts: np.ndarray) -> float:
    return float(np.sqrt(np.square(volts).mean()))


def bits(numbers: np.ndarray, count: int) -> np.ndarray:
    return np.stack([numbers // 2**k % 2 for k in range(count)])


Q = codes_by_hand(15)
OPERATING = {
    "amplitude": ([], rms(0.2 * Q / 15)),
    # A shifted code is 16 higher, of 31: no row is idle just because its input is 0.
    "pulse_width offset": (
        ["input.encoding=pulse_width", "input.signed_input=offset"],
        0.2 * np.sqrt(((Q + 16) / 31).mean()),
    ),
    "pulse_width": (["input.encoding=pulse_width"], 0.2 * np.sqrt(np.abs(Q / 15).mean())),
    "pulse_width two_phase": (
        ["input.encoding=pulse_width", "input.signed_input=two_phase"],
        0.2 * np.sqrt(np.abs(Q / 15).mean() / 2),
    ),
    "stochastic two_phase": (
        ["input.encoding=stochastic", "input.signed_input=two_phase", "input.pulses=3"],
        0.2 * np.sqrt(np.abs(Q / 15).mean() / 2),
    ),
    "bits": (["input.encoding=bit_serial"], rms(0.2 * bits(np.abs(Q), 4))),
    # Their analog sum is one conversion of four pulses: the cells see each of them.
    "bits summed": (
        ["input.encoding=bit_serial", "input.adc_per_pass=false"],
        rms(0.2 * bits(np.abs(Q), 4)),
    ),
    "two's complement summed": (
        [
            "input.encoding=bit_serial",
            "input.adc_per_pass=false",
            "input.signed_input=twos_complement",
        ],
        rms(0.2 * bits(Q % 32, 5)),
    ),
}


@pytest.mark.parametrize("name", OPERATING)
def test_the_operating_point_is_the_rms_of_what_drives_the_rows(name: str) -> None:
    assignments, volt = OPERATING[name]
    found = point_of(SINH_SETTING, *assignments)
    assert found["volt"] == pytest.approx(volt, rel=1e-6)


def test_the_activity_of_gated_rows_counts_every_pulse_of_a_sum() -> None:
    x = np.abs(INPUTS)
    own = ["crossbar.topology=input_gated", "input.encoding=bit_serial"]
    codes = np.rint(x.astype(np.float32) / np.float32(x.max()) * 31)
    for per_pass in ("true", "false"):
        found = point_of(*own, f"input.adc_per_pass={per_pass}", x=x)
        assert found["activity"] == pytest.approx(bits(codes, 5).mean(), rel=1e-9)


def probe(made: Foundry) -> _Probe:
    mapped = made.mapped
    (layer,) = mapped.layers
    own, measured = mapped.settings["fc"], mapped.input_ranges["fc"]
    return _Probe(
        layer,
        own,
        layer_input_plan("fc", measured, own),
        mapped.points["fc"],
        made.adcs[0],
    )


@pytest.mark.parametrize("how", ["bipolar", "two_phase", "offset"])
@pytest.mark.parametrize("n_bits", [3, 5, 9])
def test_the_instants_of_a_pulse_add_up_to_its_width(how: str, n_bits: int) -> None:
    """Whatever codes an array happens to see: the longest of them need not be a full pulse."""
    own = ["input.encoding=pulse_width", f"input.signed_input={how}", f"dac.n_bits={n_bits}"]
    at = probe(foundry(SINH_SETTING, *own))
    high = 2 ** (n_bits - 1) - 1
    units = np.rint(np.linspace(-0.7, 0.6, 12) * high)[None]
    for one in at.plan.pulses:
        volts = np.array(at._voltages(one, units, np.zeros((1, 12))))
        assert set(np.unique(np.abs(volts))) <= {0.0, 0.2}
        wrong = np.abs(volts.mean(axis=0) - one.units.of(units) * one.volt).max()
        assert wrong < (1e-12 if n_bits <= 5 else 0.2 / 32)


def test_pulses_of_inputs_without_a_dac_have_widths_too() -> None:
    at = probe(foundry(SINH_SETTING, "input.encoding=pulse_width", "dac.n_bits=null"))
    units = np.linspace(-1, 1, 12)[None]
    volts = np.array(at._voltages(at.plan.pulses[0], units, np.zeros((1, 12))))
    assert np.abs(volts.mean(axis=0) - 0.2 * units).max() < 0.2 / 32


def test_passes_that_are_summed_in_analog_are_judged_pulse_by_pulse() -> None:
    """No cell sees more than v_read: the sum's error is of the size of its pulses' errors."""
    found = []
    for one in ("true", "false"):
        own = [SINH_SETTING, "input.encoding=bit_serial", f"input.adc_per_pass={one}"]
        # Four inputs: what is measured takes them all at once.
        found.append(measure_transformation(foundry(*own, x=INPUTS[:4]))["fc"])
    assert found[0].solutions == found[1].solutions
    assert 0.2 < found[1].rms_share / found[0].rms_share < 5


def test_a_table_with_two_sides_of_its_own_bends_pulses_by_their_sign() -> None:
    """Without wires the patched product is exact: a negative pulse carries what the table says."""
    table = "device.iv={form: table, v: [-0.3, 0.2], f: [-0.1, 0.2]}"
    none = [f"crossbar.{name}=0" for name in ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense")]
    f = curve_of_twin(complete(product(table)[1])).f
    assert f is not None
    back = -float(f(np.array(-0.2))) / 0.2
    assert back < 0.6
    x = INPUTS.astype(np.float32)
    for drive in ("pulse_width", "bit_serial"):
        own = [f"input.encoding={drive}", "adc.n_bits=null", *none]
        bent, linear = (patched(*product(*some, *own), INPUTS) for some in ([table], []))
        # Positive and negative inputs apart: each side is proportional to the linear cells' result.
        wanted = output(linear, np.maximum(x, 0)) + back * output(linear, np.minimum(x, 0))
        assert output(bent, x) == pytest.approx(wanted, abs=float(1e-4 * np.abs(wanted).max()))
    with pytest.raises(rxsim.RxsimError, match=r"device\.iv: found a table that treats"):
        patched(*product(table, "input.encoding=stochastic", "input.pulses=2"), INPUTS)
