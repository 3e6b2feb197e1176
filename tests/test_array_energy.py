"""Energy of arrays' reads: by hand in every encoding, by ngspice; sampled means beside the full one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
from beside_twin import assigned, inputs_of, settings_of
from circuits import Circuit
from known import known
from oracles import ngspice
from small_networks import conv, dense
from test_bodies import branch_model
from test_newton import LINEAR
from test_source_power import dissipated
from twin import complete
from twin.pulses import thresholds

from rxsim.circuit import source_power
from rxsim.config import Crossbar
from rxsim.cost.array_energy import (
    ReadEnergy,
    RowDrive,
    mean_read_energy,
    one_after_the_other,
    position_noise,
    read_energies,
    row_drives,
)
from rxsim.errors import CircuitError, InputError
from rxsim.pipeline import Foundries, Study, open_study
from rxsim.pipeline.inspect import array_energy, probe
from rxsim.pipeline.inspect.array_energy import array_energies
from rxsim.scenarios import as_built

PULSE_S = 1e-7
G_ON, G_OFF, V_READ = 1 / 200e3, 1 / 1.4e6, 0.2
NO_WIRES = [f"crossbar.{name}=0" for name in ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense")]
EXACT = [*NO_WIRES, "crossbar.rows=6", "crossbar.cols=8", "device.n_bits=null"]
WEIGHT = np.random.default_rng(1).standard_normal((10, 4))
X = np.random.default_rng(2).uniform(-1, 1, (7, 10)).astype(np.float32)
ALL = {"arrays": 99, "inputs": 99, "positions": 99}


def study_of(model: onnx.ModelProto, x: np.ndarray, *assignments: str) -> Study:
    return open_study(model, settings_of(assigned(*assignments), x), inputs_of(x), threads=1)


def energies(study: Study, **sampled: Any) -> dict[str, ReadEnergy]:
    mapped = Foundries(study).map(as_built(study.settings))
    return array_energies(study, mapped, pulse_s=PULSE_S, **sampled)


def codes_of(x: np.ndarray) -> np.ndarray:
    """Codes of 6 signed bits."""
    return np.asarray(np.rint(x.astype(np.float64) / np.abs(x).max() * 31))


def row_siemens() -> np.ndarray:
    """Sum of a row's cells over the arrays of both polarities, unused columns at g_off among them."""
    share = np.abs(np.float32(WEIGHT).astype(np.float64)) / np.abs(np.float32(WEIGHT)).max()
    return np.asarray(share.sum(axis=1) * (G_ON - G_OFF) + 2 * 8 * G_OFF)


def squares(encoding: str) -> np.ndarray:
    """Sum over a read of squared volts times the share of a pulse, for each input and row, by hand."""
    size = np.abs(codes_of(X)).astype(int)
    if encoding == "amplitude":
        return np.asarray((V_READ * size / 31) ** 2)
    if encoding == "pulse_width":
        return np.asarray(V_READ**2 * size / 31)
    if encoding == "bit_serial":
        return np.asarray(V_READ**2 * np.vectorize(lambda q: bin(q).count("1"))(size))
    if encoding == "two bits":
        return np.asarray(sum((V_READ * (size >> k & 3) / 3) ** 2 for k in (0, 2, 4)))
    of = complete(assigned("input.encoding=stochastic", "input.pulses=9"))
    levels = thresholds(of, 0, 0, (10,), is_conv=False)  # (pulses, 1, K)
    return np.asarray(V_READ**2 * (size / 31 > levels).sum(axis=0))


SETTINGS = {
    "amplitude": ["input.encoding=amplitude"],
    "pulse_width": ["input.encoding=pulse_width"],
    "bit_serial": ["input.encoding=bit_serial"],
    "two bits": ["input.encoding=bit_serial", "input.bits_per_pulse=2"],
    "stochastic": ["input.encoding=stochastic", "input.pulses=9"],
}


