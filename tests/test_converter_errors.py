"""Static errors of DACs and ADCs: against plain numpy, in their statistics, and in what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from beside_twin import assigned, calibrated, output, patched
from chips import mapped_of
from known import known
from small_networks import network
from twin import build
from twin.arrays import Floats
from twin.inputs import Pass
from twin.layer import Layer

import rxsim
from rxsim.config import Settings, load_settings
from rxsim.errors import SettingError
from rxsim.metrics.snr_db import decibel
from rxsim.pipeline import DataOptions, evaluate, open_study, patched_chip
from rxsim.pipeline.chip.foundry import is_random
from rxsim.session import Session

MODELS = Path(__file__).parents[1] / "models"
BASE = [
    "calibration.samples=16",
    "seed=5",
    "dac.n_bits=5",
    "adc.n_bits=7",
    "device.n_bits=null",
    "crossbar.r_wire_bl=20",
]
DAC = {
    "gain": ["dac.gain_sigma=0.1"],
    "offset": ["dac.offset_sigma=0.7"],
    "inl": ["dac.inl=1.3"],
    "dnl": ["dac.dnl=0.4"],
    "tables": ["dac.inl=[0.5,-1,2,0.25]", "dac.dnl=[0.3,-0.5,0.1]"],
    "all": ["dac.gain_sigma=0.1", "dac.offset_sigma=0.7", "dac.inl=1.3", "dac.dnl=0.4"],
}
ADC = {
    "gain": ["adc.gain_sigma=0.1"],
    "offset": ["adc.offset_sigma=2"],
    "inl": ["adc.inl=4"],
    "dnl": ["adc.dnl=0.5"],
    "tables": ["adc.inl=[3,-5,2,0,-4]", "adc.dnl=[0.5,-0.5,0.3]"],
    "table and random": ["adc.inl=[3,-5,2,0,-4]", "adc.dnl=0.5"],
    "shared": ["adc.offset_sigma=2", "adc.gain_sigma=0.1", "adc.share=3"],
    "shared curves": ["adc.inl=4", "adc.share=4"],
    "all": ["adc.gain_sigma=0.1", "adc.offset_sigma=2", "adc.inl=4", "adc.dnl=0.5", "adc.share=2"],
}
EVERY = [*DAC["all"], *ADC["all"]]


def settings_of(*assignments: str, xbar: str = "8x6") -> Settings:
    return load_settings(None, xbar=xbar, assignments=[*BASE, *assignments])


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A Conv of two groups with padding and stride, and a Gemm, for inputs of both signs or not."""
    rng = np.random.default_rng(1)
    folder = tmp_path_factory.mktemp("models")
    weights = {"v": rng.standard_normal((10, 2, 3, 3)), "w": rng.standard_normal((21, 10))}
    conv = "[layer] y = Conv<group=2, pads=[1,1,1,1], strides=[2,2]>({x}, v)"
    texts = {"conv": (conv, (4, 5, 5)), "gemm": ("[layer] y = Gemm({x}, w)", (21,))}
    found = {}
    for name, (text, shape) in texts.items():
        for kind, start in (("signed", ""), ("unsigned", "r = Relu(x) ")):
            used = {key: w for key, w in weights.items() if f", {key})" in text}
            whole = start + text.format(x="r" if start else "x")
            path = folder / f"{name}_{kind}.onnx"
            path.write_bytes(network(whole, shape, used).SerializeToString())
            found[f"{name} {kind}"] = path
    return found


def nested(*assignments: str, xbar: str = "8x6") -> dict[str, Any]:
    """Return plain settings of assignments such as adc.inl=4."""
    rows, cols = xbar.split("x")
    return assigned(f"crossbar.rows={rows}", f"crossbar.cols={cols}", *BASE, *assignments)


NONE = {"gain_sigma": 0, "offset_sigma": 0, "inl": 0, "dnl": 0}


def compare(path: Path, given: Mapping[str, Any], trial: int = 1) -> None:
    """Hold every output of one layer to the twin's, but for those near a threshold."""
    model = onnx.load(path)
    shape = [axis.dim_value for axis in model.graph.input[0].type.tensor_type.shape.dim[1:]]
    for seed in range(10, 20):  # calibration inputs that lie on no threshold
        calibration = np.random.default_rng(seed).standard_normal((16, *shape))
        twin = build(model, given, calibration.astype(np.float32), trial)
        if not twin.calibration_risk:
            break
    assert not twin.calibration_risk
    x = np.random.default_rng(2).standard_normal((6, *shape)).astype(np.float32)
    found = output(patched(model, given, calibration, trial), x)
    values = np.maximum(x, 0) if "unsigned" in path.name else x
    expected, risky, _ = twin.layers["layer"].forward(values)
    assert risky.mean() < 0.5
    peak = np.abs(expected).max()
    assert np.abs(found - expected)[~risky].max() < 2e-5 * peak
    # Outputs near a threshold may be a few LSB off, never more.
    assert np.abs(found - expected).max() < 0.25 * peak
    layer = twin.layers["layer"]
    layer.dac_errors = layer.adc_errors = None
    clean, _, _ = layer.forward(values)
    assert np.abs(clean - found).max() > 0.01 * peak


