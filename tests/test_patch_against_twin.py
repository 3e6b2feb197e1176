"""The patched graph against the slow plain twin, layer by layer, with everything switched on.

The twin (tests/twin.py) was written from the model's description alone: numpy im2col, one matmul per
array, float64. Each layer of the twin is fed what the patched graph fed to its own, so that one value
on a converter's threshold can't hide behind its consequences. Outputs may differ only where the twin
says that a value lies on a threshold (float32 may then round to the other side): these are counted.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
from oracles import sparse
from twin import build

from rxsim.config import Settings, as_plain, load_settings
from rxsim.devices import Chip, program
from rxsim.mapping import map_layer
from rxsim.pipeline import DataOptions, Study, open_study, patched_chip
from rxsim.session import Session, with_outputs
from tests.chips import foundry_of

MODELS = Path(__file__).parents[1] / "models"
N_IMAGES = 12
# Pixels are k/16 and x_max is 1: pixel 8 would be an exact tie of every DAC. The mean moves it off.
OFF_TIES = {"mean": 0.013}

EVERYTHING = [
    "device.write_sigma=0.05",
    "device.d2d_sigma=0.1",
    "device.stuck_lrs=0.02",
    "device.stuck_hrs=0.03",
    "calibration.samples=20",
    "crossbar.r_access=1000",
    "crossbar.r_wire_wl=3",
    "crossbar.r_wire_bl=7",
    "crossbar.r_driver=150",
    "crossbar.r_sense=60",
    "seed=3",
]


def study_of(model: str, settings: Settings, n_images: int = N_IMAGES) -> Study:
    options = DataOptions(limit=n_images, preprocess=OFF_TIES)
    return open_study(MODELS / f"{model}.onnx", settings, options)


def programmed_arrays(study: Study, trial: int):
    """Give the twin the same chip: random draws are an input of the physics, not part of it."""
    settings = study.settings
    mapped = [
        map_layer(layer, settings.crossbar, settings.device, settings.mapping)
        for layer in study.network.layers
    ]
    make = partial(program, device=settings.device, chip=Chip(settings.seed, trial))
    return lambda layer, array: make(mapped[layer].array(array), layer)


def compare(model: str, assignments: list[str], trial: int = 0) -> tuple[int, int, int]:
    """Compare all layers; return the numbers of outputs, of risky ones and of those that differ."""
    settings = load_settings(None, assignments=[*EVERYTHING, *assignments])
    study = study_of(model, settings)
    calibration = study.calibration.feeds(0, len(study.calibration))["image"]
    twin = build(
        onnx.load(MODELS / f"{model}.onnx"),
        as_plain(settings),
        calibration,
        programmed_arrays(study, trial),
        sparse.g_eff,
    )
    foundry = foundry_of(study)
    take_ranges(twin, study, foundry)
    patched = foundry.make(trial).network
    layers = study.network.layers
    names = [name for layer in layers for name in (layer.input, layer.output)]
    names = list(dict.fromkeys(names))
    session = Session(with_outputs(patched.model, names), "the patched network")
    found = dict(zip(names, session.run(names, study.inputs.feeds(0, N_IMAGES)), strict=True))
    total = risky_total = differing = 0
    assert set(twin.layers) == {layer.name for layer in layers}
    for layer in layers:
        ours = found[layer.output]
        theirs, risky = twin.layers[layer.name].forward(found[layer.input])
        peak = np.abs(theirs).max()
        differs = np.abs(ours - theirs) > 2e-5 * peak
        assert not (differs & ~risky).any(), f"{layer.name}: differs where no threshold is near"
        total += risky.size
        risky_total += int(risky.sum())
        differing += int(differs.sum())
    return total, risky_total, differing


def take_ranges(twin, study: Study, foundry) -> None:
    """Give the twin our ADC ranges.

    Its own differ where a calibration input lies on a DAC's threshold; without DACs they agree to
    float32, which test_calibrated_ranges_equal_the_twins holds them to.
    """
    for layer, adc in zip(study.network.layers, foundry.adcs, strict=True):
        theirs = twin.layers[layer.name].adc_range
        assert (adc is None) == (theirs is None)
        if adc is not None:
            ranges = adc.lsb * adc.high[:, None, None]
            twin.layers[layer.name].adc_range = [
                ranges[p % len(ranges)] for p in range(len(theirs))
            ]


CASES = {
    "defaults": [],
    "scales by column": ["mapping.w_max_scope=column", "adc.scope=column"],
    "scales by tile": ["mapping.w_max_scope=tile", "adc.scope=tile"],
    "one conversion a layer": ["adc.where=per_layer", "adc.n_bits=8"],
    "full scale": ["adc.range=full_scale", "adc.n_bits=10"],
    "percentiles": [
        "adc.percentile=99.5",
        "input.percentile=99",
        "mapping.w_percentile=98",
        "adc.scope=tile",
    ],
    "kernel position first": ["mapping.row_order=kernel_major"],
    "open unused cells": ["mapping.unused_cells=open", "device.n_bits=null", "dac.n_bits=4"],
    "no converters": ["dac.n_bits=null", "adc.n_bits=null", "device.n_levels=11"],
}


# test_vocabulary.py draws settings like these on smaller networks: half of them here are enough.
LONG = ("scales by column", "percentiles", "kernel position first", "full scale", "no converters")


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.slow) if case in LONG else case for case in CASES]
)
def test_every_layer_of_the_cnn_agrees_with_the_twin(case):
    small = ["crossbar.rows=20", "crossbar.cols=12"]
    total, risky, differing = compare("digits_cnn", [*small, *CASES[case]])
    print(f"{case}: {total} outputs, {risky} near a threshold, {differing} differ")
    assert risky < 0.01 * total
    assert differing < 0.0005 * total


@pytest.mark.parametrize(
    ("model", "assignments"),
    [
        ("digits_mlp", ["crossbar.rows=24", "crossbar.cols=24", "device.write_unit=relative"]),
        ("digits_resnet", ["crossbar.rows=32", "crossbar.cols=16"]),
        ("digits_dsconv", ["crossbar.rows=16", "crossbar.cols=8", "mapping.w_max_scope=column"]),
    ],
)
def test_every_layer_of_the_other_shipped_models_agrees_with_the_twin(model, assignments):
    total, risky, differing = compare(model, assignments, trial=1)
    print(f"{model}: {total} outputs, {risky} near a threshold, {differing} differ")
    assert risky < 0.01 * total
    assert differing < 0.0005 * total


@pytest.mark.parametrize(
    "assignments",
    [
        ["adc.scope=layer"],
        ["adc.scope=tile", "adc.percentile=99.9"],
        ["adc.scope=column", "adc.percentile=97"],
        ["adc.scope=column", "adc.where=per_layer"],
        ["adc.range=full_scale", "adc.where=per_layer"],
    ],
    ids=" ".join,
)
def test_calibrated_ranges_equal_the_twins(assignments):
    """Without DACs nothing is discontinuous before the ADCs, which are open while it is measured."""
    more = ["dac.n_bits=null", "crossbar.rows=20", "crossbar.cols=12", *assignments]
    settings = load_settings(None, assignments=[*EVERYTHING, *more])
    study = study_of("digits_cnn", settings)
    calibration = study.calibration.feeds(0, len(study.calibration))["image"]
    model = onnx.load(MODELS / "digits_cnn.onnx")
    twin = build(model, as_plain(settings), calibration, None, sparse.g_eff)
    foundry = foundry_of(study)
    for layer, adc in zip(study.network.layers, foundry.adcs, strict=True):
        ranges = adc.lsb * adc.high[:, None, None]
        for p, theirs in enumerate(twin.layers[layer.name].adc_range):
            assert ranges[p % len(ranges)] == pytest.approx(theirs, rel=2e-5)


def test_exact_ties_of_the_dac_go_to_the_even_code():
    """Undisturbed pixels k/16 with x_max 1: pixel 8 is code 31.5 of 63, which is 32."""
    settings = load_settings(None, xbar="16x16", assignments=["adc.n_bits=null"])
    study = open_study(MODELS / "digits_mlp.onnx", settings, DataOptions(limit=30))
    patched = patched_chip(study)
    codes = "fc1/dac_codes"
    session = Session(with_outputs(patched.model, [codes, "flatten.out"]), "patched")
    x, found = session.run(["flatten.out", codes], study.inputs.feeds(0, 30))
    ties = x == 0.5
    assert ties.sum() > 20
    assert (found[ties] == 32).all()


@pytest.mark.parametrize("model", ["digits_cnn", "digits_resnet"])
def test_the_whole_network_agrees_with_the_twin_end_to_end(model):
    """Errors on thresholds travel on, so whole networks agree in what they say, not bit by bit."""
    settings = load_settings(None, xbar="32x16", assignments=EVERYTHING)
    study = study_of(model, settings, 60)
    calibration = study.calibration.feeds(0, len(study.calibration))["image"]
    x = study.inputs.feeds(0, 60)
    twin = build(
        onnx.load(MODELS / f"{model}.onnx"),
        as_plain(settings),
        calibration,
        programmed_arrays(study, 0),
        sparse.g_eff,
    )
    foundry = foundry_of(study)
    take_ranges(twin, study, foundry)
    theirs = twin.run(x["image"])
    session = Session(foundry.make(0).network.model, "the patched network")
    (ours,) = session.run(["logits"], x)
    error = np.sqrt(np.square(ours - theirs).mean() / np.square(theirs).mean())
    exact = np.abs(ours - theirs).max(axis=1) < 1e-4 * np.abs(theirs).max()
    print(f"{model}: {exact.mean():.3f} of images bit for bit (to 1e-4), rms error {error:.4f}")
    assert (ours.argmax(1) == theirs.argmax(1)).mean() >= 0.98
    assert error < 0.02
    assert exact.mean() > 0.9