@pytest.mark.parametrize("signed_input", ["bipolar", "two_phase"])
@pytest.mark.parametrize("encoding", SETTINGS)
def test_without_wires_every_encoding_takes_the_sum_of_v_squared_g(
    encoding: str, signed_input: str
) -> None:
    given = [*SETTINGS[encoding], f"input.signed_input={signed_input}"]
    found = energies(study_of(dense(WEIGHT), X, *EXACT, *given), **ALL)["fc"]
    wanted = PULSE_S * (squares(encoding) @ row_siemens()).mean()
    assert found.joules == pytest.approx(wanted, rel=1e-6)
    assert (found.standard_error, found.arrays, found.inputs, found.positions) == (0, 4, 7, 1)


@pytest.mark.parametrize("encoding", ["bit_serial", "stochastic"])
def test_passes_that_are_summed_before_a_conversion_take_as_much(encoding: str) -> None:
    each = energies(study_of(dense(WEIGHT), X, *EXACT, *SETTINGS[encoding]), **ALL)
    once = [*SETTINGS[encoding], "input.adc_per_pass=false"]
    assert energies(study_of(dense(WEIGHT), X, *EXACT, *once), **ALL) == each


def test_cells_with_a_curve_take_v_times_their_current() -> None:
    study = study_of(dense(WEIGHT), X, *EXACT, "device.iv={form: sinh, v0: 0.07}")
    v = V_READ * codes_of(X) / 31
    bent = V_READ * np.sinh(v / 0.07) / np.sinh(V_READ / 0.07)
    wanted = PULSE_S * ((v * bent) @ row_siemens()).mean()
    assert energies(study, **ALL)["fc"].joules == pytest.approx(wanted, rel=1e-6)


def test_every_position_of_a_kernel_is_a_read() -> None:
    rng = np.random.default_rng(3)
    weight = rng.standard_normal((3, 2, 2, 2)).astype(np.float32)
    x = rng.uniform(0.1, 1, (4, 2, 3, 4)).astype(np.float32)
    model = conv(weight, (2, 3, 4), attributes=", pads=[1, 0, 0, 0]")
    rows, cols = ["crossbar.rows=8", "crossbar.cols=5"], ["device.n_bits=null"]
    found = energies(study_of(model, x, *NO_WIRES, *rows, *cols), **ALL)["conv"]
    siemens = np.abs(weight.astype(np.float64)).reshape(3, 8).sum(axis=0) / np.abs(weight).max()
    siemens = siemens * (G_ON - G_OFF) + 2 * 5 * G_OFF
    volts = V_READ * np.rint(x.astype(np.float64) / x.max() * 63) / 63
    padded = np.pad(volts, ((0, 0), (0, 0), (1, 0), (0, 0)))
    reads = [
        (padded[n, :, i : i + 2, j : j + 2].ravel() ** 2) @ siemens
        for n in range(4)
        for i in range(3)
        for j in range(3)
    ]
    assert found.joules == pytest.approx(PULSE_S * np.mean(reads), rel=1e-6)
    assert found.standard_error == 0


def test_the_energy_of_pulses_is_the_dissipation_at_every_instant() -> None:
    rng = np.random.default_rng(5)
    g, bar = rng.uniform(1e-6, 1e-4, (5, 4)), Crossbar(r_wire_wl=30, r_wire_bl=20)
    ends, signs = np.array([3, 0, 7, 3, 6]), np.array([1, 1, -1, -1, 1])
    at = [signs * V_READ * (ends > step) for step in range(7)]
    wanted = sum(dissipated(g, LINEAR, bar, volts) for volts in at) * PULSE_S / 7
    read = RowDrive(np.array(at), np.full(7, 1 / 7))
    for reads in ([read], [read] * 20):
        assert read_energies(g, bar, reads, pulse_s=PULSE_S) == pytest.approx(wanted, rel=1e-7)