def clean(path: Path, settings: Settings) -> rxsim.pipeline.Study:
    sections = {name: getattr(settings, name).model_copy(update=NONE) for name in ("dac", "adc")}
    return open_study(path, settings.model_copy(update=sections), DataOptions(limit=2))


# Every error with a Conv and a Gemm, both of signed or both of unsigned inputs.
DAC_MODELS = ("conv signed", "conv unsigned", "gemm signed", "gemm unsigned")
DAC_CASES = [
    pytest.param(kind, model, marks=pytest.mark.slow if (i + k) % 2 else [])
    for i, kind in enumerate(DAC)
    for k, model in enumerate(DAC_MODELS)
]


@pytest.mark.parametrize(("kind", "model"), DAC_CASES)
def test_each_error_of_the_dacs_equals_plain_numpy(
    models: dict[str, Path], kind: str, model: str
) -> None:
    compare(models[model], nested(*DAC[kind]))


@pytest.mark.parametrize("model", ["conv signed", "gemm unsigned"])
@pytest.mark.parametrize("kind", ADC)
def test_each_error_of_the_adcs_equals_plain_numpy(
    models: dict[str, Path], model: str, kind: str
) -> None:
    compare(models[model], nested(*ADC[kind]))


FORMS = {
    "pairs": [],
    "one conversion a layer": ["adc.where=per_layer"],
    "ranges by column": ["adc.scope=column", "mapping.w_max_scope=column"],
    "single columns": ["mapping.subtract=digital"],
    "offset": ["mapping.scheme=offset"],
    "reference column": ["mapping.scheme=offset", "mapping.offset_removal=reference_column"],
    "slices": ["mapping.weight_bits=6", "mapping.bits_per_cell=2", "mapping.subtract=digital"],
    "two phases": ["input.signed_input=two_phase"],
    "offset inputs": ["input.signed_input=offset"],
    "offset inputs and cells": ["input.signed_input=offset", "mapping.scheme=offset"],
    "bits": ["input.encoding=bit_serial"],
    "digits": ["input.encoding=bit_serial", "input.bits_per_pulse=2"],
    "digits summed": [
        "input.encoding=bit_serial",
        "input.bits_per_pulse=2",
        "input.adc_per_pass=false",
    ],
    "digits in two phases": [
        "input.encoding=bit_serial",
        "input.bits_per_pulse=3",
        "input.signed_input=two_phase",
        "mapping.subtract=digital",
    ],
    "digits of offset inputs": [
        "input.encoding=bit_serial",
        "input.bits_per_pulse=2",
        "input.signed_input=offset",
    ],
    "two's complement": [
        "input.encoding=bit_serial",
        "input.bits_per_pulse=2",
        "input.signed_input=twos_complement",
    ],
    "two's complement summed": [
        "input.encoding=bit_serial",
        "input.bits_per_pulse=2",
        "input.signed_input=twos_complement",
        "input.adc_per_pass=false",
    ],
    "adjacent": ["mapping.layout=adjacent", "mapping.subtract=digital"],
    "pulse width": ["input.encoding=pulse_width"],
    "kernel position first": ["mapping.row_order=kernel_major", "mapping.split=equal"],
    "permuted": ["mapping.row_permutation=random", "mapping.col_permutation=reversed"],
}


# Every form with a Conv, and with a Gemm of signed and of unsigned inputs in turn.
ALL_FORMS = [
    pytest.param(form, model, marks=pytest.mark.slow if k == 1 + i % 2 else [])
    for i, form in enumerate(FORMS)
    for k, model in enumerate(["conv signed", "gemm unsigned", "gemm signed"])
]


@pytest.mark.parametrize(("form", "model"), ALL_FORMS)
def test_all_errors_together_equal_plain_numpy_in_every_form(
    models: dict[str, Path], model: str, form: str
) -> None:
    compare(models[model], nested(*EVERY, *FORMS[form]))


