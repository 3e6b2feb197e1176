"""Static errors of DACs and ADCs: against plain numpy, in their statistics, and in what they cost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from slow_converters import slow_layer, stream
from vocabulary.models import network

from rxsim.config import Settings, load_settings
from rxsim.errors import SettingError
from rxsim.metrics.snr_db import decibel
from rxsim.pipeline import DataOptions, evaluate, open_study, patched_chip
from rxsim.pipeline.chip.foundry import is_random
from rxsim.session import Session
from tests.chips import foundry_of, mapped_of, nominal_hardware, perfect_hardware

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
def models(tmp_path_factory) -> dict[str, Path]:
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


def compare(path: Path, settings: Settings, trial: int = 1) -> None:
    """Hold every output of one layer to the plain computation, but for those near a threshold."""
    study = open_study(path, settings, DataOptions(limit=2))
    foundry = foundry_of(study)
    (plain,) = nominal_hardware(foundry)
    x = np.random.default_rng(2).standard_normal((6, *path_shape(study))).astype(np.float32)
    (found,) = Session(foundry.make(trial).network.model, "patched").run(["y"], {"x": x})
    values = np.maximum(x, 0) if "unsigned" in path.name else x
    is_conv = plain.layer.op == "Conv"
    expected, risky = slow_layer(
        plain, foundry.adcs[0], settings, values, trial, pad=int(is_conv), stride=1 + is_conv
    )
    shape = (found.shape[0], *found.shape[2:], found.shape[1]) if is_conv else found.shape
    expected, risky = (
        np.reshape(some, shape) for some in (expected, np.broadcast_to(risky, expected.shape))
    )
    if is_conv:
        expected, risky = np.moveaxis(expected, -1, 1), np.moveaxis(risky, -1, 1)
    assert risky.mean() < 0.5
    peak = np.abs(expected).max()
    assert np.abs(found - expected)[~risky].max() < 2e-5 * peak
    # Outputs near a threshold may be a few LSB off, never more.
    assert np.abs(found - expected).max() < 0.25 * peak
    (other,) = Session(patched_chip(clean(path, settings)).model, "nominal").run(["y"], {"x": x})
    assert np.abs(other - found).max() > 0.01 * peak


def path_shape(study) -> tuple[int, ...]:
    (tensor,) = study.inputs.feeds(0, 1).values()
    return tensor.shape[1:]


def clean(path: Path, settings: Settings):
    none = {"gain_sigma": 0, "offset_sigma": 0, "inl": 0, "dnl": 0}
    sections = {name: getattr(settings, name).model_copy(update=none) for name in ("dac", "adc")}
    return open_study(path, settings.model_copy(update=sections), DataOptions(limit=2))


@pytest.mark.parametrize("model", ["conv signed", "conv unsigned", "gemm signed", "gemm unsigned"])
@pytest.mark.parametrize("kind", DAC)
def test_each_error_of_the_dacs_equals_plain_numpy(models, model, kind):
    compare(models[model], settings_of(*DAC[kind]))


@pytest.mark.parametrize("model", ["conv signed", "gemm unsigned"])
@pytest.mark.parametrize("kind", ADC)
def test_each_error_of_the_adcs_equals_plain_numpy(models, model, kind):
    compare(models[model], settings_of(*ADC[kind]))


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


@pytest.mark.parametrize("model", ["conv signed", "gemm unsigned", "gemm signed"])
@pytest.mark.parametrize("form", FORMS)
def test_all_errors_together_equal_plain_numpy_in_every_form(models, model, form):
    compare(models[model], settings_of(*EVERY, *FORMS[form]))


@pytest.mark.parametrize("model", ["conv signed", "gemm unsigned"])
@pytest.mark.parametrize(
    "form",
    ["pairs", "offset inputs and cells", "two phases", "digits", "bits", "digits summed"],
)
@pytest.mark.parametrize("kind", ["all", "offset"])
def test_dac_errors_without_an_adc_equal_plain_numpy(models, model, form, kind):
    if form == "two phases" and kind == "offset" and "unsigned" not in model:
        pytest.skip("the same offset in both phases cancels: see the test of that name")
    compare(models[model], settings_of(*DAC[kind], *FORMS[form], "adc.n_bits=null"))


def test_groups_on_one_array_share_its_converters(models):
    packed = ["mapping.pack_groups=true", "adc.share=7", "adc.where=per_tile"]
    compare(models["conv signed"], settings_of(*EVERY, *packed, xbar="40x12"))


@pytest.mark.parametrize("phases", ["bipolar", "two_phase"])
def test_an_offset_of_the_drivers_of_pulses_adds_a_constant(models, phases):
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


def test_curves_of_dacs_and_of_cells_go_together(models):
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


def test_the_same_offset_in_both_phases_cancels(models):
    two = [*FORMS["two phases"], "adc.n_bits=null"]
    without = outputs(models["gemm signed"], settings_of(*two))
    found = outputs(models["gemm signed"], settings_of(*two, *DAC["offset"]))
    assert found == pytest.approx(without, abs=float(1e-5 * np.abs(without).max()))


def test_curves_have_no_effect_on_dacs_of_one_bit(models):
    bits = ["input.encoding=bit_serial"]
    curves = ["dac.inl=3", "dac.dnl=1"]
    plain, curved = (
        outputs(models["gemm signed"], settings_of(*bits, *more)) for more in ([], curves)
    )
    assert (plain == curved).all()


def graph(path: Path, *assignments: str, trial: int = 0, threads: int = 1) -> bytes:
    study = open_study(path, settings_of(*assignments), DataOptions(limit=2), threads=threads)
    return patched_chip(study, trial).model.SerializeToString(deterministic=True)


def test_errors_of_zero_leave_the_graph_as_it_is(models):
    zero = [
        *("adc.gain_sigma=0", "adc.offset_sigma=0.0", "adc.inl=[0,0,0]", "adc.dnl=[0]"),
        *("dac.gain_sigma=0", "dac.offset_sigma=0.0", "dac.inl=[0]", "dac.dnl=[0,0]"),
        "adc.share=3",
    ]
    for path in models.values():
        for form in (FORMS["pairs"], FORMS["digits"], FORMS["offset inputs and cells"]):
            assert graph(path, *form, *zero) == graph(path, *form)


def test_an_unequal_step_that_is_equal_everywhere_is_no_dnl(models):
    """A gain is not part of DNL: it is taken off at the end points."""
    same = ["adc.dnl=[0.5]", "dac.dnl=[0.25,0.25]"]
    path = models["gemm signed"]
    assert outputs(path, settings_of(*same)) == pytest.approx(outputs(path, settings_of()))


def test_a_chip_is_the_same_for_any_thread_count(models):
    for path in (models["conv signed"], models["gemm unsigned"]):
        assert graph(path, *EVERY, threads=1) == graph(path, *EVERY, threads=3)


def test_trials_and_seeds_differ_and_tables_do_not(models):
    path = models["gemm signed"]
    for error in (*DAC.values(), *ADC.values()):
        is_table = all("[" in one for one in error)
        same = graph(path, *error, trial=0) == graph(path, *error, trial=1)
        assert same == is_table == (not is_random(settings_of(*error)))
    assert graph(path, *EVERY) != graph(path, *EVERY, "seed=6")


def test_nominal_hardware_has_no_errors(models):
    """Ranges and the rung `ideal` are those without errors; tables count on every chip."""
    (path, bad) = models["conv signed"], settings_of(*EVERY)
    study, good = open_study(path, bad, DataOptions(limit=2)), clean(path, bad)
    spoiled, plain = (foundry_of(one) for one in (study, good))
    assert (spoiled.adcs[0].lsb == plain.adcs[0].lsb).all()
    assert spoiled.adcs[0].errors is None
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
    assert results[0] < results[1]


def test_a_table_of_curves_beyond_the_bound_is_refused(models):
    for kind in ("inl", "dnl"):
        wide = settings_of(f"adc.{kind}=1", "adc.n_bits=22")
        study = open_study(models["gemm signed"], wide, DataOptions(limit=2))
        with pytest.raises(
            SettingError, match=rf"^adc\.{kind}: found .* expected .* larger adc.share"
        ):
            mapped_of(study)
    for fits in (["adc.n_bits=22", "adc.inl=[1,-1]"], ["adc.n_bits=18", "adc.inl=1"]):
        mapped_of(open_study(models["gemm signed"], settings_of(*fits), DataOptions(limit=2)))


def test_a_larger_share_makes_room_for_the_table(models):
    for share, fits in ((1, False), (6, True)):
        own = settings_of("adc.inl=1", "adc.n_bits=23", f"adc.share={share}", "adc.where=per_layer")
        study = open_study(models["gemm signed"], own, DataOptions(limit=2))
        if fits:
            mapped_of(study)
        else:
            with pytest.raises(SettingError):
                mapped_of(study)


def test_every_place_of_a_large_table_is_found(tmp_path):
    """Places beyond 2^24 are not whole in float32; unequal steps tell the neighbours apart."""
    path = tmp_path / "wide_signed.onnx"
    weight = np.random.default_rng(3).standard_normal((4, 1100))
    path.write_bytes(network("[layer] y = Gemm(x, w)", (4,), {"w": weight}).SerializeToString())
    own = settings_of("adc.n_bits=14", "dac.n_bits=8", "adc.dnl=30", xbar="4x128")
    assert 1100 * (2**14 - 1) > 2**24
    compare(path, own)


def test_inl_costs_little_where_it_is_small_and_much_where_it_is_large():
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


def by_hand(path: Path, own: Settings, x: np.ndarray, *, before: bool = True) -> np.ndarray:
    """Outputs of a Gemm without wires and ADCs: every cell carries g f(v) of its row's own voltage.

    Args:
        path: the model.
        own: settings, of sinh cells.
        x: activations.
        before: whether gain and offset belong to the voltage (or else to the current).
    """
    study = open_study(path, own, DataOptions(limit=2))
    foundry = foundry_of(study)
    (plain,) = perfect_hardware(foundry)
    dac = plain.input_plan.dac
    codes = np.rint(np.clip(np.float32(x) * np.float32(dac.code_per_x), dac.low, dac.high))
    digits = own.input.encoding == "bit_serial"
    bits = own.dac.n_bits - (dac.low < 0)
    passes = [(2.0**k, np.sign(codes) * (np.abs(codes) // 2**k % 2)) for k in range(bits)]
    if not digits:
        passes = [(1.0, codes)]
    volt = own.input.v_read / (1 if digits else dac.high)
    gains, offsets = (stream(own.seed, 0, plain.layer.index, 3, kind) for kind in (0, 1))
    total = 0.0
    for rows, matrix, scale in zip(plain.rows, plain.matrices, plain.scale, strict=True):
        shape = (1, int(plain.readouts.col_tiles.max()) + 1, len(rows))
        gain = own.dac.gain_sigma * gains.standard_normal(shape)[0]
        offset = own.dac.offset_sigma * offsets.standard_normal(shape)[0]
        for weight, units in passes:
            for c, q in enumerate(plain.readouts.col_tiles):
                if before:
                    seen = curve(volt * ((1 + gain[q]) * units[:, rows] + offset[q]))
                else:
                    seen = (1 + gain[q]) * curve(volt * units[:, rows]) + volt * offset[q]
                part = np.zeros((len(x), matrix.shape[2]))
                part[:, c] = weight * seen @ matrix[0, :, c]
                total = total + scale[0] * part
    return total


def curve(v: np.ndarray) -> np.ndarray:
    return 0.2 * np.sinh(v / 0.12) / np.sinh(0.2 / 0.12)


def error(found: np.ndarray, wanted: np.ndarray, nominal: np.ndarray) -> float:
    """How far from what the errors do, of what they do."""
    return float(np.sqrt(np.square(found - wanted).mean() / np.square(wanted - nominal).mean()))


@pytest.mark.parametrize("kind", ["gain", "offset", "both"])
@pytest.mark.parametrize("encoding", ["amplitude", "bit_serial"])
@pytest.mark.parametrize("model", ["gemm unsigned", "gemm signed"])
def test_gain_and_offset_of_a_dac_come_before_cells_that_are_not_linear(
    models, model, encoding, kind
):
    """Exact for pulses of one voltage and sign, else a line of the cells' curve by least squares."""
    size = {"gain": [0.05, 0], "offset": [0, 0.03], "both": [0.05, 0.03]}[kind]
    if encoding == "amplitude":
        size[1] *= 20
    errors = [f"dac.gain_sigma={size[0]}", f"dac.offset_sigma={size[1]}"]
    base = [*SINH, *NO_WIRES, f"input.encoding={encoding}", "adc.n_bits=null"]
    own, clear = settings_of(*base, *errors), settings_of(*base)
    path = models[model]
    x = np.random.default_rng(7).standard_normal((50, 21)).astype(np.float32)
    values = np.maximum(x, 0) if "unsigned" in model else x
    study = open_study(path, own, DataOptions(limit=2))
    (found,) = Session(patched_chip(study).model, "patched").run(["y"], {"x": x})
    wanted, nominal = by_hand(path, own, values), by_hand(path, clear, values)
    late = by_hand(path, own, values, before=False)
    off, off_late = error(found, wanted, nominal), error(late, wanted, nominal)
    if encoding == "bit_serial" and ("unsigned" in model or kind == "gain"):
        assert off < 1e-5
    elif encoding == "bit_serial":  # three voltages and a line: about as far as a late error
        assert off < 0.3
    else:
        assert off < 0.7 * off_late
        assert off < 0.25


def test_a_gated_row_at_0_volt_carries_nothing_whatever_its_offset(models):
    gated = ["crossbar.topology=input_gated", "input.encoding=bit_serial", "adc.n_bits=null"]
    path = models["gemm unsigned"]
    own = settings_of(*gated, "dac.offset_sigma=0.5")
    study = open_study(path, own, DataOptions(limit=2))
    (found,) = Session(patched_chip(study).model, "patched").run(
        ["y"], {"x": -np.ones((1, 21), dtype=np.float32)}
    )
    assert found == pytest.approx(0, abs=1e-5)


def test_an_error_of_a_pulses_length_is_not_bent_by_the_cells(models):
    """Gain and offset of a pulse's width change its charge in proportion, whatever the cells."""
    wide = [*NO_WIRES, "input.encoding=pulse_width", "adc.n_bits=null", *DAC["all"]]
    path = models["gemm signed"]
    linear, bent = (outputs(path, settings_of(*wide, *more)) for more in ([], SINH))
    assert bent == pytest.approx(linear, abs=float(1e-4 * np.abs(linear).max()))