@pytest.mark.parametrize("encoding", ["pulse_width", "bit_serial"])
def test_a_pass_is_cut_where_its_voltages_change(encoding: str) -> None:
    """The mean over the pieces is the mean over a fine grid of instants."""
    study = study_of(dense(WEIGHT), X, "crossbar.rows=6", "crossbar.cols=8", *SETTINGS[encoding])
    mapped = Foundries(study).map(as_built(study.settings))
    (given,) = probe.inputs_of(study, mapped, mapped.layers, 3, 0)
    array, at = mapped.layers[0].array(2), np.array([0])
    for wordlines in map(given.voltages, range(given.count)):
        (drive,) = row_drives(wordlines, array.rows, array.row_signs, at)
        grid = [
            wordlines.volts(array.rows, array.row_signs, at, (k + 0.5) / 31)[0] for k in range(31)
        ]
        assert drive.shares @ drive.volts == pytest.approx(np.mean(grid, axis=0), abs=1e-12)
        assert drive.shares @ drive.volts**2 == pytest.approx(
            np.mean(np.square(grid), axis=0), abs=1e-12
        )
        assert len(drive.shares) <= (7 if encoding == "pulse_width" else 1)


ENDS = {
    "one end": "",
    "other sides": "drive_side=right sense_side=top r_access=900",
    "in turns": "drive_side=alternate sense_side=alternate",
    "both ends": "r_driver_far=40 r_sense_far=150 r_access=300",
}


@pytest.mark.skipif(not ngspice.available(), reason="ngspice is not installed")
@pytest.mark.parametrize("encoding", ["amplitude", "pulse_width"])
@pytest.mark.parametrize("ends", ENDS)
def test_real_arrays_take_what_ngspice_says(ends: str, encoding: str) -> None:
    bar = [f"crossbar.{each}" for each in ENDS[ends].split()]
    size = ["crossbar.rows=6", "crossbar.cols=8", "device.write_sigma=0.05", "device.r_on=5e3"]
    study = study_of(dense(WEIGHT), X, *size, *bar, *SETTINGS[encoding])
    mapped = Foundries(study).map(as_built(study.settings))
    (given,) = probe.inputs_of(study, mapped, mapped.layers, 4, 0)
    for index in (0, 3):
        programmed = probe.program_array(study, mapped.layers[0], index, 0)
        array = programmed.array
        (read,) = row_drives(given.voltages(0), array.rows, array.row_signs, np.array([0]))
        case = Circuit(programmed.g, programmed.settings.crossbar)
        wanted = 0.0
        for volts, share in zip(read.volts, read.shares, strict=True):
            deck = ngspice.netlist(case.cells, *case.wires, 0.0, 0.0, volts, ends=case.ends)
            wanted += share * PULSE_S * float(volts @ ngspice.source_currents(deck, len(volts)))
        found = read_energies(programmed.g, case.bar, [read], pulse_s=PULSE_S)
        assert found[0] == pytest.approx(wanted, rel=1e-6)
        assert found[0] > 0


# Sampling.

WIDE = np.random.default_rng(6).standard_normal((60, 20)) * np.linspace(0.2, 2, 60)[:, None]
MANY = np.random.default_rng(7).uniform(-1, 1, (40, 60)).astype(np.float32)
MANY *= np.random.default_rng(8).uniform(0.2, 1, (40, 1)).astype(np.float32)


def wide_study(*assignments: str) -> Study:
    return study_of(dense(WIDE), MANY, "crossbar.rows=10", "crossbar.cols=10", *assignments)