@pytest.mark.parametrize("model", ["conv signed", "gemm unsigned"])
@pytest.mark.parametrize(
    "form",
    ["pairs", "offset inputs and cells", "two phases", "digits", "bits", "digits summed"],
)
@pytest.mark.parametrize("kind", ["all", "offset"])
def test_dac_errors_without_an_adc_equal_plain_numpy(
    models: dict[str, Path], model: str, form: str, kind: str
) -> None:
    if form == "two phases" and kind == "offset" and "unsigned" not in model:
        pytest.skip("the same offset in both phases cancels: see the test of that name")
    compare(models[model], nested(*DAC[kind], *FORMS[form], "adc.n_bits=null"))


def test_groups_on_one_array_share_its_converters(models: dict[str, Path]) -> None:
    packed = ["mapping.pack_groups=true", "adc.share=7", "adc.where=per_tile"]
    compare(models["conv signed"], nested(*EVERY, *packed, xbar="40x12"))


@pytest.mark.parametrize("phases", ["bipolar", "two_phase"])
def test_an_offset_of_the_drivers_of_pulses_adds_a_constant(
    models: dict[str, Path], phases: str
) -> None:
    """Of v_read, in every pulse; the mean of all pulses at once holds it once."""
    pulses = ["input.encoding=stochastic", "input.pulses=8", "adc.n_bits=null"]
    pulses += [f"input.signed_input={phases}"]
    path = models["gemm unsigned"]
    plain = outputs(path, settings_of(*pulses))
    each = outputs(path, settings_of(*pulses, *DAC["offset"]))
    mean = outputs(path, settings_of(*pulses, *DAC["offset"], "input.adc_per_pass=false"))
    constant = (each - plain).mean(axis=0)
    assert np.abs(constant).max() > 0.1 * np.abs(plain).max()
    assert each - plain == pytest.approx(np.broadcast_to(constant, plain.shape), abs=1e-4)
    assert mean == pytest.approx(each, abs=1e-4)


def test_curves_of_dacs_and_of_cells_go_together(models: dict[str, Path]) -> None:
    """The cells see the voltage that a DAC gives: on nearly linear cells, the linear result."""
    path, cells = models["gemm signed"], ["device.iv.form=sinh", "device.iv.v0=50"]
    for error in (DAC["inl"], DAC["all"]):
        linear, bent = (outputs(path, settings_of(*error, *more)) for more in ([], cells))
        rms = np.sqrt(np.square(linear - bent).mean() / np.square(linear).mean())
        assert rms < 0.02


def outputs(path: Path, settings: Settings, trial: int = 0, threads: int = 1) -> np.ndarray:
    study = open_study(path, settings, DataOptions(limit=8), threads=threads)
    x = study.inputs.feeds(0, 8)
    (found,) = Session(patched_chip(study, trial).model, "patched").run(["y"], x)
    return found


def test_the_same_offset_in_both_phases_cancels(models: dict[str, Path]) -> None:
    two = [*FORMS["two phases"], "adc.n_bits=null"]
    without = outputs(models["gemm signed"], settings_of(*two))
    found = outputs(models["gemm signed"], settings_of(*two, *DAC["offset"]))
    assert found == pytest.approx(without, abs=float(1e-5 * np.abs(without).max()))


def test_curves_have_no_effect_on_dacs_of_one_bit(models: dict[str, Path]) -> None:
    bits = ["input.encoding=bit_serial"]
    curves = ["dac.inl=3", "dac.dnl=1"]
    plain, curved = (
        outputs(models["gemm signed"], settings_of(*bits, *more)) for more in ([], curves)
    )
    assert (plain == curved).all()


def graph(path: Path, *assignments: str, trial: int = 0, threads: int = 1) -> bytes:
    study = open_study(path, settings_of(*assignments), DataOptions(limit=2), threads=threads)
    return patched_chip(study, trial).model.SerializeToString(deterministic=True)


def test_errors_of_zero_leave_the_graph_as_it_is(models: dict[str, Path]) -> None:
    zero = [
        *("adc.gain_sigma=0", "adc.offset_sigma=0.0", "adc.inl=[0,0,0]", "adc.dnl=[0]"),
        *("dac.gain_sigma=0", "dac.offset_sigma=0.0", "dac.inl=[0]", "dac.dnl=[0,0]"),
        "adc.share=3",
    ]
    for path in models.values():
        for form in (FORMS["pairs"], FORMS["digits"], FORMS["offset inputs and cells"]):
            assert graph(path, *form, *zero) == graph(path, *form)


def test_an_unequal_step_that_is_equal_everywhere_is_no_dnl(models: dict[str, Path]) -> None:
    """A gain is not part of DNL: it is taken off at the end points."""
    same = ["adc.dnl=[0.5]", "dac.dnl=[0.25,0.25]"]
    path = models["gemm signed"]
    assert outputs(path, settings_of(*same)) == pytest.approx(outputs(path, settings_of()))


def test_a_chip_is_the_same_for_any_thread_count(models: dict[str, Path]) -> None:
    for path in (models["conv signed"], models["gemm unsigned"]):
        assert graph(path, *EVERY, threads=1) == graph(path, *EVERY, threads=3)


def test_trials_and_seeds_differ_and_tables_do_not(models: dict[str, Path]) -> None:
    path = models["gemm signed"]
    for error in (*DAC.values(), *ADC.values()):
        is_table = all("[" in one for one in error)
        same = graph(path, *error, trial=0) == graph(path, *error, trial=1)
        assert same == is_table == (not is_random(settings_of(*error)))
    assert graph(path, *EVERY) != graph(path, *EVERY, "seed=6")


def test_nominal_hardware_has_no_errors(models: dict[str, Path], tmp_path: Path) -> None:
    """Ranges and the rung `ideal` are those without errors; tables count on every chip."""
    (path, bad) = models["conv signed"], settings_of(*EVERY)
    study, good = open_study(path, bad, DataOptions(limit=2)), clean(path, bad)
    x = np.random.default_rng(3).standard_normal((8, 4, 5, 5))
    spoiled, plain = (calibrated(onnx.load(path), nested(*some), x) for some in (EVERY, BASE))
    assert spoiled["layers"] == plain["layers"]
    rungs = [evaluate(one).rung("ideal").trials[0].mean("snr_db") for one in (study, good)]
    assert rungs[0] == rungs[1]
    tables = settings_of(*ADC["tables"])
    assert not is_random(tables)
    results = [
        evaluate(open_study(path, one, DataOptions(limit=2)))
        .rung("nonideal")
        .trials[0]
        .mean("snr_db")
        for one in (tables, settings_of())
    ]
    assert known(results[0]) < known(results[1])


def test_a_table_of_curves_beyond_the_bound_is_refused(models: dict[str, Path]) -> None:
    for kind in ("inl", "dnl"):
        wide = settings_of(f"adc.{kind}=1", "adc.n_bits=22")
        study = open_study(models["gemm signed"], wide, DataOptions(limit=2))
        with pytest.raises(
            SettingError, match=rf"^adc\.{kind}: found .* expected .* larger adc.share"
        ):
            mapped_of(study)
    for fits in (["adc.n_bits=22", "adc.inl=[1,-1]"], ["adc.n_bits=18", "adc.inl=1"]):
        mapped_of(open_study(models["gemm signed"], settings_of(*fits), DataOptions(limit=2)))


def test_a_larger_share_makes_room_for_the_table(models: dict[str, Path]) -> None:
    for share, fits in ((1, False), (6, True)):
        own = settings_of("adc.inl=1", "adc.n_bits=23", f"adc.share={share}", "adc.where=per_layer")
        study = open_study(models["gemm signed"], own, DataOptions(limit=2))
        if fits:
            mapped_of(study)
        else:
            with pytest.raises(SettingError):
                mapped_of(study)


def test_every_place_of_a_large_table_is_found(tmp_path: Path) -> None:
    """Places beyond 2^24 are not whole in float32; unequal steps tell the neighbours apart."""
    path = tmp_path / "wide_signed.onnx"
    weight = np.random.default_rng(3).standard_normal((4, 1100))
    path.write_bytes(network("[layer] y = Gemm(x, w)", (4,), {"w": weight}).SerializeToString())
    given = nested("adc.n_bits=14", "dac.n_bits=8", "adc.dnl=30", xbar="4x128")
    assert 1100 * (2**14 - 1) > 2**24
    compare(path, given)


def test_inl_costs_little_where_it_is_small_and_much_where_it_is_large() -> None:
    found = []
    for inl in (0, 0.5, 2, 6, 20):
        assignments = ["adc.n_bits=8", "dac.n_bits=8", f"adc.inl={inl}", "calibration.samples=40"]
        own = load_settings(None, xbar="64x64", assignments=assignments)
        study = open_study(MODELS / "digits_cnn.onnx", own, DataOptions(limit=100))
        feeds = study.inputs.feeds(0, 100)
        name = study.output
        (truth,) = Session(study.network.model, "float").run([name], feeds)
        (y,) = Session(patched_chip(study).model, "patched").run([name], feeds)
        truth = truth.astype(np.float64)
        found.append(decibel(float((truth**2).sum()), float(((truth - y) ** 2).sum())))
    print(found)
    assert found[0] - found[1] < 2
    assert found[0] - found[-1] > 12
    assert (np.diff(found) < 0.3).all()