def test_sampled_means_lie_within_their_standard_errors_of_the_full_mean() -> None:
    full = energies(wide_study(), **ALL)["fc"]
    assert (full.arrays, full.inputs, full.standard_error) == (24, 40, 0)
    off = []
    for seed in range(12):
        found = energies(wide_study(f"seed={seed}"), arrays=8, inputs=10)["fc"]
        assert (found.arrays, found.inputs) == (8, 10)
        off.append((found.joules - full.joules) / known(found.standard_error))
    assert np.abs(off).max() < 4
    assert 0.2 < np.mean(np.square(off)) < 3  # 4 standard errors of a mean square of 12
    one = energies(wide_study(), arrays=1)["fc"]
    assert one.standard_error is None
    assert energies(wide_study(), inputs=1, arrays=99)["fc"].standard_error is None


SPREADS = {  # among arrays, among inputs, of what neither explains, of positions
    "all alike": (1, 1, 0.6, 1),
    "arrays": (2, 0.7, 0.5, 0.7),
    "no positions": (1, 1, 0.8, 0),
    "additive": (1, 1, 0, 1),
}


@pytest.mark.parametrize("arrays", [1, 4, 12])
@pytest.mark.parametrize("inputs", [5, 20])
@pytest.mark.parametrize("spread", SPREADS)
def test_the_standard_error_is_the_spread_of_repeated_samples(
    arrays: int, inputs: int, spread: str
) -> None:
    """One of one array or some of 12, some or all of 20 inputs, 2 of 6 positions, 300 times."""
    by_array, by_input, both, noise = SPREADS[spread]
    rng = np.random.default_rng(9)
    n_arrays = 1 if arrays == 1 else 12
    population = 5 + by_array * rng.standard_normal((n_arrays, 1, 1))
    population = population + by_input * rng.standard_normal((1, 20, 1))
    population = population + both * rng.standard_normal((n_arrays, 20, 1))
    population = population + noise * rng.standard_normal((n_arrays, 20, 6))
    found = [drawn(rng, population, arrays, inputs) for _ in range(300)]
    means = np.array([each.joules for each in found]) / n_arrays
    stated = np.square([known(each.standard_error) / n_arrays for each in found])
    assert means.mean() == pytest.approx(
        population.mean(), abs=4 * means.std() / len(found) ** 0.5 + 1e-12
    )
    # Both variances are known from as many samples: 4 standard errors of their ratio.
    true, mean = means.var(), stated.mean()
    error = (2 / len(found) + stated.var() / mean**2 / len(found)) ** 0.5 if mean > 0 else 0
    assert mean == pytest.approx(true, rel=4 * error, abs=1e-12)


def drawn(rng: np.random.Generator, population: np.ndarray, arrays: int, inputs: int) -> ReadEnergy:
    """Sample a population (arrays, inputs, positions) as the pipeline does: 2 positions for each."""
    n_arrays, n_inputs, there = population.shape
    a, k = rng.permutation(n_arrays)[:arrays], rng.permutation(n_inputs)[:inputs]
    cells = rng.permuted(population[np.ix_(a, k)], axis=2)[:, :, :2]
    noise = (1 - 2 / there) * cells.var(axis=2, ddof=1).mean() / 2
    sizes = {"n_arrays": n_arrays, "n_inputs": n_inputs, "positions": 2}
    return mean_read_energy(cells.mean(axis=2), float(noise), **sizes)


def test_a_single_position_of_several_counts_as_noise_with_all_that_is_unexplained() -> None:
    """A bound: never below what the formula gives with any part of it as noise."""
    table = np.random.default_rng(10).uniform(1, 2, (3, 5))
    sizes = {"n_arrays": 6, "n_inputs": 9, "positions": 1}
    least = known(mean_read_energy(table, 0.0, **sizes).standard_error)
    assert known(mean_read_energy(table, None, **sizes).standard_error) > least
    assert position_noise(np.array([3.0]), 0.5) is None
    assert position_noise(np.array([3.0]), 1.0) == 0
    assert position_noise(np.array([3.0, 5.0]), 0.25) == pytest.approx(0.75 * 2 / 2)
    one = {"n_arrays": 1, "n_inputs": 1, "positions": 1}
    assert mean_read_energy(np.array([[2.0]]), None, **one).standard_error is None
    assert mean_read_energy(np.array([[2.0]]), 0.25, **one).standard_error == 0.5
    row = {"n_arrays": 1, "n_inputs": 3, "positions": 1}
    of_row = known(mean_read_energy(np.array([[1.0, 2.0, 3.0]]), None, **row).standard_error)
    assert of_row == pytest.approx((1 / 3) ** 0.5)


def test_the_mean_does_not_depend_on_threads_and_the_draw_not_on_the_chip() -> None:
    study = wide_study("device.write_sigma=0.1")
    one = energies(study, arrays=5, inputs=6)
    assert energies(replace(study, threads=3), arrays=5, inputs=6) == one
    other = energies(study, arrays=5, inputs=6, trial=1)["fc"]
    assert other.joules != one["fc"].joules
    assert other.joules == pytest.approx(one["fc"].joules, rel=0.05)


def test_a_longer_pulse_takes_more_and_wires_less() -> None:
    study = wide_study()
    mapped = Foundries(study).map(as_built(study.settings))
    short = array_energies(study, mapped, pulse_s=1e-8)["fc"].joules
    assert array_energies(study, mapped, pulse_s=1e-7)["fc"].joules == pytest.approx(10 * short)
    mild = energies(wide_study(*NO_WIRES))["fc"].joules
    harsh = energies(wide_study("crossbar.r_driver=1e4", "crossbar.r_wire_wl=1e3"))["fc"].joules
    assert 0 < harsh < 0.9 * mild


def test_a_layer_in_a_branch_that_no_input_takes_has_no_reads() -> None:
    for mean in (3.0, -3.0):
        model, feeds = branch_model(mean)
        found = energies(study_of(model, feeds["x"]), **ALL)
        (only,) = found.values()
        assert only.inputs == len(feeds["x"])
        assert only.joules > 0


def test_rows_that_nothing_drives_take_nothing() -> None:
    g, bar = np.full((4, 3), 1e-5), Crossbar()
    idle = RowDrive(np.zeros((2, 4)), np.full(2, 0.5))
    never = RowDrive(np.zeros((0, 4)), np.zeros(0))
    on = RowDrive(np.full((1, 4), 0.1), np.ones(1))
    found = read_energies(g, bar, [idle, on, never, on], pulse_s=1e-6)
    alone = float(source_power(g, bar, on.volts)[0]) * 1e-6
    assert found == pytest.approx([0, alone, 0, alone], rel=1e-9, abs=0)
    assert read_energies(g, bar, [], pulse_s=1e-6).shape == (0,)
    joined = one_after_the_other([on, idle, never, on])
    assert read_energies(g, bar, [joined], pulse_s=1e-6) == pytest.approx([2 * alone], rel=1e-9)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"pulse_s": 0.0}, "pulse_s: found 0, expected"),
        ({"pulse_s": np.inf}, "pulse_s: found inf, expected"),
        ({"pulse_s": np.nan}, "pulse_s: found nan, expected"),
        ({"arrays": 0}, "arrays: found 0, expected 1"),
        ({"inputs": -1}, "inputs: found -1, expected 1"),
        ({"positions": 0}, "positions: found 0, expected 1"),
        ({"trial": -1}, "trial: found -1, expected 0"),
    ],
)
def test_arguments_out_of_range_are_errors(bad: dict[str, Any], words: str) -> None:
    study = wide_study()
    mapped = Foundries(study).map(as_built(study.settings))
    with pytest.raises(InputError, match=words):
        array_energies(study, mapped, **{"pulse_s": 1e-7, **bad})


def test_an_array_that_cannot_be_solved_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> np.ndarray:
        raise CircuitError("it is too large")

    monkeypatch.setattr(array_energy, "read_energies", refuse)
    with pytest.raises(CircuitError, match="layer fc, array 0: it is too large"):
        energies(wide_study(), arrays=99)