# Gain and offset act on the voltage, before a cell that is not linear.

SINH = ["device.iv.form=sinh", "device.iv.v0=0.12"]
NO_WIRES = [f"crossbar.{name}=0" for name in ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense")]


class Late(Layer):
    """A layer whose DACs have their gains and offsets behind the cells."""

    def driven(self, sent: Pass, p: int, q: int) -> Floats:
        """Return what the rows of a tile count as, in V, (G, M, K_p)."""
        units = sent.units.transpose(1, 0, 2)[:, :, self.rows[p]]
        assert self.dac_errors is not None
        gain, offset = (
            part[p][:, q, None, :] for part in (self.dac_errors.gain, self.dac_errors.offset)
        )
        v_read = np.array(self.settings["input"]["v_read"])
        counted = self.counted(v_read) / v_read  # of a current per v_read on the chord matrix
        return np.asarray(
            (1 + gain) * self.counted(sent.volt * units) + counted * sent.volt * offset
        )


def error(found: np.ndarray, wanted: np.ndarray, nominal: np.ndarray) -> float:
    """How far from what the errors do, of what they do."""
    return float(np.sqrt(np.square(found - wanted).mean() / np.square(wanted - nominal).mean()))


@pytest.mark.parametrize("kind", ["gain", "offset", "both"])
@pytest.mark.parametrize("encoding", ["amplitude", "bit_serial"])
@pytest.mark.parametrize("model", ["gemm unsigned", "gemm signed"])
def test_gain_and_offset_of_a_dac_come_before_cells_that_are_not_linear(
    models: dict[str, Path], model: str, encoding: str, kind: str
) -> None:
    """Exact for pulses of one voltage and sign, else a line of the cells' curve by least squares."""
    size = {"gain": [0.05, 0], "offset": [0, 0.03], "both": [0.05, 0.03]}[kind]
    if encoding == "amplitude":
        size[1] *= 20
    errors = [f"dac.gain_sigma={size[0]}", f"dac.offset_sigma={size[1]}"]
    base = [*SINH, *NO_WIRES, f"input.encoding={encoding}", "adc.n_bits=null"]
    network = onnx.load(models[model])
    calibration = np.random.default_rng(6).standard_normal((16, 21)).astype(np.float32)
    x = np.random.default_rng(7).standard_normal((50, 21)).astype(np.float32)
    given = nested(*base, *errors)
    found = output(patched(network, given, calibration), x)
    twin = build(network, given, calibration, 0)
    wanted = twin.run(x)
    nominal = build(network, nested(*base), calibration, 0).run(x)
    layer = twin.layers["layer"]
    twin.layers["layer"] = Late(**{one.name: getattr(layer, one.name) for one in fields(layer)})
    late = twin.run(x)
    off, off_late = error(found, wanted, nominal), error(late, wanted, nominal)
    if encoding == "bit_serial" and ("unsigned" in model or kind == "gain"):
        assert off < 1e-5
    elif encoding == "bit_serial":  # three voltages and a line: about as far as a late error
        assert off < 0.3
    else:
        assert off < 0.7 * off_late
        assert off < 0.25


def test_a_gated_row_at_0_volt_carries_nothing_whatever_its_offset(models: dict[str, Path]) -> None:
    gated = ["crossbar.topology=input_gated", "input.encoding=bit_serial", "adc.n_bits=null"]
    path = models["gemm unsigned"]
    own = settings_of(*gated, "dac.offset_sigma=0.5")
    study = open_study(path, own, DataOptions(limit=2))
    (found,) = Session(patched_chip(study).model, "patched").run(
        ["y"], {"x": -np.ones((1, 21), dtype=np.float32)}
    )
    assert found == pytest.approx(0, abs=1e-5)


def test_an_error_of_a_pulses_length_is_not_bent_by_the_cells(models: dict[str, Path]) -> None:
    """Gain and offset of a pulse's width change its charge in proportion, whatever the cells."""
    wide = [*NO_WIRES, "input.encoding=pulse_width", "adc.n_bits=null", *DAC["all"]]
    path = models["gemm signed"]
    linear, bent = (outputs(path, settings_of(*wide, *more)) for more in ([], SINH))
    assert bent == pytest.approx(linear, abs=float(1e-4 * np.abs(linear).max()))
